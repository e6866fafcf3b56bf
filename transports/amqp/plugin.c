/* The amqp transport: tasks through RabbitMQ. docs/amqp.md has its names, its
 * choices and their reasons; transport.h is the place to begin reading. */
#include "transport.h"

#include <time.h>
#include <unistd.h>

static void init_lock(patio_transport *t)
{
    pthread_mutexattr_t adaptive;
    pthread_condattr_t  monotonic;
    pthread_mutexattr_init(&adaptive);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&t->lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->calm, &monotonic);
    pthread_condattr_destroy(&monotonic);
    turn_init(&t->turn, &amqp_turn, t, &t->lock);
}

static void destroy(patio_transport *t)
{
    if (t == NULL) {
        return;
    }
    const patio_host *host = t->host;
    loop_stop(t);
    if (t->wake_fd >= 0) {
        (void)close(t->wake_fd); /* not before: somebody may have been about to wake the thread */
    }
    for (int i = 0; i < LINKS; i++) {
        host->free(host->self, t->links[i].out.data);
        host->free(host->self, t->links[i].wire.data);
    }
    rpc_link_lost(t);
    control_free_all(t);
    host->free(host->self, t->info.data);
    host->free(host->self, t->replied);
    host->free(host->self, t->seen);
    host->free(host->self, t->strays);
    host->free(host->self, t->tombs);
    host->free(host->self, t->ended);
    deliver_free_all(t);
    place_free_all(t);
    host->free(host->self, t->ring);
    SSL_CTX_free(t->tls);
    BIO_meth_free(t->tls_bio);
    options_free(t);
    turn_fini(&t->turn);
    pthread_cond_destroy(&t->calm);
    pthread_mutex_destroy(&t->lock);
    host->free(host->self, t);
}

static patio_status create(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err)
{
    patio_transport *t = host->alloc(host->self, sizeof(*t));
    if (t == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(t, 0, sizeof(*t));
    init_lock(t);
    t->host           = host;
    t->events         = params->events;
    t->incarnation    = params->incarnation;
    t->max_body_bytes = params->max_body_bytes;
    t->raised         = PATIO_LINK_CONNECTING;
    t->wake_fd        = -1;
    t->rpc_end        = &t->rpc_first;
    t->ring_first = t->ring_next = 1;
    t->leases.next = t->leases.prev = &t->leases;
    post_list_init(&t->resend);
    post_list_init(&t->refused);
    (void)snprintf(t->project, sizeof(t->project), "%s", params->project);
    place_shorten(t->address, sizeof(t->address), params->project);
    inbox_name(t);
    for (uint32_t i = 0; i < LINKS; i++) {
        t->links[i].t    = t;
        t->links[i].role = i;
        t->links[i].fd   = -1;
    }
    patio_status st = options_read(t, params, err);
    if (st != PATIO_OK) {
        destroy(t);
        return st;
    }
    *out = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    patio_status st = tls_make(t, err);
    return st == PATIO_OK ? loop_start(t, err) : st;
}

/* Nothing of ours is on its way any more, and nothing comes: what is delivered to a consumer that
 * ends is sent on as a copy, and such a copy whose original we have no time to acknowledge is one
 * task twice. */
static bool is_flushed(const patio_transport *t)
{
    if (!subscribe_all_off(t)) {
        return false;
    }
    if (t->ring_first != t->ring_next || t->resend.first != NULL || t->refused.first != NULL ||
        t->ackable > 0) {
        return false;
    }
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            if (place_at(q, i) != NULL && place_at(q, i)->waiting.first != NULL) {
                return false;
            }
        }
    }
    for (int i = 0; i < LINKS; i++) {
        if (t->links[i].out.size > 0 || t->links[i].wire.size > 0) {
            return false;
        }
    }
    return true;
}

static bool wait_flushed(patio_transport *t, uint64_t grace_ms)
{
    enum { LOOK_MS = 20 };
    uint64_t until = t->host->now_ns(t->host->self) + grace_ms * 1000000u;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    turn_recall(&t->turn);
    for (queue *q = t->queues; q != NULL; q = q->next) {
        q->subscribed = false;
        deliver_give_back(t, q, true, 0);
    }
    t->work = true;
    bool flushed;
    while (!(flushed = is_flushed(t)) && t->host->now_ns(t->host->self) < until) {
        struct timespec soon;
        clock_gettime(CLOCK_MONOTONIC, &soon);
        soon.tv_nsec += LOOK_MS * 1000000L;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        loop_wake(t);
        (void)pthread_cond_timedwait(&t->calm, &t->lock, &soon);
    }
    pthread_mutex_unlock(&t->lock);
    return flushed;
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    if (!t->started) {
        return PATIO_OK;
    }
    uint64_t until_ns = t->host->now_ns(t->host->self) + grace_ms * 1000000u;
    bool     flushed  = wait_flushed(t, grace_ms);
    if (t->set.reply == REPLY_QUEUE) {
        rpc_remove_inbox(t, until_ns);
    }
    loop_stop(t);
    return flushed ? PATIO_OK
                   : patio_fail(err, PATIO_TIMEOUT, 0,
                                "stop: not everything was confirmed by %s within %llu ms", t->shown,
                                (unsigned long long)grace_ms);
}

static patio_status counts(patio_transport *t, const char *name, uint64_t timeout_ms,
                           patio_counts *out, patio_error *err)
{
    return counts_ask(t, name, timeout_ms, out, err);
}

static const void *query_instance(patio_transport *t, const char *interface_id)
{
    (void)t;
    return strcmp(interface_id, PATIO_DEAD_ID) == 0       ? (const void *)&dead_ops
           : strcmp(interface_id, PATIO_QUEUES_ID) == 0   ? &queues_ops
           : strcmp(interface_id, PATIO_PRESENCE_ID) == 0 ? &presence_ops
           : strcmp(interface_id, PATIO_DOCTOR_ID) == 0   ? &doctor_ops
           : strcmp(interface_id, PATIO_POLL_ID) == 0     ? &amqp_poll
           : strcmp(interface_id, PATIO_TOPOLOGY_ID) == 0 ? (const void *)&topology_ops
                                                          : NULL;
}

static const patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .caps = PATIO_CAP_PERSIST | PATIO_CAP_PRIORITY | PATIO_CAP_DELAY | PATIO_CAP_DEAD_LETTERS |
            PATIO_CAP_QUEUE | PATIO_CAP_CANCEL,
    .options     = option_table,
    .schemes     = scheme_table,
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = transport_publish,
    .subscribe   = transport_subscribe,
    .unsubscribe = transport_unsubscribe,
    .settle      = transport_settle,
    .notify      = transport_notify,
    .cancel      = transport_cancel,
    .counts      = counts,
    .query       = query_instance,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(amqp, "0.1.0", "MIT", "tasks through RabbitMQ (AMQP 0-9-1)", query)
