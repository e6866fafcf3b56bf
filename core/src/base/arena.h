/* base/arena.h: memory that is given out in a row and freed at once, up to a budget. */
#ifndef PT_ARENA_H
#define PT_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

typedef struct pt_arena_chunk pt_arena_chunk;

/* An arena begins in memory of its owner, so that small uses cost no allocation. Not thread-safe.
 */
typedef struct pt_arena {
    const patio_allocator *mem;
    uint8_t               *next;
    uint8_t               *end;
    uint8_t               *first; /* the owner's memory */
    size_t                 first_bytes;
    pt_arena_chunk        *chunks;
    size_t                 chunk_bytes; /* heap memory held */
    size_t                 budget_bytes;
    patio_status           failed; /* why it last gave nothing: TOO_LARGE (budget) or NO_MEMORY */
} pt_arena;

/* budget_bytes bounds the heap memory; first may be NULL with first_bytes 0. */
void pt_arena_init(pt_arena *arena, const patio_allocator *mem, void *first, size_t first_bytes,
                   size_t budget_bytes);
void pt_arena_free_chunks(pt_arena *arena);
/* Free everything given out; the arena is as after init. */
static inline void pt_arena_reset(pt_arena *arena)
{
    if (arena->chunks != NULL) {
        pt_arena_free_chunks(arena);
    }
    arena->failed = PATIO_OK;
    arena->next   = arena->first;
    arena->end    = arena->first != NULL ? arena->first + arena->first_bytes : NULL;
}
/* pt_arena_alloc where the memory at hand does not suffice. */
void *pt_arena_more(pt_arena *arena, size_t size_bytes);
/* Aligned for any type. NULL when out of memory or over the budget: arena->failed says which. */
static inline void *pt_arena_alloc(pt_arena *arena, size_t size_bytes)
{
    uintptr_t mask = _Alignof(max_align_t) - 1;
    uint8_t  *p    = arena->next;
    if (p != NULL) {
        p += (~(uintptr_t)p + 1) & mask;
        if (p <= arena->end && size_bytes <= (size_t)(arena->end - p)) {
            arena->next = p + size_bytes;
            return p;
        }
    }
    return pt_arena_more(arena, size_bytes);
}

#endif
