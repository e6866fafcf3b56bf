#include "memory.h"

static patio_status refuse_unsupported(const patio_message *m, patio_error *err)
{
    if (m->level > PATIO_LEVEL_PROCESS) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "send %s: level %u is demanded, memory reaches level 0 (this process)",
                          m->task, m->level);
    }
    if (m->dedup_key.size > DEDUP_KEY_MAX) {
        return patio_fail(err, PATIO_TOO_LARGE, 0,
                          "send %s: a dedup key of %zu bytes, at most %d are allowed", m->task,
                          m->dedup_key.size, DEDUP_KEY_MAX);
    }
    return PATIO_OK;
}

/* Under the lock: all that can be wrong with taking it. */
static patio_status find_lane(patio_transport *t, const patio_message *m, size_t size, lane **out,
                              patio_error *err)
{
    const store_room *room = &t->hub->room;
    if (!t->running) {
        return patio_fail(err, PATIO_CLOSED, 0, "send %s: the transport is stopped", m->task);
    }
    if (!store_has_room(room, &t->bounds, size)) {
        return patio_fail(err, PATIO_FULL, 0,
                          "send %s: %llu tasks of %llu bytes are queued (max_queued %llu, "
                          "max_queued_bytes %llu)",
                          m->task, (unsigned long long)(room->held - room->dead),
                          (unsigned long long)(room->held_bytes - room->dead_bytes),
                          (unsigned long long)t->bounds.max_queued,
                          (unsigned long long)t->bounds.max_queued_bytes);
    }
    bool call = (m->flags & PATIO_MESSAGE_CALL) != 0 && (m->flags & PATIO_MESSAGE_WAIT_ROUTE) == 0;
    queue *q  = store_queue(&t->hub->room, m->queue, !call);
    if (q != NULL && q->state == PATIO_QUEUE_DRAINING) {
        return patio_fail(err, PATIO_BLOCKED, 0,
                          "send %s: queue \"%s\" is draining and takes nothing new", m->task,
                          m->queue);
    }
    lane *l = q != NULL ? store_lane(q, m->task, !call) : NULL;
    if (call && (l == NULL || l->routes == 0)) {
        return patio_fail(err, PATIO_NO_ROUTE, 0, "no worker on queue \"%s\" can run task \"%s\"",
                          m->queue, m->task);
    }
    if (l == NULL) {
        return store_no_name(room, q, "send", m->task, err);
    }
    *out = l;
    return PATIO_OK;
}

static void fill(entry *e, patio_transport *t, lane *l, const patio_message *m, size_t size)
{
    store_fill(e, l, m, size, t->host->now_ns(t->host->self),
               PATIO_MESSAGE_CARRIED | PATIO_MESSAGE_NO_RECEIPT);
    e->hub    = t->hub;
    e->origin = (m->flags & PATIO_MESSAGE_CALL) != 0 ? t : NULL;
    e->holder = NULL;
    e->told   = false;
}

/* What became of a message under the lock, for what must happen outside of it. */
typedef struct placing {
    lane      *lane;
    entry     *entry; /* NULL: nothing new */
    uint32_t   verdict;
    bool       some; /* a task to hand out */
    patio_id   original;
    patio_buf *answer;  /* of a task that ran before under the same key; one reference */
    entry     *gone;    /* what this one replaces */
    kept      *results; /* that fell out of the store */
    farewell   who;
    attached  *waiting;
    handout    out;
} placing;

/* The queued one goes; this one takes its key. */
static void replace(patio_transport *t, keyed *k, placing *p)
{
    entry *e = k->entry;
    store_result_gone(&t->hub->room, &t->bounds, e, PATIO_STATE_CANCELLED, false, &p->results);
    store_take_out(e);
    p->gone = e;
    if (e->origin != NULL && e->origin->running && (e->flags & PATIO_MESSAGE_NO_RECEIPT) != 0) {
        p->who = (farewell){.origin = e->origin, .id = e->id};
        instance_hold(e->origin);
    }
    p->waiting    = attached_end(e, NULL);
    k->expires_ns = 1;
}

