/* support/failing_alloc.h: an allocator that counts what lives and fails when told to. */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <patio/runtime.h>

/* Give &fa.mem to what is tested. The struct must not move. Any thread. */
typedef struct failing_alloc {
    patio_allocator mem;
    atomic_size_t   calls;   /* alloc and resize so far */
    atomic_size_t   live;    /* blocks not freed yet */
    size_t          fail_at; /* this call fails, counted from 1; 0: none does */
    size_t          in_row;  /* and so do those behind it: so many in all; 1 */
    atomic_bool     failed;  /* it did */
} failing_alloc;

void failing_alloc_init(failing_alloc *fa, size_t fail_at);

/* Runs `attempt` with its first allocation failing, then with its second, and so on, until one run
 * needs no more. Asserts that a run whose allocation failed says NO_MEMORY, that the last one says
 * OK, and that no run leaves a block behind. Returns how many allocations there were to fail. */
typedef patio_status (*failing_attempt_fn)(const patio_allocator *mem, void *arg);
size_t fail_each_allocation(failing_attempt_fn attempt, void *arg);

#endif
