/* The I/O: who has the role (turn.h) waits, answers, and does what is due. */
#include "redis.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    EVENTS_MAX            = 64,
    PORT_DEFAULT          = 6379,
    SENTINEL_PORT_DEFAULT = 26379,
    LOOK_MS               = 20,
    TICK_MS               = 1000,
};
static const uint64_t ms_ns = 1000000;

uint64_t now_ns(const patio_transport *t)
{
    return t->host->now_ns(t->host->self);
}

void loop_kick(patio_transport *t)
{
    if (!t->woken && t->wake >= 0) {
        uint64_t one = 1;
        t->woken     = true;
        ssize_t n    = write(t->wake, &one, sizeof(one));
        (void)n; /* a full counter wakes as well */
    }
}

void loop_wake(patio_transport *t)
{
    if (turn_is_taken(&t->turn)) {
        loop_kick(t);
    }
}

/* Where a connection leads to. False: it is not known yet. */
static bool address_of(conn *c, const char **host, uint32_t *port)
{
    patio_transport      *t = c->t;
    const patio_endpoint *e = t->endpoint;
    if (c->role == CONN_SENTINEL) {
        const patio_host_port *at = &e->hosts[t->sentinel_next++ % e->host_count];
        *host                     = at->host;
        *port                     = at->port != 0 ? at->port : SENTINEL_PORT_DEFAULT;
        return true;
    }
    if (c->role != CONN_NODE) {
        *host = c->node->w.host;
        *port = c->node->w.port;
        return true;
    }
    if (t->sentinel) {
        *host = t->sentinel_host;
        *port = t->sentinel_port;
        return t->master_known;
    }
    /* a node that is gone may have been replaced: the others know, and so may the ones we began
     * with */
    t->slots_wanted = t->slots_wanted || (t->cluster && c->attempts >= 2);
    if (t->cluster && c->host[0] != '\0' && t->slots_known) {
        *host = c->host;
        *port = c->port;
        return true;
    }
    const patio_host_port *at = &e->hosts[t->seed_next++ % e->host_count];
    *host                     = at->host[0] != '\0' ? at->host : "localhost";
    *port                     = at->port != 0 ? at->port : PORT_DEFAULT;
    return true;
}

/* Under the lock. */
static bool wanted(const conn *c)
{
    const patio_transport *t = c->t;
    switch (c->role) {
    case CONN_NODE:
        return c->node->used;
    case CONN_READER:
        return c->node != NULL && c->node->ready && c->q->subscribed && !c->q->closed &&
               !t->stopping;
    case CONN_REPLIES:
        return c->node != NULL && c->node->ready && c->q->calls && c->q != t->lobby && !t->stopping;
    default:
        return t->sentinel && !t->master_known;
    }
}

static uint64_t patience_ns(const conn *c)
{
    const settings *s        = &c->t->set;
    bool            blocking = c->role == CONN_READER || c->role == CONN_REPLIES;
    return (s->dead_ms + (blocking ? s->block_ms : 0)) * ms_ns;
}

/* Silence is no death while the network still takes what we wrote. */
static bool moves(conn *c, uint64_t now)
{
    int unsent = 0;
    if (ioctl(c->fd, SIOCOUTQ, &unsent) != 0 || unsent == 0 || unsent == c->unsent) {
        return false;
    }
    pthread_mutex_lock(&c->t->lock);
    c->unsent      = unsent;
    c->progress_ns = now;
    pthread_mutex_unlock(&c->t->lock);
    return true;
}

static uint64_t serve_closed(conn *c, uint64_t now, uint64_t next)
{
    const char *host = NULL;
    uint32_t    port = 0;
    if (now < c->retry_ns) {
        return c->retry_ns < next ? c->retry_ns : next;
    }
    if (address_of(c, &host, &port)) {
        conn_open(c, host, port);
    }
    return now + LOOK_MS * ms_ns < next ? now + LOOK_MS * ms_ns : next;
}

/* Open, end and watch over one connection. Returns when to look again. */
static uint64_t serve(conn *c, uint64_t now, uint64_t next)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    bool     want     = wanted(c);
    bool     broken   = c->broken;
    bool     waiting  = c->cmd_count > 0;
    uint64_t progress = c->progress_ns;
    uint8_t  state    = c->state;
    pthread_mutex_unlock(&t->lock);
    if (state == CONN_CLOSED) {
        return want ? serve_closed(c, now, next) : next;
    }
    if (state == CONN_RESOLVING && !broken) {
        conn_resolved(c);
        next = now + LOOK_MS * ms_ns < next ? now + LOOK_MS * ms_ns : next;
    }
    uint64_t until = UINT64_MAX;
    if (state < CONN_OPEN) {
        until = c->opened_ns + t->set.handshake_ms * ms_ns;
    } else if (waiting) {
        until = progress + patience_ns(c);
    }
    if (broken) {
        conn_close(c, c->why.status, c->why.message);
    } else if (now >= until && (state < CONN_OPEN || !moves(c, now))) {
        conn_late(c);
        next = now + LOOK_MS * ms_ns < next ? now + LOOK_MS * ms_ns : next; /* its own time */
    } else if (!want && c->role != CONN_NODE) {
        conn_close(c, PATIO_CLOSED, "not needed any more");
    } else if (until < next) {
        next = until;
    }
    conn_watch(c);
    return next;
}

