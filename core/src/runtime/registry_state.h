/* runtime/registry_state.h: what a registry is made of, for the files that make it up. */
#ifndef PT_REGISTRY_STATE_H
#define PT_REGISTRY_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/registry_index.h"

struct patio_registry {
    const patio_allocator *mem;
    patio_registry        *self; /* itself: look-ups are const, but must take the mutex */
    char                  *project;
    uint32_t               flags;
    /* Set once, under the mutex. Whoever sees it set sees all that was added before, and nothing
     * changes after, so from there on look-ups need no mutex. */
    atomic_bool     locked;
    pthread_mutex_t mutex; /* guards all below while not locked */
    pt_task       **tasks; /* in the order of adding */
    size_t          count;
    size_t          room;
    char          **modules; /* paths of task modules, in the order of loading */
    size_t          module_count;
    pt_index        by_name;
    pt_index        by_fn; /* the first name of each function */
};

/* NOT_FOUND, with the names that may have been meant. The registry is locked or its mutex taken. */
patio_status pt_registry_not_found(const patio_registry *registry, const char *name,
                                   patio_error *err);
/* STATE: the registry is locked, so `call` ("add") is refused. */
patio_status pt_registry_refuse(const char *call, const char *name, patio_error *err);

#endif
