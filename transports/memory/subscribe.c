#include "memory.h"

static subscription *find(queue *q, const patio_transport *t)
{
    subscription *s = q->subscriptions;
    while (s != NULL && s->instance != t) {
        s = s->next;
    }
    return s;
}

static void forget_routes(subscription *s)
{
    for (uint32_t i = 0; i < s->words * WORD_BITS && i < s->queue->lane_count; i++) {
        if ((s->lanes[i / WORD_BITS] >> (i % WORD_BITS) & 1u) != 0) {
            s->queue->lanes[i]->routes--;
        }
    }
    if (s->words > 0) {
        memset(s->lanes, 0, s->words * sizeof(*s->lanes));
    }
}

/* The set of lanes for a list of names; the old set stays if memory is out. */
static bool set_routes(subscription *s, const patio_subscription *in)
{
    const patio_host *host = s->instance->host;
    for (size_t i = 0; i < in->task_count; i++) {
        if (store_lane(s->queue, in->tasks[i], true) == NULL) {
            return false;
        }
    }
    uint32_t  words = s->queue->lane_room / WORD_BITS;
    uint64_t *lanes = host->alloc(host->self, (words + 1) * sizeof(*lanes));
    if (lanes == NULL) {
        return false;
    }
    forget_routes(s);
    memset(lanes, 0, (words + 1) * sizeof(*lanes));
    for (size_t i = 0; i < in->task_count; i++) {
        lane    *l   = store_lane(s->queue, in->tasks[i], false);
        uint64_t bit = UINT64_C(1) << (l->index % WORD_BITS);
        if ((lanes[l->index / WORD_BITS] & bit) == 0) {
            lanes[l->index / WORD_BITS] |= bit;
            l->routes++;
        }
    }
    host->free(host->self, s->lanes);
    s->lanes = lanes;
    s->words = words;
    return true;
}

static subscription *find_or_make(patio_transport *t, queue *q)
{
    subscription *s = find(q, t);
    if (s == NULL && (s = t->host->alloc(t->host->self, sizeof(*s))) != NULL) {
        memset(s, 0, sizeof(*s));
        s->instance      = t;
        s->queue         = q;
        s->closed        = true; /* until it has routes */
        s->next          = q->subscriptions;
        q->subscriptions = s;
    }
    return s;
}

patio_status memory_subscribe(patio_transport *t, const patio_subscription *in, patio_error *err)
{
    hub    *h    = t->hub;
    bool    some = false;
    handout out;
    pthread_mutex_lock(&h->lock);
    if (!t->running) {
        pthread_mutex_unlock(&h->lock);
        return patio_fail(err, PATIO_CLOSED, 0, "subscribe: the transport is stopped");
    }
    queue        *q = store_queue(&h->room, in->queue, true);
    subscription *s = q != NULL ? find_or_make(t, q) : NULL;
    if (s == NULL || !set_routes(s, in)) {
        patio_status st = store_no_name(&h->room, q, "subscribe", in->queue, err);
        pthread_mutex_unlock(&h->lock);
        return st;
    }
    s->closed = false;
    s->credit = in->credit;
    some      = dispatch_next(q, NULL, &out);
    pthread_mutex_unlock(&h->lock);
    if (some) {
        dispatch_raise(q, &out);
    }
    return PATIO_OK;
}

static void close_subscription(subscription *s)
{
    forget_routes(s);
    s->closed = true;
    s->credit = 0;
}

void memory_unsubscribe_all(patio_transport *t)
{
    for (queue *q = t->hub->room.queues; q != NULL; q = q->next) {
        subscription *s = find(q, t);
        if (s != NULL) {
            close_subscription(s);
        }
    }
}

patio_status memory_unsubscribe(patio_transport *t, const char *name, patio_error *err)
{
    hub *h = t->hub;
    pthread_mutex_lock(&h->lock);
    queue        *q     = store_queue(&h->room, name, false);
    subscription *s     = q != NULL ? find(q, t) : NULL;
    bool          found = s != NULL && !s->closed;
    if (found) {
        close_subscription(s);
    }
    pthread_mutex_unlock(&h->lock);
    return found ? PATIO_OK
                 : patio_fail(err, PATIO_NOT_FOUND, 0, "no subscription of queue \"%s\"", name);
}

/* What a leaving worker held goes back; a claimed one may have run, and is not run again. */
static void give_back(patio_transport *t, entry *e, attached **waiting)
{
    queue *q = e->lane->queue;
    q->leased--;
    e->holder->unsettled--;
    e->holder = NULL;
    e->told   = false;
    if (e->claimed) {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "a task that was acknowledged at its start did not end before the stop");
        patio_buf *body    = e->body;
        attached  *orphans = attached_end(e, NULL);
        while (orphans != NULL) {
            attached *next = orphans->next;
            orphans->next  = *waiting;
            *waiting       = orphans;
            orphans        = next;
        }
        store_entry_free(q->store, e);
        t->host->buf_drop(t->host->self, body);
        return;
    }
    hub_push(e);
}

static void drop_subscription(patio_transport *t, subscription **at)
{
    subscription *s = *at;
    *at             = s->next;
    forget_routes(s);
    t->host->free(t->host->self, s->lanes);
    t->host->free(t->host->self, s);
}

/* Others may run what came back. */
void memory_hand_out_all(hub *h)
{
    handout out;
    queue  *found = NULL;
    do {
        found = NULL;
        pthread_mutex_lock(&h->lock);
        for (queue *q = h->room.queues; q != NULL && found == NULL; q = q->next) {
            found = dispatch_next(q, NULL, &out) ? q : NULL;
        }
        pthread_mutex_unlock(&h->lock);
        if (found != NULL) {
            dispatch_raise(found, &out);
        }
    } while (found != NULL);
}

/* No longer among the others, and nobody it waited for remembers it. */
static void step_out(patio_transport *t)
{
    for (patio_transport **at = &t->hub->instances; *at != NULL; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    dedup_forget_origin(&t->hub->room, t);
}

void memory_leave(patio_transport *t)
{
    hub      *h       = t->hub;
    attached *waiting = NULL;
    pthread_mutex_lock(&h->lock);
    step_out(t);
    patio_buf *info = t->info;
    t->info         = NULL;
    for (uint32_t c = 0; c < h->room.chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &h->room.chunks[c][i];
            if (e->state == ENTRY_FREE) {
                continue;
            }
            if (e->origin == t) {
                e->origin = NULL;
            }
            if (e->state == ENTRY_LEASED && e->holder->instance == t) {
                give_back(t, e, &waiting);
            }
        }
    }
    for (queue *q = h->room.queues; q != NULL; q = q->next) {
        for (subscription **at = &q->subscriptions; *at != NULL;) {
            if ((*at)->instance == t) {
                drop_subscription(t, at);
            } else {
                at = &(*at)->next;
            }
        }
    }
    pthread_mutex_unlock(&h->lock);
    t->host->buf_drop(t->host->self, info);
    attached_tell(t->host, waiting, NULL, PATIO_PEER_LOST, "the worker that ran it was stopped");
    memory_hand_out_all(h);
}
