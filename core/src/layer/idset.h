/* layer/idset.h: small sets of numbers and ids that a layer remembers. */
#ifndef PT_IDSET_H
#define PT_IDSET_H

#include <stdbool.h>

#include "base/alloc.h"

/* Numbers with a value each; open addressing. */
typedef struct pt_idmap {
    const patio_allocator *mem;
    uint64_t              *keys; /* 0: free, UINT64_MAX: was used */
    uint64_t              *values;
    size_t                 room;
    size_t                 used; /* with those that were */
    size_t                 count;
} pt_idmap;

void pt_idmap_fini(pt_idmap *m);
/* The value of a key, made with 0 when new; NULL when out of memory. Valid until the next put. */
uint64_t *pt_idmap_put(pt_idmap *m, uint64_t key);
/* NULL if it is not there. */
uint64_t *pt_idmap_find(const pt_idmap *m, uint64_t key);
bool      pt_idmap_remove(pt_idmap *m, uint64_t key);
/* A number from an id; two ids share one as good as never. */
uint64_t pt_idmap_key(const patio_id *id);

#endif
