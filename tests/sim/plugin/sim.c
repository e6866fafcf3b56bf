/* The executor of sim/world.h. */
#include <patio/plugin_util.h>

#include <stdlib.h>

#include "../world.h"

struct patio_executor {
    const patio_host            *host;
    const patio_executor_events *events;
    sim_world                   *world;
};

static const patio_option option_world = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_STRING,
    .name     = "world",
    .fallback = "",
    .help     = "address of the test's sim_world",
};
static const patio_option *const options[] = {&option_world, NULL};

static patio_status create(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err)
{
    patio_executor *x = host->alloc(host->self, sizeof(*x));
    union {
        unsigned long long number;
        sim_world         *world;
    } at = {.number = strtoull(params->values[0].text, NULL, 16)};
    if (x == NULL || at.number == 0) {
        host->free(host->self, x);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "no world");
    }
    *x   = (patio_executor){.host = host, .events = params->events, .world = at.world};
    *out = x;
    return PATIO_OK;
}

static patio_status start(patio_executor *x, patio_error *err)
{
    (void)err;
    x->world->events = x->events;
    x->world->count  = 0;
    return PATIO_OK;
}

/* With the most misleading status there is: nobody has cancelled it. */
static void give_back(patio_executor *x, uint32_t i)
{
    sim_world    *w   = x->world;
    patio_job    *job = w->jobs[i];
    patio_outcome out = {PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN,
                         .status = PATIO_CANCELLED};
    w->jobs[i]        = w->jobs[--w->count];
    x->events->done(x->events->self, job, &out);
}

static patio_status stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    (void)grace_ms;
    (void)err;
    while (x->world->count > 0) {
        give_back(x, 0);
    }
    return PATIO_OK;
}

static void destroy(patio_executor *x)
{
    if (x != NULL) {
        x->host->free(x->host->self, x);
    }
}

static patio_status submit(patio_executor *x, patio_job *job, patio_error *err)
{
    sim_world *w = x->world;
    if (w->count >= SIM_JOBS) {
        return patio_fail(err, PATIO_FULL, 0, "full");
    }
    w->jobs[w->count++] = job;
    return PATIO_OK;
}

static uint32_t slots(patio_executor *x)
{
    return x->world->slots;
}

static const patio_executor_ops ops = {
    PATIO_SIZED(patio_executor_ops),
    .caps    = PATIO_EXECUTOR_RUNS,
    .options = options,
    .create  = create,
    .start   = start,
    .stop    = stop,
    .destroy = destroy,
    .submit  = submit,
    .slots   = slots,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(sim, "0.1.0", "MIT", "runs jobs when a test says so", query)
