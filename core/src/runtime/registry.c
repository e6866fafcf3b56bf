#include "runtime/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "runtime/registry_names.h"
#include "runtime/registry_state.h"
#include "runtime/registry_task.h"

enum {
    PROJECT_MAX_BYTES = 128,
    TASKS_MIN_ROOM    = 16,
    KNOWN_FLAGS       = PATIO_REGISTRY_NO_AUTO_NAMES | PATIO_REGISTRY_STRICT,
};

patio_status patio_registry_create(const patio_registry_options *options, patio_registry **out,
                                   patio_error *err)
{
    if (out == NULL) {
        return pt_fail(err, PATIO_INVALID, "registry", "create a registry: out is NULL");
    }
    return pt_registry_create(&pt_malloc_allocator, options, out, err);
}

static patio_status read_options(const patio_registry_options *options, const char **project,
                                 uint32_t *flags, patio_error *err)
{
    *project = "default";
    *flags   = 0;
    if (options == NULL) {
        return PATIO_OK;
    }
    if (!PATIO_HAS(patio_registry_options, options, project)) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "registry options: struct_size is not set, use PATIO_SIZED");
    }
    if ((options->flags & ~(uint32_t)KNOWN_FLAGS) != 0) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "registry options: flags has a bit that is not one of PATIO_REGISTRY_...");
    }
    if (options->project != NULL && !pt_is_plain_name(options->project, PROJECT_MAX_BYTES)) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "registry options: project is not 1..128 bytes of [A-Za-z0-9._-]");
    }
    *flags = options->flags;
    if (options->project != NULL) {
        *project = options->project;
    }
    return PATIO_OK;
}

patio_status pt_registry_create(const patio_allocator *mem, const patio_registry_options *options,
                                patio_registry **out, patio_error *err)
{
    const char  *project = NULL;
    uint32_t     flags   = 0;
    patio_status st      = read_options(options, &project, &flags, err);
    if (st != PATIO_OK) {
        return st;
    }
    patio_registry *registry = pt_calloc(mem, 1, sizeof(*registry));
    if (registry == NULL) {
        return pt_no_memory(err, "registry");
    }
    registry->mem     = mem;
    registry->self    = registry;
    registry->flags   = flags;
    registry->project = pt_strdup(mem, project);
    if (registry->project == NULL || pthread_mutex_init(&registry->mutex, NULL) != 0) {
        pt_free(mem, registry->project);
        pt_free(mem, registry);
        return pt_no_memory(err, "registry");
    }
    atomic_init(&registry->locked, false);
    *out = registry;
    return PATIO_OK;
}

void patio_registry_destroy(patio_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    const patio_allocator *mem = registry->mem;
    for (size_t i = 0; i < registry->count; i++) {
        pt_free(mem, registry->tasks[i]);
    }
    pt_free(mem, registry->tasks);
    for (size_t i = 0; i < registry->module_count; i++) {
        pt_free(mem, registry->modules[i]);
    }
    pt_free(mem, registry->modules);
    pt_index_fini(&registry->by_name, mem);
    pt_index_fini(&registry->by_fn, mem);
    (void)pthread_mutex_destroy(&registry->mutex);
    pt_free(mem, registry->project);
    pt_free(mem, registry);
}

patio_status pt_registry_refuse(const char *call, const char *name, patio_error *err)
{
    return pt_fail(err, PATIO_STATE, "registry",
                   "patio_registry_%s(\"%s\"): the registry is locked since a broker started with "
                   "it, or by patio_registry_lock",
                   call, name);
}

/* "mul2 (module demo)", as far as it is known. */
typedef struct owner {
    char text[256];
} owner;

static owner describe(const pt_task *task)
{
    owner       o;
    const char *function = task->function[0] != '\0' ? task->function : "a function without a name";
    if (task->module[0] != '\0') {
        (void)snprintf(o.text, sizeof(o.text), "%.120s (module %.120s)", function, task->module);
    } else {
        (void)snprintf(o.text, sizeof(o.text), "%.120s", function);
    }
    return o;
}

static bool reserve(patio_registry *registry)
{
    if (registry->count == registry->room) {
        size_t    room  = registry->room != 0 ? registry->room * 2 : TASKS_MIN_ROOM;
        pt_task **tasks = pt_resize(registry->mem, registry->tasks, room * sizeof(pt_task *));
        if (tasks == NULL) {
            return false;
        }
        registry->tasks = tasks;
        registry->room  = room;
    }
    return pt_index_reserve(&registry->by_name, registry->mem) &&
           pt_index_reserve(&registry->by_fn, registry->mem);
}

/* The mutex is taken. Takes the task only if it returns OK. */
static patio_status insert(patio_registry *registry, pt_task *task, patio_error *err)
{
    if (patio_registry_is_locked(registry)) {
        return pt_registry_refuse("add", task->name, err);
    }
    const pt_task *other = pt_index_find_name(&registry->by_name, task->name);
    if (other != NULL) {
        return pt_fail(err, PATIO_EXISTS, "registry",
                       "task \"%s\" is already registered by %s; cannot add %s", task->name,
                       describe(other).text, describe(task).text);
    }
    if (!reserve(registry)) {
        return pt_no_memory(err, "registry");
    }
    task->index                        = registry->count;
    registry->tasks[registry->count++] = task;
    pt_index_put(&registry->by_name, pt_hash_name(task->name), task);
    if (task->fn != NULL && pt_index_find_fn(&registry->by_fn, task->fn) == NULL) {
        pt_index_put(&registry->by_fn, pt_hash_fn(task->fn), task);
    }
    return PATIO_OK;
}

