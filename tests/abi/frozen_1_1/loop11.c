/* A transport as it was written for ABI 1.1, compiled from the headers of that day for ever: calls
 * and sends of one process to itself, in order, held in memory. It has no capability, so the host
 * must refuse by name what would need one. */
#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { TASKS_MAX = 64 };

typedef struct entry {
    uint32_t   number; /* in the order of publishing; 0: free */
    bool       leased;
    uint16_t   attempt;
    uint64_t   fence;
    uint32_t   flags;
    patio_id   id;
    char       queue[256];
    char       task[256];
    patio_buf *body;
} entry;

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *up;
    pthread_mutex_t               lock;
    bool                          running;
    uint64_t                      max_body_bytes;
    uint32_t                      published;
    uint32_t                      credit;
    uint32_t                      unsettled;
    char                          queue[256]; /* subscribed */
    entry                         entries[TASKS_MAX];
};

static patio_status create(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err)
{
    patio_transport *t = host->alloc(host->self, sizeof(*t));
    if (t == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "loop11: out of memory");
    }
    memset(t, 0, sizeof(*t));
    t->host = host;
    t->up   = params->events;

    t->max_body_bytes = params->max_body_bytes;
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return PATIO_OK;
}

static void destroy(patio_transport *t)
{
    if (t == NULL) {
        return;
    }
    for (int i = 0; i < TASKS_MAX; i++) {
        t->host->buf_drop(t->host->self, t->entries[i].body);
    }
    pthread_mutex_destroy(&t->lock);
    t->host->free(t->host->self, t);
}

static patio_status start(patio_transport *t, patio_error *err)
{
    (void)err;
    t->running = true;
    t->up->link(t->up->self, PATIO_LINK_UP, NULL);
    return PATIO_OK;
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    (void)grace_ms;
    (void)err;
    pthread_mutex_lock(&t->lock);
    t->running = false;
    pthread_mutex_unlock(&t->lock);
    return PATIO_OK;
}

/* The oldest that may be delivered, under a lease now; NULL: none. Under the lock. */
static entry *next(patio_transport *t)
{
    entry *first = NULL;
    for (int i = 0; i < TASKS_MAX && t->running && t->unsettled < t->credit; i++) {
        entry *e = &t->entries[i];
        if (e->number != 0 && !e->leased && strcmp(e->queue, t->queue) == 0 &&
            (first == NULL || e->number < first->number)) {
            first = e;
        }
    }
    if (first != NULL) {
        first->leased = true;
        first->fence++;
        t->unsettled++;
    }
    return first;
}

/* The tag says which entry and which delivery of it. */
static void pump(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    for (entry *e = next(t); e != NULL; e = next(t)) {
        patio_message m = {
            PATIO_SIZED(patio_message), .flags = e->flags, .id = e->id,
            .queue = e->queue,          .task = e->task,   .priority = PATIO_PRIORITY_DEFAULT,
            .attempt = e->attempt,      .body = e->body};
        patio_delivery d = {PATIO_SIZED(patio_delivery),
                            .tag   = e->fence << 32 | (uint64_t)(e - t->entries + 1),
                            .fence = e->fence, .message = &m};
        pthread_mutex_unlock(&t->lock);
        t->up->delivered(t->up->self, &d);
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

/* What it would need that is not there; NULL: nothing. */
static const char *lacking(const patio_message *m)
{
    return m->delay_ms != 0                        ? "delay"
           : m->dedup_key.size != 0                ? "dedup"
           : m->level > PATIO_LEVEL_PROCESS        ? "level above 0"
           : m->priority != PATIO_PRIORITY_DEFAULT ? "priority"
                                                   : NULL;
}

/* Under the lock. */
static patio_status put(patio_transport *t, const patio_message *m)
{
    entry *e = NULL;
    for (int i = 0; i < TASKS_MAX && e == NULL; i++) {
        e = t->entries[i].number == 0 ? &t->entries[i] : NULL;
    }
    if (!t->running) {
        return PATIO_CLOSED;
    }
    if (strcmp(t->queue, m->queue) != 0) {
        return PATIO_NO_ROUTE;
    }
    if (e == NULL) {
        return PATIO_FULL;
    }
    e->number  = ++t->published;
    e->leased  = false;
    e->attempt = m->attempt;
    e->flags   = m->flags;
    e->id      = m->id;
    e->body    = t->host->buf_ref(t->host->self, m->body);
    (void)snprintf(e->queue, sizeof(e->queue), "%s", m->queue);
    (void)snprintf(e->task, sizeof(e->task), "%s", m->task);
    return PATIO_OK;
}

static patio_status publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    if (lacking(m) != NULL) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0, "loop11 has no %s", lacking(m));
    }
    if (t->host->buf_view(t->host->self, m->body).size > t->max_body_bytes) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "loop11: the body is too large");
    }
    pthread_mutex_lock(&t->lock);
    patio_status st = put(t, m);
    pthread_mutex_unlock(&t->lock);
    if (st != PATIO_OK) {
        return patio_fail(err, st, 0, "loop11: queue %s %s", m->queue,
                          st == PATIO_FULL     ? "is full"
                          : st == PATIO_CLOSED ? "is closed"
                                               : "has no worker in this process");
    }
    if ((m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0) {
        patio_receipt r = {PATIO_SIZED(patio_receipt), .outcome = PATIO_ACCEPTED, .id = m->id,
                           .level = PATIO_LEVEL_PROCESS};
        t->up->published(t->up->self, &r);
    }
    pump(t);
    return PATIO_OK;
}

