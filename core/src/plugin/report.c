#include "plugin/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define ORIGIN "plugins"

/* Shares of the 976 bytes of an error's message. The first line, the decisive place and the hint
 * always fit; the other places get what is left. */
enum {
    ROOM         = sizeof(((patio_error *)0)->message),
    PATH_SHOWN   = 240,
    REASON_SHOWN = 400,
    PAD_MAX      = 96,
    MORE_BYTES   = 40, /* "  and N more folders without it" */
};

/* The end of a path says more than its beginning. */
static const char *shorten(const char *path, char room[PATH_SHOWN + 1])
{
    size_t size = strlen(path);
    if (size <= PATH_SHOWN) {
        return path;
    }
    (void)snprintf(room, PATH_SHOWN + 1, "...%s", path + size - (PATH_SHOWN - 3));
    return room;
}

typedef struct place {
    const pt_search_dir *dir;
    char                 file[PATH_MAX];
} place;

static void find_place(const pt_search *search, size_t i, const pt_kind *kind, const char *name,
                       place *out)
{
    out->dir = &search->dirs[i];
    pt_search_file(out->dir, kind, name, out->file);
}

/* Widest path among the places, so that the columns line up; long ones are left to stick out. */
static int path_width(const pt_search *search, size_t tried, const pt_kind *kind, const char *name)
{
    size_t widest = 0;
    for (size_t i = 0; i < tried; i++) {
        place at;
        find_place(search, i, kind, name, &at);
        size_t size = strlen(at.file);
        widest      = size > widest && size <= PAD_MAX ? size : widest;
    }
    return (int)widest;
}

static void write_place(char line[ROOM], const place *at, int width, const char *reason)
{
    char        room[PATH_SHOWN + 1];
    const char *path = shorten(at->file, room);
    (void)snprintf(line, ROOM, "\n  %-*s  %-17s  %.*s", width, path, at->dir->source, REASON_SHOWN,
                   reason);
}

static void write_near(char line[ROOM], const pt_near_plugin *near)
{
    char        room[PATH_SHOWN + 1];
    const char *path = shorten(near->path, room);
    if (near->plugin == NULL) {
        (void)snprintf(line, ROOM, "\n  did you mean \"%s\"?  (found at %s, but not usable)",
                       near->name, path);
        return;
    }
    const patio_plugin *p = pt_plugin_identity(near->plugin);
    (void)snprintf(line, ROOM, "\n  did you mean \"%s\"?  (found at %s, %.32s, ABI %u.%u)",
                   near->name, path, p->version, p->abi_major, p->abi_minor);
}

static const char *why_absent(const place *at)
{
    return access(at->dir->path, F_OK) == 0 ? "no such file" : "no such folder";
}

patio_status pt_report_search(patio_error *err, const pt_search *search, const pt_kind *kind,
                              const char *name, size_t tried, const patio_error *why,
                              const pt_near_plugin *near)
{
    (void)pt_fail(err, why->status, ORIGIN, "cannot load %s \"%s\" (%s)", kind->word, name,
                  patio_status_name(why->status));
    if (!PATIO_HAS(patio_error, err, message)) {
        return why->status;
    }
    err->os_errno     = why->os_errno;
    int    width      = path_width(search, tried, kind, name);
    size_t absent     = why->status == PATIO_NOT_FOUND ? tried : tried - 1;
    char   last[ROOM] = "";
    place  at;
    if (absent < tried) {
        find_place(search, absent, kind, name, &at);
        write_place(last, &at, width, why->message);
    } else if (near != NULL) {
        write_near(last, near);
    }
    size_t limit = ROOM - 1 - MORE_BYTES - strlen(last);
    for (size_t i = 0; i < absent; i++) {
        char line[ROOM];
        find_place(search, i, kind, name, &at);
        write_place(line, &at, width, why_absent(&at));
        if (strlen(err->message) + strlen(line) > limit) {
            pt_error_add(err, "\n  and %zu more folders without it", absent - i);
            break;
        }
        pt_error_add(err, "%s", line);
    }
    pt_error_add(err, "%s", last);
    return why->status;
}

patio_status pt_report_path(patio_error *err, const pt_kind *kind, const char *path,
                            const patio_error *why)
{
    char room[PATH_SHOWN + 1];
    (void)pt_fail(err, why->status, ORIGIN, "cannot load %s \"%s\" (%s)\n  %.*s", kind->word,
                  shorten(path, room), patio_status_name(why->status), REASON_SHOWN, why->message);
    if (PATIO_HAS(patio_error, err, message)) {
        err->os_errno = why->os_errno;
    }
    return why->status;
}