/* Under the lock: a new task into its lane, or to the task that it repeats. */
static patio_status place(patio_transport *t, const patio_message *m, size_t size, placing *p,
                          patio_error *err)
{
    keyed       *k  = NULL;
    patio_status st = find_lane(t, m, size, &p->lane, err);
    p->verdict      = KEY_NEW;
    if (st == PATIO_OK && m->dedup_key.size > 0) {
        st = dedup_look(&t->hub->room, &t->bounds, p->lane->queue, t, m, &p->verdict, &k, err);
    }
    if (st != PATIO_OK) {
        return st;
    }
    if (k != NULL && p->verdict != KEY_REPLACES) {
        p->original = k->original;
        p->answer   = p->verdict == KEY_ANSWERED ? t->host->buf_ref(t->host->self, k->reply) : NULL;
        return PATIO_OK;
    }
    entry *e = store_entry_new(&t->hub->room);
    if (e == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    fill(e, t, p->lane, m, size);
    if (m->dedup_key.size > 0 && !dedup_set(&t->hub->room, p->lane->queue, m, e)) {
        patio_buf *body = e->body; /* the caller has a reference, too */
        store_entry_free(&t->hub->room, e);
        t->host->buf_drop(t->host->self, body);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    if (k != NULL) {
        replace(t, k, p);
    }
    p->entry = e;
    if (m->delay_ms > 0) {
        dispatch_delay(e, m->delay_ms);
    } else {
        hub_push(e);
        p->some = dispatch_next(p->lane->queue, p->lane->queue->subscriptions, &p->out);
    }
    return PATIO_OK;
}

static void say_receipt(patio_transport *t, const patio_message *m, const placing *p)
{
    bool          accepted = p->entry != NULL;
    patio_receipt receipt  = {
         PATIO_SIZED(patio_receipt),
         .outcome  = accepted ? PATIO_ACCEPTED : PATIO_DUPLICATE,
         .id       = m->id,
         .original = accepted ? (patio_id){{0}} : p->original,
         .level    = PATIO_LEVEL_PROCESS,
    };
    t->events->published(t->events->self, &receipt);
}

/* What a key had to do with others. */
static void say_about_key(patio_transport *t, const patio_message *m, placing *p)
{
    static const char why[] = "another task with the same dedup key replaced it";
    if (p->answer != NULL) {
        patio_reply reply = {PATIO_SIZED(patio_reply), .id = m->id, .body = p->answer};
        t->events->replied(t->events->self, &reply);
        t->host->buf_drop(t->host->self, p->answer);
    }
    if (p->gone != NULL) {
        store_bury(&t->hub->room, p->gone);
        store_result_free(t->host, p->results);
        attached_tell(t->host, p->waiting, NULL, PATIO_CANCELLED, why);
        say_gone(&p->who, PATIO_CANCELLED, why);
    }
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
    placing p;
    p.entry   = NULL;
    p.some    = false;
    p.answer  = NULL;
    p.gone    = NULL;
    p.results = NULL;
    p.waiting = NULL;
    p.who     = (farewell){.origin = NULL};
    pthread_mutex_lock(&h->lock);
    st = place(t, m, size, &p, err);
    /* a call that was dropped as a duplicate gets no answer: it must hear so */
    bool receipt = (m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0 ||
                   (p.verdict == KEY_DUPLICATE && p.entry == NULL);
    bool hold = st == PATIO_OK && (receipt || p.answer != NULL);
    if (hold) {
        instance_hold(t);
    }
    pthread_mutex_unlock(&h->lock);
    if (st != PATIO_OK) {
        return st;
    }
    if (receipt) {
        say_receipt(t, m, &p);
    }
    say_about_key(t, m, &p);
    if (hold) {
        instance_release(t);
    }
    if (p.some) {
        dispatch_raise(p.lane->queue, &p.out);
    }
    return PATIO_OK;
}

patio_status memory_cancel(patio_transport *t, const char *name, const patio_id *id,
                           patio_error *err)
{
    hub             *h       = t->hub;
    uint32_t         outcome = PATIO_CANCEL_TOO_LATE;
    patio_transport *holder  = NULL;
    patio_tag        tag     = 0;
    pthread_mutex_lock(&h->lock);
    if (!t->running) {
        pthread_mutex_unlock(&h->lock);
        return patio_fail(err, PATIO_CLOSED, 0, "cancel: the transport is stopped");
    }
    queue    *q       = store_queue(&h->room, name, false);
    entry    *e       = q != NULL ? store_entry_by_id(q, id, false) : NULL;
    entry    *gone    = NULL;
    attached *waiting = NULL;
    kept     *out     = NULL;
    farewell  who     = {.origin = NULL};
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
        store_result_gone(&h->room, &t->bounds, e, PATIO_STATE_CANCELLED, true, &out);
        store_take_out(e);
        gone    = e;
        waiting = attached_end(e, NULL);
        if (e->origin != NULL && e->origin != t && e->origin->running &&
            (e->flags & PATIO_MESSAGE_NO_RECEIPT) != 0) {
            who = (farewell){.origin = e->origin, .id = e->id}; /* somebody else's wish */
            instance_hold(e->origin);
        }
    }
    instance_hold(t);
    pthread_mutex_unlock(&h->lock);
    store_bury(&h->room, gone);
    store_result_free(t->host, out);
    attached_tell(t->host, waiting, NULL, PATIO_CANCELLED, "it was cancelled");
    say_gone(&who, PATIO_CANCELLED, "it was cancelled by somebody else");
    if (holder != NULL) {
        holder->events->cancel_wanted(holder->events->self, tag);
        instance_release(holder);
    }
    t->events->cancelled(t->events->self, id, outcome);
    instance_release(t);
    return PATIO_OK;
}