static uint64_t serve_all(patio_transport *t, uint64_t now, uint64_t next)
{
    pthread_mutex_lock(&t->lock);
    uint32_t nodes = t->node_count;
    queue   *first = t->queues;
    pthread_mutex_unlock(&t->lock);
    if (t->sentinel) {
        next = serve(&t->sentinel_conn, now, next);
    }
    for (uint32_t i = 0; i < nodes; i++) {
        next = serve(&t->nodes[i].w, now, next);
    }
    for (queue *q = first; q != NULL; q = q->next) {
        next = serve(&q->reader, now, next);
        next = serve(&q->replies, now, next);
    }
    return next;
}

/* Under the lock: what is due on its own account, and all that waits to be written. */
static uint64_t work_all(patio_transport *t, uint64_t now, uint64_t next)
{
    cluster_place(t);
    if (t->sentinel) {
        conn_flush(&t->sentinel_conn);
    }
    for (queue *q = t->queues; q != NULL; q = q->next) {
        next = queue_tick(q, now, next);
    }
    for (uint32_t i = 0; i < t->node_count; i++) {
        node *n = &t->nodes[i];
        if (n->hold_ns > now && n->hold_ns < next) {
            next = n->hold_ns;
        }
        if (n->hold_publish_ns > now && n->hold_publish_ns < next) {
            next = n->hold_publish_ns;
        }
        conn_flush(&n->w);
    }
    for (queue *q = t->queues; q != NULL; q = q->next) {
        conn_flush(&q->reader);
        conn_flush(&q->replies);
    }
    return next;
}

/* Under the lock: stop waits until nothing is on its way and every queue is left. */
static bool finished(const patio_transport *t)
{
    if (!t->stopping || t->settle_count > 0 || t->publish_count > 0) {
        return false;
    }
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        if (!q->left && (q->subscribed || q->calls) && q->node != NULL && q->node->ready) {
            return false;
        }
    }
    return true;
}

static int pass(patio_transport *t)
{
    uint64_t now  = now_ns(t);
    uint64_t next = serve_all(t, now, now + 1000 * ms_ns);
    pthread_mutex_lock(&t->lock);
    next     = work_all(t, now, next);
    t->woken = false;
    if (t->stopping && (finished(t) || now >= t->stop_ns)) {
        t->stopped = true;
        pthread_cond_broadcast(&t->changed);
    }
    if (t->stopping && t->stop_ns < next) {
        next = t->stop_ns;
    }
    next = turn_is_wanted(&t->turn) ? now : next;
    pthread_mutex_unlock(&t->lock);
    publish_expire(t, now, false);
    link_update(t);
    uint64_t after = now_ns(t);
    return next > after ? (int)((next - after + ms_ns - 1) / ms_ns) : 0;
}

void loop_once(patio_transport *t, patio_poll_done_fn done, const void *arg, int most_ms)
{
    struct epoll_event events[EVENTS_MAX];
    t->again   = false;
    int wait   = pass(t);
    wait       = wait < most_ms ? wait : most_ms;
    bool hurry = t->again || (done != NULL && done(arg) != 0);
    int  count = epoll_wait(t->epoll, events, EVENTS_MAX, hurry ? 0 : wait);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            uint64_t drained = 0;
            ssize_t  n       = read(t->wake, &drained, sizeof(drained));
            (void)n;
        } else {
            conn_event(events[i].data.ptr, events[i].events);
        }
    }
}

static void *run(void *arg)
{
    patio_transport *t = arg;
    pthread_setname_np(pthread_self(), "patio-redis");
    turn_begin(&t->turn);
    while (!atomic_load(&t->quit)) {
        loop_once(t, NULL, NULL, TICK_MS);
        turn_lend(&t->turn);
    }
    turn_end(&t->turn);
    return NULL;
}

patio_status loop_start(patio_transport *t, patio_error *err)
{
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->wake  = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->epoll < 0 || t->wake < 0) {
        return patio_fail(err, PATIO_IO, errno, "no file descriptors left: %s",
                          strerrordesc_np(errno));
    }
    t->incoming = t->host->alloc(t->host->self, READ_BYTES);
    if (t->incoming == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->wake, &ev) != 0) {
        return patio_fail(err, PATIO_IO, errno, "epoll: %s", strerrordesc_np(errno));
    }
    int error = pthread_create(&t->thread, NULL, run, t);
    if (error != 0) {
        return patio_fail(err, PATIO_IO, error, "no thread: %s", strerrordesc_np(error));
    }
    t->has_thread = true;
    return PATIO_OK;
}

void loop_join(patio_transport *t)
{
    if (t->has_thread) {
        pthread_mutex_lock(&t->lock);
        atomic_store(&t->quit, true);
        t->woken = false;
        turn_recall(&t->turn);
        loop_kick(t);
        pthread_mutex_unlock(&t->lock);
        (void)pthread_join(t->thread, NULL);
        t->has_thread = false;
    }
}
