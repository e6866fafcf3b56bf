/* Showing plugins: the work behind `patio plugins` and `patio describe`. */
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "plugin/state.h"

#define ORIGIN "plugins"

/* One line of the listing. Texts are its own, because the visitor runs without the lock. */
typedef struct entry {
    const pt_plugin *plugin; /* NULL: not usable */
    const pt_kind   *kind;
    const char      *name; /* the found list's */
    char            *path;
    char            *problem;
    patio_status     status;
    bool             skip; /* the winner's own file, met again by another way */
} entry;

static void show(const entry *e, const char *path, patio_plugin_visit_fn visit, void *arg)
{
    patio_plugin_info info = {
        PATIO_SIZED(patio_plugin_info),
        .status  = e->status,
        .kind    = e->kind->word,
        .name    = e->name,
        .version = "",
        .license = "",
        .summary = "",
        .path    = path,
        .problem = e->problem != NULL ? e->problem : "",
    };
    if (e->plugin != NULL) {
        const patio_plugin *p   = pt_plugin_identity(e->plugin);
        const void         *ops = pt_plugin_ops(e->plugin);
        info.version            = p->version;
        info.license            = p->license;
        info.summary            = p->summary;
        info.abi_major          = p->abi_major;
        info.abi_minor          = p->abi_minor;
        info.caps               = e->kind->caps(ops);
        info.options            = e->kind->options(ops);
        info.task_options       = e->kind->task_options(ops);
    }
    visit(arg, &info);
}

static patio_status set_problem(const pt_plugins *plugins, entry *e, const patio_error *why,
                                patio_error *err)
{
    if (why->status == PATIO_NO_MEMORY) {
        return pt_no_memory(err, ORIGIN);
    }
    e->status  = why->status;
    e->problem = pt_strdup(plugins->mem, why->message);
    return e->problem != NULL ? PATIO_OK : pt_no_memory(err, ORIGIN);
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat one;
    struct stat two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

static const entry *find_winner(const entry *entries, size_t count, const entry *e)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].kind == e->kind && strcmp(entries[i].name, e->name) == 0) {
            return &entries[i];
        }
    }
    return NULL;
}

/* Number `i` of the found files; the ones before it are examined already. */
static patio_status examine(pt_plugins *plugins, const pt_found *found, entry *entries, size_t i,
                            patio_error *err)
{
    entry *e = &entries[i];
    e->kind  = found->kind;
    e->name  = found->name;
    char path[PATH_MAX];
    pt_search_file(found->dir, found->kind, found->name, path);
    e->path = pt_strdup(plugins->mem, path);
    if (e->path == NULL) {
        return pt_no_memory(err, ORIGIN);
    }
    patio_error  why    = PATIO_ERROR_INIT;
    const entry *winner = find_winner(entries, i, e);
    if (winner != NULL) {
        e->skip = is_same_file(winner->path, path);
        (void)pt_fail(&why, PATIO_EXISTS, ORIGIN, "shadowed by %s, which is found first",
                      winner->path);
        return set_problem(plugins, e, &why, err);
    }
    if (!pt_is_plugin_name(e->name)) {
        (void)pt_fail(&why, PATIO_INVALID, ORIGIN, "not a plugin's name: [a-z][a-z0-9_]{0,%d}",
                      PT_PLUGIN_NAME_MAX - 1);
        return set_problem(plugins, e, &why, err);
    }
    patio_status status =
        pt_load_file(plugins->mem, &plugins->cache, e->kind, path, e->name, &e->plugin, &why);
    return status == PATIO_OK ? status : set_problem(plugins, e, &why, err);
}

static void free_entries(const pt_plugins *plugins, entry *entries, size_t count)
{
    for (size_t i = 0; entries != NULL && i < count; i++) {
        pt_free(plugins->mem, entries[i].path);
        pt_free(plugins->mem, entries[i].problem);
    }
    pt_free(plugins->mem, entries);
}

/* Find and examine everything, with the lock held. */
static patio_status collect(pt_plugins *plugins, pt_found_list *list, entry **out, patio_error *err)
{
    for (size_t i = 0; i < PT_KIND_COUNT; i++) {
        patio_status status = pt_search_scan(&plugins->search, pt_kinds[i], list, err);
        if (status != PATIO_OK) {
            return status;
        }
    }
    *out = pt_calloc(plugins->mem, list->count, sizeof(**out));
    if (*out == NULL) {
        return pt_no_memory(err, ORIGIN);
    }
    for (size_t i = 0; i < list->count; i++) {
        patio_status status = examine(plugins, &list->items[i], *out, i, err);
        if (status != PATIO_OK) {
            return status;
        }
    }
    return PATIO_OK;
}

patio_status pt_plugins_visit(pt_plugins *plugins, patio_plugin_visit_fn visit, void *arg,
                              patio_error *err)
{
    pt_found_list list    = {.mem = plugins->mem};
    entry        *entries = NULL;
    (void)pthread_mutex_lock(&plugins->lock);
    patio_status status = collect(plugins, &list, &entries, err);
    (void)pthread_mutex_unlock(&plugins->lock);
    for (size_t i = 0; status == PATIO_OK && i < list.count; i++) {
        if (!entries[i].skip) {
            show(&entries[i], entries[i].path, visit, arg);
        }
    }
    free_entries(plugins, entries, list.count);
    pt_found_list_fini(&list);
    return status;
}

patio_status pt_plugins_describe(pt_plugins *plugins, const char *kind, const char *name,
                                 patio_plugin_visit_fn visit, void *arg, patio_error *err)
{
    const pt_kind *k = kind != NULL ? pt_kind_find(kind) : NULL;
    if (k == NULL) {
        return pt_fail(err, PATIO_INVALID, ORIGIN,
                       "kind of plugin \"%.64s\": expected transport or executor",
                       kind != NULL ? kind : "");
    }
    const pt_plugin *plugin = NULL;
    (void)pthread_mutex_lock(&plugins->lock);
    patio_status status = pt_plugins_find(plugins, k, name, &plugin, err);
    (void)pthread_mutex_unlock(&plugins->lock);
    if (status != PATIO_OK) {
        return status;
    }
    entry found = {.plugin = plugin, .kind = k, .name = pt_plugin_identity(plugin)->name};
    show(&found, plugin->path, visit, arg);
    return PATIO_OK;
}
