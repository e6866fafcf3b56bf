/* Which deliveries were started. If their worker dies, these are charged, and others are not.
 *
 * What runs for less than a moment is over before it could be told; what runs longer is told
 * together, once. A function that kills its worker at once is not seen the first time: the task
 * comes back with a loss on it, and from then on its start is told before it runs. */
#include "redis.h"

enum { MOMENT_MS = 2, LATER_MS = 20, MARKS_MAX = 256 };
static const uint64_t ms_ns = 1000000;

patio_status redis_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    delivery *d     = t->running ? delivery_find(t, tag) : NULL;
    bool      found = d != NULL && d->state == DELIVERY_HELD;
    if (found && d->start == START_NO) {
        d->start      = START_WANTED;
        d->started_ns = now_ns(t);
        d->q->marks++;
        if (d->lost_before) {
            queue_touch(d->q);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return found ? PATIO_OK
                 : patio_fail(err, PATIO_STALE, 0, "started: the lease of this delivery is gone");
}

static uint32_t collect(queue *q, uint64_t now, bool all, delivery **out)
{
    patio_transport *t     = q->t;
    uint32_t         count = 0;
    for (uint32_t i = 0; i < t->delivery_room && count < MARKS_MAX; i++) {
        delivery *d = &t->deliveries[i];
        if (d->state == DELIVERY_HELD && d->q == q && d->start == START_WANTED && !d->claimed &&
            (all || d->lost_before || now >= d->started_ns + MOMENT_MS * ms_ns)) {
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
    if (same == 0 || command(c, CMD_IGNORE, q, 8 + same) == NULL) {
        return;
    }
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
    arg_text(c, "RETRYCOUNT");
    arg_number(c, STARTED_COUNT);
    arg_text(c, "JUSTID");
}

void mark_encode(queue *q, bool all)
{
    uint64_t  now = now_ns(q->t);
    delivery *list[MARKS_MAX];
    if (q->unsettled == 0) {
        q->mark_ns = 0;
        return;
    }
    bool due = q->mark_ns != 0 && now >= q->mark_ns;
    if (!due && !all && q->marks == 0) {
        return;
    }
    uint32_t count = q->marks > 0 ? collect(q, now, all, list) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i]->start == START_WANTED) {
            write(q, list[i]->at.suffix, list, count);
        }
    }
    if (due) {
        q->mark_ns = now + (q->marks > 0 ? MOMENT_MS : LATER_MS) * ms_ns;
    }
}
