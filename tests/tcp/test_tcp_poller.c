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
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { LONG_MS = 60000, ROUNDS = 5, CALLS = 200, BLOCK_MS = 3000 };

static const char *executor;
static const char *executor_thread; /* what its threads are called */
static char        listen_url[160];
static char        connect_url[160];

static _Atomic uint32_t blocked;
static _Atomic bool     let_go;
static _Atomic uint32_t counted;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- the tasks ---- */

static patio_status twice(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    return st == PATIO_OK ? PATIO_RETURN(ctx, 2 * n) : st;
}

static patio_status count(patio_context *ctx)
{
    atomic_fetch_add(&counted, 1);
    return PATIO_RETURN(ctx, 1);
}

/* Holds its thread, until it is let go or cancelled. */
static patio_status hold(patio_context *ctx)
{
    atomic_store(&blocked, 1);
    while (!atomic_load(&let_go) && !patio_task_cancelled(ctx)) {
        usleep(1000);
    }
    atomic_store(&blocked, 0);
    return PATIO_RETURN(ctx, 1);
}

/* Waits as a task should: for time, and for a task of its own process. */
static patio_status wait_twice(patio_context *ctx)
{
    int64_t       n      = 0;
    patio_future *f      = NULL;
    int64_t       result = 0;
    patio_status  st     = patio_arg_int64(ctx, 0, &n);
    st                   = st == PATIO_OK ? patio_sleep_ms(ctx, (uint64_t)n % 3) : st;
    if (st == PATIO_OK) {
        st = patio_call(patio_task_broker(ctx), "twice", PATIO_ARGS(n), NULL, &f, NULL);
    }
    if (st == PATIO_OK) {
        result = patio_future_value(f)->as.i64;
    }
    patio_future_destroy(f);
    return st == PATIO_OK ? PATIO_RETURN(ctx, result) : st;
}

/* ---- the world ---- */

typedef struct world {
    patio_registry *registry;
    patio_broker   *worker;
    patio_broker   *caller;
} world;

static patio_broker *open_worker(patio_registry *registry)
{
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "broker", listen_url, "test", NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "log.level", "off", "test", NULL), PATIO_OK);
    if (strcmp(executor, "thread") == 0) {
        assert_int_equal(patio_config_set(config, "executor.workers", "1", "test", NULL), PATIO_OK);
    }
    assert_int_equal(patio_config_set(config, "executor.name", executor, "test", NULL), PATIO_OK);
    assert_int_equal(patio_broker_create(NULL, registry, config, &broker, NULL), PATIO_OK);
    assert_int_equal(patio_broker_start(broker, NULL), PATIO_OK);
    patio_config_destroy(config);
    return broker;
}

static world open_world(void)
{
    world w = {NULL, NULL, NULL};
    atomic_store(&let_go, false);
    assert_int_equal(patio_registry_create(NULL, &w.registry, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w.registry, "twice", twice, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w.registry, "count", count, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w.registry, "hold", hold, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w.registry, "wait_twice", wait_twice, NULL), PATIO_OK);
    w.worker = open_worker(w.registry);
    w.caller = open_quiet_broker(NULL, connect_url, "3");
    assert_non_null(w.caller);
    return w;
}

static void close_world(world *w)
{
    atomic_store(&let_go, true);
    patio_broker_destroy(w->caller);
    patio_broker_destroy(w->worker);
    patio_registry_destroy(w->registry);
}

static patio_future *start(patio_broker *b, const char *task, int64_t n)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS};
    assert_int_equal(patio_start(b, task, PATIO_ARGS(n), &options, &f, NULL), PATIO_OK);
    return f;
}

static void finish(patio_future *f, patio_status expected)
{
    assert_int_equal(patio_future_wait(f, PATIO_FOREVER), PATIO_OK);
    assert_int_equal(patio_future_status(f, NULL), expected);
    patio_future_destroy(f);
}

static void call_doubling(patio_broker *b, const char *task, int64_t n)
{
    patio_future *f = start(b, task, n);
    assert_int_equal(patio_future_wait(f, PATIO_FOREVER), PATIO_OK);
    assert_int_equal(patio_future_status(f, NULL), PATIO_OK);
    assert_int_equal(patio_future_value(f)->as.i64, 2 * n);
    patio_future_destroy(f);
}

static void await_value(_Atomic uint32_t *value, uint32_t wanted)
{
    for (uint64_t end = now_ms() + LONG_MS; atomic_load(value) != wanted;) {
        assert_true(now_ms() < end);
        usleep(100);
    }
}

/* A few calls. Have both sides read by themselves? The I/O threads, of which the worker's would
 * sleep once for each call, then sleep on. */
static bool are_guests(world *w)
{
    enum { BURST = 25 };
    uint64_t before = sleeps_of("patio-tcp");
    for (int64_t i = 0; i < BURST; i++) {
        call_doubling(w->caller, "twice", i);
    }
    return sleeps_of("patio-tcp") - before < BURST / 2;
}

/* Call until they have. On a machine that is too busy for quick calls it may not come to that. */
static void be_guests(world *w)
{
    enum { TRIES = 40 };
    for (int i = 0; i < TRIES && !are_guests(w); i++) {
    }
}

/* ---- the tests ---- */

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
    /* who falls silent is asked while the thread is held; a busy machine may keep both waiting */
    static const char times[] = "ping_ms=500&dead_ms=10s";
    (void)snprintf(listen_url, sizeof(listen_url), "unix+listen://%s/socket?%s", folder, times);
    (void)snprintf(connect_url, sizeof(connect_url), "unix://%s/socket?%s", folder, times);
    int failed = with("async", "patio-loop") + with("thread", "patio-0");
    (void)remove_folder(NULL);
    return failed;
}