/* Check the name of a draft; without one, make it in `room`. */
static patio_status settle_name(const patio_registry *registry, pt_task_draft *draft,
                                char room[PT_TASK_NAME_MAX + 1], patio_error *err)
{
    const char *function = draft->function != NULL ? draft->function : "a function";
    if (draft->name != NULL) {
        const char *problem = pt_task_name_problem(draft->name);
        return problem == NULL ? PATIO_OK
                               : pt_fail(err, PATIO_INVALID, "registry", "bad task name for %s: %s",
                                         function, problem);
    }
    if ((registry->flags & PATIO_REGISTRY_NO_AUTO_NAMES) != 0) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "%s needs a name: the registry of project %s forbids automatic ones",
                       function, registry->project);
    }
    if ((registry->flags & PATIO_REGISTRY_STRICT) != 0 && draft->options.source == NULL) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "automatic name for %s: the registry of project %s is strict, write the "
                       "function inside PATIO_STRICT and add it with PATIO_ADD_STRICT",
                       function, registry->project);
    }
    draft->name = room;
    return pt_auto_name(registry->project, draft->module, draft->function, draft->options.source,
                        room, err);
}

static patio_status add(patio_registry *registry, const char *name, patio_task_fn fn,
                        const char *module, const char *function, const patio_task_options *options,
                        patio_error *err)
{
    pt_task_draft draft = {
        .name = name, .fn = fn, .module = pt_module_name(module), .function = function};
    const char  *who = name != NULL ? name : function != NULL ? function : "without a name";
    patio_status st  = pt_task_options_read(options, who, &draft.options, err);
    if (st != PATIO_OK) {
        return st;
    }
    if (draft.options.module != NULL) {
        draft.module = (patio_bytes){.data = (const uint8_t *)draft.options.module,
                                     .size = strlen(draft.options.module)};
    }
    char room[PT_TASK_NAME_MAX + 1];
    st = settle_name(registry, &draft, room, err);
    if (st != PATIO_OK) {
        return st;
    }
    pt_task *task = pt_task_make(registry->mem, &draft);
    if (task == NULL) {
        return pt_no_memory(err, "registry");
    }
    (void)pthread_mutex_lock(&registry->mutex);
    st = insert(registry, task, err);
    (void)pthread_mutex_unlock(&registry->mutex);
    if (st != PATIO_OK) {
        pt_free(registry->mem, task);
    }
    return st;
}

patio_status patio_registry_add(patio_registry *registry, const char *name, patio_task_fn fn,
                                const char *module, const char *function,
                                const patio_task_options *options, patio_error *err)
{
    if (fn == NULL) {
        const char *who = name != NULL ? name : function != NULL ? function : "without a name";
        return pt_fail(err, PATIO_INVALID, "registry", "task %s: the function is NULL", who);
    }
    return add(registry, name, fn, module, function, options, err);
}

patio_status patio_registry_add_external(patio_registry *registry, const char *name,
                                         const patio_task_options *options, patio_error *err)
{
    if (name == NULL) {
        return pt_fail(err, PATIO_INVALID, "registry", "an external task needs a name");
    }
    return add(registry, name, NULL, NULL, "an external task", options, err);
}

/* The mutex is taken. The task is out of the registry, and the caller's to free. */
static void take_out(patio_registry *registry, pt_task *task)
{
    pt_index_remove(&registry->by_name, pt_hash_name(task->name), task);
    registry->count--;
    for (size_t i = task->index; i < registry->count; i++) {
        registry->tasks[i]        = registry->tasks[i + 1];
        registry->tasks[i]->index = i;
    }
    if (task->fn == NULL || pt_index_find_fn(&registry->by_fn, task->fn) != task) {
        return;
    }
    /* it was its function's first name: the next one takes over, and the room it left */
    pt_index_remove(&registry->by_fn, pt_hash_fn(task->fn), task);
    for (size_t i = task->index; i < registry->count; i++) {
        if (registry->tasks[i]->fn == task->fn) {
            pt_index_put(&registry->by_fn, pt_hash_fn(task->fn), registry->tasks[i]);
            return;
        }
    }
}

patio_status patio_registry_remove(patio_registry *registry, const char *name, patio_error *err)
{
    if (name == NULL) {
        return pt_fail(err, PATIO_INVALID, "registry", "remove a task: the name is NULL");
    }
    (void)pthread_mutex_lock(&registry->mutex);
    patio_status st   = PATIO_OK;
    pt_task     *task = pt_index_find_name(&registry->by_name, name);
    if (patio_registry_is_locked(registry)) {
        st   = pt_registry_refuse("remove", name, err);
        task = NULL;
    } else if (task == NULL) {
        st = pt_registry_not_found(registry, name, err);
    } else {
        take_out(registry, task);
    }
    (void)pthread_mutex_unlock(&registry->mutex);
    pt_free(registry->mem, task);
    return st;
}
