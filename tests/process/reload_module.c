/* reload_module.c: a task module in several versions, for test_reload.sh. RELOAD_VERSION is what
 * its tasks return; RELOAD_LOADS_MS is how long it takes to load; with RELOAD_OTHER it has a task
 * more. */
#include <patio/patio.h>
#include <time.h>

#ifndef RELOAD_LOADS_MS
#define RELOAD_LOADS_MS 0
#endif

static patio_status version(patio_context *ctx)
{
    patio_status st = patio_sleep_ms(ctx, 2);
    return st == PATIO_OK ? PATIO_RETURN(ctx, (int64_t)RELOAD_VERSION) : st;
}

static patio_status lasts(patio_context *ctx)
{
    int64_t      ms = 0;
    patio_status st = patio_arg_int64(ctx, 0, &ms);
    st              = st == PATIO_OK ? patio_sleep_ms(ctx, (uint64_t)ms) : st;
    return st == PATIO_OK ? PATIO_RETURN(ctx, (int64_t)RELOAD_VERSION) : st;
}

static patio_status add_tasks(patio_registry *registry, patio_error *err)
{
    const struct timespec loads = {.tv_sec  = RELOAD_LOADS_MS / 1000,
                                   .tv_nsec = RELOAD_LOADS_MS % 1000 * 1000000L};
    (void)nanosleep(&loads, NULL);
    patio_status st = PATIO_ADD_AS(registry, "version", version, err);
#ifdef RELOAD_OTHER
    st = st == PATIO_OK ? PATIO_ADD_AS(registry, "another", version, err) : st;
#endif
    return st == PATIO_OK ? PATIO_ADD_AS(registry, "lasts", lasts, err) : st;
}
PATIO_TASK_MODULE(add_tasks)
