#include "tasks.h"

#include "../src/clock.h"

_Atomic uint32_t bench_begun;
_Atomic uint32_t bench_done;
uint64_t        *bench_late_ns;

static patio_status task_yield(patio_context *ctx)
{
    uint64_t     n  = 0;
    patio_status st = patio_arg_uint64(ctx, 0, &n);
    for (uint64_t i = 0; i < n && st == PATIO_OK; i++) {
        st = patio_yield(ctx);
    }
    atomic_fetch_add_explicit(&bench_done, 1, memory_order_release);
    return st;
}

static patio_status task_sleep(patio_context *ctx)
{
    uint64_t     ms    = 0;
    uint64_t     place = 0;
    patio_status st    = patio_arg_uint64(ctx, 0, &ms);
    st                 = st == PATIO_OK ? patio_arg_uint64(ctx, 1, &place) : st;
    if (st != PATIO_OK) {
        return st;
    }
    atomic_fetch_add_explicit(&bench_begun, 1, memory_order_relaxed);
    uint64_t due         = bench_now_ns() + ms * BENCH_NS_PER_MS;
    st                   = patio_sleep_ms(ctx, ms);
    bench_late_ns[place] = bench_now_ns() - due;
    atomic_fetch_add_explicit(&bench_done, 1, memory_order_release);
    return st;
}

static patio_status task_nest(patio_context *ctx)
{
    uint64_t     n  = 0;
    patio_status st = patio_arg_uint64(ctx, 0, &n);
    for (uint64_t i = 0; i < n && st == PATIO_OK; i++) {
        st = patio_call(patio_task_broker(ctx), "yield", PATIO_ARGS(0u), NULL, NULL, NULL);
    }
    return st;
}

patio_status bench_async_tasks_add(patio_registry *registry, patio_error *err)
{
    static const patio_task_options options = {PATIO_SIZED(patio_task_options),
                                               .attempt_timeout_ms = PATIO_FOREVER};
    static const struct {
        const char   *name;
        patio_task_fn fn;
    } tasks[]       = {{"yield", task_yield}, {"sleep", task_sleep}, {"nest", task_nest}};
    patio_status st = PATIO_OK;
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]) && st == PATIO_OK; i++) {
        st = patio_registry_add(registry, tasks[i].name, tasks[i].fn, NULL, NULL, &options, err);
    }
    return st;
}
