/* count_alloc.h: a patio_allocator over malloc that counts. */
#ifndef BENCH_COUNT_ALLOC_H
#define BENCH_COUNT_ALLOC_H

#include <stdatomic.h>
#include <stdint.h>

#include <patio/runtime.h>

/* Counts requests for memory, alloc and resize alike. What does not go through patio's allocator,
 * such as a library's own malloc, is not seen. */
typedef struct bench_counter {
    _Atomic uint64_t allocations;
    patio_allocator  allocator;
} bench_counter;

void bench_counter_init(bench_counter *c);

static inline uint64_t bench_counter_read(const bench_counter *c)
{
    return atomic_load_explicit(&c->allocations, memory_order_relaxed);
}

#endif
