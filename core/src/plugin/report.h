/* plugin/report.h: the text of "cannot load": every path tried, where its folder came from, why
 * not. */
#ifndef PT_REPORT_H
#define PT_REPORT_H

#include "plugin/load.h"
#include "plugin/search.h"

/* A plugin whose name is alike. */
typedef struct pt_near_plugin {
    const char      *name;
    const char      *path;
    const pt_plugin *plugin; /* NULL: it is there, but cannot be used */
} pt_near_plugin;

/* The search for `name` ended at folder number `tried - 1` with *why: there was no file (NOT_FOUND,
 * and all folders were tried), or there was one and something is wrong with it. `near` (may be
 * NULL) is a plugin whose name is alike. Fills *err (may be NULL) and returns the status. */
patio_status pt_report_search(patio_error *err, const pt_search *search, const pt_kind *kind,
                              const char *name, size_t tried, const patio_error *why,
                              const pt_near_plugin *near);

/* The same for an explicit path, which is the only place. */
patio_status pt_report_path(patio_error *err, const pt_kind *kind, const char *path,
                            const patio_error *why);

#endif
