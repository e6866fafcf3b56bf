#include "runtime/credit.h"

static uint32_t at_most(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* First those that ask for little; what they hold is not there for the others. */
static uint32_t grant_quiet(pt_claim *shares, size_t count, uint32_t capacity)
{
    uint32_t left = capacity;
    for (size_t i = 0; i < count; i++) {
        pt_claim *s = &shares[i];
        if (!s->wants) {
            s->credit = at_most(s->held + 1, s->most);
            left -= at_most(s->held, left);
        }
    }
    return left;
}

static void grant_in_order(pt_claim *shares, size_t count, uint32_t left)
{
    for (size_t i = 0; i < count; i++) {
        pt_claim *s = &shares[i];
        if (s->wants) {
            s->credit = at_most(s->most, left);
            left -= s->credit;
        }
    }
}

static bool is_open(const pt_claim *s)
{
    return s->wants && s->credit < s->most;
}

/* One at a time to the queue that would still have least for its weight: at most `capacity` rounds
 * over a few queues, some ten times a second. */
static void grant_by_weight(pt_claim *shares, size_t count, uint32_t left)
{
    for (; left > 0; left--) {
        pt_claim *poorest = NULL;
        for (size_t i = 0; i < count; i++) {
            pt_claim *s = &shares[i];
            if (is_open(s) &&
                (poorest == NULL || (s->credit + UINT64_C(1)) * poorest->weight <
                                        (poorest->credit + UINT64_C(1)) * s->weight)) {
                poorest = s;
            }
        }
        if (poorest == NULL) {
            return;
        }
        poorest->credit++;
    }
}

void pt_credit_share(pt_claim *shares, size_t count, uint32_t capacity, bool strict)
{
    uint32_t left = grant_quiet(shares, count, capacity);
    for (size_t i = 0; i < count; i++) {
        shares[i].credit = shares[i].wants ? 0 : shares[i].credit;
    }
    if (strict) {
        grant_in_order(shares, count, left);
    } else {
        grant_by_weight(shares, count, left);
    }
    /* the next one is here before the slot is free: without it held.c had nothing to choose from */
    for (size_t i = 0; i < count && count > 1; i++) {
        shares[i].credit += shares[i].wants ? 1 : 0;
    }
}
