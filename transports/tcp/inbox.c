/* Tasks that came in: they wait for our subscription's credit, and are delivered. */
#include "tcp.h"

enum { OLD_NS = 50 * 1000 * 1000 };

/* In `fence`: a ping is to be sent. No ping of the clock's has this bit in its number. */
static const uint64_t fence_wanted = 1;
static const uint64_t fence_bit    = UINT64_C(1) << 63;

bool inbox_put(conn *from, uint64_t remote, const frame_publish *p, lane *l, patio_buf *body,
               effects *fx)
{
    patio_transport *t    = from->t;
    uint64_t         size = t->host->buf_view(t->host->self, body).size;
    bool             room = from->self || (t->inbound < t->set.bounds.max_queued &&
                               size <= t->set.bounds.max_queued_bytes - t->inbound_bytes);
    entry           *e    = room ? hub_entry_new(t) : NULL;
    if (e == NULL) {
        t->host->buf_drop(t->host->self, body);
        return false;
    }
    e->lane = l;
    l->held++;
    e->body        = body;
    e->remote      = remote;
    e->id          = p->id;
    e->flags       = p->flags;
    e->fence       = p->fence;
    e->attempt     = p->attempt;
    e->crashes     = p->crashes;
    e->priority    = (uint8_t)p->priority;
    e->state       = ENTRY_INBOX;
    e->moved_ns    = fx->now;
    uint64_t age   = p->age_ms < fx->now / 1000000u ? p->age_ms * 1000000u : 0;
    e->accepted_ns = fx->now - age;
    if (p->ttl_ms != 0 && p->ttl_ms < (UINT64_MAX - fx->now) / 1000000u) {
        e->deadline_ns = fx->now + p->ttl_ms * 1000000u;
    }
    if (!from->self) {
        t->inbound++;
        turn_task_came(&t->turn, fx->now);
        t->inbound_bytes += size;
    }
    hub_link(from, &from->received, e);
    from->received_count++;
    subscription *s = l->queue->own;
    if (s == NULL || s->closed || !l->own || from->fence != 0) {
        inbox_return(e, fx);
        return true;
    }
    list_append(&s->inbox[e->priority], e);
    s->nonempty |= 1u << e->priority;
    s->waiting++;
    inbox_pump(s, fx);
    return true;
}

static void unlink_inbox(subscription *s, entry *e)
{
    s->waiting--;
    if (e->aside) {
        list_unlink(&e->link->aside, e);
        e->aside = false;
        return;
    }
    list_unlink(&s->inbox[e->priority], e);
    if (s->inbox[e->priority].first == NULL) {
        s->nonempty &= ~(1u << e->priority);
    }
}

static void deliver(subscription *s, entry *e, effects *fx)
{
    const patio_host *host   = e->t->host;
    uint64_t          now    = fx->now;
    uint64_t          ttl_ms = store_time_left(e, now, &e->flags);
    e->state                 = ENTRY_DELIVERED;
    s->unsettled++;
    effect *x  = effects_add(fx, EFFECT_DELIVERED);
    x->body    = host->buf_ref(host->self, e->body);
    x->message = (patio_message){
        PATIO_SIZED(patio_message),
        .flags    = e->flags,
        .id       = e->id,
        .queue    = e->lane->queue->name,
        .task     = e->lane->task,
        .ttl_ms   = ttl_ms,
        .priority = e->priority,
        .attempt  = e->attempt,
        .crashes  = e->crashes,
        .body     = e->body,
    };
    x->delivery = (patio_delivery){
        PATIO_SIZED(patio_delivery),
        .tag    = e->tag,
        .fence  = e->fence,
        .age_ms = now > e->accepted_ns ? (now - e->accepted_ns) / 1000000u : 0,
    };
}

/* A peer that does not read its replies gets no more of them made, or they would fill the memory.
 * Its tasks wait beside the inbox, where they are in nobody's way. */
static bool set_aside(subscription *s, entry *e)
{
    conn *c = e->link;
    if (c->self || (c->aside.first == NULL && write_replies(c) <= c->t->set.write_queue_bytes)) {
        return false;
    }
    unlink_inbox(s, e);
    list_append(&c->aside, e);
    e->aside  = true;
    c->choked = true;
    s->waiting++;
    return true;
}

/* Back to the head of the inbox, in their order. */
static void put_back(conn *c)
{
    while (c->aside.last != NULL) {
        entry        *e = c->aside.last;
        subscription *s = e->lane->queue->own;
        list         *l = &s->inbox[e->priority];
        list_unlink(&c->aside, e);
        e->aside                                         = false;
        e->prev                                          = NULL;
        e->next                                          = l->first;
        *(l->first != NULL ? &l->first->prev : &l->last) = e;
        l->first                                         = e;
        s->nonempty |= 1u << e->priority;
    }
}

