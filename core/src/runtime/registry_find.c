/* Look-ups: no mutex once the registry is locked. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "runtime/registry_names.h"
#include "runtime/registry_state.h"

bool patio_registry_is_locked(const patio_registry *registry)
{
    return atomic_load_explicit(&registry->locked, memory_order_acquire);
}

/* Returns what end_read wants: whether the mutex was taken. */
static bool begin_read(const patio_registry *registry)
{
    if (patio_registry_is_locked(registry)) {
        return false;
    }
    (void)pthread_mutex_lock(&registry->self->mutex);
    return true;
}

static void end_read(const patio_registry *registry, bool taken)
{
    if (taken) {
        (void)pthread_mutex_unlock(&registry->self->mutex);
    }
}

void patio_registry_lock(patio_registry *registry)
{
    (void)pthread_mutex_lock(&registry->mutex);
    atomic_store_explicit(&registry->locked, true, memory_order_release);
    (void)pthread_mutex_unlock(&registry->mutex);
}

const char *patio_registry_project(const patio_registry *registry)
{
    return registry->project;
}

size_t patio_registry_count(const patio_registry *registry)
{
    bool   taken = begin_read(registry);
    size_t count = registry->count;
    end_read(registry, taken);
    return count;
}

const pt_task *pt_registry_lookup(const patio_registry *registry, const char *name)
{
    bool           taken = begin_read(registry);
    const pt_task *task  = pt_index_find_name(&registry->by_name, name);
    end_read(registry, taken);
    return task;
}

const pt_task *pt_registry_lookup_fn(const patio_registry *registry, patio_task_fn fn)
{
    bool           taken = begin_read(registry);
    const pt_task *task  = pt_index_find_fn(&registry->by_fn, fn);
    end_read(registry, taken);
    return task;
}

const pt_task *pt_registry_task(const patio_registry *registry, size_t index)
{
    bool           taken = begin_read(registry);
    const pt_task *task  = index < registry->count ? registry->tasks[index] : NULL;
    end_read(registry, taken);
    return task;
}

bool patio_registry_contains(const patio_registry *registry, const char *name)
{
    return name != NULL && pt_registry_lookup(registry, name) != NULL;
}

/* A name one slip away, else one of a function that is called like that: people ask for "mul" when
 * it is "default.math.mul". */
static const char *suggest(const patio_registry *registry, const char *name)
{
    pt_near near;
    pt_near_init(&near, name);
    const char *function = NULL;
    for (size_t i = 0; i < registry->count; i++) {
        pt_near_try(&near, registry->tasks[i]->name);
        if (function == NULL && strcmp(registry->tasks[i]->function, name) == 0) {
            function = registry->tasks[i]->name;
        }
    }
    return near.best != NULL ? near.best : function;
}

patio_status pt_registry_not_found(const patio_registry *registry, const char *name,
                                   patio_error *err)
{
    if (err == NULL) {
        return PATIO_NOT_FOUND; /* looking for near names takes time */
    }
    const char *problem = pt_task_name_problem(name);
    if (problem != NULL) {
        return pt_fail(err, PATIO_NOT_FOUND, "registry", "no task has such a name: %s", problem);
    }
    (void)pt_fail(err, PATIO_NOT_FOUND, "registry", "no task \"%s\" in project %s", name,
                  registry->project);
    const char *near = suggest(registry, name);
    if (near != NULL) {
        pt_error_add(err, "; did you mean \"%s\"?", near);
    } else if (registry->count == 0) {
        pt_error_add(err, "; its registry is empty");
    }
    return PATIO_NOT_FOUND;
}

static patio_status give(const pt_task *task, patio_task_info *out, patio_error *err)
{
    if (!PATIO_HAS(patio_task_info, out, options)) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "task info: struct_size is not set, use PATIO_SIZED");
    }
    out->name    = task->name;
    out->fn      = task->fn;
    out->options = &task->options;
    return PATIO_OK;
}

patio_status patio_registry_find(const patio_registry *registry, const char *name,
                                 patio_task_info *out, patio_error *err)
{
    if (name == NULL) {
        return pt_fail(err, PATIO_INVALID, "registry", "find a task: the name is NULL");
    }
    bool           taken = begin_read(registry);
    const pt_task *task  = pt_index_find_name(&registry->by_name, name);
    patio_status   st =
        task != NULL ? give(task, out, err) : pt_registry_not_found(registry, name, err);
    end_read(registry, taken);
    return st;
}

patio_status patio_registry_find_fn(const patio_registry *registry, patio_task_fn fn,
                                    patio_task_info *out, patio_error *err)
{
    bool           taken = begin_read(registry);
    const pt_task *task  = pt_index_find_fn(&registry->by_fn, fn);
    patio_status   st    = PATIO_OK;
    if (task != NULL) {
        st = give(task, out, err);
    } else {
        st = pt_fail(err, PATIO_NOT_FOUND, "registry", "the function has no name in project %s",
                     registry->project);
    }
    end_read(registry, taken);
    return st;
}

patio_status patio_registry_at(const patio_registry *registry, size_t i, patio_task_info *out,
                               patio_error *err)
{
    bool         taken = begin_read(registry);
    patio_status st    = PATIO_OK;
    if (i < registry->count) {
        st = give(registry->tasks[i], out, err);
    } else {
        st = pt_fail(err, PATIO_NOT_FOUND, "registry", "no task at position %zu: there are %zu", i,
                     registry->count);
    }
    end_read(registry, taken);
    return st;
}

uint64_t pt_registry_fingerprint(const patio_registry *registry)
{
    uint64_t sum = 0;
    size_t   n   = registry != NULL ? patio_registry_count(registry) : 0;
    for (size_t i = 0; i < n; i++) {
        const pt_task *task = pt_registry_task(registry, i);
        uint64_t       hash = UINT64_C(14695981039346656037); /* FNV-1a */
        if (task->fn == NULL) {
            continue; /* a command of the configuration */
        }
        for (const char *c = task->name; *c != '\0'; c++) {
            hash = (hash ^ (uint8_t)*c) * UINT64_C(1099511628211);
        }
        for (unsigned shift = 0; shift < 32; shift += 8) {
            hash = (hash ^ (uint8_t)(task->options.version >> shift)) * UINT64_C(1099511628211);
        }
        sum += hash;
    }
    return sum;
}
