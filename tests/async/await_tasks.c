#include "await_tasks.h"

_Atomic patio_status waited;
_Atomic uint32_t     began;
_Atomic uint32_t     ended;
patio_waker          the_waker;
patio_deferred      *the_deferred;
int                  the_fd;

enum { MANY = 16 };

void await_tasks_reset(void)
{
    atomic_store(&waited, -1);
    atomic_store(&began, 0);
    atomic_store(&ended, 0);
    the_waker    = (patio_waker){.target = NULL};
    the_deferred = NULL;
    the_fd       = -1;
}

static uint64_t arg(patio_context *ctx, size_t i)
{
    uint64_t x = 0;
    return patio_arg_uint64(ctx, i, &x) == PATIO_OK ? x : 0;
}

static patio_status note(patio_status st)
{
    atomic_store(&waited, st);
    atomic_fetch_add(&ended, 1);
    return st;
}

static patio_status task_sleep(patio_context *ctx)
{
    atomic_fetch_add(&began, 1);
    return note(patio_sleep_ms(ctx, arg(ctx, 0)));
}

static patio_status task_yield(patio_context *ctx)
{
    patio_status st = PATIO_OK;
    uint64_t     n  = arg(ctx, 0);
    atomic_fetch_add(&began, 1);
    for (uint64_t i = 0; i < n && st == PATIO_OK; i++) {
        st = patio_yield(ctx);
    }
    return note(st);
}

static patio_status task_read_fd(patio_context *ctx)
{
    uint32_t ready = 0;
    atomic_fetch_add(&began, 1);
    patio_status st =
        note(patio_await_fd(ctx, the_fd, PATIO_FD_READ | PATIO_FD_WRITE, arg(ctx, 0), &ready));
    return st == PATIO_OK ? PATIO_RETURN(ctx, ready) : st;
}

static patio_status task_suspend(patio_context *ctx)
{
    the_waker = patio_waker_new(ctx);
    atomic_fetch_add(&began, 1);
    return note(patio_suspend(ctx, arg(ctx, 0), (uint32_t)arg(ctx, 1)));
}

static patio_status task_call(patio_context *ctx)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    const char        *name    = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    const patio_value *value   = patio_arg(ctx, 1);
    patio_payload      payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                  .values = value, .value_count = value != NULL ? 1 : 0};
    patio_status       st      = patio_arg_string(ctx, 0, &name);
    if (st != PATIO_OK) {
        return st;
    }
    atomic_fetch_add(&began, 1);
    st = note(patio_call(patio_task_broker(ctx), name, &payload, &options, &f, &err));
    if (st != PATIO_OK) {
        return st;
    }
    st = patio_return(ctx, *patio_future_value(f));
    patio_future_destroy(f);
    return st;
}

static size_t start_sleeps(patio_context *ctx, patio_future *futures[MANY])
{
    size_t n = (size_t)arg(ctx, 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t ms = i + 1 == n ? 1 : arg(ctx, 1);
        if (patio_start(patio_task_broker(ctx), "sleep", PATIO_ARGS(ms), NULL, &futures[i], NULL) !=
            PATIO_OK) {
            return i;
        }
    }
    return n;
}

static void destroy(patio_future *futures[MANY], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        patio_future_cancel(futures[i]);
        patio_future_destroy(futures[i]);
    }
}

static patio_status task_any(patio_context *ctx)
{
    patio_future *futures[MANY];
    size_t        index = MANY;
    size_t        n     = start_sleeps(ctx, futures);
    patio_status  st    = patio_future_wait_any(futures, n, 10000, &index);
    destroy(futures, n);
    return st == PATIO_OK ? PATIO_RETURN(ctx, index) : st;
}

static patio_status task_all(patio_context *ctx)
{
    patio_future *futures[MANY];
    size_t        n    = start_sleeps(ctx, futures);
    patio_status  st   = patio_future_wait_all(futures, n, 10000);
    size_t        done = 0;
    for (size_t i = 0; i < n; i++) {
        done += patio_future_done(futures[i]) ? 1 : 0;
    }
    destroy(futures, n);
    return st == PATIO_OK ? PATIO_RETURN(ctx, done) : st;
}

static patio_status task_defer(patio_context *ctx)
{
    patio_status st = patio_task_defer(ctx, &the_deferred);
    atomic_fetch_add(&began, 1);
    return st;
}

static patio_status task_defer_and_fail(patio_context *ctx)
{
    patio_status st = patio_task_defer(ctx, &the_deferred);
    return st == PATIO_OK ? patio_task_fail(ctx, 7, "Own", "no, at once") : st;
}

static patio_status task_defer_twice(patio_context *ctx)
{
    patio_deferred *second = NULL;
    patio_status    st     = patio_task_defer(ctx, &the_deferred);
    if (st == PATIO_OK) {
        atomic_store(&waited, patio_task_defer(ctx, &second));
        st = patio_deferred_return(the_deferred, patio_int(5)); /* before the function returns */
    }
    return st;
}

void await_tasks_add(patio_registry *registry, const patio_task_options *options)
{
    add_task(registry, "sleep", task_sleep, options);
    add_task(registry, "yield", task_yield, options);
    add_task(registry, "read_fd", task_read_fd, options);
    add_task(registry, "suspend", task_suspend, options);
    add_task(registry, "call", task_call, options);
    add_task(registry, "any", task_any, options);
    add_task(registry, "all", task_all, options);
    add_task(registry, "defer", task_defer, options);
    add_task(registry, "defer_and_fail", task_defer_and_fail, options);
    add_task(registry, "defer_twice", task_defer_twice, options);
}
