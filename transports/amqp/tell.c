/* Deliveries become the host's, as far as there is credit. I/O thread. */
#include "transport.h"

/* A clock reading is only believed as far as the broker bears it out: what has
 * a time to live and was delivered has not outlived it. */
static uint64_t age_of(const delivery *p)
{
    uint64_t wall = props_wall_ms();
    uint64_t age  = p->sent_ms != 0 && wall > p->sent_ms ? wall - p->sent_ms : 0;
    return p->ttl_ms != 0 && age > 2 * p->ttl_ms + 1000 ? 0 : age;
}

static void tell(patio_transport *t, delivery *d)
{
    uint64_t      age     = age_of(d);
    patio_message message = {
        PATIO_SIZED(patio_message),
        .flags    = d->flags,
        .id       = d->id,
        .queue    = d->queue->name,
        .task     = d->task,
        .ttl_ms   = d->ttl_ms == 0    ? 0
                    : d->ttl_ms > age ? d->ttl_ms - age
                                      : 1,
        .priority = d->priority,
        .attempt  = d->attempt,
        .crashes  = d->crashes,
        .body     = d->body,
    };
    if (d->ttl_ms != 0 && age >= d->ttl_ms) {
        message.flags |= PATIO_MESSAGE_EXPIRED;
    }
    patio_delivery told = {
        PATIO_SIZED(patio_delivery),
        .tag     = d->tag,
        .fence   = (d->fence << 16) + d->redelivered + 1u,
        .age_ms  = age,
        .message = &message,
    };
    t->events->delivered(t->events->self, &told);
}

/* Under the lock. Nobody waits for it, and there is credit for many more: those after it may come
 * together. */
static void note_hurry(patio_transport *t, const delivery *d)
{
    if (d->reply_to[0] == '\0' && d->queue->given < d->queue->credit / 4) {
        t->unhurried++;
    } else {
        t->hurried = true;
    }
}

/* Under the lock: the oldest that wait, where there is credit. They are among the last to have
 * come.
 */
static uint32_t find_waiting(patio_transport *t, delivery **out, uint32_t most)
{
    uint32_t  count = 0;
    uint32_t  left  = 0;
    delivery *d     = &t->leases;
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        left += q->waiting;
    }
    while (left > 0 && d->prev != &t->leases) {
        d = d->prev;
        left -= d->state == LEASE_WAITING;
    }
    for (; d != &t->leases && count < most; d = d->next) {
        if (d->state == LEASE_WAITING && d->queue->given < d->queue->credit) {
            out[count++] = d;
        }
    }
    return count;
}

/* It is the host's now, unless it was given back or cancelled, or the credit is used up. Only this
 * thread ends a lease that nobody has settled, so it stays until it is told. */
static bool hand_over(patio_transport *t, delivery *d)
{
    pthread_mutex_lock(&t->lock);
    queue *q   = d->queue;
    bool   may = d->state == LEASE_WAITING && q->given < q->credit;
    if (may) {
        q->waiting--;
        may = !cancel_is_dead(t, &d->id);
        if (may) {
            q->given++;
            d->counted = true;
            d->state   = LEASE_HELD;
            note_hurry(t, d);
        } else {
            deliver_throw_away(t, d);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return may;
}

void deliver_step(patio_transport *t)
{
    enum { AT_ONCE = 64 };
    delivery *waiting[AT_ONCE];
    uint32_t  count;
    do {
        pthread_mutex_lock(&t->lock);
        count = find_waiting(t, waiting, AT_ONCE);
        pthread_mutex_unlock(&t->lock);
        for (uint32_t i = 0; i < count; i++) {
            if (hand_over(t, waiting[i])) {
                tell(t, waiting[i]);
            }
        }
    } while (count == AT_ONCE);
}
