/* An operator's view of the queues: names, purge, pause, drain, limit. */
#include "memory.h"

#include <patio/queues.h>

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
        q    = from ? h->queues : q->next; /* a queue is never freed before its hub */
        from = false;
        while (q != NULL && !worth_showing(q)) {
            q = q->next;
        }
        pthread_mutex_unlock(&h->lock);
    } while (q != NULL && visit(arg, q->name) == 0);
    return PATIO_OK;
}

/* Out of its lane, or of the delayed. */
static void take_out(entry *e)
{
    if (e->state == ENTRY_READY) {
        hub_unlink_ready(e);
    } else {
        e->lane->queue->delayed--;
    }
    e->state = ENTRY_GONE;
}

/* Of a purged task: who waits, and the task's way out. */
static bool purge_one(queue *q, uint32_t slot, entry **out, farewell *who, attached **waiting)
{
    entry *e = &q->hub->chunks[slot / CHUNK_ENTRIES][slot % CHUNK_ENTRIES];
    if ((e->state != ENTRY_READY && e->state != ENTRY_DELAYED) || e->lane->queue != q) {
        return false;
    }
    take_out(e);
    *who     = (farewell){.origin = e->origin, .id = e->id};
    *waiting = dedup_end(e, NULL);
    if (who->origin != NULL && who->origin->running && (e->flags & PATIO_MESSAGE_NO_RECEIPT) != 0) {
        instance_hold(who->origin);
    } else {
        who->origin = NULL;
    }
    e->next = NULL;
    *out    = e;
    return true;
}

static patio_status queues_purge(patio_transport *t, const char *name, uint64_t timeout_ms,
                                 uint64_t *count, patio_error *err)
{
    static const char why[] = "the queue was purged";
    hub              *h     = t->hub;
    uint64_t          done  = 0;
    uint32_t          slots = 0;
    (void)timeout_ms;
    (void)err;
    for (uint32_t slot = 0; slot == 0 || slot < slots; slot++) {
        entry    *gone    = NULL;
        farewell  who     = {.origin = NULL};
        attached *waiting = NULL;
        pthread_mutex_lock(&h->lock);
        queue *q = hub_queue(h, name, false);
        slots    = q != NULL ? h->chunk_count * CHUNK_ENTRIES : 0;
        while (slot < slots && !purge_one(q, slot, &gone, &who, &waiting)) {
            slot++;
        }
        pthread_mutex_unlock(&h->lock);
        if (gone != NULL) {
            done++;
            hub_bury(h, gone);
            dedup_tell(t->host, waiting, NULL, PATIO_CANCELLED, why);
            say_gone(&who, PATIO_CANCELLED, why);
        }
    }
    if (count != NULL) {
        *count = done;
    }
    return PATIO_OK;
}

static patio_status no_memory(patio_error *err)
{
    return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
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
    queue *q = hub_queue(h, name, state != PATIO_QUEUE_OPEN);
    if (q != NULL) {
        q->state = state;
        q->gated = state == PATIO_QUEUE_PAUSED || q->limit != 0;
    }
    pthread_mutex_unlock(&h->lock);
    if (q == NULL && state != PATIO_QUEUE_OPEN) {
        return no_memory(err);
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
    const queue *q = hub_queue(t->hub, name, false);
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
    queue *q = hub_queue(h, name, max_in_flight != 0);
    if (q != NULL) {
        q->limit = max_in_flight;
        q->gated = q->state == PATIO_QUEUE_PAUSED || q->limit != 0;
    }
    pthread_mutex_unlock(&h->lock);
    if (q == NULL && max_in_flight != 0) {
        return no_memory(err);
    }
    memory_hand_out_all(h);
    return PATIO_OK;
}

const patio_queues_ops memory_queues_ops = {
    PATIO_SIZED(patio_queues_ops), .list = queues_list,           .purge = queues_purge,
    .set_state = queues_set_state, .get_state = queues_get_state, .set_limit = queues_set_limit,
};
