/* Configuration -> plugins, options, routes. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "config/say.h"
#include "runtime/worker.h"

/* ---- routes ---- */

/* A task without a function, and an executor that runs functions: one of both is a mistake. An
 * executor that runs nothing may have it, to call it elsewhere. */
static patio_status check_external(const pt_route *route, patio_error *err)
{
    const pt_executor_plugin *plugin = route->executor->plugin;
    uint32_t                  caps   = plugin->ops.caps;
    if (route->task->fn != NULL || (caps & PATIO_EXECUTOR_RUNS) == 0 ||
        (caps & PATIO_EXECUTOR_EXTERNAL) != 0) {
        return PATIO_OK;
    }
    return pt_fail(
        err, PATIO_CONFIG, "broker",
        "task \"%s\" is a command, and executor %s runs functions: set tasks.%s.executor "
        "to one that can, such as command",
        route->task->name, plugin->identity->name, route->task->name);
}

static patio_status make_route(patio_broker *b, const patio_config *config, pt_route *route,
                               patio_error *err)
{
    route->options  = route->task->options;
    patio_status st = pt_config_task(b->mem, config, route->task->name, &route->options, err);
    /* in a child process nothing is run by an executor */
    if (st == PATIO_OK && route->options.executor != NULL && b->runtime->to_parent == NULL) {
        st = pt_broker_need_executor(b, config, route->options.executor, &route->executor, err);
    }
    if (st == PATIO_OK) {
        st = check_external(route, err);
    }
    if (st == PATIO_OK) {
        const pt_executor_plugin *plugin = route->executor->plugin;
        st = pt_config_task_executor(b->mem, config, route->task->name, plugin->identity->name,
                                     plugin->ops.task_options, &route->values, err);
        if (st == PATIO_OK) {
            st = plugin->ops.add_task(route->executor->instance, route->task->name, route->values,
                                      err);
            if (st != PATIO_OK) {
                pt_error_origin(err, "executor.%s", plugin->identity->name);
            }
        }
    }
    if (st == PATIO_OK) {
        st                          = pt_route_policy(route, err);
        route->options.backoff_list = NULL; /* read */
    }
    /* the configuration may go; its texts are kept */
    if (st == PATIO_OK && route->options.queue != route->task->options.queue) {
        char **grown = pt_resize(b->mem, b->interned, (b->interned_count + 1) * sizeof(*grown));
        char  *copy  = grown != NULL ? pt_strdup(b->mem, route->options.queue) : NULL;
        b->interned  = grown != NULL ? grown : b->interned;
        if (copy == NULL) {
            return pt_no_memory(err, "broker");
        }
        b->interned[b->interned_count++] = copy;
        route->options.queue             = copy;
    }
    route->options.executor = NULL; /* resolved above */
    return st;
}

static patio_status make_routes(patio_broker *b, const patio_config *config, patio_error *err)
{
    size_t count = b->registry != NULL ? patio_registry_count(b->registry) : 0;
    if (count == 0) {
        return PATIO_OK;
    }
    b->routes    = pt_calloc(b->mem, count, sizeof(*b->routes));
    b->executors = pt_calloc(b->mem, count + 1, sizeof(*b->executors));
    if (b->routes == NULL || b->executors == NULL) {
        return pt_no_memory(err, "broker");
    }
    b->route_count          = count;
    pt_setting   name       = {.value = "thread"};
    pt_executor *by_default = NULL;
    (void)pt_config_find(config, "executor.name", &name);
    pt_broker_child_setup(b);
    patio_status st = pt_broker_need_executor(b, config, name.value, &by_default, err);
    if (by_default == NULL) {
        return pt_error_at(err, st, name.origin);
    }
    for (size_t i = 0; i < count && st == PATIO_OK; i++) {
        b->routes[i].task     = pt_registry_task(b->registry, i);
        b->routes[i].executor = by_default;
        st                    = make_route(b, config, &b->routes[i], err);
    }
    return st;
}

const pt_route *pt_broker_route(const patio_broker *b, const char *task)
{
    const pt_task *t = b->route_count > 0 ? pt_registry_lookup(b->registry, task) : NULL;
    return t != NULL && t->index < b->route_count ? &b->routes[t->index] : NULL;
}

/* ---- the broker ---- */

static patio_status set_project(patio_broker *b, const patio_config *config, patio_error *err)
{
    const char *registered = b->registry != NULL ? patio_registry_project(b->registry) : NULL;
    const char *configured = patio_config_get(config, "project");
    if (registered != NULL && configured != NULL && strcmp(registered, configured) != 0) {
        return pt_fail(err, PATIO_CONFIG, "broker",
                       "the registry's project is \"%s\", the configuration says \"%s\"",
                       registered, configured);
    }
    const char *project = registered != NULL ? registered : configured;
    if (project == NULL) {
        project = b->core[PT_CORE_PROJECT].text;
    }
    if (!pt_is_plain_name(project, 128)) {
        return pt_fail(err, PATIO_CONFIG, "broker",
                       "\"%.128s\" is not a project name ([A-Za-z0-9._-], up to 128)", project);
    }
    b->project = pt_strdup(b->mem, project);
    return b->project != NULL ? PATIO_OK : pt_no_memory(err, "broker");
}

