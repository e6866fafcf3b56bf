/* runtime/registry_index.h: hash tables of tasks, by name and by function. */
#ifndef PT_REGISTRY_INDEX_H
#define PT_REGISTRY_INDEX_H

#include "runtime/registry.h"

typedef struct pt_index_slot {
    uint64_t hash;
    pt_task *task; /* NULL: the slot is free */
} pt_index_slot;

/* Open addressing with linear probing; whoever fills it knows what it is keyed by. Zeroed: empty.
 * Not thread-safe; finding in one that does not change is. */
typedef struct pt_index {
    pt_index_slot *slots;
    size_t         room; /* 0 or a power of two */
    size_t         count;
} pt_index;

uint64_t pt_hash_name(const char *name);
uint64_t pt_hash_fn(patio_task_fn fn);

/* NULL if there is none. */
pt_task *pt_index_find_name(const pt_index *index, const char *name);
pt_task *pt_index_find_fn(const pt_index *index, patio_task_fn fn);

/* Make room for one more; after that, the next put cannot fail. */
bool pt_index_reserve(pt_index *index, const patio_allocator *mem);
/* The caller knows that the key is not there yet. */
void pt_index_put(pt_index *index, uint64_t hash, pt_task *task);
/* No effect if it is not there. */
void pt_index_remove(pt_index *index, uint64_t hash, const pt_task *task);
void pt_index_fini(pt_index *index, const patio_allocator *mem);

#endif
