#include "redis.h"

patio_status redis_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    if (strpbrk(s->queue, "{}") != NULL) {
        return patio_fail(err, PATIO_INVALID, 0,
                          "subscribe: a queue whose name has braces cannot be kept in one slot");
    }
    if (s->credit > CREDIT_MAX) {
        return patio_fail(err, PATIO_INVALID, 0, "subscribe: a credit of %u is above %u", s->credit,
                          (unsigned)CREDIT_MAX);
    }
    pthread_mutex_lock(&t->lock);
    bool   running = t->running && !t->stopping;
    queue *q       = running ? queue_find(t, s->queue, true) : NULL;
    if (q != NULL) {
        t->turn.serves = true;
        turn_recall(&t->turn);
        q->beat_ns    = q->subscribed ? q->beat_ns : 0;
        q->opened     = q->opened && q->subscribed;
        q->subscribed = true;
        q->closed     = false;
        q->credit     = s->credit;
        queue_touch(q);
        loop_wake(t);
    }
    pthread_mutex_unlock(&t->lock);
    if (!running) {
        return patio_fail(err, PATIO_CLOSED, 0, "subscribe: the transport is stopped");
    }
    return q != NULL ? PATIO_OK : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
}

/* Credit 0 and no reader: what a read under way still brings goes back at once. The queue keeps its
 * sign of life until everything is settled and the instance stops. */
patio_status redis_unsubscribe(patio_transport *t, const char *name, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    queue *q     = queue_find(t, name, false);
    bool   found = q != NULL && q->subscribed && !q->closed;
    if (found) {
        q->credit  = 0;
        q->closed  = true;
        q->beat_ns = 0; /* no consumer any more */
        if (!turn_is_mine(&t->turn)) {
            while (t->delivering > 0) {
                pthread_cond_wait(&t->changed, &t->lock);
            }
        }
        conn_break(&q->reader, PATIO_CLOSED, "unsubscribed");
        loop_wake(t);
    }
    pthread_mutex_unlock(&t->lock);
    return found ? PATIO_OK
                 : patio_fail(err, PATIO_NOT_FOUND, 0, "no subscription of queue \"%s\"", name);
}
