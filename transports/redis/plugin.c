/* The redis transport: tasks in Redis streams, for workers and callers anywhere.
 *
 * redis.h has the map; scripts/ what happens at the server; docs/redis.md what is promised. */
#include "redis.h"

#include <time.h>
#include <unistd.h>

static patio_status make_parts(patio_transport *t, const patio_transport_params *params,
                               patio_error *err)
{
    const patio_host *host = t->host;
    size_t            size = strlen(params->project) + 1;
    t->project             = host->alloc(host->self, size);
    if (t->project == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memcpy(t->project, params->project, size);
    if (strpbrk(t->project, "{}:") != NULL) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "project \"%s\": braces and colons do not go into keys", t->project);
    }
    if (t->cluster) {
        t->slot_node = host->alloc(host->self, SLOTS);
        if (t->slot_node == NULL) {
            return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        }
        memset(t->slot_node, 0, SLOTS);
    }
    return tls_prepare(t, err);
}

static void inbox_drop_all(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        inbox_return(q); /* as settlements nobody sends: the server gave them to others already */
    }
}

static void destroy(patio_transport *t)
{
    if (t == NULL) {
        return;
    }
    const patio_host *host = t->host;
    loop_join(t);
    inbox_drop_all(t);
    settle_drop_all(t);
    cancel_drop_all(t);
    deliveries_fini(t);
    while (t->queues != NULL) {
        queue *q  = t->queues;
        t->queues = q->next;
        queue_free(q);
    }
    for (uint32_t i = 0; i < t->node_count; i++) {
        conn_fini(&t->nodes[i].w);
    }
    conn_fini(&t->sentinel_conn);
    if (t->epoll >= 0) {
        (void)close(t->epoll);
    }
    if (t->wake >= 0) {
        (void)close(t->wake);
    }
    SSL_CTX_free(t->ssl_ctx);
    BIO_meth_free(t->bio);
    bytes_fini(host, &t->presence);
    host->free(host->self, t->incoming);
    host->free(host->self, t->slot_node);
    host->free(host->self, t->project);
    turn_fini(&t->turn);
    pthread_cond_destroy(&t->changed);
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
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    turn_init(&t->turn, &redis_turn, t, &t->lock);
    t->host           = host;
    t->events         = params->events;
    t->endpoint       = params->endpoints;
    t->max_body_bytes = params->max_body_bytes;
    t->incarnation    = params->incarnation;
    t->epoll          = -1;
    t->wake           = -1;
    t->node_count     = 1;
    (void)snprintf(t->owner, sizeof(t->owner), "%016llx", (unsigned long long)t->incarnation);
    conn_init(&t->nodes[0].w, t, CONN_NODE, &t->nodes[0], NULL);
    conn_init(&t->sentinel_conn, t, CONN_SENTINEL, NULL, NULL);
    t->nodes[0].used = true;
    patio_status st  = redis_configure(t, params, err);
    st               = st == PATIO_OK ? make_parts(t, params, err) : st;
    if (st != PATIO_OK) {
        destroy(t);
        return st;
    }
    *out = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    t->running      = true;
    patio_status st = loop_start(t, err);
    if (st != PATIO_OK) {
        t->running = false;
    }
    return st;
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    if (!t->has_thread) {
        t->running = false;
        pthread_mutex_unlock(&t->lock);
        return PATIO_OK;
    }
    grace_ms    = grace_ms < 3600000 ? grace_ms : 3600000;
    t->stopping = true;
    /* a goodbye takes one round trip, so even a stop in a hurry says it */
    t->stop_ns = now_ns(t) + (grace_ms > 200 ? grace_ms : 200) * 1000000u;
    turn_recall(&t->turn);
    loop_wake(t);
    while (!t->stopped) {
        pthread_cond_wait(&t->changed, &t->lock);
    }
    uint32_t left = t->settle_count + t->publish_count;
    pthread_mutex_unlock(&t->lock);
    loop_join(t);
    publish_expire(t, now_ns(t), true);
    pthread_mutex_lock(&t->lock);
    while (t->delivering > 0) {
        pthread_cond_wait(&t->changed, &t->lock);
    }
    t->running = false;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < t->node_count; i++) {
        conn_close(&t->nodes[i].w, PATIO_CLOSED, "stopped");
    }
    for (queue *q = t->queues; q != NULL; q = q->next) {
        conn_close(&q->reader, PATIO_CLOSED, "stopped");
        conn_close(&q->replies, PATIO_CLOSED, "stopped");
    }
    conn_close(&t->sentinel_conn, PATIO_CLOSED, "stopped");
    publish_expire(t, now_ns(t), true);
    return left == 0
               ? PATIO_OK
               : patio_fail(err, PATIO_TIMEOUT, 0,
                            "stop: %u tasks and settlements were not taken by the server in time",
                            left);
}

static const patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .caps = PATIO_CAP_PRIORITY | PATIO_CAP_DELAY | PATIO_CAP_DEDUP | PATIO_CAP_CANCEL |
            PATIO_CAP_RESULTS | PATIO_CAP_DEAD_LETTERS | PATIO_CAP_QUEUE | PATIO_CAP_LIMITS |
            PATIO_CAP_STARTED,
    .options     = redis_options,
    .schemes     = redis_schemes,
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = redis_publish,
    .subscribe   = redis_subscribe,
    .unsubscribe = redis_unsubscribe,
    .settle      = redis_settle,
    .started     = redis_started,
    .notify      = redis_notify,
    .cancel      = redis_cancel,
    .counts      = redis_counts,
    .query       = redis_query,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(redis, "0.1.0", "MIT", "tasks through Redis or Valkey streams", query)
