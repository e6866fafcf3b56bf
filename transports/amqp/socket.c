/* Bytes: connecting, reading, writing, and who does the writing. */
#include "transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

enum { DIRECT_PAUSE_NS = 30 * 1000 };

static int set_options(int fd, const settings *set)
{
    int          on      = 1;
    unsigned int unacked = (unsigned int)(2 * set->heartbeat_ms);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    /* what nobody acknowledges is as silent as no heartbeat */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
    return fd;
}

/* One of a name's addresses per try, in turn. */
static int connect_to(const connection *c, const struct addrinfo *a, patio_error *err)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (connect(set_options(fd, &c->t->set), a->ai_addr, a->ai_addrlen) == 0 ||
                    errno == EINPROGRESS)) {
        return fd;
    }
    (void)patio_fail(err, PATIO_UNREACHABLE, errno, "connect to %s: %s", c->shown,
                     strerrordesc_np(errno));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

bool socket_connect(connection *c, int *fd, patio_error *err)
{
    patio_transport *t    = c->t;
    host_name       *name = &t->hosts[c->host_at % t->host_count];
    struct addrinfo *found;
    const char      *why = NULL;
    (void)snprintf(c->shown, sizeof(c->shown), strchr(name->host, ':') ? "[%s]:%u" : "%s:%u",
                   name->host, name->port);
    (void)snprintf(c->host, sizeof(c->host), "%s", name->host);
    if (!name_take(name, &found, &why)) {
        return false;
    }
    if (found == NULL) {
        (void)patio_fail(err, PATIO_UNREACHABLE, 0, "look up %s: %s", name->host, why);
        *fd = -1;
        return true;
    }
    *fd = connect_to(c, name_address(found, c->host_at / t->host_count), err);
    freeaddrinfo(found);
    return true;
}

static ssize_t tls_result(connection *c, int got)
{
    switch (SSL_get_error(c->ssl, got)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_WANT_WRITE:
        c->tls_wants_write = true;
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        errno = 0;
        return -1;
    case SSL_ERROR_SYSCALL:
        return -1;
    default: /* with TLS 1.3 a refused client is told so only after the handshake */
        c->tls_status = tls_explain(c, c->tls_why, sizeof(c->tls_why));
        errno         = EPROTO;
        return -1;
    }
}

ssize_t socket_read(connection *c, void *data, size_t size)
{
    if (c->ssl != NULL) {
        ERR_clear_error();
        errno   = 0;
        int got = SSL_read(c->ssl, data, (int)size);
        return got > 0 ? got : tls_result(c, got);
    }
    ssize_t got = recv(c->fd, data, size, 0);
    if (got == 0) {
        errno = 0;
        return -1;
    }
    return got > 0 ? got : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

ssize_t socket_write(connection *c, const void *data, size_t size)
{
    if (c->ssl != NULL) {
        ERR_clear_error();
        errno   = 0;
        int got = SSL_write(c->ssl, data, size < 1u << 30 ? (int)size : 1 << 30);
        return got > 0 ? got : tls_result(c, got);
    }
    ssize_t got = send(c->fd, data, size, MSG_NOSIGNAL);
    return got >= 0 ? got : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* Under the lock. Whoever finds it free writes for all; what comes meanwhile
 * goes with the next round. An error is left for the reader to find. */
void socket_flush(connection *c)
{
    patio_transport *t = c->t;
    if (c->flushing || c->fd < 0) {
        return;
    }
    size_t written = 0;
    c->flushing    = true;
    c->want_write  = false;
    while (!c->want_write && (c->wire.size > 0 || c->out.size > 0)) {
        if (c->wire.size == 0) {
            obuf swap = c->wire;
            c->wire   = c->out;
            c->out    = swap;
        }
        pthread_mutex_unlock(&t->lock);
        ssize_t got = 1;
        while (c->wire.done < c->wire.size && got > 0) {
            got = socket_write(c, c->wire.data + c->wire.done, c->wire.size - c->wire.done);
            c->wire.done += got > 0 ? (size_t)got : 0;
            written += got > 0 ? (size_t)got : 0;
        }
        pthread_mutex_lock(&t->lock);
        if (got < 0) {
            obuf_clear(t, &c->wire);
            obuf_clear(t, &c->out);
            shutdown(c->fd, SHUT_RDWR); /* the reader sees it and ends the connection */
            break;
        }
        if (c->wire.done == c->wire.size) {
            obuf_clear(t, &c->wire);
        } else {
            c->want_write = true;
        }
    }
    if (written > 0) { /* a look that found nothing to write must not put off the heartbeat */
        c->sent_ns = t->host->now_ns(t->host->self);
    }
    c->flushing = false;
    if (c->want_write) {
        loop_wake(t);
    }
    pthread_cond_broadcast(&t->calm);
}

/* Another thread than the loop's may write now. */
bool socket_is_free(const connection *c)
{
    return !c->t->set.tls && c->fd >= 0 && !c->want_write && !c->flushing && c->wire.size == 0;
}

bool socket_is_calm(const connection *c)
{
    const patio_host *host = c->t->host;
    return socket_is_free(c) && host->now_ns(host->self) - c->sent_ns > DIRECT_PAUSE_NS;
}

/* A lone message is written by who brings it: that saves waking a thread. In a
 * stream of them the I/O thread writes many at once. */
void socket_push(connection *c)
{
    patio_transport *t = c->t;
    if (!turn_is_mine(&t->turn) && (guest_will_poll(t) ? socket_is_free(c) : socket_is_calm(c))) {
        socket_flush(c);
    } else {
        loop_wake(t);
    }
}
