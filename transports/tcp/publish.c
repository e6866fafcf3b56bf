#include "tcp.h"

static patio_status refuse(const patio_transport *t, const patio_message *m, size_t size,
                           patio_error *err)
{
    if (m->dedup_key.size > 0) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: tcp cannot drop duplicates (capability \"dedup\")", m->task);
    }
    if (m->level > PATIO_LEVEL_PROCESS) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: level %u is demanded, tcp reaches level 0 (the caller holds "
                          "the task until it is settled)",
                          m->task, m->level);
    }
    uint64_t most =
        t->max_body_bytes < t->set.max_frame_bytes ? t->max_body_bytes : t->set.max_frame_bytes;
    if (size > most) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "send %s: %zu bytes, at most %llu are allowed",
                          m->task, size, (unsigned long long)most);
    }
    return PATIO_OK;
}

/* Under the lock: all that can be wrong with taking it. */
static patio_status find_lane(patio_transport *t, const patio_message *m, size_t size, lane **out,
                              patio_error *err)
{
    if (!t->running || atomic_load_explicit(&t->stopping, memory_order_relaxed)) {
        return patio_fail(err, PATIO_CLOSED, 0, "send %s: the transport is stopped", m->task);
    }
    if (t->held >= t->set.max_queued || size > t->set.max_queued_bytes - t->held_bytes) {
        return patio_fail(err, PATIO_FULL, 0,
                          "send %s: %llu tasks of %llu bytes are held (max_queued %llu, "
                          "max_queued_bytes %llu)",
                          m->task, (unsigned long long)t->held, (unsigned long long)t->held_bytes,
                          (unsigned long long)t->set.max_queued,
                          (unsigned long long)t->set.max_queued_bytes);
    }
    bool call = (m->flags & PATIO_MESSAGE_CALL) != 0 && (m->flags & PATIO_MESSAGE_WAIT_ROUTE) == 0;
    queue *q  = hub_queue(t, m->queue, !call);
    lane  *l  = q != NULL ? hub_lane(q, m->task, !call) : NULL;
    if (call && (l == NULL || l->route_count == 0)) {
        return patio_fail(err, PATIO_NO_ROUTE, 0,
                          "no connected worker on queue \"%s\" can run task \"%s\"", m->queue,
                          m->task);
    }
    if (l == NULL) {
        return patio_fail(err, t->lanes < LANES_MAX ? PATIO_NO_MEMORY : PATIO_FULL, 0,
                          "send %s: no room for another task name", m->task);
    }
    *out = l;
    return PATIO_OK;
}

static void fill(entry *e, lane *l, const patio_message *m, size_t size, uint64_t now)
{
    patio_transport *t = e->t;
    e->lane            = l;
    e->body            = t->host->buf_ref(t->host->self, m->body);
    e->accepted_ns     = now;
    if (m->ttl_ms != 0 && m->ttl_ms < (UINT64_MAX - now) / 1000000u) {
        e->deadline_ns = now + m->ttl_ms * 1000000u;
    }
    e->id       = m->id;
    e->flags    = m->flags & (PATIO_MESSAGE_CARRIED | PATIO_MESSAGE_WAIT_ROUTE);
    e->attempt  = m->attempt != 0 ? m->attempt : 1;
    e->crashes  = m->crashes;
    e->priority = (uint8_t)(m->priority < PRIORITIES ? m->priority : PATIO_PRIORITY_MAX);
    e->state    = ENTRY_READY;
    e->order    = ++t->order;
    t->held++;
    t->held_bytes += size;
    t->sends += (m->flags & PATIO_MESSAGE_CALL) == 0 ? 1 : 0;
}

patio_status tcp_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    size_t       size = t->host->buf_view(t->host->self, m->body).size;
    patio_status st   = refuse(t, m, size, err);
    if (st != PATIO_OK) {
        return st;
    }
    lane   *l = NULL;
    effects fx;
    effects_begin(&fx, t);
    st       = find_lane(t, m, size, &l, err);
    entry *e = st == PATIO_OK ? hub_entry_new(t) : NULL;
    if (e != NULL) {
        fill(e, l, m, size, fx.now);
        if ((m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0) {
            effects_add(&fx, EFFECT_ACCEPTED)->id = m->id;
        }
        if (m->delay_ms > 0) {
            route_delay(e, m->delay_ms, &fx);
        } else {
            route_put(e, &fx);
        }
    } else if (st == PATIO_OK) {
        st = patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    effects_end(&fx);
    return st;
}
