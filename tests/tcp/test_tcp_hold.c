/* While many tasks are under way, what goes out waits a moment for company (transports/tcp/hold.c),
 * and who waits for replies reads them itself. Neither may cost anybody more than that moment: here
 * are bursts of quick tasks before a slow one, and threads that stop waiting. What would go wrong
 * shows as a quarter of a second, the tick of the I/O thread; a busy machine may be late now and
 * then, so most rounds count. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { LONG_MS = 60000, ROUNDS = 20, MOST = ROUNDS * 7 / 10, SOON_MS = 100, BURST = 64, FEW = 8 };

static char listen_url[160];
static char connect_url[160];

static _Atomic bool     gate_open;
static _Atomic uint32_t gate_waits;

static patio_status twice(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    return st == PATIO_OK ? PATIO_RETURN(ctx, 2 * n) : st;
}

static patio_status gate(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open)) {
        usleep(1000);
    }
    atomic_fetch_sub(&gate_waits, 1);
    return PATIO_RETURN(ctx, 1);
}

typedef struct world {
    patio_registry  *registry;
    patio_broker    *worker;
    patio_broker    *caller;
    _Atomic uint32_t done;
    _Atomic uint32_t failed;
} world;

static void open_world(world *w)
{
    atomic_store(&w->done, 0);
    atomic_store(&w->failed, 0);
    assert_int_equal(patio_registry_create(NULL, &w->registry, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w->registry, "twice", twice, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w->registry, "gate", gate, NULL), PATIO_OK);
    w->worker = open_quiet_broker(w->registry, listen_url, "1");
    assert_non_null(w->worker);
    w->caller = open_quiet_broker(NULL, connect_url, "1");
    assert_non_null(w->caller);
}

static void close_world(world *w)
{
    atomic_store(&gate_open, true);
    patio_broker_destroy(w->caller);
    patio_broker_destroy(w->worker);
    patio_registry_destroy(w->registry);
}

static void on_done(patio_future *f, void *arg)
{
    world *w = arg;
    if (patio_future_status(f, NULL) != PATIO_OK) {
        atomic_fetch_add(&w->failed, 1);
    }
    patio_future_destroy(f);
    atomic_fetch_add(&w->done, 1);
}

/* Nobody waits for it; its callback counts. */
static void start(world *w, const char *task, int64_t n)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS,
                                  .on_done = on_done, .on_done_arg = w};
    assert_int_equal(patio_start(w->caller, task, PATIO_ARGS(n), &options, &f, NULL), PATIO_OK);
}

/* How long it took. */
static uint64_t await_count(_Atomic uint32_t *count, uint32_t wanted)
{
    uint64_t from = now_ms();
    while (atomic_load(count) != wanted) {
        assert_true(now_ms() < from + LONG_MS);
        usleep(100);
    }
    return now_ms() - from;
}

/* Started one after the other, waited for in that order, BURST of them under way. */
static void call_in_a_row(world *w, uint32_t calls)
{
    patio_future *futures[BURST];
    for (uint32_t i = 0; i < calls + BURST; i++) {
        patio_future **f = &futures[i % BURST];
        if (i >= BURST) {
            assert_int_equal(patio_future_wait(*f, PATIO_FOREVER), PATIO_OK);
            assert_int_equal(patio_future_status(*f, NULL), PATIO_OK);
            assert_int_equal(patio_future_value(*f)->as.i64, 2 * (int64_t)(i - BURST));
            patio_future_destroy(*f);
        }
        if (i < calls) {
            patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS};
            assert_int_equal(
                patio_start(w->caller, "twice", PATIO_ARGS((int64_t)i), &options, f, NULL),
                PATIO_OK);
        }
    }
}

static void replies_do_not_wait_for_a_slow_task(void **state)
{
    (void)state;
    static world w;
    uint32_t     soon = 0;
    open_world(&w);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        atomic_store(&gate_open, false);
        for (int64_t i = 0; i < BURST; i++) {
            start(&w, "twice", i);
        }
        start(&w, "gate", 0);
        soon += await_count(&w.done, BURST) < SOON_MS ? 1 : 0;
        (void)await_count(&gate_waits, 1);
        atomic_store(&gate_open, true);
        (void)await_count(&w.done, BURST + 1);
        atomic_store(&w.done, 0);
    }
    assert_int_equal(atomic_load(&w.failed), 0);
    assert_in_range(soon, MOST, ROUNDS);
    close_world(&w);
}

/* The thread that calls reads its replies itself, and so does the one that executes; then the one
 * goes on without waiting, and the other is kept by a task. */
static void who_stops_waiting_is_called_back_soon(void **state)
{
    enum { ROW = 2000 };
    (void)state;
    static world w;
    uint32_t     soon = 0;
    open_world(&w);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        atomic_store(&gate_open, false);
        call_in_a_row(&w, ROW);
        for (int64_t i = 0; i < BURST; i++) {
            start(&w, "twice", i);
        }
        start(&w, "gate", 0);
        soon += await_count(&w.done, BURST) < SOON_MS ? 1 : 0;
        atomic_store(&gate_open, true);
        (void)await_count(&w.done, BURST + 1);
        atomic_store(&w.done, 0);
    }
    assert_int_equal(atomic_load(&w.failed), 0);
    assert_in_range(soon, MOST, ROUNDS);
    close_world(&w);
}

typedef struct heard {
    pthread_t        caller;
    _Atomic uint32_t done;
    _Atomic uint32_t here; /* on the thread that calls */
} heard;

static void on_heard(patio_future *f, void *arg)
{
    heard *h = arg;
    (void)f;
    atomic_fetch_add(&h->here, pthread_equal(h->caller, pthread_self()) != 0 ? 1 : 0);
    atomic_fetch_add(&h->done, 1);
}

/* All of a few replies, while it waits for the last one. */
static bool reads_all(world *w)
{
    heard         h = {.caller = pthread_self()};
    patio_future *futures[FEW];
    for (int64_t i = 0; i < FEW; i++) {
        patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS,
                                      .on_done = on_heard, .on_done_arg = &h};
        assert_int_equal(
            patio_start(w->caller, "twice", PATIO_ARGS(i), &options, &futures[i], NULL), PATIO_OK);
    }
    assert_int_equal(patio_future_wait(futures[FEW - 1], PATIO_FOREVER), PATIO_OK);
    (void)await_count(&h.done, FEW);
    for (uint32_t i = 0; i < FEW; i++) {
        patio_future_destroy(futures[i]);
    }
    return atomic_load(&h.here) == FEW;
}

static void a_thread_with_many_calls_reads_their_replies(void **state)
{
    (void)state;
    static world w;
    open_world(&w);
    for (uint64_t end = now_ms() + LONG_MS; !reads_all(&w);) {
        assert_true(now_ms() < end);
    }
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_do_not_wait_for_a_slow_task),
        cmocka_unit_test(who_stops_waiting_is_called_back_soon),
        cmocka_unit_test(a_thread_with_many_calls_reads_their_replies),
    };
    if (make_folder(NULL) != 0) {
        return 1;
    }
    (void)snprintf(listen_url, sizeof(listen_url), "unix+listen://%s/socket", folder);
    (void)snprintf(connect_url, sizeof(connect_url), "unix://%s/socket", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)remove_folder(NULL);
    return failed;
}
