/* What an operator sees and does: queues, dead letters, results. */
#include "memory.h"

static bool worth_showing(const queue *q)
{
    bool workers = false;
    for (const subscription *s = q->subscriptions; s != NULL; s = s->next) {
        workers = workers || !s->closed;
    }
    return workers || q->ready + q->leased + q->delayed + q->dead > 0 ||
           q->state != PATIO_QUEUE_OPEN || q->limit != 0;
}

static patio_status queues_list(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                                void *arg, patio_error *err)
{
    hub         *h    = t->hub;
    const queue *q    = NULL;
    bool         from = true;
    (void)timeout_ms;
    (void)err;
    do {
        pthread_mutex_lock(&h->lock);
        q    = from ? h->room.queues : q->next; /* a queue is never freed before its hub */
        from = false;
        while (q != NULL && !worth_showing(q)) {
            q = q->next;
        }
        pthread_mutex_unlock(&h->lock);
    } while (q != NULL && visit(arg, q->name) == 0);
    return PATIO_OK;
}

/* The next one that waits, out of the queue; who waits for it. NULL: no more. */
static entry *purge_next(patio_transport *t, queue *q, uint32_t *slot, farewell *who,
                         attached **waiting, kept **out)
{
    entry *e = store_take_waiting(q, slot);
    if (e == NULL) {
        return NULL;
    }
    store_result_gone(&t->hub->room, &t->bounds, e, PATIO_STATE_CANCELLED, false, out);
    *who     = (farewell){.origin = e->origin, .id = e->id};
    *waiting = attached_end(e, NULL);
    if (who->origin != NULL && who->origin->running && (e->flags & PATIO_MESSAGE_NO_RECEIPT) != 0) {
        instance_hold(who->origin);
    } else {
        who->origin = NULL;
    }
    return e;
}

static patio_status queues_purge(patio_transport *t, const char *name, uint64_t timeout_ms,
                                 uint64_t *count, patio_error *err)
{
    static const char why[] = "the queue was purged";
    hub              *h     = t->hub;
    uint64_t          done  = 0;
    uint32_t          slot  = 0;
    entry            *gone  = NULL;
    (void)timeout_ms;
    (void)err;
    do {
        farewell  who     = {.origin = NULL};
        attached *waiting = NULL;
        kept     *out     = NULL;
        pthread_mutex_lock(&h->lock);
        queue *q = store_queue(&h->room, name, false);
        gone     = q != NULL ? purge_next(t, q, &slot, &who, &waiting, &out) : NULL;
        pthread_mutex_unlock(&h->lock);
        store_result_free(t->host, out);
        if (gone != NULL) {
            done++;
            store_bury(&h->room, gone);
            attached_tell(t->host, waiting, NULL, PATIO_CANCELLED, why);
            say_gone(&who, PATIO_CANCELLED, why);
        }
    } while (gone != NULL);
    if (count != NULL) {
        *count = done;
    }
    return PATIO_OK;
}

static patio_status queues_set_state(patio_transport *t, const char *name, uint32_t state,
                                     uint64_t timeout_ms, patio_error *err)
{
    hub *h = t->hub;
    (void)timeout_ms;
    if (state > PATIO_QUEUE_DRAINING) {
        return patio_fail(err, PATIO_INVALID, 0, "queue %s: unknown state %u", name, state);
    }
    pthread_mutex_lock(&h->lock);
    queue *q = store_queue(&h->room, name, state != PATIO_QUEUE_OPEN);
    if (q != NULL) {
        q->state = state;
        q->gated = state == PATIO_QUEUE_PAUSED || q->limit != 0;
    }
    pthread_mutex_unlock(&h->lock);
    if (q == NULL && state != PATIO_QUEUE_OPEN) {
        return store_no_name(&h->room, NULL, "queue", name, err);
    }
    memory_hand_out_all(h);
    return PATIO_OK;
}

static patio_status queues_get_state(patio_transport *t, const char *name, uint64_t timeout_ms,
                                     uint32_t *state, patio_error *err)
{
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&t->hub->lock);
    const queue *q = store_queue(&t->hub->room, name, false);
    *state         = q != NULL ? q->state : PATIO_QUEUE_OPEN;
    pthread_mutex_unlock(&t->hub->lock);
    return PATIO_OK;
}

static patio_status queues_set_limit(patio_transport *t, const char *name, uint64_t max_in_flight,
                                     uint64_t timeout_ms, patio_error *err)
{
    hub *h = t->hub;
    (void)timeout_ms;
    pthread_mutex_lock(&h->lock);
    queue *q = store_queue(&h->room, name, max_in_flight != 0);
    if (q != NULL) {
        q->limit = max_in_flight;
        q->gated = q->state == PATIO_QUEUE_PAUSED || q->limit != 0;
    }
    pthread_mutex_unlock(&h->lock);
    if (q == NULL && max_in_flight != 0) {
        return store_no_name(&h->room, NULL, "queue", name, err);
    }
    memory_hand_out_all(h);
    return PATIO_OK;
}

static patio_status queues_get_limit(patio_transport *t, const char *name, uint64_t timeout_ms,
                                     uint64_t *max_in_flight, patio_error *err)
{
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&t->hub->lock);
    const queue *q = store_queue(&t->hub->room, name, false);
    *max_in_flight = q != NULL ? q->limit : 0;
    pthread_mutex_unlock(&t->hub->lock);
    return PATIO_OK;
}

const patio_queues_ops memory_queues_ops = {
    PATIO_SIZED(patio_queues_ops), .list = queues_list,           .purge = queues_purge,
    .set_state = queues_set_state, .get_state = queues_get_state, .set_limit = queues_set_limit,
    .get_limit = queues_get_limit,
};

/* ---- dead letters and results ---- */

static patio_status dead_list(patio_transport *t, const char *name, const patio_id *after,
                              uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit,
                              void *arg, patio_error *err)
{
    (void)timeout_ms;
    return store_dead_list(&t->hub->room, &t->bounds, name, after, limit, visit, arg, err);
}

static patio_status dead_get(patio_transport *t, const char *name, const patio_id *id,
                             uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                             patio_error *err)
{
    (void)timeout_ms;
    return store_dead_get(&t->hub->room, name, id, visit, arg, err);
}

static patio_status dead_drop(patio_transport *t, const char *name, const patio_id *id,
                              uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    (void)timeout_ms;
    return store_dead_drop(&t->hub->room, &t->bounds, name, id, count, err);
}

static patio_status dead_retry(patio_transport *t, const char *name, const patio_id *id,
                               uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    (void)timeout_ms;
    patio_status st =
        store_dead_retry(&t->hub->room, &t->bounds, name, id, store_push_ready, count, err);
    memory_hand_out_all(t->hub);
    return st;
}

static patio_status results_get(patio_transport *t, const char *name, const patio_id *id,
                                uint64_t timeout_ms, patio_result *out, patio_error *err)
{
    (void)timeout_ms;
    (void)err;
    store_result_get(&t->hub->room, name, id, out);
    return PATIO_OK;
}

const patio_dead_ops memory_dead_ops = {
    PATIO_SIZED(patio_dead_ops), .list = dead_list, .get = dead_get,
    .retry = dead_retry,         .drop = dead_drop,
};
const patio_results_ops memory_results_ops = {PATIO_SIZED(patio_results_ops), .get = results_get};
