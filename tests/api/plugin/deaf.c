/* deaf.c: a transport that takes tasks and delivers them only to who has subscribed often enough:
 * what a consumer that the broker forgot looks like. The option `deaf` says how many subscriptions
 * it forgets. Tasks named "link.N" change the link to state N instead of waiting. With the option
 * `fidgets` the link changes twice whenever the host says who it is. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <patio/plugin_util.h>
#include <patio/presence.h>
#include <patio/queues.h>

#include "fake.h"

enum { TASKS_MAX = 64, ONE_QUEUE = 64 };

typedef struct waiting {
    patio_id   id;
    char       queue[ONE_QUEUE];
    char       task[ONE_QUEUE];
    patio_buf *body;
    bool       leased;
    patio_tag  tag;
} waiting;

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    pthread_mutex_t               lock;
    waiting                       tasks[TASKS_MAX];
    uint32_t                      count;
    uint32_t                      subscribed; /* how often */
    uint32_t                      deaf;
    uint32_t                      credit;
    uint32_t                      unsettled;
    bool                          on;
    bool                          fidgets;
    uint32_t                      paused; /* PATIO_QUEUE_… */
    patio_tag                     tags;
};

static const patio_option        deaf      = {PATIO_SIZED(patio_option),
                                              .type     = PATIO_OPTION_INT,
                                              .name     = "deaf",
                                              .fallback = "1",
                                              .help     = "subscriptions that it forgets",
                                              .min      = 0,
                                              .max      = 1000};
static const patio_option        fidgets   = {PATIO_SIZED(patio_option), .type = PATIO_OPTION_BOOL,
                                              .name = "fidgets", .fallback = "false",
                                              .help = "the link is not calm"};
static const patio_option *const options[] = {&deaf, &fidgets, NULL};

static patio_status create(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err)
{
    (void)err;
    patio_transport *t = host->alloc(host->self, sizeof(*t));
    if (t == NULL) {
        return PATIO_NO_MEMORY;
    }
    memset(t, 0, sizeof(*t));
    t->host    = host;
    t->events  = params->events;
    t->deaf    = (uint32_t)params->endpoints->values[0].number;
    t->fidgets = params->endpoints->values[1].number != 0;
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    (void)err;
    t->events->link(t->events->self, PATIO_LINK_UP, NULL);
    return PATIO_OK;
}

static void destroy(patio_transport *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        t->host->buf_drop(t->host->self, t->tasks[i].body);
    }
    pthread_mutex_destroy(&t->lock);
    t->host->free(t->host->self, t);
}

/* Everything that waits, to the one who listens. */
static void deliver(patio_transport *t)
{
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        pthread_mutex_lock(&t->lock);
        waiting *w  = &t->tasks[i];
        bool     go = i < t->count && !w->leased && t->on && t->subscribed > t->deaf &&
                  t->unsettled < t->credit && t->paused != PATIO_QUEUE_PAUSED;
        t->unsettled += go ? 1 : 0;
        w->leased        = w->leased || go;
        w->tag           = go ? ++t->tags : w->tag;
        patio_message  m = {PATIO_SIZED(patio_message),
                            .id      = w->id,
                            .queue   = w->queue,
                            .task    = w->task,
                            .attempt = 1,
                            .body    = w->body};
        patio_delivery d = {PATIO_SIZED(patio_delivery), .tag = w->tag, .fence = 1, .message = &m};
        pthread_mutex_unlock(&t->lock);
        if (go) {
            t->events->delivered(t->events->self, &d);
        }
    }
}

static patio_status publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    static const char word[] = "link.";
    if (strncmp(m->task, word, sizeof(word) - 1) == 0) {
        patio_error why = PATIO_ERROR_INIT;
        (void)patio_fail(&why, PATIO_BLOCKED, 0, "as the test asked");
        uint32_t state = (uint32_t)strtoul(m->task + sizeof(word) - 1, NULL, 10);
        t->events->link(t->events->self, state, state == PATIO_LINK_UP ? NULL : &why);
        return patio_fail(err, PATIO_FULL, 0, "it was for the link");
    }
    pthread_mutex_lock(&t->lock);
    waiting *w = t->count < TASKS_MAX ? &t->tasks[t->count] : NULL;
    if (w != NULL) {
        t->count++;
        *w = (waiting){.id = m->id, .body = t->host->buf_ref(t->host->self, m->body)};
        (void)snprintf(w->queue, sizeof(w->queue), "%s", m->queue);
        (void)snprintf(w->task, sizeof(w->task), "%s", m->task);
    }
    pthread_mutex_unlock(&t->lock);
    if (w == NULL) {
        return patio_fail(err, PATIO_FULL, 0, "no room");
    }
    patio_receipt r = {PATIO_SIZED(patio_receipt), .outcome = PATIO_ACCEPTED, .id = m->id};
    if ((m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0) {
        t->events->published(t->events->self, &r);
    }
    deliver(t);
    return PATIO_OK;
}