static patio_status subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    (void)err;
    pthread_mutex_lock(&t->lock);
    (void)snprintf(t->queue, sizeof(t->queue), "%s", s->queue);
    t->credit = s->credit;
    pthread_mutex_unlock(&t->lock);
    pump(t);
    return PATIO_OK;
}

static patio_status unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    bool known = strcmp(queue, t->queue) == 0;
    t->credit  = known ? 0 : t->credit;
    pthread_mutex_unlock(&t->lock);
    return known ? PATIO_OK : patio_fail(err, PATIO_NOT_FOUND, 0, "loop11: queue %s", queue);
}

/* Under the lock; NULL: stale. */
static entry *leased(patio_transport *t, patio_tag tag)
{
    uint64_t index = tag & UINT32_MAX;
    entry   *e     = index >= 1 && index <= TASKS_MAX ? &t->entries[index - 1] : NULL;
    return e != NULL && e->leased && e->fence == tag >> 32 ? e : NULL;
}

static patio_status settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err)
{
    patio_buf  *body  = NULL;
    patio_reply reply = {PATIO_SIZED(patio_reply), .body = s->reply};
    pthread_mutex_lock(&t->lock);
    entry *e     = leased(t, tag);
    bool   open  = t->running;
    bool   stale = !open || e == NULL;
    bool   over  = s->verdict == PATIO_ACK || s->verdict == PATIO_REJECT;
    bool   calls = !stale && over && (e->flags & PATIO_MESSAGE_CALL) != 0 && s->reply != NULL;
    if (!stale && s->verdict != PATIO_CLAIM) {
        reply.id   = e->id;
        e->leased  = false;
        e->attempt = (uint16_t)(e->attempt + (s->verdict == PATIO_RETRY));
        t->unsettled--;
        if (over) {
            body      = e->body;
            e->body   = NULL;
            e->number = 0;
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (stale) {
        return patio_fail(err, open ? PATIO_STALE : PATIO_CLOSED, 0, "loop11: %s",
                          open ? "that delivery is over" : "it is stopped");
    }
    if (calls) {
        t->up->replied(t->up->self, &reply);
    }
    t->host->buf_drop(t->host->self, body);
    pump(t);
    return PATIO_OK;
}

static patio_status counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                           patio_counts *out, patio_error *err)
{
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&t->lock);
    out->ready = out->leased = out->delayed = out->dead = 0;
    for (int i = 0; i < TASKS_MAX; i++) {
        const entry *e = &t->entries[i];
        if (e->number != 0 && strcmp(e->queue, queue) == 0) {
            out->leased += e->leased;
            out->ready += !e->leased;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return PATIO_OK;
}

static const patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = publish,
    .subscribe   = subscribe,
    .unsubscribe = unsubscribe,
    .settle      = settle,
    .counts      = counts,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(loop11, "1.1.0", "MIT", "calls of one process to itself", query)
