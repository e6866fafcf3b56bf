#include "plugin/plugins.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "plugin/report.h"
#include "plugin/state.h"

#define ORIGIN "plugins"

patio_status pt_plugins_create(const patio_allocator *mem, pt_plugins **out, patio_error *err)
{
    pt_plugins *plugins = pt_calloc(mem, 1, sizeof(*plugins));
    if (plugins == NULL) {
        return pt_no_memory(err, ORIGIN);
    }
    plugins->mem        = mem;
    patio_status status = pt_search_init(&plugins->search, mem, err);
    if (status != PATIO_OK) {
        pt_free(mem, plugins);
        return status;
    }
    int reason = pthread_mutex_init(&plugins->lock, NULL);
    if (reason != 0) {
        pt_search_fini(&plugins->search);
        pt_free(mem, plugins);
        return pt_fail_errno(err, PATIO_NO_MEMORY, reason, ORIGIN, "make a lock");
    }
    *out = plugins;
    return PATIO_OK;
}

void pt_plugins_destroy(pt_plugins *plugins)
{
    if (plugins == NULL) {
        return;
    }
    pt_load_free_cache(plugins->mem, plugins->cache);
    pt_search_fini(&plugins->search);
    (void)pthread_mutex_destroy(&plugins->lock);
    pt_free(plugins->mem, plugins);
}

patio_status pt_plugins_add_dir(pt_plugins *plugins, const char *dir, patio_error *err)
{
    (void)pthread_mutex_lock(&plugins->lock);
    patio_status status = pt_search_add(&plugins->search, dir, err);
    (void)pthread_mutex_unlock(&plugins->lock);
    return status;
}

/* An explicit path: the file's name says what the plugin must call itself. */
static patio_status find_by_path(pt_plugins *plugins, const pt_kind *kind, const char *path,
                                 const pt_plugin **out, patio_error *err)
{
    const char *file = strrchr(path, '/') + 1;
    size_t      size = strlen(file);
    size -= size > 3 && strcmp(file + size - 3, ".so") == 0 ? 3 : 0;
    patio_error why                          = PATIO_ERROR_INIT;
    char        name[PT_PLUGIN_NAME_MAX + 1] = "";
    if (size <= PT_PLUGIN_NAME_MAX) {
        memcpy(name, file, size);
        name[size] = '\0';
    }
    patio_status status = PATIO_OK;
    if (pt_is_plugin_name(name)) {
        status = pt_load_file(plugins->mem, &plugins->cache, kind, path, name, out, &why);
    } else {
        status = pt_fail(&why, PATIO_INVALID, ORIGIN,
                         "the file must be called <name>.so, a name being [a-z][a-z0-9_]{0,%d}",
                         PT_PLUGIN_NAME_MAX - 1);
    }
    return status == PATIO_OK ? status : pt_report_path(err, kind, path, &why);
}

/* Report that no folder has it, with the plugin whose name is nearest. What goes wrong here costs
 * no more than the hint. */
static patio_status report_absent(pt_plugins *plugins, const pt_kind *kind, const char *name,
                                  const patio_error *why, patio_error *err)
{
    const pt_search *search = &plugins->search;
    pt_found_list    list   = {.mem = plugins->mem};
    pt_near          near;
    pt_near_init(&near, name);
    const pt_search_dir *dir = NULL;
    if (pt_search_scan(search, kind, &list, NULL) != PATIO_OK) {
        pt_found_list_fini(&list);
    }
    for (size_t i = 0; i < list.count; i++) {
        unsigned before = near.distance;
        if (pt_is_plugin_name(list.items[i].name)) {
            pt_near_try(&near, list.items[i].name);
        }
        dir = near.distance < before ? list.items[i].dir : dir;
    }
    char           path[PATH_MAX];
    pt_near_plugin hint = {.name = near.best, .path = path};
    if (dir != NULL) {
        patio_error unused = PATIO_ERROR_INIT;
        pt_search_file(dir, kind, near.best, path);
        (void)pt_load_file(plugins->mem, &plugins->cache, kind, path, near.best, &hint.plugin,
                           &unused);
    }
    patio_status status =
        pt_report_search(err, search, kind, name, search->count, why, dir != NULL ? &hint : NULL);
    pt_found_list_fini(&list);
    return status;
}

/* The first folder that has such a file decides: a broken plugin is never passed over in silence.
 */
static patio_status find_by_name(pt_plugins *plugins, const pt_kind *kind, const char *name,
                                 const pt_plugin **out, patio_error *err)
{
    const pt_search *search = &plugins->search;
    patio_error      why    = PATIO_ERROR_INIT;
    (void)pt_fail(&why, PATIO_NOT_FOUND, ORIGIN, "no folder to search");
    for (size_t i = 0; i < search->count; i++) {
        char path[PATH_MAX];
        pt_search_file(&search->dirs[i], kind, name, path);
        patio_status status =
            pt_load_file(plugins->mem, &plugins->cache, kind, path, name, out, &why);
        if (status == PATIO_OK) {
            return PATIO_OK;
        }
        if (status != PATIO_NOT_FOUND) {
            return pt_report_search(err, search, kind, name, i + 1, &why, NULL);
        }
    }
    return report_absent(plugins, kind, name, &why, err);
}

patio_status pt_plugins_find(pt_plugins *plugins, const pt_kind *kind, const char *name,
                             const pt_plugin **out, patio_error *err)
{
    if (name == NULL) {
        return pt_fail(err, PATIO_INVALID, ORIGIN, "no name of a%s %s",
                       kind == &pt_kind_executor ? "n" : "", kind->word);
    }
    if (strchr(name, '/') != NULL) {
        return find_by_path(plugins, kind, name, out, err);
    }
    if (!pt_is_plugin_name(name)) {
        return pt_fail(err, PATIO_INVALID, ORIGIN,
                       "%s name \"%.64s\": expected [a-z][a-z0-9_]{0,%d}, or a path with a '/'",
                       kind->word, name, PT_PLUGIN_NAME_MAX - 1);
    }
    return find_by_name(plugins, kind, name, out, err);
}

static patio_status find_locked(pt_plugins *plugins, const pt_kind *kind, const char *name,
                                const pt_plugin **out, patio_error *err)
{
    (void)pthread_mutex_lock(&plugins->lock);
    patio_status status = pt_plugins_find(plugins, kind, name, out, err);
    (void)pthread_mutex_unlock(&plugins->lock);
    return status;
}

patio_status pt_plugins_transport(pt_plugins *plugins, const char *name,
                                  const pt_transport_plugin **out, patio_error *err)
{
    const pt_plugin *plugin = NULL;
    patio_status     status = find_locked(plugins, &pt_kind_transport, name, &plugin, err);
    if (status == PATIO_OK) {
        *out = &plugin->as.transport;
    }
    return status;
}

patio_status pt_plugins_executor(pt_plugins *plugins, const char *name,
                                 const pt_executor_plugin **out, patio_error *err)
{
    const pt_plugin *plugin = NULL;
    patio_status     status = find_locked(plugins, &pt_kind_executor, name, &plugin, err);
    if (status == PATIO_OK) {
        *out = &plugin->as.executor;
    }
    return status;
}
