/* How deliveries end: reply first, its confirmation, then the acknowledgement.
 */
#include "transport.h"

enum { MANY = 8 }; /* acknowledgements that are worth a write of their own */

/* Two copies of one task can come from one delivery, if the link dies between a
 * copy and its original's acknowledgement: the later one has the larger number,
 * too. */
static uint64_t next_fence(const delivery *d)
{
    const uint64_t epoch_ms = UINT64_C(1577836800000); /* 2020, so that the number stays short */
    uint64_t       wall     = props_wall_ms();
    uint64_t       now      = wall > epoch_ms ? wall - epoch_ms : 0;
    return now > d->fence ? now : d->fence + 1;
}

void settle_facts(const delivery *d, task_facts *out)
{
    *out = (task_facts){
        .id         = d->id,
        .task       = d->task,
        .reply_to   = d->reply_to,
        .ttl_ms     = d->ttl_ms,
        .sent_ms    = d->sent_ms,
        .fence      = next_fence(d),
        .flags      = d->flags & PATIO_MESSAGE_CARRIED,
        .attempt    = d->attempt,
        .crashes    = d->crashes,
        .priority   = d->priority,
        .persistent = d->persistent,
    };
}

static uint64_t left_ms(const task_facts *f)
{
    uint64_t wall = props_wall_ms();
    uint64_t age  = f->sent_ms != 0 && wall > f->sent_ms ? wall - f->sent_ms : 0;
    return age < f->ttl_ms ? f->ttl_ms - age : f->ttl_ms; /* a clock that cannot be right */
}

bool settle_move(patio_transport *t, delivery *d, place *to, const task_facts *changed)
{
    task_facts facts = *changed;
    if (to->kind == PLACE_WORK && facts.ttl_ms != 0) {
        facts.expire_ms = left_ms(&facts);
    }
    post *p = post_new_task(t, POST_MOVE, to, &facts, d->body);
    if (p == NULL) {
        return false;
    }
    p->tag   = d->tag;
    p->quiet = d->quiet;
    d->state = LEASE_SETTLING;
    post_submit(t, p);
    return true;
}

/* While the broker may deliver half of the window without them, acknowledgements wait for more:
 * none of them is what brings the next task. */
bool settle_is_due(const patio_transport *t)
{
    bool due = !t->looks_soon || t->stopping;
    for (const queue *q = t->queues; q != NULL && !due; q = q->next) {
        due = q->own > q->window / 2 || (q->state != SUB_ON && q->unsettled > 0);
    }
    return due;
}

/* Under the lock: nothing is left to be done but to tell the broker. */
static void acknowledge(patio_transport *t, delivery *d)
{
    if (d->number == 0) {
        deliver_release(t, d); /* claimed: it was told before */
        return;
    }
    d->state = LEASE_ACKABLE;
    t->ackable++;
    t->settled = true;
}

void settle_confirmed(patio_transport *t, patio_tag tag)
{
    delivery *d = deliver_find(t, tag);
    if (d != NULL && d->state == LEASE_SETTLING) {
        acknowledge(t, d);
        t->work = true;
    }
}

static void send_ack(patio_transport *t, uint64_t number, bool multiple)
{
    amqp_basic_ack_t ack = {.delivery_tag = number, .multiple = multiple};
    (void)wire_method(&t->links[CONSUMING], CH_TASKS, AMQP_BASIC_ACK_METHOD, &ack);
}

void settle_ack(patio_transport *t, uint64_t number)
{
    send_ack(t, number, false);
    t->work = true;
    loop_wake(t); /* not written here: that would let go of the lock */
}

/* One frame for all at the front, one each for those behind a task that still
 * runs. */
void settle_flush(patio_transport *t)
{
    uint64_t  upto  = 0;
    uint32_t  front = 0;
    delivery *d     = t->leases.next;
    if (t->ackable == 0) {
        return;
    }
    while (d != &t->leases && (d->state == LEASE_ACKABLE || d->number == 0)) {
        delivery *next = d->next;
        if (d->state == LEASE_ACKABLE) {
            upto = d->number;
            front++;
            t->ackable--;
            deliver_release(t, d);
        }
        d = next;
    }
    if (front > 0) {
        send_ack(t, upto, front > 1);
    }
    for (; t->ackable > 0 && d != &t->leases;) {
        delivery *next = d->next;
        if (d->state == LEASE_ACKABLE) {
            send_ack(t, d->number, false);
            t->ackable--;
            deliver_release(t, d);
        }
        d = next;
    }
    t->ackable  = 0;
    t->acked_ns = t->host->now_ns(t->host->self);
}

/* ---- verdicts; under the lock ---- */

/* On the broker's disk before its task is removed? That takes up to 200 ms of a worker's credit:
 * too much for a task of milliseconds, and nothing beside the work that a kill -9 of the broker
 * would else undo. */
static bool is_worth_keeping(const patio_transport *t, const delivery *d)
{
    uint64_t ran_ns = t->host->now_ns(t->host->self) - d->since_ns;
    return d->persistent && ran_ns / 1000000u >= t->set.persistent_reply_after_ms;
}

static patio_status reply_first(patio_transport *t, delivery *d, patio_buf *reply)
{
    if (reply == NULL || d->reply_to[0] == '\0') {
        acknowledge(t, d);
        return PATIO_OK;
    }
    post *p = post_new_reply(t, d->reply_to, &d->id, is_worth_keeping(t, d), false, reply);
    if (p == NULL) {
        return PATIO_NO_MEMORY;
    }
    p->tag   = d->tag;
    d->state = LEASE_SETTLING;
    post_submit(t, p);
    return PATIO_OK;
}

