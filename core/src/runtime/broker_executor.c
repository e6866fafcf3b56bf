/* A broker's executors: names -> plugins, options, instances. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "layer/check.h"
#include "runtime/worker.h"

/* Settings of one executor: executor.… if it is the default one, then executors.NAME.… */
static patio_status executor_settings(patio_broker *b, const patio_config *config, const char *name,
                                      bool first, pt_setting **out, size_t *count, patio_error *err)
{
    char        prefix[64];
    pt_setting *own    = NULL;
    pt_setting *common = NULL;
    size_t      owns   = 0;
    size_t      all    = 0;
    (void)snprintf(prefix, sizeof(prefix), "executors.%.32s.", name);
    patio_status st = pt_config_under(b->mem, config, prefix, &own, &owns, err);
    if (st == PATIO_OK && first) {
        st = pt_config_under(b->mem, config, "executor.", &common, &all, err);
    }
    *out   = st == PATIO_OK ? pt_calloc(b->mem, owns + all + 1, sizeof(**out)) : NULL;
    *count = 0;
    if (*out == NULL && st == PATIO_OK) {
        st = pt_no_memory(err, "broker");
    }
    for (size_t i = 0; i < all && *out != NULL; i++) {
        if (strcmp(common[i].key, "name") != 0) {
            (*out)[(*count)++] = common[i];
        }
    }
    for (size_t i = 0; i < owns && *out != NULL; i++) {
        (*out)[(*count)++] = own[i];
    }
    pt_free(b->mem, own);
    pt_free(b->mem, common);
    return st;
}

static patio_status create(pt_executor *x, const patio_host *host,
                           const patio_executor_params *params, patio_error *err)
{
    return pt_check_mode() == PT_CHECK_OFF
               ? x->plugin->ops.create(host, params, &x->instance, err)
               : pt_check_executor_create(&x->plugin, host, params, &x->check, &x->instance, err);
}

static patio_status make_executor(patio_broker *b, const patio_config *config, const char *name,
                                  pt_executor *x, patio_error *err)
{
    char                who[64];
    pt_setting         *settings = NULL;
    size_t              count    = 0;
    patio_option_value *values   = NULL;
    patio_status        st       = pt_plugins_executor(b->runtime->plugins, name, &x->plugin, err);
    if (st != PATIO_OK) {
        return st;
    }
    (void)snprintf(who, sizeof(who), "executor %s", name);
    st = executor_settings(b, config, name, x == b->executors, &settings, &count, err);
    if (st == PATIO_OK) {
        st = pt_options_parse(b->mem, x->plugin->ops.options, who, settings, count, &values, err);
    }
    if (st == PATIO_OK) {
        x->broker = b;
        x->events = (patio_executor_events){
            PATIO_SIZED(patio_executor_events),
            .self     = x,
            .done     = pt_worker_done,
            .room     = pt_worker_room,
            .stuck    = pt_worker_stuck,
            .worn_out = pt_worker_worn_out,
        };
        patio_executor_params params = {
            PATIO_SIZED(patio_executor_params),
            .values      = values,
            .stack_bytes = (size_t)16 * 1024,
            .events      = &x->events,
            .child       = &b->child,
        };
        const patio_host *host = pt_runtime_host(b->runtime, "executor", name);
        st = host != NULL ? create(x, host, &params, err) : pt_no_memory(err, "broker");
        if (st != PATIO_OK) {
            pt_error_origin(err, "executor.%s", name);
        }
    }
    pt_options_free(b->mem, x->plugin->ops.options, values);
    pt_free(b->mem, settings);
    return st;
}

static pt_executor *find_executor(patio_broker *b, const char *name)
{
    for (size_t i = 0; i < b->executor_count; i++) {
        if (strcmp(b->executors[i].plugin->identity->name, name) == 0) {
            return &b->executors[i];
        }
    }
    return NULL;
}

/* The executor of a name, made at its first use. The array has room for one per route and one more,
 * and never moves, because instances point into it. */
patio_status pt_broker_need_executor(patio_broker *b, const patio_config *config, const char *name,
                                     pt_executor **out, patio_error *err)
{
    pt_executor *x = find_executor(b, name);
    if (x == NULL) {
        x               = &b->executors[b->executor_count];
        patio_status st = make_executor(b, config, name, x, err);
        if (st != PATIO_OK) {
            return st;
        }
        b->executor_count++;
    }
    *out = x;
    return PATIO_OK;
}
