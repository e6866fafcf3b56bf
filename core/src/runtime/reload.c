/* New code for the tasks of a broker that runs on: each executor does it by itself, or cannot. */
#include <patio/reload.h>

#include "base/error.h"
#include "base/log.h"
#include "runtime/broker.h"

static const patio_reload_ops *reload_of(const pt_executor *x)
{
    return x->plugin->ops.query(x->instance, PATIO_RELOAD_ID);
}

/* Programs are loaded for each task, and what runs nothing has nothing to load. */
static bool needs_none(const pt_executor *x)
{
    uint32_t caps = x->plugin->ops.caps;
    return (caps & PATIO_EXECUTOR_EXTERNAL) != 0 || (caps & PATIO_EXECUTOR_RUNS) == 0;
}

/* true: it has begun, or needs not. */
static bool reload_one(patio_broker *b, const pt_executor *x, patio_error *err)
{
    const char             *name = x->plugin->identity->name;
    const patio_reload_ops *ops  = reload_of(x);
    patio_error             why  = PATIO_ERROR_INIT;
    if (ops == NULL && needs_none(x)) {
        return true;
    }
    if (ops != NULL && ops->reload(x->instance, &why) == PATIO_OK) {
        return true;
    }
    if (ops == NULL) {
        (void)pt_fail(&why, PATIO_UNSUPPORTED, "broker",
                      "its tasks are part of this process: nothing to reload, restart the worker");
    }
    if (b->executor_count > 1) { /* else it is in the error that the caller gets */
        pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker", "reload: executor %s: %s", name,
                      why.message);
    }
    (void)pt_fail(err, why.status, "broker", "reload: executor %s: %.800s", name, why.message);
    return false;
}

patio_status patio_broker_reload(patio_broker *b, patio_error *err)
{
    patio_error why  = PATIO_ERROR_INIT;
    size_t      good = 0;
    if (b == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "reload: broker is NULL");
    }
    if (atomic_load(&b->state) != PT_BROKER_RUNNING) {
        return pt_fail(err, PATIO_STATE, "broker", "reload: the broker is not running");
    }
    if (b->executor_count == 0) {
        return pt_fail(err, PATIO_UNSUPPORTED, "broker", "reload: this broker runs no tasks");
    }
    for (size_t i = 0; i < b->executor_count; i++) {
        good += reload_one(b, &b->executors[i], &why) ? 1 : 0;
    }
    return good > 0 ? PATIO_OK : pt_fail(err, why.status, "broker", "%s", why.message);
}

uint32_t patio_broker_reload_state(patio_broker *b)
{
    uint32_t all = PATIO_RELOAD_NONE;
    for (size_t i = 0; i < b->executor_count; i++) {
        const patio_reload_ops *ops   = reload_of(&b->executors[i]);
        uint32_t                state = ops != NULL ? ops->state(b->executors[i].instance) : 0;
        if (state == PATIO_RELOAD_RUNNING || all == PATIO_RELOAD_RUNNING) {
            all = PATIO_RELOAD_RUNNING;
        } else {
            all = state > all ? state : all;
        }
    }
    return all;
}
