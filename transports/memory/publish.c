#include "memory.h"

enum { LANES_MAX = 65536 }; /* names of tasks ever sent to one hub */

static patio_status refuse_unsupported(const patio_message *m, patio_error *err)
{
    if (m->dedup_key.size > 0) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: memory cannot drop duplicates (capability \"dedup\")", m->task);
    }
    if (m->level > PATIO_LEVEL_PROCESS) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: level %u is demanded, memory reaches level 0 (this process)",
                          m->task, m->level);
    }
    return PATIO_OK;
}

/* Under the lock: all that can be wrong with taking it. */
static patio_status find_lane(patio_transport *t, const patio_message *m, size_t size, lane **out,
                              patio_error *err)
{
    hub *h = t->hub;
    if (!t->running) {
        return patio_fail(err, PATIO_CLOSED, 0, "send %s: the transport is stopped", m->task);
    }
    if (h->held >= t->max_queued || size > t->max_queued_bytes - h->held_bytes) {
        return patio_fail(err, PATIO_FULL, 0,
                          "send %s: %llu tasks of %llu bytes are queued (max_queued %llu, "
                          "max_queued_bytes %llu)",
                          m->task, (unsigned long long)h->held, (unsigned long long)h->held_bytes,
                          (unsigned long long)t->max_queued,
                          (unsigned long long)t->max_queued_bytes);
    }
    bool call = (m->flags & PATIO_MESSAGE_CALL) != 0 && (m->flags & PATIO_MESSAGE_WAIT_ROUTE) == 0;
    queue *q  = hub_queue(h, m->queue, !call);
    lane  *l  = q != NULL ? hub_lane(q, m->task, !call && h->lanes < LANES_MAX) : NULL;
    if (call && (l == NULL || l->routes == 0)) {
        return patio_fail(err, PATIO_NO_ROUTE, 0, "no worker on queue \"%s\" can run task \"%s\"",
                          m->queue, m->task);
    }
    if (l == NULL) {
        return patio_fail(err, h->lanes < LANES_MAX ? PATIO_NO_MEMORY : PATIO_FULL, 0,
                          "send %s: no room for another task name", m->task);
    }
    *out = l;
    return PATIO_OK;
}

static void fill(entry *e, patio_transport *t, lane *l, const patio_message *m, size_t size)
{
    const patio_host *host = t->host;
    e->lane                = l;
    e->body                = host->buf_ref(host->self, m->body);
    e->origin              = (m->flags & PATIO_MESSAGE_CALL) != 0 ? t : NULL;
    e->accepted_ns         = host->now_ns(host->self);
    e->deadline_ns         = 0;
    if (m->ttl_ms != 0 && m->ttl_ms < (UINT64_MAX - e->accepted_ns) / 1000000u) {
        e->deadline_ns = e->accepted_ns + m->ttl_ms * 1000000u;
    }
    e->id       = m->id;
    e->flags    = m->flags & PATIO_MESSAGE_CARRIED;
    e->fence    = 0;
    e->attempt  = m->attempt != 0 ? m->attempt : 1;
    e->crashes  = m->crashes;
    e->priority = (uint8_t)(m->priority < PRIORITIES ? m->priority : PATIO_PRIORITY_MAX);
    e->claimed  = false;
    e->told     = false;
    t->hub->held_bytes += size;
}

patio_status memory_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    const patio_host *host = t->host;
    hub              *h    = t->hub;
    size_t            size = host->buf_view(host->self, m->body).size;
    patio_status      st   = refuse_unsupported(m, err);
    if (st == PATIO_OK && size > t->max_body_bytes) {
        st = patio_fail(err, PATIO_TOO_LARGE, 0, "send %s: %zu bytes, at most %llu are allowed",
                        m->task, size, (unsigned long long)t->max_body_bytes);
    }
    if (st != PATIO_OK) {
        return st;
    }
    bool    receipt_wanted = (m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0;
    lane   *l              = NULL;
    bool    some           = false;
    handout out;
    pthread_mutex_lock(&h->lock);
    st       = find_lane(t, m, size, &l, err);
    entry *e = st == PATIO_OK && l != NULL ? hub_entry_new(h) : NULL;
    if (e != NULL) {
        fill(e, t, l, m, size);
        if (m->delay_ms > 0) {
            dispatch_delay(e, m->delay_ms);
        } else {
            hub_push_ready(e);
            some = dispatch_next(l->queue, l->queue->subscriptions, &out);
        }
        if (receipt_wanted) {
            instance_hold(t);
        }
    }
    pthread_mutex_unlock(&h->lock);
    if (e == NULL) {
        return st != PATIO_OK ? st : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    if (receipt_wanted) {
        patio_receipt receipt = {
            PATIO_SIZED(patio_receipt),
            .outcome = PATIO_ACCEPTED,
            .id      = m->id,
            .level   = PATIO_LEVEL_PROCESS,
        };
        t->events->published(t->events->self, &receipt);
        instance_release(t);
    }
    if (some) {
        dispatch_raise(l->queue, &out);
    }
    return PATIO_OK;
}

/* A cancel is rare and looks at every entry; publishing stays free of an index by id. */
static entry *find_by_id(queue *q, const patio_id *id)
{
    hub *h = q->hub;
    for (uint32_t c = 0; c < h->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &h->chunks[c][i];
            bool   live =
                e->state == ENTRY_READY || e->state == ENTRY_LEASED || e->state == ENTRY_DELAYED;
            if (live && e->lane->queue == q && memcmp(&e->id, id, sizeof(*id)) == 0) {
                return e;
            }
        }
    }
    return NULL;
}

patio_status memory_cancel(patio_transport *t, const char *name, const patio_id *id,
                           patio_error *err)
{
    const patio_host *host    = t->host;
    hub              *h       = t->hub;
    uint32_t          outcome = PATIO_CANCEL_TOO_LATE;
    patio_buf        *body    = NULL;
    patio_transport  *holder  = NULL;
    patio_tag         tag     = 0;
    pthread_mutex_lock(&h->lock);
    if (!t->running) {
        pthread_mutex_unlock(&h->lock);
        return patio_fail(err, PATIO_CLOSED, 0, "cancel: the transport is stopped");
    }
    queue   *q     = hub_queue(h, name, false);
    entry   *e     = q != NULL ? find_by_id(q, id) : NULL;
    uint64_t timer = 0;
    if (e != NULL && e->state == ENTRY_LEASED) {
        outcome = PATIO_CANCEL_TOLD;
        if (!e->told && e->holder->instance->running) {
            e->told = true;
            tag     = e->tag;
            holder  = e->holder->instance;
            instance_hold(holder);
        }
    } else if (e != NULL) {
        outcome = PATIO_CANCEL_REMOVED;
        body    = e->body;
        if (e->state == ENTRY_READY) {
            hub_unlink_ready(e);
            hub_entry_free(h, e);
        } else {
            q->delayed--;
            e->state = ENTRY_GONE;
            timer    = e->timer;
        }
    }
    instance_hold(t);
    pthread_mutex_unlock(&h->lock);
    if (timer != 0) {
        /* not under the lock, which a timer that runs right now waits for */
        (void)host->cancel(host->self, timer);
        pthread_mutex_lock(&h->lock);
        hub_entry_free(h, e);
        pthread_mutex_unlock(&h->lock);
    }
    host->buf_drop(host->self, body);
    if (holder != NULL) {
        holder->events->cancel_wanted(holder->events->self, tag);
        instance_release(holder);
    }
    t->events->cancelled(t->events->self, id, outcome);
    instance_release(t);
    return PATIO_OK;
}
