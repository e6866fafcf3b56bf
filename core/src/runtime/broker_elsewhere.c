/* What a configuration says of tasks that others run. */
#include "base/text.h"
#include "runtime/broker.h"

typedef struct elsewhere {
    patio_broker       *broker;
    const patio_config *config;
    patio_status        status;
    patio_error        *err;
} elsewhere;

/* A shared file speaks of tasks that other workers have. Whoever only calls one honours it, too:
 * its queue, its level, its times. */
static void add_elsewhere(void *arg, const char *name, const char *origin)
{
    elsewhere    *e = arg;
    patio_broker *b = e->broker;
    if (e->status != PATIO_OK || !pt_is_task_name(name) ||
        (b->registry != NULL && pt_registry_lookup(b->registry, name) != NULL)) {
        return;
    }
    if (b->route_count > 0) {
        pt_log_printf(&b->runtime->log, PATIO_LOG_INFO, "broker",
                      "%s: tasks.%s: this broker has no such task", origin, name);
    }
    patio_task_options options = {PATIO_SIZED(patio_task_options),
                                  .call_timeout_ms =
                                      (uint64_t)b->core[PT_CORE_CALL_TIMEOUT_MS].number};
    e->status                  = pt_config_task(b->mem, e->config, name, &options, e->err);
    options.executor           = NULL; /* nothing is run here */
    if (e->status == PATIO_OK && b->elsewhere == NULL) {
        e->status = pt_registry_create(b->mem, NULL, &b->elsewhere, e->err);
    }
    if (e->status == PATIO_OK) {
        e->status = patio_registry_add_external(b->elsewhere, name, &options, e->err);
    }
}

patio_status pt_broker_read_elsewhere(patio_broker *b, const patio_config *config, patio_error *err)
{
    elsewhere e = {.broker = b, .config = config, .err = err};
    pt_config_each_task(config, add_elsewhere, &e);
    if (b->elsewhere != NULL) {
        patio_registry_lock(b->elsewhere);
    }
    return e.status;
}

const patio_task_options *pt_broker_elsewhere(const patio_broker *b, const char *task)
{
    const pt_task *t = b->elsewhere != NULL ? pt_registry_lookup(b->elsewhere, task) : NULL;
    return t != NULL ? &t->options : NULL;
}
