#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *malloc_alloc(void *self, size_t size_bytes)
{
    (void)self;
    return malloc(size_bytes);
}

static void *malloc_resize(void *self, void *pointer, size_t size_bytes)
{
    (void)self;
    return realloc(pointer, size_bytes);
}

static void malloc_free(void *self, void *pointer)
{
    (void)self;
    free(pointer);
}

const patio_allocator pt_malloc_allocator = {
    .struct_size = sizeof(patio_allocator),
    .alloc       = malloc_alloc,
    .resize      = malloc_resize,
    .free        = malloc_free,
};

void *pt_alloc(const patio_allocator *mem, size_t size_bytes)
{
    return mem->alloc(mem->self, size_bytes != 0 ? size_bytes : 1);
}

void *pt_calloc(const patio_allocator *mem, size_t count, size_t size_bytes)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        return NULL;
    }
    void *p = pt_alloc(mem, total);
    if (p != NULL) {
        memset(p, 0, total);
    }
    return p;
}

void *pt_resize(const patio_allocator *mem, void *pointer, size_t size_bytes)
{
    return mem->resize(mem->self, pointer, size_bytes != 0 ? size_bytes : 1);
}

void pt_free(const patio_allocator *mem, void *pointer)
{
    if (pointer != NULL) {
        mem->free(mem->self, pointer);
    }
}

char *pt_strndup(const patio_allocator *mem, const char *text, size_t size)
{
    char *copy = pt_alloc(mem, size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

char *pt_strdup(const patio_allocator *mem, const char *text)
{
    return pt_strndup(mem, text, strlen(text));
}
