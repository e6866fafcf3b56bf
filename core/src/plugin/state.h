/* plugin/state.h: what a pt_plugins is made of, for the files of this folder. */
#ifndef PT_PLUGINS_STATE_H
#define PT_PLUGINS_STATE_H

#include <pthread.h>

#include "plugin/load.h"
#include "plugin/search.h"

struct pt_plugins {
    const patio_allocator *mem;
    pthread_mutex_t        lock; /* guards all below; never held while a visitor runs */
    pt_search              search;
    pt_plugin             *cache; /* grows only, so its elements may be used without the lock */
};

/* By name or path, with the lock held; the errors of pt_plugins_transport. */
patio_status pt_plugins_find(pt_plugins *plugins, const pt_kind *kind, const char *name,
                             const pt_plugin **out, patio_error *err);

#endif
