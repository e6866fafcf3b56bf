#include "runtime/runtime.h"

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "config/config.h"
#include "layer/fault.h"

static patio_status read_log_settings(pt_log *log, const patio_allocator *mem,
                                      const patio_config *config, patio_error *err)
{
    pt_setting          setting;
    patio_option_value *values = NULL;
    patio_status        st     = pt_config_log(mem, config, &values, err);
    if (st == PATIO_OK) {
        if (pt_config_find(config, "log.level", &setting)) {
            log->level = (int32_t)values[PT_LOG_LEVEL].number;
        }
        log->json = strcmp(values[PT_LOG_FORMAT].text, "json") == 0;
        pt_options_free(mem, pt_log_options, values);
    }
    return st;
}

static patio_status set_up_log(patio_runtime *runtime, const patio_runtime_options *options,
                               patio_error *err)
{
    pt_log      *log = &runtime->log;
    patio_status st  = PATIO_OK;
    if (options != NULL) {
        log->level = options->log_level;
        log->fn    = options->log;
        log->self  = options->log_self;
    }
    if (options != NULL && options->config != NULL) {
        st = read_log_settings(log, &runtime->mem, options->config, err);
    }
    if (log->level == PATIO_LOG_DEFAULT) {
        log->level = PATIO_LOG_WARN;
    }
    return st;
}

/* plugin_path of the configuration: folders with ':' between them. */
static patio_status add_plugin_path(patio_runtime *runtime, const char *path, patio_error *err)
{
    while (*path != '\0') {
        size_t size = strcspn(path, ":");
        if (size > 0) {
            char *dir = pt_strndup(&runtime->mem, path, size);
            if (dir == NULL) {
                return pt_no_memory(err, "runtime");
            }
            patio_status st = pt_plugins_add_dir(runtime->plugins, dir, err);
            pt_free(&runtime->mem, dir);
            if (st != PATIO_OK) {
                return st;
            }
        }
        path += size + (path[size] == ':');
    }
    return PATIO_OK;
}

static void set_up_clock(patio_runtime *runtime, const patio_runtime_options *options)
{
    if (!PATIO_HAS(patio_runtime_options, options, seed)) {
        return;
    }
    runtime->clock.manual = (options->flags & PATIO_RUNTIME_MANUAL_CLOCK) != 0;
    runtime->seeded       = (options->flags & PATIO_RUNTIME_SEEDED) != 0;
    atomic_store(&runtime->random, options->seed);
    /* not 0, which means "none" in places; the same for each run of a test */
    atomic_store(&runtime->clock.now_ns, UINT64_C(1000000000));
}

patio_status patio_runtime_create(const patio_runtime_options *options, patio_runtime **out,
                                  patio_error *err)
{
    if (out == NULL || (options != NULL && !PATIO_HAS(patio_runtime_options, options, log_self))) {
        return pt_fail(err, PATIO_INVALID, "runtime", "out or the options' struct_size is not set");
    }
    const patio_allocator *mem =
        options != NULL && options->allocator != NULL ? options->allocator : &pt_malloc_allocator;
    patio_runtime *runtime = pt_calloc(mem, 1, sizeof(*runtime));
    if (runtime == NULL) {
        return pt_no_memory(err, "runtime");
    }
    runtime->mem = *mem;
    set_up_clock(runtime, options);
    pthread_mutex_init(&runtime->share_lock, NULL);
    patio_status st = set_up_log(runtime, options, err);
    if (st == PATIO_OK) {
        st = pt_plugins_create(&runtime->mem, &runtime->plugins, err);
    }
    if (st == PATIO_OK) {
        st = pt_timers_create(&runtime->mem, &runtime->clock, &runtime->timers, err);
    }
    if (st == PATIO_OK && options != NULL && options->config != NULL) {
        const char *path = patio_config_get(options->config, "plugin_path");
        st               = path != NULL ? add_plugin_path(runtime, path, err) : PATIO_OK;
    }
    if (st != PATIO_OK) {
        patio_runtime_destroy(runtime);
        return st;
    }
    *out = runtime;
    return PATIO_OK;
}

void patio_runtime_destroy(patio_runtime *runtime)
{
    if (runtime == NULL) {
        return;
    }
    patio_allocator mem = runtime->mem;
    pt_timers_destroy(runtime->timers);
    if (runtime->plugins != NULL) {
        pt_plugins_destroy(runtime->plugins);
    }
    while (runtime->hosts != NULL) {
        pt_host *next = runtime->hosts->next;
        pt_free(&mem, runtime->hosts);
        runtime->hosts = next;
    }
    pthread_mutex_destroy(&runtime->share_lock);
    pt_free(&mem, runtime);
}

typedef struct calming {
    patio_runtime *runtime;
    uint64_t       calm_ms;
} calming;

/* Until no executor has a job, or for as long as one may take. */
static void wait_for_calm(void *arg)
{
    const calming  *c     = arg;
    uint64_t        until = pt_after_ms(pt_now_ns(), c->calm_ms);
    struct timespec pause = {.tv_nsec = 20000};
    while (atomic_load(&c->runtime->moving) != 0 && pt_now_ns() < until) {
        (void)nanosleep(&pause, NULL);
    }
}

patio_status patio_runtime_advance(patio_runtime *runtime, uint64_t ms, uint64_t calm_ms,
                                   patio_error *err)
{
    if (runtime == NULL || !runtime->clock.manual) {
        return pt_fail(err, PATIO_STATE, "runtime",
                       "advance: the runtime has no manual clock (PATIO_RUNTIME_MANUAL_CLOCK)");
    }
    calming  c    = {.runtime = runtime, .calm_ms = calm_ms};
    uint64_t then = pt_after_ms(pt_clock_now(&runtime->clock), ms);
    return pt_timers_advance(runtime->timers, then, wait_for_calm, &c)
               ? PATIO_OK
               : pt_fail(err, PATIO_STATE, "runtime", "advance: somebody else moves the clock now");
}

uint64_t patio_runtime_now_ms(const patio_runtime *runtime)
{
    return pt_clock_now(&runtime->clock) / PT_NS_PER_MS;
}

patio_status patio_runtime_add_plugin_dir(patio_runtime *runtime, const char *dir, patio_error *err)
{
    return pt_plugins_add_dir(runtime->plugins, dir, err);
}

patio_status patio_runtime_plugins(patio_runtime *runtime, patio_plugin_visit_fn visit, void *arg,
                                   patio_error *err)
{
    return pt_plugins_visit(runtime->plugins, visit, arg, err);
}

patio_status patio_runtime_describe(patio_runtime *runtime, const char *kind, const char *name,
                                    patio_plugin_visit_fn visit, void *arg, patio_error *err)
{
    if (kind != NULL && name != NULL && strcmp(kind, "transport") == 0 &&
        strcmp(name, "fault") == 0) {
        visit(arg, &pt_fault_info);
        return PATIO_OK;
    }
    return pt_plugins_describe(runtime->plugins, kind, name, visit, arg, err);
}
