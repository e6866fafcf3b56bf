/* What the broker hands us as tasks: kept under a lease until it is told (tell.c), or what is none.
 */
#include "transport.h"

static void fill(patio_transport *t, delivery *d, inbound *in, char *names, size_t task)
{
    const props *p      = &in->props;
    bool         quorum = d->queue->work.type == QUEUE_QUORUM;
    uint64_t     times  = quorum ? p->delivery_count : in->redelivered;
    d->number           = in->number;
    d->fence            = p->fence;
    d->since_ns         = t->host->now_ns(t->host->self);
    d->taken_ns         = d->since_ns;
    d->ttl_ms           = p->ttl_ms;
    d->sent_ms          = p->sent_ms;
    d->body             = in->body;
    d->id               = p->id;
    d->flags            = p->flags & PATIO_MESSAGE_CARRIED;
    d->attempt          = p->attempt != 0 ? p->attempt : 1;
    d->crashes          = (uint16_t)(p->crashes + (times > 1000 ? 1000 : times));
    d->redelivered      = (uint16_t)(times > 1000 ? 1000 : times);
    d->priority         = p->priority;
    d->persistent       = p->persistent;
    d->reply_to         = names;
    d->task             = names + task;
    if (p->reply_to[0] != '\0') {
        d->flags |= PATIO_MESSAGE_CALL;
    }
    if (in->redelivered || d->fence > 0 || d->attempt > 1) {
        d->flags |= PATIO_MESSAGE_REDELIVERED;
    }
    in->body = NULL;
}

static void reject(patio_transport *t, uint64_t number, bool requeue)
{
    connection         *c      = &t->links[CONSUMING];
    amqp_basic_reject_t method = {.delivery_tag = number, .requeue = requeue};
    (void)wire_method(c, CH_TASKS, AMQP_BASIC_REJECT_METHOD, &method);
    socket_push(c);
}

/* A message that was not confirmed when the link died is sent again, and may be
 * there twice. The second one that comes here is thrown away; if the first one
 * is lost, the broker brings it back, and says so. */
static bool is_first(patio_transport *t, const delivery *d)
{
    enum { REMEMBERED = 4096 };
    if (t->seen == NULL) {
        t->seen = t->host->alloc(t->host->self, REMEMBERED * sizeof(*t->seen));
        if (t->seen == NULL) {
            return true;
        }
        memset(t->seen, 0, REMEMBERED * sizeof(*t->seen));
    }
    uint64_t hash;
    memcpy(&hash, d->id.bytes + 8, sizeof(hash));
    seen *at    = &t->seen[((hash + d->fence) * UINT64_C(0x9E3779B97F4A7C15)) >> 52];
    bool  first = at->fence != d->fence + 1 || memcmp(&at->id, &d->id, sizeof(at->id)) != 0;
    at->id      = d->id;
    at->fence   = d->fence + 1; /* 0: nothing was here */
    return first;
}

delivery *deliver_make(patio_transport *t, queue *q, inbound *in)
{
    size_t    reply = strlen(in->props.reply_to) + 1;
    size_t    task  = strlen(in->props.task) + 1;
    char     *names = t->host->alloc(t->host->self, reply + task);
    delivery *d     = names != NULL ? deliver_take_slot(t, q) : NULL;
    if (d == NULL) {
        t->host->free(t->host->self, names);
        reject(t, in->number, true);
        return NULL;
    }
    memcpy(names, in->props.reply_to, reply);
    memcpy(names + reply, in->props.task, task);
    fill(t, d, in, names, reply);
    d->consumer = in->consumer;
    q->own += d->consumer == q->consumer;
    d->quiet = true;
    return d;
}

void deliver_send_on(patio_transport *t, delivery *d, bool charged)
{
    task_facts facts;
    settle_facts(d, &facts);
    facts.crashes = (uint16_t)(facts.crashes - (charged ? 0 : d->redelivered));
    if (!settle_move(t, d, &d->queue->work, &facts)) {
        reject(t, d->number, true);
        deliver_release(t, d);
    }
}

void deliver_throw_away(patio_transport *t, delivery *d)
{
    d->state = LEASE_ACKABLE;
    d->quiet = true;
    t->ackable++;
    t->work = true;
    loop_wake(t);
}

