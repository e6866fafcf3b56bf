/* support/counted_alloc.h: an allocator that knows how many bytes live, and the most that ever did.
 */
#ifndef COUNTED_ALLOC_H
#define COUNTED_ALLOC_H

#include <stddef.h>

#include <patio/runtime.h>

/* Give &ca.mem to what is measured. The struct must not move. One thread. */
typedef struct counted_alloc {
    patio_allocator mem;
    size_t          live_blocks;
    size_t          live_bytes;
    size_t          peak_bytes;
} counted_alloc;

void counted_alloc_init(counted_alloc *ca);

#endif
