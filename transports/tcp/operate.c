/* What operators see and do, as far as this process holds it. */
#include "tcp.h"

void operate_counts(patio_transport *t, const char *name, patio_counts *out)
{
    pthread_mutex_lock(&t->lock);
    queue *q    = hub_queue(t, name, false);
    entry *gone = NULL;
    if (q != NULL) {
        gone = store_dead_expire(&t->room, &t->set.bounds, q);
        store_counts(q, t->host->now_ns(t->host->self), out);
        out->consumers = q->own != NULL && !q->own->closed ? 1 : 0;
    }
    pthread_mutex_unlock(&t->lock);
    store_bury(&t->room, gone);
}

static bool worth_showing(const queue *q)
{
    return (q->own != NULL && !q->own->closed) || q->ready + q->leased + q->delayed + q->dead > 0 ||
           q->state != PATIO_QUEUE_OPEN;
}

bool operate_queues(patio_transport *t, patio_queue_visit_fn visit, void *arg)
{
    size_t size = 0;
    pthread_mutex_lock(&t->lock);
    for (const queue *q = t->room.queues; q != NULL; q = q->next) {
        size += worth_showing(q) ? strlen(q->name) + 1 : 0;
    }
    char *names = t->host->alloc(t->host->self, size + 1);
    char *end   = names;
    for (const queue *q = t->room.queues; q != NULL && names != NULL; q = q->next) {
        if (worth_showing(q)) {
            end = stpcpy(end, q->name) + 1;
        }
    }
    pthread_mutex_unlock(&t->lock);
    for (char *at = names; at != end && visit(arg, at) == 0; at += strlen(at) + 1) {
    }
    t->host->free(t->host->self, names);
    return names != NULL;
}

uint64_t operate_purge(patio_transport *t, const char *name)
{
    static const char why[] = "the queue was purged";
    uint64_t          count = 0;
    uint32_t          slot  = 0;
    entry            *gone  = NULL;
    entry            *next  = NULL;
    do {
        effects fx;
        gone = NULL;
        effects_begin(&fx, t);
        queue *q = hub_queue(t, name, false);
        while (q != NULL && effects_room(&fx) && (next = store_take_waiting(q, &slot)) != NULL) {
            hub_count_out(next);
            hub_keep_gone(next, false);
            hub_end_key(next, NULL, PATIO_CANCELLED, why, &fx);
            hub_say_gone(next, PATIO_CANCELLED, why, &fx);
            next->next = gone;
            gone       = next;
            count++;
        }
        effects_end(&fx);
        store_bury(&t->room, gone);
    } while (gone != NULL);
    return count;
}

patio_status operate_set_state(patio_transport *t, const char *name, uint32_t state,
                               patio_error *err)
{
    effects fx;
    if (state > PATIO_QUEUE_DRAINING) {
        return patio_fail(err, PATIO_INVALID, 0, "queue %s: unknown state %u", name, state);
    }
    effects_begin(&fx, t);
    queue *q = hub_queue(t, name, state != PATIO_QUEUE_OPEN);
    if (q != NULL && q->state != state) {
        bool paused = state == PATIO_QUEUE_PAUSED;
        bool gate   = paused || q->state == PATIO_QUEUE_PAUSED;
        q->state    = state;
        if (q->own != NULL && !q->own->closed && gate) {
            peer_announce_all(t, &fx); /* no credit while it is paused */
        }
        while (paused && q->own != NULL && q->own->waiting > 0) {
            inbox_return_all(q->own, &fx);
            if (q->own->waiting > 0) {
                effects_end(&fx);
                effects_begin(&fx, t);
            }
        }
        fx.again = true; /* what waits may run now */
    }
    effects_end(&fx);
    return q != NULL || state == PATIO_QUEUE_OPEN
               ? PATIO_OK
               : store_no_name(&t->room, NULL, "queue", name, err);
}

uint32_t operate_state(patio_transport *t, const char *name)
{
    pthread_mutex_lock(&t->lock);
    const queue *q     = hub_queue(t, name, false);
    uint32_t     state = q != NULL ? q->state : PATIO_QUEUE_OPEN;
    pthread_mutex_unlock(&t->lock);
    return state;
}

static void make_ready(entry *e)
{
    e->t->sends++;
    e->flags &= ~(uint32_t)PATIO_MESSAGE_NO_RECEIPT;
    store_push_ready(e);
}

patio_status operate_retry(patio_transport *t, const char *name, const patio_id *id,
                           uint64_t *count, patio_error *err)
{
    effects      fx;
    patio_status st = store_dead_retry(&t->room, &t->set.bounds, name, id, make_ready, count, err);
    effects_begin(&fx, t);
    fx.again = true;
    effects_end(&fx);
    return st;
}
