/* Who wakes when: a heap of four children each, whose room is reserved with the fibers, so that no
 * sleep can fail for want of memory. */
#include "async.h"

static void put(loop *l, uint32_t at, due_entry t)
{
    l->heap[at]    = t;
    t.fiber->timer = at + 1;
}

static void sift_up(loop *l, uint32_t at, due_entry t)
{
    while (at > 0 && t.due_ns < l->heap[(at - 1) / 4].due_ns) {
        put(l, at, l->heap[(at - 1) / 4]);
        at = (at - 1) / 4;
    }
    put(l, at, t);
}

static void sift_down(loop *l, uint32_t at, due_entry t)
{
    for (;;) {
        uint32_t child = 4 * at + 1;
        uint32_t first = child;
        uint32_t end   = child + 4 < l->heap_used ? child + 4 : l->heap_used;
        if (child >= l->heap_used) {
            break;
        }
        for (uint32_t i = child + 1; i < end; i++) {
            if (l->heap[i].due_ns < l->heap[first].due_ns) {
                first = i;
            }
        }
        if (t.due_ns <= l->heap[first].due_ns) {
            break;
        }
        put(l, at, l->heap[first]);
        at = first;
    }
    put(l, at, t);
}

bool timers_reserve(loop *l, uint32_t fibers)
{
    if (fibers <= l->heap_room) {
        return true;
    }
    const patio_host *host = l->x->host;
    uint32_t          room = l->heap_room != 0 ? l->heap_room * 2 : 256;
    room                   = room < fibers ? fibers : room;
    due_entry *heap        = host->resize(host->self, l->heap, room * sizeof(*heap));
    if (heap == NULL) {
        return false;
    }
    l->heap      = heap;
    l->heap_room = room;
    return true;
}

void timers_add(loop *l, fiber *f, uint64_t due_ns)
{
    sift_up(l, l->heap_used++, (due_entry){.due_ns = due_ns, .fiber = f});
}

void timers_remove(loop *l, fiber *f)
{
    if (f->timer == 0) {
        return;
    }
    uint32_t  at   = f->timer - 1;
    due_entry last = l->heap[--l->heap_used];
    f->timer       = 0;
    if (at == l->heap_used) {
        return;
    }
    if (at > 0 && last.due_ns < l->heap[(at - 1) / 4].due_ns) {
        sift_up(l, at, last);
    } else {
        sift_down(l, at, last);
    }
}

uint64_t timers_first_ns(const loop *l)
{
    return l->heap_used > 0 ? l->heap[0].due_ns : UINT64_MAX;
}

void timers_expire(loop *l, uint64_t now_ns)
{
    while (l->heap_used > 0 && l->heap[0].due_ns <= now_ns) {
        fiber   *f      = l->heap[0].fiber;
        uint32_t parked = PARKED;
        timers_remove(l, f);
        /* who was woken already is on its way */
        if (atomic_compare_exchange_strong(&f->wake, &parked, AWAKE)) {
            loop_push(l, f);
        }
    }
}
