#include "base/arena.h"

struct pt_arena_chunk {
    pt_arena_chunk *next;
    max_align_t     data[];
};

enum { CHUNK_MIN_BYTES = 4096 };

void pt_arena_init(pt_arena *arena, const patio_allocator *mem, void *first, size_t first_bytes,
                   size_t budget_bytes)
{
    *arena = (pt_arena){
        .mem          = mem,
        .next         = first,
        .end          = first != NULL ? (uint8_t *)first + first_bytes : NULL,
        .first        = first,
        .first_bytes  = first_bytes,
        .budget_bytes = budget_bytes,
    };
}

void pt_arena_free_chunks(pt_arena *arena)
{
    while (arena->chunks != NULL) {
        pt_arena_chunk *next = arena->chunks->next;
        pt_free(arena->mem, arena->chunks);
        arena->chunks = next;
    }
    arena->chunk_bytes = 0;
}

void *pt_arena_more(pt_arena *arena, size_t size_bytes)
{
    size_t bytes = size_bytes > CHUNK_MIN_BYTES ? size_bytes : CHUNK_MIN_BYTES;
    size_t left  = arena->budget_bytes - arena->chunk_bytes;
    if (bytes > left) {
        bytes = size_bytes;
    }
    if (bytes > left || bytes > SIZE_MAX - sizeof(pt_arena_chunk)) {
        arena->failed = PATIO_TOO_LARGE;
        return NULL;
    }
    pt_arena_chunk *chunk = pt_alloc(arena->mem, sizeof(*chunk) + bytes);
    if (chunk == NULL) {
        arena->failed = PATIO_NO_MEMORY;
        return NULL;
    }
    chunk->next   = arena->chunks;
    arena->chunks = chunk;
    arena->chunk_bytes += bytes;
    /* keep filling the chunk with more room left */
    uint8_t *data = (uint8_t *)chunk->data;
    if (arena->next == NULL || bytes - size_bytes > (size_t)(arena->end - arena->next)) {
        arena->next = data + size_bytes;
        arena->end  = data + bytes;
    }
    return data;
}