static patio_status subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    (void)err;
    pthread_mutex_lock(&t->lock);
    t->subscribed += t->on ? 0 : 1;
    t->credit = s->credit;
    t->on     = true;
    pthread_mutex_unlock(&t->lock);
    deliver(t);
    return PATIO_OK;
}

static patio_status unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    (void)queue;
    (void)err;
    pthread_mutex_lock(&t->lock);
    t->on = false;
    pthread_mutex_unlock(&t->lock);
    return PATIO_OK;
}

static patio_status settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err)
{
    (void)err;
    bool back = s->verdict == PATIO_RETURN || s->verdict == PATIO_RETRY;
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->tasks[i].leased && t->tasks[i].tag == tag) {
            t->unsettled--;
            if (back) {
                t->tasks[i].leased = false;
            } else {
                t->host->buf_drop(t->host->self, t->tasks[i].body);
                t->tasks[i] = t->tasks[--t->count];
                memset(&t->tasks[t->count], 0, sizeof(t->tasks[0]));
            }
            break;
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (!back) {
        deliver(t);
    }
    return PATIO_OK;
}

static patio_status counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                           patio_counts *out, patio_error *err)
{
    (void)queue;
    (void)timeout_ms;
    (void)err;
    patio_counts n = {.struct_size = out->struct_size};
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < t->count; i++) {
        n.leased += t->tasks[i].leased ? 1 : 0;
        n.ready += t->tasks[i].leased ? 0 : 1;
    }
    pthread_mutex_unlock(&t->lock);
    memcpy(out, &n, out->struct_size < sizeof(n) ? out->struct_size : sizeof(n));
    return PATIO_OK;
}

static patio_status set_state(patio_transport *t, const char *queue, uint32_t state,
                              uint64_t timeout_ms, patio_error *err)
{
    (void)queue;
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&t->lock);
    t->paused = state;
    pthread_mutex_unlock(&t->lock);
    deliver(t);
    return PATIO_OK;
}

static patio_status get_state(patio_transport *t, const char *queue, uint64_t timeout_ms,
                              uint32_t *state, patio_error *err)
{
    (void)queue;
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&t->lock);
    *state = t->paused;
    pthread_mutex_unlock(&t->lock);
    return PATIO_OK;
}

static const patio_queues_ops queues_ops = {PATIO_SIZED(patio_queues_ops), .set_state = set_state,
                                            .get_state = get_state};

static patio_status announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    patio_error why = PATIO_ERROR_INIT;
    (void)info;
    (void)err;
    (void)patio_fail(&why, PATIO_BLOCKED, 0, "it is not calm");
    t->events->link(t->events->self, PATIO_LINK_BLOCKED, &why);
    t->events->link(t->events->self, PATIO_LINK_UP, NULL);
    return PATIO_OK;
}

static const patio_presence_ops presence_ops = {PATIO_SIZED(patio_presence_ops),
                                                .announce = announce};

static const void *query_instance(patio_transport *t, const char *interface_id)
{
    if (t->fidgets && strcmp(interface_id, PATIO_PRESENCE_ID) == 0) {
        return &presence_ops;
    }
    return strcmp(interface_id, PATIO_QUEUES_ID) == 0 ? &queues_ops : NULL;
}

static const patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .caps        = PATIO_CAP_QUEUE,
    .options     = options,
    .create      = create,
    .start       = start,
    .stop        = fake_stop,
    .destroy     = destroy,
    .publish     = publish,
    .subscribe   = subscribe,
    .unsubscribe = unsubscribe,
    .settle      = settle,
    .counts      = counts,
    .query       = query_instance,
};
FAKE_QUERY
PATIO_PLUGIN_DEFINE(deaf, "1.0.0", "MIT", "forgets its first subscriptions", query)
