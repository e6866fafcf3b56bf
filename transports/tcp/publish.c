#include "tcp.h"

static patio_status refuse(const patio_transport *t, const patio_message *m, size_t size,
                           patio_error *err)
{
    if (m->dedup_key.size > DEDUP_KEY_MAX) {
        return patio_fail(err, PATIO_TOO_LARGE, 0,
                          "send %s: a dedup key of %zu bytes, at most %d are allowed", m->task,
                          m->dedup_key.size, DEDUP_KEY_MAX);
    }
    if (m->level > PATIO_LEVEL_PROCESS) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: level %u is demanded, tcp reaches level 0 (the caller holds "
                          "the task until it is settled)",
                          m->task, m->level);
    }
    bool     frame = t->set.max_frame_bytes < t->max_body_bytes;
    uint64_t most  = frame ? t->set.max_frame_bytes : t->max_body_bytes;
    if (size > most) {
        return patio_fail(err, PATIO_TOO_LARGE, 0,
                          "send %s: %zu bytes, at most %llu are allowed (%s)", m->task, size,
                          (unsigned long long)most, frame ? "max_frame_bytes" : "max_body_bytes");
    }
    return PATIO_OK;
}

/* Under the lock: all that can be wrong with taking it. */
static patio_status find_lane(patio_transport *t, const patio_message *m, size_t size, lane **out,
                              patio_error *err)
{
    const store_room   *room   = &t->room;
    const store_bounds *bounds = &t->set.bounds;
    if (!t->running || atomic_load_explicit(&t->stopping, memory_order_relaxed)) {
        return patio_fail(err, PATIO_CLOSED, 0, "send %s: the transport is stopped", m->task);
    }
    if (!store_has_room(room, bounds, size)) {
        return patio_fail(err, PATIO_FULL, 0,
                          "send %s: %llu tasks of %llu bytes are held (max_queued %llu, "
                          "max_queued_bytes %llu)",
                          m->task, (unsigned long long)(room->held - room->dead),
                          (unsigned long long)(room->held_bytes - room->dead_bytes),
                          (unsigned long long)bounds->max_queued,
                          (unsigned long long)bounds->max_queued_bytes);
    }
    bool   call = (m->flags & CALL_WAITS) == PATIO_MESSAGE_CALL && t->arriving == 0;
    queue *q    = hub_queue(t, m->queue, !call);
    if (q != NULL && q->state == PATIO_QUEUE_DRAINING) {
        return patio_fail(err, PATIO_BLOCKED, 0,
                          "send %s: queue \"%s\" is draining and takes nothing new", m->task,
                          m->queue);
    }
    lane *l = q != NULL ? store_lane(q, m->task, !call) : NULL;
    if (call && (l == NULL || l->route_count == 0)) {
        return patio_fail(err, PATIO_NO_ROUTE, 0,
                          "no connected worker on queue \"%s\" can run task \"%s\"", m->queue,
                          m->task);
    }
    if (l == NULL) {
        return store_no_name(room, q, "send", m->task, err);
    }
    if (route_too_large(l, size)) {
        return patio_fail(err, PATIO_TOO_LARGE, 0,
                          "send %s: %zu bytes, more than any connected worker that has it takes "
                          "(its max_frame_bytes, max_queued_bytes)",
                          m->task, size);
    }
    *out = l;
    return PATIO_OK;
}

/* It repeats a task that is here already. */
static void say_duplicate(const patio_transport *t, const patio_message *m, uint32_t verdict,
                          const keyed *k, effects *fx)
{
    /* a call that was dropped as a duplicate gets no answer: it must hear so */
    if ((m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0 || verdict == KEY_DUPLICATE) {
        effect *x   = effects_add(fx, EFFECT_DUPLICATE);
        x->id       = m->id;
        x->original = k->original;
    }
    if (verdict == KEY_ANSWERED) {
        effect *x = effects_add(fx, EFFECT_REPLIED);
        x->id     = m->id;
        x->body   = t->host->buf_ref(t->host->self, k->reply);
    }
}

/* The queued one goes; the new one takes its key. */
static void replace(keyed *k, entry **gone, effects *fx)
{
    static const char why[] = "another task with the same dedup key replaced it";
    entry            *e     = k->entry;
    hub_keep_gone(e, false);
    hub_take_out(e);
    hub_end_key(e, NULL, PATIO_CANCELLED, why, fx);
    hub_say_gone(e, PATIO_CANCELLED, why, fx);
    k->expires_ns = 1;
    *gone         = e;
}

static patio_status hold(patio_transport *t, lane *l, const patio_message *m, size_t size,
                         keyed *replaced, entry **gone, effects *fx, patio_error *err)
{
    entry *e = hub_entry_new(t);
    if (e == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    store_fill(e, l, m, size, fx->now,
               PATIO_MESSAGE_CARRIED | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT);
    e->order = ++t->room.order;
    if (m->dedup_key.size > 0 && !dedup_set(&t->room, l->queue, m, e)) {
        hub_entry_free(e);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    t->sends += (m->flags & PATIO_MESSAGE_CALL) == 0 ? 1 : 0;
    if (replaced != NULL) {
        replace(replaced, gone, fx);
    }
    if ((m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0) {
        effects_add(fx, EFFECT_ACCEPTED)->id = m->id;
    }
    if (m->delay_ms > 0) {
        route_delay(e, m->delay_ms, fx);
    } else {
        route_put(e, fx);
    }
    return PATIO_OK;
}

patio_status tcp_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    size_t       size = t->host->buf_view(t->host->self, m->body).size;
    patio_status st   = refuse(t, m, size, err);
    if (st != PATIO_OK) {
        return st;
    }
    lane    *l       = NULL;
    keyed   *k       = NULL;
    entry   *gone    = NULL;
    uint32_t verdict = KEY_NEW;
    effects  fx;
    effects_begin(&fx, t);
    /* the executor's thread comes for tasks, not for what its task calls */
    fx.polls = (m->flags & PATIO_MESSAGE_CALL) != 0 && !t->turn.serves && turn_will_poll(&t->turn);
    st       = find_lane(t, m, size, &l, err);
    if (l != NULL && m->dedup_key.size > 0) {
        st = dedup_look(&t->room, &t->set.bounds, l->queue, t, m, &verdict, &k, err);
    }
    if (st == PATIO_OK && k != NULL && verdict != KEY_REPLACES) {
        say_duplicate(t, m, verdict, k, &fx);
    } else if (st == PATIO_OK && l != NULL) {
        st = hold(t, l, m, size, k, &gone, &fx, err);
    }
    effects_end(&fx);
    store_bury(&t->room, gone);
    return st;
}
