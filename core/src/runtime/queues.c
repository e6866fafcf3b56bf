/* Which queues a worker takes from, and what each of them brings. */
#include "runtime/queues.h"
#include "runtime/ahead.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "runtime/broker.h"

/* The one there is, or a new one; NULL: out of memory. */
static pt_queue *add_queue(patio_broker *b, const char *name)
{
    pt_queue *q = pt_queues_find(b, name);
    if (q == NULL) {
        q         = &b->queues[b->queue_count];
        q->tasks  = pt_calloc(b->mem, b->route_count, sizeof(*q->tasks));
        q->name   = pt_strdup(b->mem, name);
        q->weight = 1;
        b->queue_count++;
        if (q->tasks == NULL || q->name == NULL) {
            return NULL;
        }
    }
    return q;
}

/* "queues.NAME.OPTION": NAME may have dots. */
static patio_status add_configured(patio_broker *b, const patio_config *config,
                                   const pt_setting *setting, patio_error *err)
{
    char                name[PT_QUEUE_NAME_BYTES];
    patio_option_value *values = NULL;
    size_t              size   = (size_t)(strrchr(setting->key, '.') - setting->key);
    memcpy(name, setting->key, size); /* a key is checked when it is set */
    name[size]      = '\0';
    patio_status st = pt_config_queue(b->mem, config, name, &values, err);
    if (st == PATIO_OK) {
        pt_queue *q = add_queue(b, name);
        if (q != NULL) {
            q->weight = (uint32_t)values[PT_QUEUE_WEIGHT].number;
        } else {
            st = pt_no_memory(err, "broker");
        }
    }
    pt_options_free(b->mem, pt_queue_options, values);
    return st;
}

patio_status pt_queues_configure(patio_broker *b, const patio_config *config, patio_error *err)
{
    pt_setting  *settings = NULL;
    size_t       count    = 0;
    patio_status st       = pt_config_under(b->mem, config, "queues.", &settings, &count, err);
    if (st != PATIO_OK || b->route_count == 0) {
        pt_free(b->mem, settings);
        return st;
    }
    if (count > PT_QUEUES_MAX) {
        st = pt_fail(err, PATIO_CONFIG, "broker", "more than %d settings of queues", PT_QUEUES_MAX);
    }
    /* either what is configured, or the queues of the tasks */
    b->queues = pt_calloc(b->mem, count > 0 ? count : b->route_count, sizeof(*b->queues));
    if (st == PATIO_OK && b->queues == NULL) {
        st = pt_no_memory(err, "broker");
    }
    for (size_t i = 0; i < count && st == PATIO_OK; i++) {
        st = add_configured(b, config, &settings[i], err);
    }
    b->queues_named  = count > 0;
    b->queues_strict = b->core[PT_CORE_QUEUE_ORDER].number != 0;
    pt_free(b->mem, settings);
    return st;
}

static uint32_t lookahead(const patio_broker *b)
{
    return pt_ahead_rests(b) ? 0 : (uint32_t)b->core[PT_CORE_LOOKAHEAD].number;
}

static void add_task(patio_broker *b, pt_queue *q, const pt_route *route)
{
    if (route->executor != NULL && route->executor->slots > 0) {
        uint32_t most             = route->executor->slots + lookahead(b);
        q->tasks[q->task_count++] = route->task->name;
        q->most                   = most > q->most ? most : q->most;
    }
}

static uint32_t lent_most(const patio_broker *b)
{
    uint32_t slots = 0;
    for (size_t i = 0; i < b->executor_count; i++) {
        const pt_executor *x = &b->executors[i];
        slots += x->lend != NULL ? x->lend->most(x->instance) : 0;
    }
    return slots;
}

uint32_t pt_queues_capacity(const patio_broker *b)
{
    uint32_t slots = lookahead(b);
    for (size_t i = 0; i < b->executor_count; i++) {
        slots += b->executors[i].slots;
    }
    return slots;
}

patio_status pt_queues_fill(patio_broker *b, uint32_t *most, patio_error *err)
{
    for (size_t i = 0; i < b->route_count; i++) {
        if (!b->queues_named) {
            pt_queue *q = add_queue(b, b->routes[i].options.queue);
            if (q == NULL) {
                return pt_no_memory(err, "broker");
            }
            add_task(b, q, &b->routes[i]);
        }
        for (size_t k = 0; b->queues_named && k < b->queue_count; k++) {
            add_task(b, &b->queues[k], &b->routes[i]);
        }
    }
    /* each queue may be one ahead of what there is: see pt_credit_share */
    *most =
        b->route_count > 0 ? pt_queues_capacity(b) + lent_most(b) + (uint32_t)b->queue_count : 0;
    return PATIO_OK;
}

void pt_queues_fini(patio_broker *b)
{
    for (size_t i = 0; i < b->queue_count; i++) {
        pt_free(b->mem, (void *)(uintptr_t)b->queues[i].tasks);
        pt_free(b->mem, b->queues[i].name);
    }
    pt_free(b->mem, b->queues);
}
