/* What waits, in the order in which it is taken. */
#include "store.h"

void list_append(list *l, entry *e)
{
    e->next = NULL;
    e->prev = l->last;
    if (l->last != NULL) {
        l->last->next = e;
    } else {
        l->first = e;
    }
    l->last = e;
}

void list_unlink(list *l, entry *e)
{
    if (e->prev != NULL) {
        e->prev->next = e->next;
    } else {
        l->first = e->next;
    }
    if (e->next != NULL) {
        e->next->prev = e->prev;
    } else {
        l->last = e->prev;
    }
}

/* By their order: at the end, but what comes back unstarted may have its old place. */
static void insert(list *l, entry *e)
{
    entry *after = l->last;
    if (after == NULL || after->order < e->order) {
        list_append(l, e);
        return;
    }
    entry *before = l->first;
    while (before->order < e->order) {
        before = before->next;
    }
    e->next = before;
    e->prev = before->prev;
    if (before->prev != NULL) {
        before->prev->next = e;
    } else {
        l->first = e;
    }
    before->prev = e;
}

void store_push_ready(entry *e)
{
    lane  *l = e->lane;
    queue *q = l->queue;
    e->state = ENTRY_READY;
    insert(&l->ready[e->priority], e);
    l->nonempty |= 1u << e->priority;
    q->nonempty[l->index / WORD_BITS] |= UINT64_C(1) << (l->index % WORD_BITS);
    q->ready++;
}

void store_unlink_ready(entry *e)
{
    lane  *l = e->lane;
    queue *q = l->queue;
    list_unlink(&l->ready[e->priority], e);
    q->ready--;
    if (l->ready[e->priority].first == NULL) {
        l->nonempty &= ~(1u << e->priority);
        if (l->nonempty == 0) {
            q->nonempty[l->index / WORD_BITS] &= ~(UINT64_C(1) << (l->index % WORD_BITS));
        }
    }
}

/* Highest priority first, then the oldest. */
static bool sooner(const lane *a, const lane *b)
{
    int high_a = 31 - __builtin_clz(a->nonempty);
    int high_b = 31 - __builtin_clz(b->nonempty);
    return high_a != high_b ? high_a > high_b
                            : a->ready[high_a].first->order < b->ready[high_b].first->order;
}

entry *store_next(const queue *q, const uint64_t *lanes, uint32_t words)
{
    lane *best = NULL;
    for (uint32_t w = 0; w < words; w++) {
        for (uint64_t bits = q->nonempty[w] & lanes[w]; bits != 0; bits &= bits - 1) {
            lane *l = q->lanes[w * WORD_BITS + (uint32_t)__builtin_ctzll(bits)];
            best    = best == NULL || sooner(l, best) ? l : best;
        }
    }
    return best != NULL ? best->ready[31 - __builtin_clz(best->nonempty)].first : NULL;
}

void store_take_out(entry *e)
{
    if (e->state == ENTRY_READY) {
        store_unlink_ready(e);
    } else {
        e->lane->queue->delayed--;
    }
    e->state = ENTRY_GONE;
    e->next  = NULL;
}

entry *store_take_waiting(queue *q, uint32_t *slot)
{
    const store_room *s = q->store;
    for (; *slot < s->chunk_count * CHUNK_ENTRIES; ++*slot) {
        entry *e = &s->chunks[*slot / CHUNK_ENTRIES][*slot % CHUNK_ENTRIES];
        if ((e->state == ENTRY_READY || e->state == ENTRY_DELAYED) && e->lane->queue == q) {
            store_take_out(e);
            return e;
        }
    }
    return NULL;
}
