/* The reading half of search.h: which files lie in the folders. */
#include "plugin/search.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define ORIGIN "plugins"

/* The size of a file's name without ".so"; 0 if it is none of ours. */
static size_t stem_size(const char *file)
{
    size_t size = strlen(file);
    if (file[0] == '.' || size <= 3 || strcmp(file + size - 3, ".so") != 0) {
        return 0;
    }
    return size - 3;
}

static patio_status append(pt_found_list *list, const pt_kind *kind, const pt_search_dir *dir,
                           const char *name, size_t name_size, patio_error *err)
{
    if (list->count == list->room) {
        size_t    room  = list->room != 0 ? list->room * 2 : 16;
        pt_found *items = pt_resize(list->mem, list->items, room * sizeof(*items));
        if (items == NULL) {
            return pt_no_memory(err, ORIGIN);
        }
        list->items = items;
        list->room  = room;
    }
    char *copy = pt_strndup(list->mem, name, name_size);
    if (copy == NULL) {
        return pt_no_memory(err, ORIGIN);
    }
    list->items[list->count++] = (pt_found){kind, dir, copy};
    return PATIO_OK;
}

static patio_status scan_dir(const pt_search_dir *dir, const pt_kind *kind, pt_found_list *list,
                             patio_error *err)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", dir->path, kind->folder);
    DIR *stream = opendir(path);
    if (stream == NULL) {
        /* not there or not ours to read: other folders still count */
        if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) {
            return PATIO_OK;
        }
        return pt_fail_errno(err, PATIO_IO, errno, ORIGIN, "read folder %s", path);
    }
    patio_status         status = PATIO_OK;
    const struct dirent *entry  = NULL;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
    while (status == PATIO_OK && (entry = readdir(stream)) != NULL) {
        size_t size = stem_size(entry->d_name);
        if (size > 0) {
            status = append(list, kind, dir, entry->d_name, size, err);
        }
    }
    (void)closedir(stream);
    return status;
}

static int compare(const void *a, const void *b)
{
    const pt_found *x     = a;
    const pt_found *y     = b;
    int             order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->dir > y->dir) - (x->dir < y->dir);
}

patio_status pt_search_scan(const pt_search *search, const pt_kind *kind, pt_found_list *list,
                            patio_error *err)
{
    size_t first = list->count;
    for (size_t i = 0; i < search->count; i++) {
        patio_status status = scan_dir(&search->dirs[i], kind, list, err);
        if (status != PATIO_OK) {
            return status;
        }
    }
    if (list->count > first) {
        qsort(list->items + first, list->count - first, sizeof(pt_found), compare);
    }
    return PATIO_OK;
}

void pt_found_list_fini(pt_found_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        pt_free(list->mem, list->items[i].name);
    }
    pt_free(list->mem, list->items);
    *list = (pt_found_list){.mem = list->mem};
}
