/* Task modules: shared libraries that bring tasks. Beside core/src/plugin the only dlopen in the
 * tree: a module is code of the application, uses the application API, and is no plugin. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "plugin/plugins.h"
#include "runtime/registry_state.h"

/* Looking for one module. */
typedef struct search {
    const char *name;
    char        found[PATH_MAX];
    char        places[512]; /* where we looked, for the error */
} search;

/* `prefix`, the name and `ending` together: a file? */
static bool try_file(search *s, const char *prefix, size_t prefix_size, const char *ending)
{
    if (prefix_size >= sizeof(s->found)) {
        return false;
    }
    int size =
        snprintf(s->found, sizeof(s->found), "%.*s%s%s", (int)prefix_size, prefix, s->name, ending);
    struct stat info;
    return size > 0 && (size_t)size < sizeof(s->found) && stat(s->found, &info) == 0 &&
           S_ISREG(info.st_mode);
}

/* With the ending first: beside hello.so there may well be a program or a folder hello. */
static bool try_both(search *s, const char *prefix, size_t prefix_size)
{
    return try_file(s, prefix, prefix_size, ".so") || try_file(s, prefix, prefix_size, "");
}

static bool try_folder(search *s, const char *dir, size_t dir_size, const char *origin)
{
    size_t used = strlen(s->places);
    (void)snprintf(s->places + used, sizeof(s->places) - used, "%s%.*s (%s)", used > 0 ? ", " : "",
                   (int)dir_size, dir, origin);
    char prefix[PATH_MAX];
    int  size = snprintf(prefix, sizeof(prefix), "%.*s/", (int)dir_size, dir);
    return size > 0 && (size_t)size < sizeof(prefix) && try_both(s, prefix, (size_t)size);
}

static bool try_task_path(search *s)
{
    const char *path = secure_getenv("PATIO_TASK_PATH");
    while (path != NULL && *path != '\0') {
        size_t size = strcspn(path, ":");
        if (size > 0 && size < PATH_MAX && try_folder(s, path, size, "PATIO_TASK_PATH")) {
            return true;
        }
        path += size + (path[size] == ':' ? 1 : 0);
    }
    return false;
}

static bool try_builtin(search *s)
{
    char dir[PATH_MAX];
    int  size = snprintf(dir, sizeof(dir), "%s/tasks", pt_plugins_builtin_dir());
    return size > 0 && (size_t)size < sizeof(dir) && try_folder(s, dir, (size_t)size, "built in");
}

static patio_status find_module(search *s, patio_error *err)
{
    if (strchr(s->name, '/') != NULL) {
        if (try_both(s, "", 0)) {
            return PATIO_OK;
        }
        return pt_fail(err, PATIO_NOT_FOUND, "registry",
                       "no task module %.400s: there is no such file, and none with .so behind it",
                       s->name);
    }
    if (try_task_path(s) || try_builtin(s) || try_folder(s, ".", 1, "current folder")) {
        return PATIO_OK;
    }
    return pt_fail(err, PATIO_NOT_FOUND, "registry",
                   "no task module \"%.100s\", looked for %.100s.so and %.100s in: %s", s->name,
                   s->name, s->name, s->places);
}

/* What is wrong with the table of a module is in err, with status ABI. */
static bool check(const patio_module *module, const char *path, patio_error *err)
{
    if (module == NULL || module->magic != PATIO_MODULE_MAGIC) {
        (void)pt_fail(err, PATIO_ABI, "registry",
                      "%.500s is no task module: " PATIO_MODULE_SYMBOL
                      " returned something else than what PATIO_TASK_MODULE makes",
                      path);
        return false;
    }
    if (!PATIO_HAS(patio_module, module, add_tasks) || module->add_tasks == NULL) {
        (void)pt_fail(err, PATIO_ABI, "registry", "task module %.500s has no registration function",
                      path);
        return false;
    }
    if (module->api_major != PATIO_VERSION_MAJOR || module->api_minor > PATIO_VERSION_MINOR) {
        (void)pt_fail(err, PATIO_ABI, "registry",
                      "task module %.500s was built with patio %u.%u, this is %u.%u", path,
                      module->api_major, module->api_minor, (unsigned)PATIO_VERSION_MAJOR,
                      (unsigned)PATIO_VERSION_MINOR);
        return false;
    }
    return true;
}

/* NULL: refused, err says why, with status ABI. The library is never unloaded again, not even then:
 * it may have started threads, and what a module added must stay callable. */
static const patio_module *open_module(const char *path, patio_error *err)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc keeps one text per thread */
        (void)pt_fail(err, PATIO_ABI, "registry", "load task module: %s", dlerror());
        return NULL;
    }
    void *symbol = dlsym(library, PATIO_MODULE_SYMBOL);
    if (symbol == NULL) {
        (void)pt_fail(err, PATIO_ABI, "registry",
                      "%.500s is no task module: it has no " PATIO_MODULE_SYMBOL
                      ", write PATIO_TASK_MODULE(your_function) in it",
                      path);
        return NULL;
    }
    const patio_module *(*entry)(void) = NULL;
    memcpy(&entry, &symbol, sizeof(entry)); /* ISO C has no cast from object to function */
    const patio_module *module = entry();
    return check(module, path, err) ? module : NULL;
}

/* Whole, from any folder, and with its symbolic links as they are: where one is made to point to
 * another release, that is what is loaded from then on. */
static const char *whole_path(const char *path, char *to, size_t room)
{
    if (path[0] == '/' || getcwd(to, room) == NULL) {
        return path;
    }
    size_t used = strlen(to);
    int    size = snprintf(to + used, room - used, "/%s", path);
    return size > 0 && (size_t)size < room - used ? to : path;
}

/* Remembered, so that a child process can load the same. */
static patio_status note_module(patio_registry *registry, const char *path, patio_error *err)
{
    char whole[2 * PATH_MAX];
    (void)pthread_mutex_lock(&registry->mutex);
    size_t room  = (registry->module_count + 1) * sizeof(*registry->modules);
    char **grown = pt_resize(registry->mem, registry->modules, room);
    char  *copy =
        grown != NULL ? pt_strdup(registry->mem, whole_path(path, whole, sizeof(whole))) : NULL;
    registry->modules = grown != NULL ? grown : registry->modules;
    if (copy != NULL) {
        registry->modules[registry->module_count++] = copy;
    }
    (void)pthread_mutex_unlock(&registry->mutex);
    return copy != NULL ? PATIO_OK : pt_no_memory(err, "registry");
}

patio_status patio_registry_load(patio_registry *registry, const char *path, patio_error *err)
{
    if (path == NULL || path[0] == '\0') {
        return pt_fail(err, PATIO_INVALID, "registry", "load a task module: it has no name");
    }
    if (patio_registry_is_locked(registry)) {
        return pt_registry_refuse("load", path, err);
    }
    search       s  = {.name = path};
    patio_status st = find_module(&s, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_module *module = open_module(s.found, err);
    if (module == NULL) {
        return PATIO_ABI;
    }
    st = note_module(registry, s.found, err);
    if (st != PATIO_OK) {
        return st;
    }
    patio_error inner = PATIO_ERROR_INIT;
    st                = module->add_tasks(registry, &inner);
    if (st != PATIO_OK) {
        (void)pt_fail(err, st, "registry", "task module %.300s: %s", s.found,
                      inner.message[0] != '\0' ? inner.message : patio_status_text(st));
    }
    return st;
}
