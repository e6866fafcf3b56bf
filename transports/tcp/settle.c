/* The end of a delivery, on both sides. */
#include "tcp.h"

enum {
    QUICK_NS  = 2 * 1000 * 1000,  /* an answer so soon allows one more task beyond the credit */
    SLOW_NS   = 10 * 1000 * 1000, /* an answer so late takes half of them back */
    CAUSE_MAX = 48 * 1024,

    AT_ONCE_NS  = 50 * 1000 * 1000,
    RETURNS_MAX = 8,
};

static bool write_settle(conn *c, uint64_t remote, const frame_settle *s, patio_buf *reply)
{
    uint8_t      small[FRAME_SETTLE_BYTES + 1024];
    frame_header h    = {.type = FRAME_SETTLE, .id = remote};
    size_t       size = FRAME_SETTLE_BYTES + s->cause.size;
    uint8_t     *head = size <= sizeof(small) ? small : c->t->host->alloc(c->t->host->self, size);
    if (head == NULL) {
        c->broken = true; /* or the caller would wait for it */
        write_mark_dirty(c);
        return false;
    }
    frame_put_settle(head, s);
    if (s->cause.size > 0) {
        memcpy(head + FRAME_SETTLE_BYTES, s->cause.data, s->cause.size);
    }
    bool written = write_frame(c, &h, (patio_bytes){head, size}, reply, 0);
    if (head != small) {
        c->t->host->free(c->t->host->self, head);
    }
    return written;
}

static uint32_t state_after(uint32_t verdict)
{
    return verdict == PATIO_ACK ? PATIO_STATE_DONE : PATIO_STATE_DEAD;
}

/* Under the lock. */
static void settle_one(entry *e, const patio_settlement *s, effects *fx)
{
    const patio_host *host   = e->t->host;
    conn             *c      = e->link;
    subscription     *sub    = e->lane->queue->own;
    uint64_t          remote = e->remote;
    bool              over   = s->verdict == PATIO_ACK || s->verdict == PATIO_REJECT;
    frame_settle      f      = {.verdict  = (uint8_t)s->verdict,
                                .delay_ms = over ? s->result_ttl_ms : s->delay_ms};
    patio_buf        *reply  = s->reply;
    if (s->verdict == PATIO_REJECT && s->cause.size <= CAUSE_MAX) {
        f.cause = s->cause;
    }
    if (reply != NULL && host->buf_view(host->self, reply).size > c->max_bytes) {
        f.flags |= SETTLE_TOO_LARGE;
        reply = NULL;
    }
    f.flags |= reply != NULL ? SETTLE_HAS_REPLY : 0;
    if (PATIO_HAS(patio_settlement, s, flags) && (s->flags & PATIO_SETTLE_CRASHED) != 0) {
        f.flags |= SETTLE_CRASHED;
    }
    if (over && s->result_ttl_ms != 0 && !c->self) {
        /* here as well: who sent it may be gone before somebody asks */
        hub_keep_result(e, state_after(s->verdict), s->result_ttl_ms, s->reply);
    }
    if (s->verdict == PATIO_CLAIM) {
        e->claimed = true;
    } else {
        inbox_forget(e, fx);
        c->t->turn.answered_ns = fx->now;
    }
    if (c->self) {
        settle_came(c, remote, &f, reply != NULL ? host->buf_ref(host->self, reply) : NULL, fx);
    } else if (write_settle(c, remote, &f, reply)) {
        write_kick(c, fx);
    }
    /* the freed credit asks for the next task in the same breath */
    inbox_pump(sub, fx);
}

patio_status tcp_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                        patio_error *err)
{
    if (s->verdict < PATIO_ACK || s->verdict > PATIO_CLAIM) {
        return patio_fail(err, PATIO_INVALID, 0, "settle: unknown verdict %u", s->verdict);
    }
    effects fx;
    effects_begin(&fx, t);
    bool   running = t->running;
    entry *e       = running ? hub_entry_find(t, tag, ENTRY_DELIVERED) : NULL;
    fx.polls       = turn_will_poll(&t->turn);
    if (e != NULL) {
        settle_one(e, s, &fx);
    }
    effects_end(&fx);
    if (e != NULL) {
        return PATIO_OK;
    }
    return running ? patio_fail(err, PATIO_STALE, 0,
                                "settle: this delivery is settled or its lease is gone")
                   : patio_fail(err, PATIO_CLOSED, 0, "settle: the transport is stopped");
}

patio_status tcp_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    const patio_host *host = t->host;
    patio_status      st   = PATIO_OK;
    effects           fx;
    effects_begin(&fx, t);
    entry *e = t->running ? hub_entry_find(t, tag, ENTRY_DELIVERED) : NULL;
    conn  *c = e != NULL ? e->link : NULL;
    if (e == NULL) {
        st = patio_fail(err, PATIO_STALE, 0, "notify: the lease of this delivery is gone");
    } else if ((e->flags & PATIO_MESSAGE_CALL) == 0) {
        st = PATIO_OK; /* nobody waits for it */
    } else if (c->self) {
        effect *x = effects_add(&fx, EFFECT_PARTIAL);
        x->id     = e->id;
        x->body   = host->buf_ref(host->self, body);
    } else if (write_backlog(c) > t->set.write_queue_bytes) {
        st = patio_fail(err, PATIO_FULL, 0, "notify: the caller does not keep up");
    } else if (host->buf_view(host->self, body).size > c->max_bytes) {
        st = patio_fail(err, PATIO_TOO_LARGE, 0, "notify: the caller takes at most %llu bytes",
                        (unsigned long long)c->max_bytes);
    } else {
        frame_header h = {.type = FRAME_NOTIFY, .id = e->remote};
        if (write_frame(c, &h, (patio_bytes){NULL, 0}, body, 0)) {
            write_kick(c, &fx);
        }
    }
    effects_end(&fx);
    return st;
}