void inbox_resume(conn *c, effects *fx)
{
    put_back(c);
    for (queue *q = c->t->room.queues; q != NULL; q = q->next) {
        if (q->own != NULL) {
            inbox_pump(q->own, fx);
        }
    }
}

void inbox_pump(subscription *s, effects *fx)
{
    while (!s->closed && s->nonempty != 0 && s->unsettled < s->credit &&
           s->queue->state != PATIO_QUEUE_PAUSED) {
        if (!effects_room(fx)) {
            fx->again = true;
            return;
        }
        entry *e = s->inbox[31 - __builtin_clz(s->nonempty)].first;
        if (!set_aside(s, e)) {
            unlink_inbox(s, e);
            deliver(s, e, fx);
        }
    }
}

void inbox_forget(entry *e, effects *fx)
{
    (void)fx;
    conn         *c = e->link;
    subscription *s = e->lane->queue->own;
    if (e->state == ENTRY_DELIVERED) {
        s->unsettled--;
    } else if (s != NULL && (e->aside || e->prev != NULL || e->next != NULL ||
                             s->inbox[e->priority].first == e)) {
        unlink_inbox(s, e);
    }
    if (!c->self) {
        e->t->inbound--;
        e->t->inbound_bytes -= e->t->host->buf_view(e->t->host->self, e->body).size;
    }
    c->received_count--;
    hub_unlink_link(&c->received, e);
    hub_entry_free(e);
}

void inbox_return(entry *e, effects *fx)
{
    conn        *c      = e->link;
    uint64_t     remote = e->remote;
    frame_settle s      = {.verdict = PATIO_RETURN, .flags = SETTLE_UNSTARTED};
    frame_header h      = {.type = FRAME_SETTLE, .id = remote};
    inbox_forget(e, fx);
    if (c->self) {
        settle_came(c, remote, &s, NULL, fx);
        return;
    }
    uint8_t head[FRAME_SETTLE_BYTES];
    frame_put_settle(head, &s);
    echo_write(c, &h, (patio_bytes){head, sizeof(head)}, fx);
}

void inbox_return_unsettled(entry *e, effects *fx)
{
    bool once = (e->flags & PATIO_MESSAGE_CALL) != 0 && (e->flags & PATIO_MESSAGE_IDEMPOTENT) == 0;
    if (e->state == ENTRY_DELIVERED && !e->claimed && !once) {
        inbox_return(e, fx);
    }
}

void inbox_return_all(subscription *s, effects *fx)
{
    for (conn *c = fx->t->conns; c != NULL; c = c->next) {
        put_back(c);
    }
    for (unsigned p = 0; p < PRIORITIES; p++) {
        while (s->inbox[p].first != NULL && effects_room(fx)) {
            inbox_return(s->inbox[p].first, fx);
        }
    }
}

/* Where all of the credit is with slow tasks, what waits behind it may be run sooner elsewhere.
 * With the first of a priority go all behind it, so that they do not overtake it; and so does what
 * was on its way here when its publisher read of it: until the answer to a ping, `fence`. */
void inbox_return_old(subscription *s, uint64_t now, effects *fx)
{
    for (unsigned p = 0; p < PRIORITIES; p++) {
        const entry *first = s->inbox[p].first;
        if (first == NULL || now <= first->moved_ns + OLD_NS) {
            continue;
        }
        for (entry *e = s->inbox[p].first; e != NULL && effects_room(fx);) {
            entry *next = e->next;
            if (!e->link->self) {
                e->link->fence = fence_wanted;
                inbox_return(e, fx);
            }
            e = next;
        }
    }
}

void inbox_fence(patio_transport *t, effects *fx)
{
    for (conn *c = t->conns; c != NULL; c = c->next) {
        if (c->fence == fence_wanted) {
            frame_header h = {.type = FRAME_PING, .id = fx->now | fence_bit};
            c->fence       = h.id;
            if (write_frame(c, &h, (patio_bytes){NULL, 0}, NULL, 0)) {
                write_kick(c, fx);
            }
        }
    }
}

bool inbox_lost(conn *c, effects *fx)
{
    while (c->received != NULL) {
        if (!effects_room(fx)) {
            return true;
        }
        entry        *e         = c->received;
        bool          delivered = e->state == ENTRY_DELIVERED;
        subscription *s         = e->lane->queue->own;
        if (delivered) {
            effect *x = effects_add(fx, EFFECT_LEASE_LOST);
            x->tag    = e->tag;
            x->text   = "the connection to the caller was lost";
        }
        inbox_forget(e, fx);
        if (delivered) {
            inbox_pump(s, fx);
        }
    }
    return false;
}
