/* One connection: read, write. Its beginning: conn_open.c. Its end: conn_close.c. */
#include "redis.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_ROUNDS = 8 };

void conn_init(conn *c, patio_transport *t, uint8_t role, node *n, queue *q)
{
    memset(c, 0, sizeof(*c));
    c->t    = t;
    c->role = role;
    c->node = n;
    c->q    = q;
    c->fd   = -1;
    pthread_mutex_init(&c->tls_lock, NULL);
}

void conn_fini(conn *c)
{
    const patio_host *host = c->t->host;
    resolve_drop(c->t, c->names);
    c->names = NULL;
    if (c->ssl != NULL) {
        SSL_free(c->ssl);
    }
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    c->fd = -1;
    resp_reader_free(c->reader);
    c->reader = NULL;
    bytes_fini(host, &c->out);
    bytes_fini(host, &c->writing);
    host->free(host->self, c->cmds);
    c->cmds = NULL;
    pthread_mutex_destroy(&c->tls_lock);
}

/* What the poll waits for is what is needed now. */
void conn_watch(conn *c)
{
    bool out = c->state == CONN_CONNECTING || (c->state == CONN_TLS && c->tls_write_first);
    pthread_mutex_lock(&c->t->lock);
    out = out || c->want_write;
    pthread_mutex_unlock(&c->t->lock);
    if (c->fd < 0 || (c->polled && out == c->polled_out)) {
        return;
    }
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = c};
    if (epoll_ctl(c->t->epoll, c->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev) != 0) {
        conn_close(c, PATIO_IO, strerrordesc_np(errno));
        return;
    }
    c->polled     = true;
    c->polled_out = out;
}

static ssize_t read_some(conn *c, void *data, size_t size)
{
    if (c->ssl != NULL) {
        return tls_read(c, data, size);
    }
    ssize_t n = recv(c->fd, data, size, 0);
    return n;
}

static void answers(conn *c)
{
    const resp *tree = NULL;
    int         more = 0;
    while (c->reader != NULL && !c->broken && (more = resp_next(c->reader, &tree)) == 1) {
        cmd k;
        pthread_mutex_lock(&c->t->lock);
        bool some = command_pop(c, &k);
        if (some) {
            c->attempts = c->state == CONN_OPEN ? 0 : c->attempts;
        }
        pthread_mutex_unlock(&c->t->lock);
        if (!some) {
            conn_close(c, PATIO_PROTOCOL,
                       resp_error(tree) ? tree->text : "an answer nobody asked for");
            return;
        }
        dispatch(c, &k, tree);
    }
    if (more < 0) {
        conn_close(c, PATIO_PROTOCOL, resp_problem(c->reader));
    }
}

static void readable(conn *c)
{
    uint8_t *data = c->t->incoming; /* not on the stack: it may be that of a small thread */
    for (int i = 0; i < READ_ROUNDS && c->fd >= 0 && !c->broken; i++) {
        ssize_t n = read_some(c, data, READ_BYTES);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            conn_close(c, PATIO_PEER_LOST,
                       n == 0 ? "the server closed the connection" : strerrordesc_np(errno));
            return;
        }
        pthread_mutex_lock(&c->t->lock);
        c->progress_ns = now_ns(c->t);
        pthread_mutex_unlock(&c->t->lock);
        if (!resp_feed(c->reader, data, (size_t)n)) {
            conn_close(c, PATIO_PROTOCOL, resp_problem(c->reader));
            return;
        }
        answers(c);
        if (n < READ_BYTES && c->ssl == NULL) {
            return;
        }
    }
}

void conn_event(conn *c, uint32_t events)
{
    if (c->fd < 0) {
        return;
    }
    if (c->state == CONN_CONNECTING) {
        conn_connecting(c);
    }
    if (c->state == CONN_TLS) {
        char why[256];
        int  done = tls_handshake(c, why, sizeof(why));
        if (done < 0) {
            conn_close(c,
                       SSL_get_verify_result(c->ssl) != X509_V_OK ? PATIO_AUTH : PATIO_UNREACHABLE,
                       why);
        } else if (done > 0) {
            conn_greet(c);
        }
    } else if (c->state >= CONN_HELLO) {
        if ((events & EPOLLOUT) != 0) {
            pthread_mutex_lock(&c->t->lock);
            c->want_write = false;
            pthread_mutex_unlock(&c->t->lock);
        }
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            readable(c);
        }
    }
    conn_watch(c);
}

void conn_break(conn *c, patio_status status, const char *why)
{
    if (c->broken || c->state == CONN_CLOSED) {
        return;
    }
    c->broken     = true;
    c->why.status = status;
    if (why != c->why.message) {
        (void)snprintf(c->why.message, sizeof(c->why.message), "%s", why);
    }
    /* until then it is the I/O thread's, which may be closing it: the number may be another's */
    if (c->state >= CONN_HELLO) {
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    loop_wake(c->t);
}

/* Write what there is; somebody else's write goes on with what was added meanwhile. */
void conn_flush(conn *c)
{
    patio_transport *t = c->t;
    if (c->flushing || c->want_write || c->broken || c->state < CONN_HELLO) {
        return;
    }
    c->flushing = true;
    while (!c->broken && !c->want_write) {
        if (c->writing_at == c->writing.size) {
            c->writing.size = 0;
            c->writing_at   = 0;
            if (c->state == CONN_OPEN) {
                queue_encode(c);
            }
            bytes empty = c->writing;
            c->writing  = c->out;
            c->out      = empty;
            if (c->writing.size == 0 || c->broken) {
                break;
            }
        }
        pthread_mutex_unlock(&t->lock);
        const uint8_t *from = c->writing.data + c->writing_at;
        size_t         size = c->writing.size - c->writing_at;
        ssize_t        n =
            c->ssl != NULL ? tls_write(c, from, size) : send(c->fd, from, size, MSG_NOSIGNAL);
        int error = errno;
        pthread_mutex_lock(&t->lock);
        if (n > 0) {
            c->writing_at += (size_t)n;
            c->written += (uint64_t)n;
            c->progress_ns = now_ns(t);
        } else if (error == EAGAIN) {
            c->want_write = true;
            loop_wake(t);
        } else if (error != EINTR) {
            conn_break(c, PATIO_PEER_LOST, strerrordesc_np(error));
        }
    }
    c->flushing = false;
    if (c->broken) {
        loop_wake(t);
    }
}
