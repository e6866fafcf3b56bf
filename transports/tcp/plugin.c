/* The tcp transport: tasks and replies between processes, with nothing to install between them.
 *
 * Who listens and who connects is only how two sides meet; both may call and both may execute.
 * docs/tcp.md has URLs, options and every byte of the protocol. tcp.h is the place to begin
 * reading; publish.c, route.c, read.c and settle.c are the way of one task.
 */
#include "tcp.h"

#include <time.h>

static patio_status make_self(patio_transport *t, patio_error *err)
{
    conn *c = t->host->alloc(t->host->self, sizeof(*c));
    if (c == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(c, 0, sizeof(*c));
    c->t          = t;
    c->fd         = -1;
    c->self       = true;
    c->state      = CONN_OPEN;
    c->max_bytes  = UINT32_MAX;
    c->larges_end = &c->larges;
    t->self       = c;
    t->conns      = c;
    return PATIO_OK;
}

static void init_lock(patio_transport *t)
{
    pthread_mutexattr_t adaptive;
    pthread_mutexattr_init(&adaptive);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    /* held for a few dozen nanoseconds: looking again beats sleeping */
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&t->lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->calm, &monotonic);
    pthread_condattr_destroy(&monotonic);
    turn_init(&t->turn, &tcp_turn, t, &t->lock);
}

static void destroy(patio_transport *t)
{
    if (t == NULL) {
        return;
    }
    const patio_host *host = t->host;
    loop_stop(t);
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        endpoint_close(&t->endpoints[i]);
        tcp_forget_settings(&t->endpoints[i]);
    }
    if (t->self != NULL) {
        conn_free(t->self);
    }
    hub_fini(t);
    ask_fini(t);
    host->free(host->self, t->endpoints);
    host->free(host->self, t->read_data);
    host->free(host->self, t->rates);
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
    t->tick_fd = -1;
    init_lock(t);
    t->host = host;
    store_init(&t->room, host, &t->lock);
    ask_init(t);
    t->events         = params->events;
    t->incarnation    = params->incarnation;
    t->max_body_bytes = params->max_body_bytes;
    t->least_bytes    = UINT64_MAX;
    (void)snprintf(t->project, sizeof(t->project), "%s", params->project);
    patio_status st = tcp_read_settings(t, params, err);
    if (st == PATIO_OK) {
        st = make_self(t, err);
    }
    if (st != PATIO_OK) {
        destroy(t);
        return st;
    }
    *out = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    enum { ARRIVE_NS = 1000 * 1000 * 1000 };
    bool         listens = false;
    patio_status st      = PATIO_OK;
    for (uint32_t i = 0; i < t->endpoint_count && st == PATIO_OK; i++) {
        st = secure_load(&t->endpoints[i], err);
    }
    for (uint32_t i = 0; i < t->endpoint_count && st == PATIO_OK; i++) {
        if (t->endpoints[i].listens) {
            st      = endpoint_listen(&t->endpoints[i], err);
            listens = true;
        } else {
            t->ask.hoped++;
            t->arriving++;
        }
    }
    if (st == PATIO_OK) {
        t->link_state = listens ? PATIO_LINK_UP : PATIO_LINK_CONNECTING;
        pthread_mutex_lock(&t->lock);
        t->running   = true;
        t->arrive_ns = t->host->now_ns(t->host->self) + ARRIVE_NS;
        pthread_mutex_unlock(&t->lock);
        st = loop_start(t, err);
    }
    if (st == PATIO_OK && listens) {
        t->events->link(t->events->self, PATIO_LINK_UP, NULL);
    }
    return st;
}

/* What must leave before the end: sends that nobody has settled, and bytes. */
static bool is_flushed(const patio_transport *t)
{
    bool clean = t->sends == 0;
    for (const conn *c = t->conns; clean && c != NULL; c = c->next) {
        clean = c->self || c->state != CONN_OPEN || write_backlog(c) == 0;
    }
    return clean;
}