/* How many tasks beyond its credit a peer gets: as many as keep it busy while answers travel, none
 * where tasks are slow, for behind a slow task others wait in vain. */
static void adapt(peersub *ps, uint64_t took_ns, bool unstarted, uint64_t most)
{
    if (ps->link->self) {
        return;
    }
    if (unstarted) {
        ps->extra = 0;
    } else if (took_ns < QUICK_NS) {
        ps->extra += ps->extra < most ? 1 : 0;
    } else if (took_ns > SLOW_NS) {
        ps->extra /= 2;
    }
}

/* It was given back. For how long it rests if the peer did not say so: not at all the first time,
 * but then longer and longer, or one that gives back at once would have it again at the speed of
 * the wire. */
static uint64_t rest_ms(entry *e, const conn *c, uint64_t took_ns)
{
    bool again = took_ns < AT_ONCE_NS && e->returns > 0;
    e->shunned = (uint32_t)c->peer_incarnation;
    e->returns = (uint8_t)(!again ? 1 : e->returns < RETURNS_MAX ? e->returns + 1 : RETURNS_MAX);
    return again ? UINT64_C(10) << (e->returns - 2) : 0;
}

static void finish(entry *e, const frame_settle *s, patio_buf *reply, effects *fx)
{
    bool call      = (e->flags & PATIO_MESSAGE_CALL) != 0;
    bool forbidden = (s->flags & SETTLE_FORBIDDEN) != 0;
    bool left      = reply == NULL && (s->flags & SETTLE_TOO_LARGE) != 0;
    if (s->delay_ms != 0 && !left) { /* with the worker, who alone has it */
        hub_keep_result(e, state_after(s->verdict), s->delay_ms, reply);
    }
    hub_end_key(e, reply, PATIO_PEER_LOST,
                "the task with the same dedup key ended without a result: nobody waited for it",
                fx);
    if (call && reply != NULL) {
        e->t->turn.answered_ns = fx->now;

        effect *x = effects_add(fx, EFFECT_REPLIED);
        x->id     = e->id;
        x->body   = reply;
        reply     = NULL;
    } else if (call && forbidden) {
        effect *x = effects_add(fx, EFFECT_REJECTED);
        x->id     = e->id;
        x->status = PATIO_AUTH;
        x->text   = "the peer does not allow this side to call the task";
    } else if (call && (s->flags & SETTLE_TOO_LARGE) != 0) {
        effect *x = effects_add(fx, EFFECT_UNKNOWN);
        x->id     = e->id;
        x->status = PATIO_TOO_LARGE;
        x->text   = "the task ran, but its result is larger than this side takes";
    } else if (reply == NULL) {
        hub_say_gone(e, PATIO_PROTOCOL, "the worker ended the task without a reply", fx);
    }
    e->t->host->buf_drop(e->t->host->self, reply);
    if (s->verdict == PATIO_REJECT && !(call && forbidden)) {
        hub_bury(e, forbidden ? hub_cause_forbidden : s->cause, fx);
    } else {
        hub_entry_free(e);
    }
}

void settle_came(conn *c, uint64_t tag, const frame_settle *s, patio_buf *reply, effects *fx)
{
    patio_transport *t = c->t;
    entry           *e = hub_entry_find(t, tag, ENTRY_GIVEN);
    if (e == NULL || e->link != c) {
        t->host->buf_drop(t->host->self, reply);
        return;
    }
    if (s->verdict == PATIO_CLAIM) {
        e->claimed = true;
        t->host->buf_drop(t->host->self, reply);
        return;
    }
    peersub *ps        = e->holder;
    bool     unstarted = (s->flags & SETTLE_UNSTARTED) != 0;
    uint64_t took_ns   = fx->now > e->moved_ns ? fx->now - e->moved_ns : 0;
    uint64_t delay_ms  = s->delay_ms;
    adapt(ps, took_ns, unstarted, t->set.prefetch);
    route_take_back(e);
    if (e->asked) {
        (void)cancel_outcome(t, &e->id, PATIO_CANCEL_TOO_LATE, fx);
        e->asked = false;
    }
    if (s->verdict == PATIO_ACK || s->verdict == PATIO_REJECT) {
        finish(e, s, reply, fx);
    } else {
        t->host->buf_drop(t->host->self, reply);
        e->claimed = false;
        if (s->verdict == PATIO_RETRY && (s->flags & SETTLE_CRASHED) != 0) {
            e->crashes = (uint16_t)(e->crashes < UINT16_MAX ? e->crashes + 1 : e->crashes);
        } else if (s->verdict == PATIO_RETRY) {
            e->attempt = (uint16_t)(e->attempt < UINT16_MAX ? e->attempt + 1 : e->attempt);
        }
        if (s->verdict == PATIO_RETRY) {
            /* others had their turn meanwhile; what is returned keeps its */
            e->order   = ++t->room.order;
            e->returns = 0;
        } else {
            uint64_t rests_ms = rest_ms(e, c, took_ns);
            delay_ms          = delay_ms > 0 ? delay_ms : rests_ms;
        }
        if (delay_ms > 0) {
            route_delay(e, delay_ms, fx);
        } else {
            route_put(e, fx);
        }
    }
    route_fill(ps, fx);
}