/* Under the lock. What is for the host waits until all that came with it has been read: an executor
 * that gets its tasks one by one is done with each before the next one, and is woken for each. */
static void accept(patio_transport *t, queue *q, inbound *in)
{
    delivery *d = deliver_make(t, q, in);
    if (d == NULL) {
        return;
    }
    if (d->redelivered == 0 && !is_first(t, d)) {
        deliver_throw_away(t, d);
        return;
    }
    bool classic = q->work.type != QUEUE_QUORUM;
    bool unasked = !q->subscribed || t->stopping;
    if ((classic && d->redelivered > 0) || unasked) {
        /* A classic queue says that it was delivered before, not how often: a copy
         * keeps count. And what comes after the last word goes back uncounted. */
        deliver_send_on(t, d, !unasked);
        return;
    }
    d->quiet = false;
    d->state = LEASE_WAITING;
    q->waiting++;
}

/* The oldest but `keep`. */
static delivery *find_own(patio_transport *t, const queue *q, bool held, uint32_t keep)
{
    for (delivery *d = t->leases.next; d != &t->leases; d = d->next) {
        if (d->queue == q && (d->state == LEASE_WAITING || (held && d->state == LEASE_HELD)) &&
            keep-- == 0) {
            return d;
        }
    }
    return NULL;
}

uint64_t deliver_waits_since(patio_transport *t, const queue *q, uint32_t keep)
{
    const delivery *d = find_own(t, q, false, keep);
    return d != NULL ? d->since_ns : UINT64_MAX;
}

/* Copies for others, at no cost to the task: what waits, or (held) what the host has not settled.
 * Sending one may let go of the lock, so each look begins anew. */
void deliver_give_back(patio_transport *t, queue *q, bool held, uint32_t keep)
{
    delivery *d;
    while ((d = find_own(t, q, held, keep)) != NULL) {
        task_facts facts;
        settle_facts(d, &facts);
        facts.crashes = (uint16_t)(facts.crashes - d->redelivered);
        q->waiting -= d->state == LEASE_WAITING;
        deliver_uncount(t, d);
        d->quiet = true;
        if (!settle_move(t, d, &q->work, &facts)) {
            d->state = LEASE_HELD; /* the end of the channel gives it back, too */
            return;
        }
    }
}

void deliver_task(patio_transport *t, inbound *in)
{
    /* what is none of ours, or broken, the broker moves to the dead letters as it is */
    const char *strange = cause_strange(t, in);
    bool        again   = strange == NULL && in->skip; /* there was no memory for it */
    pthread_mutex_lock(&t->lock);
    queue *q = subscribe_queue(t, in->consumer);
    if (q == NULL || strange != NULL || again) {
        reject(t, in->number, q == NULL || again);
    } else if (subscribe_is_held(in->consumer)) {
        renew_arrived(t, q, in);
    } else {
        accept(t, q, in);
    }
    pthread_mutex_unlock(&t->lock);
    if (strange != NULL && q != NULL) {
        patio_host_log(t->host, PATIO_LOG_WARN, "a message in %s goes to the dead letters: %s",
                       q->work.name, strange);
    }
}

/* ---- the end of a channel ---- */

void deliver_lost(patio_transport *t, const char *why)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_fail(&err, PATIO_STALE, 0, "%s", why);
    pthread_mutex_lock(&t->lock);
    renew_forget(t);
    pthread_mutex_unlock(&t->lock);
    for (;;) {
        pthread_mutex_lock(&t->lock);
        delivery *d = t->leases.next;
        while (d != &t->leases && d->number == 0) {
            d = d->next; /* it is out of the broker's reach */
        }
        if (d == &t->leases) {
            t->ackable = 0;
            pthread_mutex_unlock(&t->lock);
            return;
        }
        patio_tag tag   = d->tag;
        uint8_t   state = d->state;
        if (state == LEASE_SETTLING) {
            post_orphan(t, tag, true);
        }
        bool quiet = d->quiet || state == LEASE_WAITING;
        deliver_release(t, d);
        pthread_mutex_unlock(&t->lock);
        if (quiet) {
            continue;
        }
        if (state == LEASE_HELD) {
            t->events->lease_lost(t->events->self, tag, &err);
        } else {
            t->events->settle_failed(t->events->self, tag, &err);
        }
    }
}