/* What came here and is not settled goes to another worker. First nobody may give it back to us. */
static void give_back(patio_transport *t)
{
    effects fx;
    effects_begin(&fx, t);
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        if (q->own != NULL) {
            subscribe_close(q);
        }
    }
    peer_announce_all(t, &fx);
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        while (q->own != NULL && q->own->waiting > 0) {
            inbox_return_all(q->own, &fx);
            effects_pass(&fx);
        }
    }
    for (uint32_t i = 0; i < t->room.chunk_count * CHUNK_ENTRIES; i++) {
        if (!effects_room(&fx)) {
            effects_pass(&fx);
        }
        inbox_return_unsettled(&t->room.chunks[i / CHUNK_ENTRIES][i % CHUNK_ENTRIES], &fx);
    }
    effects_end(&fx);
}

static bool wait_flushed(patio_transport *t, uint64_t grace_ms)
{
    struct timespec until;
    grace_ms = grace_ms < UINT32_MAX ? grace_ms : UINT32_MAX;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(grace_ms / 1000u);
    until.tv_nsec += (long)(grace_ms % 1000u) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int rc          = 0;
    t->waiting_calm = true;
    while (rc == 0 && !is_flushed(t)) {
        rc = pthread_cond_timedwait(&t->calm, &t->lock, &until);
    }
    t->waiting_calm = false;
    return is_flushed(t);
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    enum { LAST_WORDS_MS = 100 };
    if (!t->has_thread) {
        return PATIO_OK;
    }
    atomic_store_explicit(&t->stopping, true, memory_order_seq_cst);
    give_back(t);
    pthread_mutex_lock(&t->lock);
    turn_recall(&t->turn);
    bool     flushed = wait_flushed(t, grace_ms > LAST_WORDS_MS ? grace_ms : LAST_WORDS_MS);
    uint64_t held    = t->sends;
    t->running       = false;
    pthread_cond_broadcast(&t->ask.answered);
    uint32_t calls = atomic_fetch_or_explicit(&t->calls, CALLS_AWAITED, memory_order_seq_cst);
    while (calls != 0 && !t->idled) {
        pthread_cond_wait(&t->calm, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    loop_stop(t);
    losses_tell(t);
    if (held > 0) {
        return patio_fail(err, PATIO_TIMEOUT, 0,
                          "%llu accepted tasks were not settled by any worker within %llu ms and "
                          "are lost with this process",
                          (unsigned long long)held, (unsigned long long)grace_ms);
    }
    return flushed ? PATIO_OK
                   : patio_fail(err, PATIO_TIMEOUT, 0, "some peers did not take all that was sent");
}

static const void *query_instance(patio_transport *t, const char *interface_id)
{
    static const struct {
        const char *id;
        const void *table;
    } tables[] = {
        {PATIO_PEERS_ID, &tcp_peers},
        {PATIO_DEAD_ID, &tcp_dead_ops},
        {PATIO_RESULTS_ID, &tcp_results_ops},
        {PATIO_QUEUES_ID, &tcp_queues_ops},
        {PATIO_PRESENCE_ID, &tcp_presence_ops},
        {PATIO_DOCTOR_ID, &tcp_doctor_ops},
        {PATIO_POLL_ID, &tcp_poll},
    };
    (void)t;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].id, interface_id) == 0) {
            return tables[i].table;
        }
    }
    return NULL;
}

static const patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .caps = PATIO_CAP_PRIORITY | PATIO_CAP_DELAY | PATIO_CAP_CANCEL | PATIO_CAP_DEAD_LETTERS |
            PATIO_CAP_ROUTES | PATIO_CAP_QUEUE | PATIO_CAP_DEDUP | PATIO_CAP_RESULTS,
    .options     = tcp_options,
    .schemes     = tcp_schemes,
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = tcp_publish,
    .subscribe   = tcp_subscribe,
    .unsubscribe = tcp_unsubscribe,
    .settle      = tcp_settle,
    .notify      = tcp_notify,
    .cancel      = tcp_cancel,
    .counts      = tcp_counts,
    .query       = query_instance,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(tcp, "0.1.0", "MIT", "tasks and replies between processes, with no broker",
                    query)
