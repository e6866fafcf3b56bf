/* runtime/credit.h: how many tasks each queue of a worker may have with it at once. */
#ifndef PT_CREDIT_H
#define PT_CREDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One queue, as it was since the last look. */
typedef struct pt_claim {
    uint32_t weight; /* at least 1 */
    uint32_t most;   /* more than this its executors cannot run */
    uint32_t held;   /* delivered and not settled */
    bool     wants;  /* it used all of its credit */
    uint32_t credit; /* out */
} pt_claim;

/* Hand out `capacity` among queues. Those that want more than they have share by weight, or, in
 * strict order, the first gets what it can use, then the second … Among several, each has one more
 * than its share, and one that wants nothing has what it holds and one more: so its next task is
 * here when its turn comes. These ones may go beyond the capacity. */
void pt_credit_share(pt_claim *shares, size_t count, uint32_t capacity, bool strict);

#endif
