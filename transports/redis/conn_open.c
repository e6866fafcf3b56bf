/* A connection begins: one address of its name after the other. */
#include "redis.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void conn_greet(conn *c)
{
    c->reader = resp_reader_new(c->t->host, c->t->set.max_reply_bytes);
    if (c->reader == NULL) {
        conn_close(c, PATIO_NO_MEMORY, "out of memory");
        return;
    }
    c->state = CONN_HELLO;
    hello_begin(c);
}

static void connected(conn *c)
{
    unsigned ms = (unsigned)c->t->set.dead_ms;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
    if (!c->t->tls) {
        conn_greet(c);
        return;
    }
    if (!tls_begin(c)) {
        conn_close(c, PATIO_NO_MEMORY, "out of memory");
        return;
    }
    c->state = CONN_TLS;
}

static void open_unix(conn *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, c->t->unix_path, sizeof(address.sun_path));
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        conn_close(c, PATIO_UNREACHABLE, strerrordesc_np(errno));
        return;
    }
    connected(c);
    conn_watch(c);
}

/* The next address of the name, as long as there is one. */
void conn_resolved(conn *c)
{
    char why[128] = "";
    int  fd       = -1;
    if (resolve_end(c->names, &fd, why, sizeof(why)) == 0) {
        return;
    }
    if (fd < 0) {
        conn_close(c, PATIO_UNREACHABLE, why);
        return;
    }
    c->fd    = fd;
    c->state = CONN_CONNECTING;
    conn_watch(c);
}

void conn_open(conn *c, const char *host, uint32_t port)
{
    c->opened_ns = now_ns(c->t);
    c->state     = CONN_RESOLVING;
    if (c->t->unix_path[0] != '\0') {
        open_unix(c);
        return;
    }
    if (host != c->host) {
        (void)snprintf(c->host, sizeof(c->host), "%s", host);
    }
    c->port  = port;
    c->names = resolve_begin(c->t, host, port);
    if (c->names == NULL) {
        conn_close(c, PATIO_NO_MEMORY, "out of memory");
        return;
    }
    conn_resolved(c);
}

static void unpoll(conn *c)
{
    if (c->polled) {
        (void)epoll_ctl(c->t->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    }
    c->polled = false;
}

/* This address is of no use: the next one of the name has its own time. */
static void try_next(conn *c, const char *why)
{
    unpoll(c);
    (void)close(c->fd);
    c->fd  = -1;
    int fd = -1;
    (void)resolve_end(c->names, &fd, (char[128]){0}, 128);
    if (fd < 0) {
        conn_close(c, PATIO_UNREACHABLE, why);
        return;
    }
    c->fd        = fd;
    c->opened_ns = now_ns(c->t);
}

void conn_connecting(conn *c)
{
    int       error = 0;
    socklen_t size  = sizeof(error);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) {
        connected(c);
        return;
    }
    try_next(c, strerrordesc_np(error));
}

void conn_late(conn *c)
{
    if (c->state == CONN_CONNECTING && c->names != NULL && c->fd >= 0) {
        try_next(c, "no connection in time (handshake_ms)");
    } else {
        conn_close(c, PATIO_UNREACHABLE,
                   c->state == CONN_TLS
                       ? "TLS: no answer to the handshake; does it speak TLS on this port?"
                   : c->state < CONN_OPEN ? "no connection in time (handshake_ms)"
                                          : "the server does not answer (dead_ms)");
    }
}
