/* plugin/load.h: one file in, one checked plugin out. */
#ifndef PT_LOAD_H
#define PT_LOAD_H

#include <sys/types.h>

#include "plugin/kind.h"

/* A loaded plugin as the cache keeps it. One file is one plugin, under however many paths. */
typedef struct pt_plugin {
    struct pt_plugin *next;
    const pt_kind    *kind;
    dev_t             device;
    ino_t             inode;
    union {
        pt_transport_plugin transport;
        pt_executor_plugin  executor;
    } as; /* both begin with identity and path */
    char path[];
} pt_plugin;

const patio_plugin *pt_plugin_identity(const pt_plugin *plugin);
/* Our copy of its table, of the type that belongs to its kind. */
const void *pt_plugin_ops(const pt_plugin *plugin);

/* Load the file at `path`, which must call itself `name`, or take it from `cache`, the head of a
 * list that grows by what is loaded. NOT_FOUND: there is no such file; all others: there is one,
 * and *why (never NULL) says what is wrong with it, without the path. */
patio_status pt_load_file(const patio_allocator *mem, pt_plugin **cache, const pt_kind *kind,
                          const char *path, const char *name, const pt_plugin **out,
                          patio_error *why);
/* Free a whole cache. The libraries stay loaded: errors, thread-local data and running threads may
 * point into them. */
void pt_load_free_cache(const patio_allocator *mem, pt_plugin *cache);

#endif
