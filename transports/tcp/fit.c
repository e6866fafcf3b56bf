/* Peers that take shorter messages than this side holds: a task that is too long for one of them
 * waits for another one, and what is behind it does not. */
#include "tcp.h"

bool route_too_large(const lane *l, size_t size)
{
    const patio_transport *t = l->queue->t;
    if (t->least_bytes >= t->set.max_frame_bytes) {
        return false;
    }
    for (uint32_t i = 0; i < l->route_count; i++) {
        if (size <= l->routes[i]->link->max_bytes) {
            return false;
        }
    }
    return l->route_count > 0;
}

entry *route_next_within(const peersub *ps)
{
    entry *best = NULL;
    for (uint32_t w = 0; w < ps->words; w++) {
        for (uint64_t bits = ps->queue->nonempty[w] & ps->lanes[w]; bits != 0; bits &= bits - 1) {
            const lane *l = ps->queue->lanes[w * WORD_BITS + (uint32_t)__builtin_ctzll(bits)];
            entry      *e = NULL;
            for (unsigned p = PRIORITIES; e == NULL && p-- > 0;) {
                e = l->ready[p].first;
                while (e != NULL && store_body_size(e) > ps->link->max_bytes) {
                    e = e->next;
                }
            }
            if (e != NULL && (best == NULL || e->priority > best->priority ||
                              (e->priority == best->priority && e->order < best->order))) {
                best = e;
            }
        }
    }
    return best;
}
