#include "plugin/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define ORIGIN "plugins"

/* Leaves room for "/transports/", whatever name a disk may hold, ".so" and a NUL. */
enum { DIR_MAX_BYTES = PATH_MAX - NAME_MAX - 32 };

static bool contains(const pt_search *search, const char *dir, size_t size)
{
    for (size_t i = 0; i < search->count; i++) {
        const char *path = search->dirs[i].path;
        if (strlen(path) == size && memcmp(path, dir, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Put a folder, given without its NUL, at a place in the path. */
static patio_status insert(pt_search *search, size_t at, const char *dir, size_t size,
                           const char *source, patio_error *err)
{
    while (size > 1 && dir[size - 1] == '/') {
        size--;
    }
    if (size > DIR_MAX_BYTES) {
        return pt_fail(err, PATIO_INVALID, ORIGIN,
                       "folder of %zu bytes from %s: at most %d are possible", size, source,
                       DIR_MAX_BYTES);
    }
    if (contains(search, dir, size)) {
        return PATIO_OK;
    }
    size_t         bytes = (search->count + 1) * sizeof(*search->dirs);
    pt_search_dir *dirs  = pt_resize(search->mem, search->dirs, bytes);
    if (dirs == NULL) {
        return pt_no_memory(err, ORIGIN);
    }
    search->dirs = dirs;
    char *path   = pt_strndup(search->mem, dir, size);
    if (path == NULL) {
        return pt_no_memory(err, ORIGIN);
    }
    memmove(&dirs[at + 1], &dirs[at], (search->count - at) * sizeof(*dirs));
    dirs[at] = (pt_search_dir){path, source};
    search->count++;
    return PATIO_OK;
}

static patio_status add_environment(pt_search *search, patio_error *err)
{
    /* not in a setuid program: there the environment is the user's, not the administrator's */
    const char *next = secure_getenv("PATIO_PLUGIN_PATH");
    while (next != NULL && *next != '\0') {
        size_t size = strcspn(next, ":");
        if (size > 0) {
            patio_status status =
                insert(search, search->count, next, size, "PATIO_PLUGIN_PATH", err);
            if (status != PATIO_OK) {
                return status;
            }
        }
        next += size;
        next += *next == ':' ? 1 : 0;
    }
    return PATIO_OK;
}

patio_status pt_search_init(pt_search *search, const patio_allocator *mem, patio_error *err)
{
    *search             = (pt_search){.mem = mem};
    patio_status status = add_environment(search, err);
    search->added_at    = search->count;
    const char *builtin = pt_plugins_builtin_dir();
    if (status == PATIO_OK && builtin[0] != '\0') {
        status = insert(search, search->count, builtin, strlen(builtin), "built-in folder", err);
    }
    if (status != PATIO_OK) {
        pt_search_fini(search);
    }
    return status;
}

void pt_search_fini(pt_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        pt_free(search->mem, search->dirs[i].path);
    }
    pt_free(search->mem, search->dirs);
    *search = (pt_search){.mem = search->mem};
}

patio_status pt_search_add(pt_search *search, const char *dir, patio_error *err)
{
    if (dir == NULL || dir[0] == '\0') {
        return pt_fail(err, PATIO_INVALID, ORIGIN, "a plugin folder needs a name");
    }
    size_t       before = search->count;
    patio_status status = insert(search, search->added_at, dir, strlen(dir), "added folder", err);
    search->added_at += search->count - before;
    return status;
}

void pt_search_file(const pt_search_dir *dir, const pt_kind *kind, const char *name,
                    char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/%s/%s.so", dir->path, kind->folder, name);
}
