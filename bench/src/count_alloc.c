#include "count_alloc.h"

#include <stdlib.h>

static void *counted_alloc(void *self, size_t size_bytes)
{
    bench_counter *c = self;
    atomic_fetch_add_explicit(&c->allocations, 1, memory_order_relaxed);
    return malloc(size_bytes > 0 ? size_bytes : 1);
}

static void *counted_resize(void *self, void *pointer, size_t size_bytes)
{
    bench_counter *c = self;
    atomic_fetch_add_explicit(&c->allocations, 1, memory_order_relaxed);
    return realloc(pointer, size_bytes > 0 ? size_bytes : 1);
}

static void counted_free(void *self, void *pointer)
{
    (void)self;
    free(pointer);
}

void bench_counter_init(bench_counter *c)
{
    atomic_init(&c->allocations, 0);
    c->allocator =
        (patio_allocator){PATIO_SIZED(patio_allocator), .self = c, .alloc = counted_alloc,
                          .resize = counted_resize, .free = counted_free};
}
