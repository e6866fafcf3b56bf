/* Which deliveries were started. If their worker dies, these are charged, and others are not.
 *
 * A start is told by the thread that starts, before it does, unless an earlier word is still on its
 * way: then it goes with the next one, when the answer comes. Where tasks are quick, most are over
 * before their start is worth a word, so it is put off for a moment. A function that kills its
 * worker in that moment is not seen the first time: its task comes back with a loss on it, and from
 * then on its start is never put off. */
#include "redis.h"

enum { MARKS_MAX = 256, QUICK_EXTRA = 8, MOMENT_NS = 2 * 1000 * 1000 };

patio_status redis_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    delivery *d     = t->running ? delivery_find(t, tag) : NULL;
    bool      found = d != NULL && d->state == DELIVERY_HELD;
    if (found && d->start == START_NO) {
        d->start = START_WANTED;
        d->q->marks++;
        d->q->mark_now = d->q->mark_now || d->lost_before;
        bool quick     = d->q->extra >= QUICK_EXTRA;
        if (d->q->marks == 1 && quick) {
            d->q->mark_ns = now_ns(t) + MOMENT_NS;
        }
        if (d->q->mark_now || (!quick && d->q->mark_flights == 0)) {
            queue_touch(d->q);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return found ? PATIO_OK
                 : patio_fail(err, PATIO_STALE, 0, "started: the lease of this delivery is gone");
}

static uint32_t collect(queue *q, delivery **out)
{
    patio_transport *t     = q->t;
    uint32_t         count = 0;
    for (uint32_t i = 0; i < t->delivery_room && count < MARKS_MAX && count < q->marks; i++) {
        delivery *d = &t->deliveries[i];
        if (d->state == DELIVERY_HELD && d->q == q && d->start == START_WANTED && !d->claimed) {
            out[count++] = d;
        }
    }
    return count;
}

static void write(queue *q, char suffix, delivery **list, uint32_t count)
{
    conn    *c    = &q->node->w;
    uint32_t same = 0;
    for (uint32_t i = 0; i < count; i++) {
        same += list[i]->at.suffix == suffix ? 1 : 0;
    }
    if (same == 0 || command(c, CMD_MARK, q, 10 + same) == NULL) {
        return;
    }
    q->mark_flights++;
    arg_text(c, "XCLAIM");
    arg_key(c, q, ":s:", (char[2]){suffix, '\0'});
    arg_text(c, "w");
    arg_text(c, q->t->owner);
    arg_text(c, "0");
    for (uint32_t i = 0; i < count; i++) {
        if (list[i]->at.suffix == suffix) {
            arg_place(c, &list[i]->at);
            list[i]->start = START_SENT;
            q->marks--;
        }
    }
    /* the look at what we hold is for what has been idle: a mark must not hide it */
    arg_text(c, "IDLE");
    arg_text(c, "3600000");
    arg_text(c, "RETRYCOUNT");
    arg_number(c, STARTED_COUNT);
    arg_text(c, "JUSTID");
}

void mark_encode(queue *q)
{
    delivery *list[MARKS_MAX];
    if (q->marks == 0 || (q->mark_flights > 0 && !q->mark_now)) {
        return;
    }
    if (!q->mark_now && q->extra >= QUICK_EXTRA) {
        uint64_t now = now_ns(q->t);
        if (now < q->mark_ns) {
            return;
        }
        q->mark_ns = now + MOMENT_NS;
    }
    uint32_t count = collect(q, list);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i]->start == START_WANTED) {
            write(q, list[i]->at.suffix, list, count);
        }
    }
    q->mark_now = false;
}

/* The link ended before the word was acknowledged: it is said again. Under the lock. */
void mark_lost(queue *q)
{
    patio_transport *t = q->t;
    q->mark_flights--;
    for (uint32_t i = 0; i < t->delivery_room; i++) {
        delivery *d = &t->deliveries[i];
        if (d->state == DELIVERY_HELD && d->q == q && d->start == START_SENT) {
            d->start = START_WANTED;
            q->marks++;
        }
    }
}
