#include "memory.h"

/* Who called, and has had no receipt. */
enum { QUIET_CALL = PATIO_MESSAGE_CALL | PATIO_MESSAGE_NO_RECEIPT };

/* What must happen once the lock is open. */
typedef struct aftermath {
    patio_buf       *body;    /* to be dropped */
    entry           *gone;    /* dead letters to be buried, chained */
    patio_transport *origin;  /* held; gets the reply, or hears that there is none */
    attached        *waiting; /* held; get it, too */
    kept            *results; /* that fell out of the store */
    uint64_t         lost;    /* dead letters that went to make room */
    patio_id         id;
} aftermath;

/* Credit back, and the entry out of the lease. */
static void end_lease(entry *e)
{
    subscription *s = e->holder;
    e->lane->queue->leased--;
    s->unsettled--;
    e->holder = NULL;
    e->told   = false;
}

/* Under the lock. `cause` is a copy made before, for a dead letter; taken when used. */
static void apply(patio_transport *t, entry *e, const patio_settlement *s, patio_buf **cause,
                  aftermath *after)
{
    bool final = s->verdict == PATIO_ACK || s->verdict == PATIO_REJECT;
    if (s->verdict == PATIO_CLAIM) {
        e->claimed = true;
        return;
    }
    after->id = e->id;
    if (final && (s->reply != NULL || (e->flags & QUIET_CALL) == QUIET_CALL) && e->origin != NULL &&
        e->origin->running) {
        after->origin = e->origin;
        instance_hold(after->origin);
    }
    end_lease(e);
    if (final && s->result_ttl_ms != 0) {
        store_result_keep(&t->hub->room, &t->bounds, e,
                          s->verdict == PATIO_ACK ? PATIO_STATE_DONE : PATIO_STATE_DEAD,
                          s->result_ttl_ms, s->reply, &after->results);
    }
    if (final && e->key != NULL) {
        after->waiting = attached_end(e, s->reply);
    }
    switch (s->verdict) {
    case PATIO_RETRY:
        if (PATIO_HAS(patio_settlement, s, flags) && (s->flags & PATIO_SETTLE_CRASHED) != 0) {
            e->crashes++;
        } else {
            e->attempt++;
        }
        break;
    case PATIO_RETURN:
        break;
    case PATIO_REJECT:
        e->cause  = *cause;
        e->origin = NULL;
        *cause    = NULL;
        store_dead_keep(&t->hub->room, &t->bounds, e, &after->gone, &after->lost);
        return;
    default:
        after->body = e->body;
        store_entry_free(&t->hub->room, e);
        return;
    }
    if (s->delay_ms > 0) {
        dispatch_delay(e, s->delay_ms);
    } else {
        hub_push(e);
    }
}

static void finish(patio_transport *t, const patio_settlement *s, const aftermath *after)
{
    const patio_host *host = t->host;
    if (after->origin != NULL && s->reply == NULL) {
        say_gone(&(farewell){.origin = after->origin, .id = after->id}, PATIO_PROTOCOL,
                 "the worker ended the task without a reply");
    } else if (after->origin != NULL) {
        patio_reply reply = {PATIO_SIZED(patio_reply), .id = after->id, .body = s->reply};
        after->origin->events->replied(after->origin->events->self, &reply);
        instance_release(after->origin);
    }
    if (after->waiting != NULL) {
        attached_tell(
            host, after->waiting, s->reply, PATIO_PEER_LOST,
            "the task with the same dedup key ended without a result: nobody waited for it");
    }
    host->buf_drop(host->self, after->body);
    if (after->gone != NULL) {
        store_bury(&t->hub->room, after->gone);
    }
    if (after->results != NULL) {
        store_result_free(host, after->results);
    }
    if (after->lost > 0) {
        patio_host_log(host, PATIO_LOG_WARN, "a dead letter was dropped: max_dead (%llu) are kept",
                       (unsigned long long)t->bounds.max_dead);
    }
}

static patio_buf *copy_cause(const patio_host *host, const patio_settlement *s)
{
    uint8_t   *data = NULL;
    patio_buf *copy = s->verdict == PATIO_REJECT && s->cause.size > 0
                          ? host->buf_new(host->self, s->cause.size, &data)
                          : NULL;
    if (copy != NULL) {
        memcpy(data, s->cause.data, s->cause.size);
    }
    return copy;
}

patio_status memory_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err)
{
    if (s->verdict < PATIO_ACK || s->verdict > PATIO_CLAIM) {
        return patio_fail(err, PATIO_INVALID, 0, "settle: unknown verdict %u", s->verdict);
    }
    hub       *h     = t->hub;
    patio_buf *cause = copy_cause(t->host, s);
    aftermath  after = {.body = NULL};
    handout    out;
    bool       some = false;
    pthread_mutex_lock(&h->lock);
    entry *e = t->running ? store_entry_find(&h->room, tag, ENTRY_LEASED) : NULL;
    if (e == NULL || e->holder->instance != t) {
        bool running = t->running;
        pthread_mutex_unlock(&h->lock);
        t->host->buf_drop(t->host->self, cause);
        return running ? patio_fail(err, PATIO_STALE, 0,
                                    "settle: this delivery is settled or its lease is gone")
                       : patio_fail(err, PATIO_CLOSED, 0, "settle: the transport is stopped");
    }
    queue        *q      = e->lane->queue;
    subscription *holder = e->holder;
    apply(t, e, s, &cause, &after);
    /* the freed credit asks for the next task in the same breath */
    some = s->verdict != PATIO_CLAIM && dispatch_next(q, holder->closed ? NULL : holder, &out);
    pthread_mutex_unlock(&h->lock);
    t->host->buf_drop(t->host->self, cause);
    finish(t, s, &after);
    if (some) {
        dispatch_raise(q, &out);
    }
    return PATIO_OK;
}

patio_status memory_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    hub *h = t->hub;
    pthread_mutex_lock(&h->lock);
    entry *e = t->running ? store_entry_find(&h->room, tag, ENTRY_LEASED) : NULL;
    if (e == NULL || e->holder->instance != t) {
        pthread_mutex_unlock(&h->lock);
        return patio_fail(err, PATIO_STALE, 0, "notify: the lease of this delivery is gone");
    }
    patio_reply      reply  = {PATIO_SIZED(patio_reply), .flags = PATIO_REPLY_PARTIAL, .id = e->id,
                               .body = body};
    patio_transport *origin = e->origin != NULL && e->origin->running ? e->origin : NULL;
    if (origin != NULL) {
        instance_hold(origin);
    }
    pthread_mutex_unlock(&h->lock);
    if (origin != NULL) {
        origin->events->replied(origin->events->self, &reply);
        instance_release(origin);
    }
    return PATIO_OK;
}