static patio_status fill(patio_broker *b, const patio_config *config, patio_error *err)
{
    patio_status st = pt_config_core(b->mem, config, &b->core, err);
    if (st == PATIO_OK) {
        b->max_body_bytes   = (uint64_t)b->core[PT_CORE_MAX_BODY_BYTES].number;
        b->max_decode_bytes = (uint64_t)b->core[PT_CORE_MAX_DECODE_BYTES].number;
        st                  = set_project(b, config, err);
    }
    if (st == PATIO_OK &&
        pt_random(b->runtime, &b->incarnation, sizeof(b->incarnation)) != PATIO_OK) {
        st = pt_fail(err, PATIO_IO, "broker", "no random bytes from the system");
    }
    if (st == PATIO_OK) {
        b->futures.broker           = b;
        b->futures.clock            = &b->runtime->clock;
        b->futures.incarnation      = b->incarnation;
        b->futures.max_decode_bytes = b->max_decode_bytes;
        st = pt_futures_init(&b->futures, b->mem, (uint32_t)b->core[PT_CORE_MAX_PENDING].number,
                             err);
    }
    if (st == PATIO_OK) {
        st = make_routes(b, config, err);
    }
    if (st == PATIO_OK) {
        st = pt_broker_read_elsewhere(b, config, err);
    }
    if (st == PATIO_OK) {
        st = pt_queues_configure(b, config, err);
    }
    if (st == PATIO_OK) {
        st = pt_broker_make_transport(b, config, err);
    }
    return st;
}

static void init(patio_broker *b, patio_runtime *runtime, patio_registry *registry)
{
    b->runtime                = runtime;
    b->mem                    = &runtime->mem;
    b->registry               = registry;
    b->link_error.struct_size = sizeof(b->link_error);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    atomic_store(&b->link, PATIO_LINK_CONNECTING);
}

patio_status patio_broker_create(patio_runtime *runtime, patio_registry *registry,
                                 const patio_config *config, patio_broker **out, patio_error *err)
{
    bool own = runtime == NULL;
    if (config == NULL || out == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "config and out must not be NULL");
    }
    if (own) {
        patio_runtime_options options = {PATIO_SIZED(patio_runtime_options),
                                         .log_level = PATIO_LOG_WARN, .config = config};
        patio_status          st      = patio_runtime_create(&options, &runtime, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    /* 64: the statistics of the two sides lie on cache lines of their own */
    patio_broker *b     = NULL;
    void         *block = pt_calloc(&runtime->mem, 1, sizeof(*b) + 64);
    if (block == NULL) {
        if (own) {
            patio_runtime_destroy(runtime);
        }
        return pt_no_memory(err, "broker");
    }
    b               = (patio_broker *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    b->block        = block;
    b->owns_runtime = own;
    init(b, runtime, registry);
    patio_status st = fill(b, config, err);
    if (st != PATIO_OK) {
        patio_broker_destroy(b);
        return st;
    }
    *out = b;
    return PATIO_OK;
}

static void free_parts(patio_broker *b)
{
    const patio_option *const *table =
        b->transport_plugin != NULL ? b->transport_plugin->ops.options : NULL;
    for (size_t i = 0; i < b->endpoint_count; i++) {
        if (b->endpoints != NULL && b->endpoints[i].values != NULL) {
            pt_options_free(b->mem, table, (patio_option_value *)(uintptr_t)b->endpoints[i].values);
        }
        if (b->urls != NULL) {
            pt_url_fini(&b->urls[i]);
        }
    }
    pt_free(b->mem, b->endpoints);
    pt_free(b->mem, b->urls);
    pt_layers_free(b->layers);
    pt_worker_fini(b);
    for (size_t i = 0; b->routes != NULL && i < b->route_count; i++) {
        if (b->routes[i].values != NULL) {
            pt_options_free(b->mem, b->routes[i].executor->plugin->ops.task_options,
                            b->routes[i].values);
        }
    }
    for (size_t i = 0; i < b->executor_count; i++) {
        pt_check_executor_free(b->executors[i].check);
    }
    pt_free(b->mem, b->executors);
    pt_free(b->mem, b->routes);
    patio_registry_destroy(b->elsewhere);
    for (size_t i = 0; i < b->interned_count; i++) {
        pt_free(b->mem, b->interned[i]);
    }
    pt_free(b->mem, b->interned);
    pt_futures_fini(&b->futures);
    if (b->core != NULL) {
        pt_options_free(b->mem, pt_core_options, b->core);
    }
    pt_free(b->mem, b->project);
}

void patio_broker_destroy(patio_broker *b)
{
    if (b == NULL) {
        return;
    }
    if (atomic_load(&b->state) != PT_BROKER_NEW) {
        /* threads cannot be killed: wait for tasks that still run */
        while (patio_broker_stop(b, 1000, NULL) == PATIO_TIMEOUT) {
        }
        pt_callbacks_pay(b);
    }
    for (size_t i = 0; i < b->executor_count; i++) {
        b->executors[i].plugin->ops.destroy(b->executors[i].instance);
    }
    if (b->transport_plugin != NULL) {
        b->transport_plugin->ops.destroy(b->transport);
    }
    free_parts(b);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    patio_runtime *runtime = b->owns_runtime ? b->runtime : NULL;
    pt_free(b->mem, b->block);
    patio_runtime_destroy(runtime);
}
