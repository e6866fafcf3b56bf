/* From a queue to a worker. */
#include "hub.h"

void instance_hold(patio_transport *t)
{
    atomic_fetch_add_explicit(&t->calls, 1, memory_order_relaxed);
}

void instance_release(patio_transport *t)
{
    /* When it is not stopping, or not the last, another may stop and free it from here on. */
    if (atomic_fetch_sub_explicit(&t->calls, 1, memory_order_seq_cst) == STOPPING + 1) {
        pthread_mutex_lock(&t->idle_lock);
        t->idled = true;
        pthread_cond_broadcast(&t->idle);
        pthread_mutex_unlock(&t->idle_lock);
    }
}

static void lease(entry *e, subscription *s, handout *out)
{
    const patio_host *host = s->instance->host;
    uint64_t          now  = host->now_ns(host->self);
    queue            *q    = s->queue;
    e->state               = ENTRY_LEASED;
    e->tag += UINT64_C(1) << 32;
    e->holder = s;
    e->fence++;
    s->unsettled++;
    q->leased++;
    instance_hold(s->instance);

    uint32_t flags  = e->flags & ~(uint32_t)PATIO_MESSAGE_NO_RECEIPT;
    uint64_t ttl_ms = store_time_left(e, now, &flags);
    out->instance   = s->instance;
    out->message    = (patio_message){
           PATIO_SIZED(patio_message),
           .flags    = flags | (e->fence > 1 ? PATIO_MESSAGE_REDELIVERED : 0u),
           .id       = e->id,
           .queue    = q->name,
           .task     = e->lane->task,
           .ttl_ms   = ttl_ms,
           .priority = e->priority,
           .attempt  = e->attempt,
           .crashes  = e->crashes,
           .body     = e->body,
    };
    out->delivery = (patio_delivery){
        PATIO_SIZED(patio_delivery), .tag = e->tag,
        .fence = e->fence,           .age_ms = (now - e->accepted_ns) / 1000000u,
        .message = &out->message,
    };
}

static entry *take(const subscription *s)
{
    entry *e = store_next(s->queue, s->lanes, s->words);
    if (e != NULL) {
        store_unlink_ready(e);
    }
    return e;
}

/* Who gets the next one: the fewest unsettled of those that have credit and something to run. */
static entry *choose(queue *q, subscription *prefer, subscription **to)
{
    if (prefer != NULL && prefer->next == NULL && q->subscriptions == prefer) {
        /* the usual case: one worker */
        *to = prefer;
        return prefer->unsettled < prefer->credit ? take(prefer) : NULL;
    }
    for (uint32_t most = 0;; most++) {
        bool higher = false;
        for (subscription *s = q->subscriptions; s != NULL; s = s->next) {
            if (s->unsettled >= s->credit || s->unsettled > most) {
                higher = higher || (s->unsettled < s->credit && s->unsettled > most);
                continue;
            }
            entry *e = s->unsettled == most ? take(s) : NULL;
            if (e != NULL) {
                *to = s;
                return e;
            }
        }
        if (!higher) {
            return NULL;
        }
    }
}

static bool is_closed(const queue *q)
{
    return q->state == PATIO_QUEUE_PAUSED || (q->limit != 0 && q->leased >= q->limit);
}

bool dispatch_next(queue *q, subscription *prefer, handout *out)
{
    subscription *to = NULL;
    if (q->ready == 0 || (q->gated && is_closed(q))) {
        return false;
    }
    entry *e = choose(q, prefer, &to);
    if (e == NULL) {
        return false;
    }
    lease(e, to, out);
    out->more = q->ready > 0;
    return true;
}

void dispatch_raise(queue *q, handout *out)
{
    bool again = true;
    while (again) {
        /* The body cannot go: the delivery is not settled before this returns, or it is by a thread
         * that got it from here and holds a reference. */
        patio_transport *t = out->instance;
        t->events->delivered(t->events->self, &out->delivery);
        again = out->more;
        if (again) {
            pthread_mutex_lock(q->store->lock);
            again = dispatch_next(q, NULL, out);
            pthread_mutex_unlock(q->store->lock);
        }
        instance_release(t);
    }
}

static void due(void *arg)
{
    entry  *e = arg;
    queue  *q = e->lane->queue;
    hub    *h = e->hub;
    handout out;
    pthread_mutex_lock(&h->lock);
    bool some = false;
    if (e->state == ENTRY_DELAYED && !h->closing) {
        q->delayed--;
        e->timer = 0;
        hub_push(e);
        some = dispatch_next(q, NULL, &out);
    }
    pthread_mutex_unlock(&h->lock);
    if (some) {
        dispatch_raise(q, &out);
    }
}

void dispatch_delay(entry *e, uint64_t delay_ms)
{
    const patio_host *host  = e->hub->room.host;
    uint64_t          delay = delay_ms > UINT64_MAX / 1000000u ? UINT64_MAX : delay_ms * 1000000u;
    e->state                = ENTRY_DELAYED;
    e->lane->queue->delayed++;
    e->timer = host->after(host->self, delay, due, e);
    if (e->timer == 0) {
        /* no memory for a timer: sooner than asked is better than never */
        e->lane->queue->delayed--;
        hub_push(e);
    }
}
