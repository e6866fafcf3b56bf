/* The slots of deliveries, and the circle that runs through those in use, in the order of their
 * arrival. All under the lock. */
#include "transport.h"

enum { SLOTS_FIRST = 64, SLOTS_MOST = 1 << TAG_SLOT_BITS };

/* Slots never move, for the circle of leases runs through them: chunks double
 * in size. */
static bool add_slots(patio_transport *t, uint32_t count)
{
    if (t->slot_count + count >= SLOTS_MOST || t->chunk_count == SLOT_CHUNKS) {
        return false;
    }
    delivery *chunk = t->host->alloc(t->host->self, count * sizeof(*chunk));
    if (chunk == NULL) {
        return false;
    }
    memset(chunk, 0, count * sizeof(*chunk));
    for (uint32_t i = 0; i < count; i++) {
        chunk[i].position = t->slot_count + i + 1;
        chunk[i].next     = t->free_slots;
        t->free_slots     = &chunk[i];
    }
    t->chunks[t->chunk_count].slots = chunk;
    t->chunks[t->chunk_count].count = count;
    t->chunk_count++;
    t->slot_count += count;
    return true;
}

bool deliver_reserve(patio_transport *t)
{
    uint64_t credit = 0;
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        credit += q->subscribed ? q->credit : 0;
    }
    while (t->slot_count < 2 * credit || t->slot_count < SLOTS_FIRST) {
        if (!add_slots(t, t->slot_count > 0 ? t->slot_count : SLOTS_FIRST)) {
            return false;
        }
    }
    return true;
}

void deliver_free_all(patio_transport *t)
{
    for (uint32_t i = 0; i < t->chunk_count; i++) {
        for (uint32_t k = 0; k < t->chunks[i].count; k++) {
            t->host->buf_drop(t->host->self, t->chunks[i].slots[k].body);
            t->host->free(t->host->self, t->chunks[i].slots[k].reply_to);
        }
        t->host->free(t->host->self, t->chunks[i].slots);
    }
    t->chunk_count = 0;
}

delivery *deliver_find(patio_transport *t, patio_tag tag)
{
    uint64_t position = tag & (SLOTS_MOST - 1);
    for (uint32_t i = 0; i < t->chunk_count && position > 0; i++) {
        if (position <= t->chunks[i].count) {
            delivery *d = &t->chunks[i].slots[position - 1];
            return d->state != LEASE_FREE && d->tag == tag ? d : NULL;
        }
        position -= t->chunks[i].count;
    }
    return NULL;
}

void deliver_leave_window(delivery *d)
{
    d->queue->own -= d->consumer == d->queue->consumer;
    d->consumer = 0;
}

void deliver_release(patio_transport *t, delivery *d)
{
    renew_give_up(t, d);
    queue *q      = d->queue;
    d->prev->next = d->next;
    d->next->prev = d->prev;
    q->unsettled--;
    q->waiting -= d->state == LEASE_WAITING;
    deliver_leave_window(d);
    if (q->subscribed && (q->state != SUB_ON || q->window < q->credit)) {
        t->work = true; /* there is room for more than its consumer brings */
        loop_wake(t);
    }
    deliver_uncount(t, d);
    t->host->buf_drop(t->host->self, d->body);
    t->host->free(t->host->self, d->reply_to);
    d->body       = NULL;
    d->reply_to   = NULL;
    d->tag        = 0;
    d->state      = LEASE_FREE;
    d->next       = t->free_slots;
    t->free_slots = d;
    if (t->stopping) {
        pthread_cond_broadcast(&t->calm);
    }
}

delivery *deliver_take_slot(patio_transport *t, queue *q)
{
    if (t->free_slots == NULL && !add_slots(t, t->slot_count > 0 ? t->slot_count : SLOTS_FIRST)) {
        return NULL;
    }
    delivery *d        = t->free_slots;
    uint32_t  position = d->position;
    t->free_slots      = d->next;
    memset(d, 0, sizeof(*d));
    d->position          = position;
    d->tag               = ++t->serial << TAG_SLOT_BITS | position;
    d->state             = LEASE_HELD;
    d->queue             = q;
    d->prev              = t->leases.prev;
    d->next              = &t->leases;
    t->leases.prev->next = d;
    t->leases.prev       = d;
    q->unsettled++;
    return d;
}

void deliver_uncount(patio_transport *t, delivery *d)
{
    if (d->counted) {
        bool was_full = d->queue->given >= d->queue->credit;
        d->counted    = false;
        d->queue->given--;
        if (was_full && d->queue->waiting > 0) {
            t->work = true;
            loop_wake(t);
        }
    }
}
