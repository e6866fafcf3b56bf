#include "poller_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tcp_world.h"

const char *executor;
const char *executor_thread;

_Atomic uint32_t blocked;
_Atomic bool     let_go;
_Atomic uint32_t counted;

static char listen_url[160];
static char connect_url[160];

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

void meet_here(void)
{
    /* who falls silent is asked while the thread is held; a busy machine may keep both waiting */
    static const char times[] = "ping_ms=500&dead_ms=10s";
    (void)snprintf(listen_url, sizeof(listen_url), "unix+listen://%s/socket?%s", folder, times);
    (void)snprintf(connect_url, sizeof(connect_url), "unix://%s/socket?%s", folder, times);
}

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

world open_world(void)
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

void close_world(world *w)
{
    atomic_store(&let_go, true);
    patio_broker_destroy(w->caller);
    patio_broker_destroy(w->worker);
    patio_registry_destroy(w->registry);
}

patio_future *start(patio_broker *b, const char *task, int64_t n)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS};
    assert_int_equal(patio_start(b, task, PATIO_ARGS(n), &options, &f, NULL), PATIO_OK);
    return f;
}

void finish(patio_future *f, patio_status expected)
{
    assert_int_equal(patio_future_wait(f, PATIO_FOREVER), PATIO_OK);
    assert_int_equal(patio_future_status(f, NULL), expected);
    patio_future_destroy(f);
}

void call_doubling(patio_broker *b, const char *task, int64_t n)
{
    patio_future *f = start(b, task, n);
    assert_int_equal(patio_future_wait(f, PATIO_FOREVER), PATIO_OK);
    assert_int_equal(patio_future_status(f, NULL), PATIO_OK);
    assert_int_equal(patio_future_value(f)->as.i64, 2 * n);
    patio_future_destroy(f);
}

void await_value(_Atomic uint32_t *value, uint32_t wanted)
{
    for (uint64_t end = now_ms() + LONG_MS; atomic_load(value) != wanted;) {
        assert_true(now_ms() < end);
        usleep(100);
    }
}

bool are_guests(world *w)
{
    enum { BURST = 25 };
    uint64_t before = sleeps_of("patio-tcp");
    for (int64_t i = 0; i < BURST; i++) {
        call_doubling(w->caller, "twice", i);
    }
    return sleeps_of("patio-tcp") - before < BURST / 2;
}

void be_guests(world *w)
{
    enum { TRIES = 40 };
    for (int i = 0; i < TRIES && !are_guests(w); i++) {
    }
}
