/* The thread of an executor reads its next task itself (patio.poller/1), where one call follows the
 * other. Here is that it does so, and what must go on all the same: tasks that block or wait,
 * cancels, tasks of its own process, wake-ups from other threads, stops. Whether the loop of the
 * transport is lent at a given moment is the transport's to decide, so each test first calls until
 * it was, and all hold either way. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "poller_world.h"
#include "tcp_world.h"

enum { ROUNDS = 5, CALLS = 200, BLOCK_MS = 3000 };

static void the_thread_reads_its_tasks_itself(void **state)
{
    (void)state;
    world w = open_world();
    for (uint64_t end = now_ms() + LONG_MS; !are_guests(&w);) {
        assert_true(now_ms() < end);
    }
    close_world(&w);
}

static void a_thread_that_is_held_costs_no_peer_its_link(void **state)
{
    (void)state;
    world    w       = open_world();
    patio_id id      = {{0}};
    uint32_t outcome = 0;
    be_guests(&w);
    uint32_t      before = atomic_load(&counted);
    uint64_t      from   = now_ms();
    patio_future *held   = start(w.caller, "hold", 0);
    await_value(&blocked, 1);
    /* one more comes in, and is told that it is not wanted, all while the thread is held */
    patio_future *late = start(w.caller, "count", 0);
    id                 = patio_future_id(late);
    assert_int_equal(patio_cancel(w.caller, "default", id, LONG_MS, &outcome, NULL), PATIO_OK);
    assert_in_range(outcome, PATIO_CANCEL_REMOVED, PATIO_CANCEL_TOLD);
    assert_int_equal(atomic_load(&blocked), 1);
    while (now_ms() < from + BLOCK_MS) {
        usleep(10000);
        assert_false(patio_future_done(held)); /* as it would be with a lost peer */
    }
    atomic_store(&let_go, true);
    finish(held, PATIO_OK);
    call_doubling(w.caller, "twice", 1);
    assert_int_equal(atomic_load(&counted), before); /* it never ran */
    patio_future_cancel(late);
    patio_future_destroy(late);
    close_world(&w);
}

static void who_holds_the_thread_is_cancelled(void **state)
{
    (void)state;
    world w = open_world();
    for (int round = 0; round < ROUNDS; round++) {
        be_guests(&w);
        patio_future *held = start(w.caller, "hold", 0);
        await_value(&blocked, 1);
        patio_future_cancel(held);
        finish(held, PATIO_CANCELLED);
        await_value(&blocked, 0);
    }
    close_world(&w);
}

typedef struct other {
    pthread_t     thread;
    patio_broker *broker;
    const char   *task;
    uint32_t      pause_us;
} other;

static void *call_too(void *arg)
{
    other *o = arg;
    for (int64_t i = 0; i < CALLS; i++) {
        call_doubling(o->broker, o->task, i);
        usleep(o->pause_us);
    }
    return NULL;
}

/* The thread sleeps inside `poll` while other threads bring it tasks, wake its tasks, and call. */
static void wake_ups_from_everywhere_are_heard(void **state)
{
    (void)state;
    world w = open_world();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        other others[] = {
            {.broker = w.worker, .task = "twice", .pause_us = 700},
            {.broker = w.worker, .task = "wait_twice", .pause_us = 50 * round},
            {.broker = w.caller, .task = "wait_twice", .pause_us = 300},
            {.broker = w.caller, .task = "twice"},
        };
        enum { OTHERS = sizeof(others) / sizeof(others[0]) };
        be_guests(&w);
        for (uint32_t i = 0; i < OTHERS; i++) {
            /* the first alone with a loop that waits, then all at once */
            if (i == 1) {
                (void)pthread_join(others[0].thread, NULL);
            }
            assert_int_equal(pthread_create(&others[i].thread, NULL, call_too, &others[i]), 0);
        }
        for (uint32_t i = 1; i < OTHERS; i++) {
            (void)pthread_join(others[i].thread, NULL);
        }
    }
    close_world(&w);
}

/* Nobody but the one who brings it wakes the thread for it: the transport itself looks up every
 * 250 ms only. */
static void a_task_from_another_thread_wakes_it_at_once(void **state)
{
    enum { TASKS = 20, SOON_MS = 100 };
    (void)state;
    world    w    = open_world();
    uint32_t soon = 0;
    for (int i = 0; i < TASKS; i++) {
        be_guests(&w);
        uint64_t      from = now_ms();
        patio_future *f    = start(w.worker, "twice", i);
        while (!patio_future_done(f)) { /* a wait would have the transport look up */
            assert_true(now_ms() < from + LONG_MS);
            usleep(100);
        }
        soon += now_ms() < from + SOON_MS ? 1 : 0;
        finish(f, PATIO_OK);
    }
    assert_in_range(soon, TASKS * 7 / 10, TASKS);
    close_world(&w);
}

static void a_worker_is_stopped_while_its_thread_reads(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        world w = open_world();
        be_guests(&w);
        uint64_t from = now_ms();
        assert_int_equal(patio_broker_stop(w.worker, LONG_MS, NULL), PATIO_OK);
        assert_in_range(now_ms() - from, 0, LONG_MS / 2);
        close_world(&w);
    }
}

static void who_waits_for_tasks_costs_nothing(void **state)
{
    enum { TICKS = 2 * 2, SOME = 8 }; /* of two brokers, in half a second */
    (void)state;
    world w = open_world();
    be_guests(&w);
    uint64_t woken = UINT64_MAX;
    for (uint64_t end = now_ms() + LONG_MS; woken > TICKS + SOME;) {
        assert_true(now_ms() < end);
        uint64_t before = sleeps_of("patio-tcp") + sleeps_of(executor_thread);
        usleep(500 * 1000);
        woken = sleeps_of("patio-tcp") + sleeps_of(executor_thread) - before;
    }
    close_world(&w);
}

static int with(const char *name, const char *thread)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_thread_reads_its_tasks_itself),
        cmocka_unit_test(a_thread_that_is_held_costs_no_peer_its_link),
        cmocka_unit_test(who_holds_the_thread_is_cancelled),
        cmocka_unit_test(wake_ups_from_everywhere_are_heard),
        cmocka_unit_test(a_task_from_another_thread_wakes_it_at_once),
        cmocka_unit_test(a_worker_is_stopped_while_its_thread_reads),
        cmocka_unit_test(who_waits_for_tasks_costs_nothing),
    };
    executor        = name;
    executor_thread = thread;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    if (make_folder(NULL) != 0) {
        return 1;
    }
    meet_here();
    int failed = with("async", "patio-loop") + with("thread", "patio-0");
    (void)remove_folder(NULL);
    return failed;
}
