/* base/stack.h: a stack of slot numbers without a lock, for free lists: Treiber's (IBM Research
 * Report RJ 5118, 1986) with a counter against ABA. The owner of the slots keeps one `next` per
 * slot. */
#ifndef PT_STACK_H
#define PT_STACK_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct pt_stack {
    _Atomic uint64_t head; /* changes << 32 | slot + 1; 0 in the low half: empty */
} pt_stack;

/* `next` belongs to the slot that is pushed. */
static inline void pt_stack_push(pt_stack *stack, uint32_t slot, _Atomic uint32_t *next)
{
    uint64_t head = atomic_load_explicit(&stack->head, memory_order_relaxed);
    uint64_t mine = 0;
    do {
        atomic_store_explicit(next, (uint32_t)head, memory_order_relaxed);
        mine = ((head >> 32) + 1) << 32 | (slot + 1);
    } while (!atomic_compare_exchange_weak_explicit(&stack->head, &head, mine, memory_order_release,
                                                    memory_order_relaxed));
}

/* One popped slot + 1, or 0. next_of(arg, slot) finds the slot's `next`; the slot must stay
 * readable even when another thread has popped it meanwhile. */
static inline uint32_t pt_stack_pop(pt_stack *stack,
                                    _Atomic uint32_t *(*next_of)(const void *arg, uint32_t slot),
                                    const void *arg)
{
    uint64_t head = atomic_load_explicit(&stack->head, memory_order_acquire);
    while ((uint32_t)head != 0) {
        uint32_t next =
            atomic_load_explicit(next_of(arg, (uint32_t)head - 1), memory_order_relaxed);
        uint64_t rest = ((head >> 32) + 1) << 32 | next;
        if (atomic_compare_exchange_weak_explicit(&stack->head, &head, rest, memory_order_acquire,
                                                  memory_order_acquire)) {
            return (uint32_t)head;
        }
    }
    return 0;
}

#endif
