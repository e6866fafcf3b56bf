/* plugin/search.h: the folders in which plugins are looked for, in order. */
#ifndef PT_SEARCH_H
#define PT_SEARCH_H

#include <limits.h>

#include "plugin/kind.h"

typedef struct pt_search_dir {
    char       *path;
    const char *source; /* where it came from, for people: "PATIO_PLUGIN_PATH" */
} pt_search_dir;

/* Folders of PATIO_PLUGIN_PATH, then added ones, then the built-in one. */
typedef struct pt_search {
    const patio_allocator *mem;
    pt_search_dir         *dirs;
    size_t                 count;
    size_t                 added_at; /* where the next added folder goes */
} pt_search;

/* Reads the environment, once. */
patio_status pt_search_init(pt_search *search, const patio_allocator *mem, patio_error *err);
void         pt_search_fini(pt_search *search);
/* Before the built-in folder. A folder that is in the path already stays where it is. */
patio_status pt_search_add(pt_search *search, const char *dir, patio_error *err);

/* <dir>/<kind's folder>/<name>.so; always fits, because added folders are bounded. */
void pt_search_file(const pt_search_dir *dir, const pt_kind *kind, const char *name,
                    char path[PATH_MAX]);

/* A file that may be a plugin: anything called *.so that is not hidden. */
typedef struct pt_found {
    const pt_kind       *kind;
    const pt_search_dir *dir;
    char                *name; /* without ".so"; may be no plugin name at all */
} pt_found;
typedef struct pt_found_list {
    const patio_allocator *mem;
    pt_found              *items;
    size_t                 count;
    size_t                 room;
} pt_found_list;

/* What lies in the search path for one kind, appended to `list`: by name, those of the same name in
 * the order of the search path. A folder that does not exist holds nothing. `list` is to be freed
 * even after a failure; it is valid until the search path changes. */
patio_status pt_search_scan(const pt_search *search, const pt_kind *kind, pt_found_list *list,
                            patio_error *err);
void         pt_found_list_fini(pt_found_list *list);

#endif
