/* The end of a connection, and what is to be done about what was on it. */
#include "redis.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Under the lock. */
static void node_lost(node *n)
{
    patio_status status = n->w.why.status;
    bool         named  = status == PATIO_AUTH || status == PATIO_CONFIG || status == PATIO_BLOCKED;
    n->ready            = false;
    n->trouble.status   = named ? status : PATIO_UNREACHABLE;
    (void)snprintf(n->trouble.message, sizeof(n->trouble.message), "%s:%u: %.600s", n->w.host,
                   n->w.port, n->w.why.message);
}

static void lose_commands(conn *c)
{
    cmd k;
    for (;;) {
        pthread_mutex_lock(&c->t->lock);
        bool some = command_pop(c, &k);
        pthread_mutex_unlock(&c->t->lock);
        if (!some) {
            return;
        }
        dispatch(c, &k, NULL);
    }
}

static uint64_t pause_ns(conn *c)
{
    uint64_t random = 0;
    (void)c->t->host->random(c->t->host->self, &random, sizeof(random));
    uint64_t cap = c->t->set.reconnect_max_ms;
    uint64_t ms  = patio_backoff_ms(c->attempts, c->t->set.reconnect_min_ms, cap, random);
    return (ms + c->t->set.reconnect_min_ms / 2) * 1000000u;
}

void conn_close(conn *c, patio_status status, const char *why)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    if (c->state == CONN_CLOSED) {
        pthread_mutex_unlock(&t->lock);
        return;
    }
    conn_break(c, status, why);
    if (c->flushing) {
        /* its writer sees `broken` and wakes us */
        pthread_mutex_unlock(&t->lock);
        return;
    }
    int  fd  = c->fd;
    SSL *ssl = c->ssl;
    c->state = CONN_CLOSED;
    c->fd    = -1;
    c->ssl   = NULL;
    c->attempts++;
    c->retry_ns = now_ns(t) + pause_ns(c);
    if (c->role == CONN_NODE) {
        node_lost(c->node);
        t->master_known = false;
    }
    pthread_mutex_unlock(&t->lock);
    patio_host_log(t->host, PATIO_LOG_DEBUG, "connection to %s:%u ended: %s", c->host, c->port,
                   c->why.message);
    if (c->polled) {
        (void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, fd, NULL);
        c->polled = false;
    }
    resolve_drop(c->t, c->names);
    c->names = NULL;
    if (ssl != NULL) {
        SSL_free(ssl);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    lose_commands(c);
    pthread_mutex_lock(&t->lock);
    c->out.size = c->writing.size = 0;
    c->writing_at                 = 0;
    c->appended = c->written = 0;
    c->want_write            = false;
    c->broken                = false;
    c->hello_left            = 0;
    pthread_mutex_unlock(&t->lock);
    resp_reader_free(c->reader);
    c->reader = NULL;
}
