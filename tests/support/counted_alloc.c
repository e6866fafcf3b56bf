#include "counted_alloc.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Before every block. */
typedef union block {
    size_t      size_bytes;
    max_align_t align;
} block;

static void *counted_alloc_alloc(void *self, size_t size_bytes)
{
    counted_alloc *ca = self;
    block         *b = size_bytes <= SIZE_MAX - sizeof(*b) ? malloc(sizeof(*b) + size_bytes) : NULL;
    if (b == NULL) {
        return NULL;
    }
    b->size_bytes = size_bytes;
    ca->live_blocks++;
    ca->live_bytes += size_bytes;
    ca->peak_bytes = ca->live_bytes > ca->peak_bytes ? ca->live_bytes : ca->peak_bytes;
    return b + 1;
}

static void counted_alloc_free(void *self, void *pointer)
{
    counted_alloc *ca = self;
    if (pointer != NULL) {
        block *b = (block *)pointer - 1;
        ca->live_blocks--;
        ca->live_bytes -= b->size_bytes;
        free(b);
    }
}

static void *counted_alloc_resize(void *self, void *pointer, size_t size_bytes)
{
    void *p = counted_alloc_alloc(self, size_bytes);
    if (p != NULL && pointer != NULL) {
        size_t old = ((block *)pointer - 1)->size_bytes;
        memcpy(p, pointer, old < size_bytes ? old : size_bytes);
        counted_alloc_free(self, pointer);
    }
    return p;
}

void counted_alloc_init(counted_alloc *ca)
{
    *ca = (counted_alloc){
        .mem =
            {
                .struct_size = sizeof(patio_allocator),
                .self        = ca,
                .alloc       = counted_alloc_alloc,
                .resize      = counted_alloc_resize,
                .free        = counted_alloc_free,
            },
    };
}
