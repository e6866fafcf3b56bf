/* Who comes to a listening socket, and who of them is let in. */
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <unistd.h>

#include <arpa/inet.h>

enum { ACCEPTS_AT_ONCE = 64 };

/* So long anybody may take to say who it is, whoever else wants to come. */
#define STRANGER_NS UINT64_C(250000000)

void endpoint_address_text(const struct sockaddr *a, char *text, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "";
    char port[8]                = "";
    if (a->sa_family == AF_UNIX) {
        (void)snprintf(text, room, "unix socket");
        return;
    }
    socklen_t size =
        a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (getnameinfo(a, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        (void)snprintf(text, room, "unknown address");
        return;
    }
    /* one that came by IPv4 to a socket of both is shown as what it is */
    bool v4 = links_family(a) == LINK_IPV4;
    (void)snprintf(text, room, v4 ? "%s:%s" : "[%s]:%s",
                   v4 && a->sa_family == AF_INET6 ? host + strlen("::ffff:") : host, port);
}

/* Who came and has not said who it is makes room for the next, the one that came first before all
 * others: who means to, and is not far away, has said so by then. */
static bool make_room(patio_transport *t, uint64_t now)
{
    conn *first = NULL;
    for (conn *c = t->conns; c != NULL; c = c->next) { /* the last one came first */
        first = c->self || c->connects || c->state == CONN_OPEN ? first : c;
    }
    if (first == NULL || now < first->since_ns + STRANGER_NS) {
        return false;
    }
    conn_close(first, PATIO_UNREACHABLE, "it did not say who it is, and others want to come");
    return true;
}

/* Is there room for one more, in total and from there? */
static bool may_enter(patio_transport *t, const uint8_t from[16], bool is_unix, uint64_t now)
{
    uint64_t same = 0;
    if (t->conn_count >= t->set.max_connections && !make_room(t, now)) {
        return false;
    }
    if (is_unix || t->set.max_connections_per_address == 0) {
        return true;
    }
    for (const conn *c = t->conns; c != NULL; c = c->next) {
        bool came = !c->self && !c->connects && !c->endpoint->is_unix;
        same += came && memcmp(c->from, from, sizeof(c->from)) == 0 ? 1 : 0;
    }
    return same < t->set.max_connections_per_address;
}

/* Tell it, and the log. */
static void turn_away(const endpoint *ep, int fd, const struct sockaddr *a, enum goodbye reason,
                      uint64_t now)
{
    patio_transport *t = ep->t;
    uint8_t          data[FRAME_HEADER_BYTES];
    frame_header     h = {.type = FRAME_GOODBYE, .id = reason};
    frame_put_header(data, &h);
    (void)send(fd, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
    pthread_mutex_lock(&t->lock);
    t->links[links_family(a)].limited++;
    pthread_mutex_unlock(&t->lock);
    if (limits_may_warn(t, now)) {
        char from[80];
        endpoint_address_text(a, from, sizeof(from));
        patio_host_log(t->host, PATIO_LOG_WARN, "peer %s: turned away by %s", from,
                       reason == GOODBYE_BUSY ? "handshakes_per_second"
                                              : "max_connections or max_connections_per_address");
    }
}

static void let_in(endpoint *ep, int fd, const struct sockaddr *a)
{
    patio_transport *t         = ep->t;
    uint64_t         now       = t->host->now_ns(t->host->self);
    bool             slow_down = !limits_allow(t, a, now);
    uint8_t          from[16]  = {0};
    if (!ep->is_unix) {
        limits_address(a, from);
    }
    if (slow_down || !may_enter(t, from, ep->is_unix, now)) {
        turn_away(ep, fd, a, slow_down ? GOODBYE_BUSY : GOODBYE_FULL, now);
        return;
    }
    conn *c = conn_new(t, ep, fd, a, false);
    if (c == NULL) {
        (void)close(fd);
        return;
    }
    memcpy(c->from, from, sizeof(from));
    secure_begin(c);
}

/* The next one waits: for the descriptor of one that is put out, which is free when this listener
 * is looked at again, or for the next tick. */
static void no_descriptor(listener *l, int os_errno)
{
    patio_transport *t   = l->ep->t;
    uint64_t         now = t->host->now_ns(t->host->self);
    if (limits_may_warn(t, now)) {
        patio_host_log(t->host, PATIO_LOG_ERROR,
                       "accept on %s: %s; those who are connected stay, others wait", l->ep->shown,
                       strerrordesc_np(os_errno));
    }
    if (!make_room(t, now)) {
        (void)uv_poll_stop(&l->poll);
        l->paused = true;
    }
}

static void on_accept(uv_poll_t *poll, int status, int events)
{
    listener *l = poll->data;
    (void)events;
    for (int i = 0; status == 0 && i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage a    = {0};
        socklen_t               size = sizeof(a);
        int fd = accept4(l->fd, (struct sockaddr *)&a, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(l->ep, fd, (struct sockaddr *)&a);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            no_descriptor(l, errno);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
    }
}

void endpoint_accept_start(endpoint *ep)
{
    for (uint32_t i = 0; i < ep->listener_count; i++) {
        listener *l = &ep->listeners[i];
        if (uv_poll_init(&ep->t->loop, &l->poll, l->fd) == 0) {
            l->poll.data = l;
            l->poll_on   = true;
            (void)uv_poll_start(&l->poll, UV_READABLE, on_accept);
        }
    }
}

void endpoint_resume(endpoint *ep)
{
    for (uint32_t i = 0; i < ep->listener_count; i++) {
        listener *l = &ep->listeners[i];
        if (l->paused) {
            l->paused = false;
            (void)uv_poll_start(&l->poll, UV_READABLE, on_accept);
        }
    }
}