static patio_status move(patio_transport *t, delivery *d, const patio_settlement *s)
{
    task_facts facts;
    settle_facts(d, &facts);
    bool crashed = PATIO_HAS(patio_settlement, s, flags) && (s->flags & PATIO_SETTLE_CRASHED) != 0;
    if (s->verdict == PATIO_RETRY && crashed) {
        facts.crashes = (uint16_t)(d->crashes + (d->crashes < UINT16_MAX));
    } else if (s->verdict == PATIO_RETRY) {
        facts.attempt = (uint16_t)(d->attempt + (d->attempt < UINT16_MAX));
    }
    /* a return is no crash, and a retry starts a new count of them */
    place *to = s->delay_ms > 0 ? place_delay(t, d->queue, s->delay_ms) : &d->queue->work;
    if (s->delay_ms > 0) {
        facts.expire_ms = s->delay_ms;
    }
    return to != NULL && settle_move(t, d, to, &facts) ? PATIO_OK : PATIO_NO_MEMORY;
}

static patio_status bury(patio_transport *t, delivery *d, const patio_settlement *s)
{
    task_facts facts;
    settle_facts(d, &facts);
    facts.cause    = s->cause;
    facts.reply_to = "";
    post *reply =
        s->reply != NULL && d->reply_to[0] != '\0'
            ? post_new_reply(t, d->reply_to, &d->id, is_worth_keeping(t, d), false, s->reply)
            : NULL;
    if (d->number == 0) {
        /* claimed: the copy is all there is; it needs no acknowledgement */
        facts.fence = d->fence;
    }
    if (!settle_move(t, d, &d->queue->dead, &facts)) {
        if (reply != NULL) {
            post_free(t, reply);
        }
        return PATIO_NO_MEMORY;
    }
    if (reply != NULL) {
        post_submit(t, reply);
    }
    return PATIO_OK;
}

static patio_status apply(patio_transport *t, delivery *d, const patio_settlement *s)
{
    switch (s->verdict) {
    case PATIO_ACK:
        return reply_first(t, d, s->reply);
    case PATIO_RETRY:
    case PATIO_RETURN:
        return move(t, d, s);
    case PATIO_REJECT:
        return bury(t, d, s);
    default:
        renew_give_up(t, d);
        d->state = LEASE_CLAIMED;
        if (d->number != 0) {
            send_ack(t, d->number, false);
            d->number = 0;
            deliver_leave_window(d);
            socket_push(&t->links[CONSUMING]); /* lets go of the lock: `d` may be gone */
        }
        return PATIO_OK;
    }
}

patio_status transport_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                              patio_error *err)
{
    if (s->verdict < PATIO_ACK || s->verdict > PATIO_CLAIM) {
        return patio_fail(err, PATIO_INVALID, 0, "settle: unknown verdict %u", s->verdict);
    }
    pthread_mutex_lock(&t->lock);
    if (!t->started || t->quit) {
        pthread_mutex_unlock(&t->lock);
        return patio_fail(err, PATIO_CLOSED, 0, "settle: the transport is stopped");
    }
    delivery    *d  = deliver_find(t, tag);
    bool         ok = d != NULL && (d->state == LEASE_HELD || d->state == LEASE_CLAIMED);
    patio_id     id = ok ? d->id : (patio_id){{0}};
    patio_status st = ok ? apply(t, d, s) : PATIO_STALE;
    if (st == PATIO_OK && s->verdict != PATIO_CLAIM) {
        d = deliver_find(t, tag); /* unless it is gone by now */
        if (d != NULL) {
            deliver_uncount(t, d);
        }
        if (s->verdict == PATIO_ACK || s->verdict == PATIO_REJECT) {
            cancel_ended(t, &id);
        }
    }

    if (st == PATIO_OK && t->ackable > 0 && settle_is_due(t)) {
        const connection *c = &t->links[CONSUMING];
        if (t->ackable >= MANY ? socket_is_free(c) : socket_is_calm(c)) {
            settle_flush(t);
            socket_flush(&t->links[CONSUMING]);
        } else {
            loop_wake(t); /* which acknowledges many at once */
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (st == PATIO_STALE) {
        return patio_fail(err, st, 0, "settle: this delivery is settled or its lease is gone");
    }
    return st == PATIO_OK ? st : patio_fail(err, st, 0, "settle: out of memory");
}

patio_status transport_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    delivery *d    = deliver_find(t, tag);
    bool      held = d != NULL && (d->state == LEASE_HELD || d->state == LEASE_CLAIMED);
    bool      room = t->links[PUBLISHING].state == LINK_READY && !t->links[PUBLISHING].blocked &&
                t->ring_next - t->ring_first < t->set.max_unconfirmed;
    post *p = held && room && d->reply_to[0] != '\0'
                  ? post_new_reply(t, d->reply_to, &d->id, false, true, body)
                  : NULL;
    if (p != NULL) {
        post_submit(t, p);
    }
    pthread_mutex_unlock(&t->lock);
    if (!held) {
        return patio_fail(err, PATIO_STALE, 0, "notify: the lease of this delivery is gone");
    }
    return room ? PATIO_OK : patio_fail(err, PATIO_FULL, 0, "notify: the caller does not keep up");
}
