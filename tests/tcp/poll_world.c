#include "poll_world.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

char        connect_url[160];
char        listen_url[160];
const char *program;
const char *io_thread = "patio-tcp";

_Atomic uint32_t gate_waits;
_Atomic bool     gate_open;

/* ---- the worker ---- */

static patio_status twice(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    return st == PATIO_OK ? PATIO_RETURN(ctx, 2 * n) : st;
}

/* Waits for the gate, or for its cancellation. */
static patio_status gate(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open) && !patio_task_cancelled(ctx)) {
        usleep(1000);
    }
    atomic_fetch_sub(&gate_waits, 1);
    return PATIO_RETURN(ctx, 1);
}

/* The same, but it does not listen: whoever waits for it has to end by itself. */
static patio_status stay(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open)) {
        usleep(1000);
    }
    atomic_fetch_sub(&gate_waits, 1);
    return PATIO_RETURN(ctx, 1);
}

static patio_broker *open_worker(patio_registry **registry, const char *url)
{
    if (patio_registry_create(NULL, registry, NULL) != PATIO_OK ||
        PATIO_ADD_AS(*registry, "twice", twice, NULL) != PATIO_OK ||
        PATIO_ADD_AS(*registry, "gate", gate, NULL) != PATIO_OK ||
        PATIO_ADD_AS(*registry, "stay", stay, NULL) != PATIO_OK) {
        return NULL;
    }
    return open_quiet_broker(*registry, url, "3");
}

int be_worker(const char *url)
{
    patio_registry *registry = NULL;
    patio_broker   *broker   = open_worker(&registry, url);
    if (broker == NULL) {
        return 1;
    }
    patio_broker_join(broker);
    return 0;
}

/* ---- the caller ---- */

world open_world(const char *prefix)
{
    world w = {NULL, NULL, NULL};
    char  url[240];
    (void)snprintf(url, sizeof(url), "%s%s", prefix, connect_url);
    atomic_store(&gate_open, false);
    w.worker = open_worker(&w.registry, listen_url);
    assert_non_null(w.worker);
    w.caller = open_quiet_broker(NULL, url, "3");
    assert_non_null(w.caller);
    return w;
}

void close_world(world *w)
{
    atomic_store(&gate_open, true);
    patio_broker_destroy(w->caller);
    patio_broker_destroy(w->worker);
    patio_registry_destroy(w->registry);
}

patio_status call(patio_broker *b, const char *task, int64_t n, uint64_t timeout_ms, int64_t *out)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = timeout_ms};
    patio_status       st      = patio_call(b, task, PATIO_ARGS(n), &options, &f, NULL);
    if (st == PATIO_OK && out != NULL) {
        *out = patio_future_value(f)->as.i64;
    }
    patio_future_destroy(f);
    return st;
}

void call_twice(patio_broker *b, int64_t n)
{
    int64_t result = 0;
    assert_int_equal(call(b, "twice", n, LONG_MS, &result), PATIO_OK);
    assert_int_equal(result, 2 * n);
}

static void on_done(patio_future *f, void *arg)
{
    heard *h = arg;
    (void)f;
    h->thread = pthread_self();
    atomic_fetch_add(&h->count, 1);
}

void await_count(_Atomic uint32_t *count, uint32_t wanted)
{
    for (uint64_t end = now_ms() + LONG_MS; atomic_load(count) != wanted;) {
        assert_true(now_ms() < end);
        usleep(100);
    }
}

patio_future *start(patio_broker *b, const char *task, int64_t n, heard *h)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS,
                                  .on_done = h != NULL ? on_done : NULL, .on_done_arg = h};
    assert_int_equal(patio_start(b, task, PATIO_ARGS(n), &options, &f, NULL), PATIO_OK);
    return f;
}

/* Does a call that this thread waits for end on this thread? */
static bool reads_itself(patio_broker *b)
{
    heard         h = {.count = 0};
    patio_future *f = start(b, "twice", 4, &h);
    assert_int_equal(patio_future_wait(f, PATIO_FOREVER), PATIO_OK);
    await_count(&h.count, 1);
    assert_int_equal(patio_future_status(f, NULL), PATIO_OK);
    patio_future_destroy(f);
    return pthread_equal(h.thread, pthread_self()) != 0;
}

void be_guest(patio_broker *b)
{
    for (uint64_t end = now_ms() + LONG_MS; !reads_itself(b);) {
        assert_true(now_ms() < end);
    }
}
