/* Listening: sockets, and who is let in. */
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>

enum { ACCEPTS_AT_ONCE = 64, BACKLOG = 1024 };

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

static patio_status bind_to(endpoint *ep, const struct sockaddr *a, socklen_t size,
                            patio_error *err)
{
    const int    on  = 1;
    const int    off = 0;
    char         text[80];
    patio_status st = tcp_check_trust(ep, a, err);
    if (st != PATIO_OK) {
        return st;
    }
    endpoint_address_text(a, text, sizeof(text));
    ep->fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ep->fd >= 0 && a->sa_family != AF_UNIX) {
        (void)setsockopt(ep->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (ep->fd >= 0 && a->sa_family == AF_INET6) {
        (void)setsockopt(ep->fd, IPPROTO_IPV6, IPV6_V6ONLY, ep->host[0] == '\0' ? &off : &on,
                         sizeof(on));
    }
    if (ep->fd < 0 || bind(ep->fd, a, size) != 0 || listen(ep->fd, BACKLOG) != 0) {
        int os_errno = errno;
        endpoint_close(ep);
        return patio_fail(err, PATIO_IO, os_errno, "listen on %s (%s): %s", ep->shown, text,
                          strerrordesc_np(os_errno));
    }
    return PATIO_OK;
}

/* A socket file whose process is gone is in the way; one that answers is not ours to remove. */
static void remove_dead_socket(const endpoint *ep, const struct sockaddr_un *a)
{
    struct stat about;
    if (lstat(ep->path, &about) != 0 || !S_ISSOCK(about.st_mode)) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) != 0 &&
        errno == ECONNREFUSED) {
        (void)unlink(ep->path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static patio_status listen_unix(endpoint *ep, patio_error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, ep->path, strlen(ep->path) + 1);
    remove_dead_socket(ep, &a);
    return bind_to(ep, (const struct sockaddr *)&a, sizeof(a), err);
}

static patio_status listen_tcp(endpoint *ep, patio_error *err)
{
    char             port[8];
    struct addrinfo *found = NULL;
    struct addrinfo  hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    (void)snprintf(port, sizeof(port), "%u", ep->port);
    int rc = getaddrinfo(ep->host[0] != '\0' ? ep->host : NULL, port, &hints, &found);
    if (rc != 0 || found == NULL) {
        return patio_fail(err, PATIO_CONFIG, 0, "listen on %s: %s", ep->shown, gai_strerror(rc));
    }
    /* without a host: one socket for both families, where there is IPv6 */
    const struct addrinfo *use = found;
    for (const struct addrinfo *a = found; a != NULL && ep->host[0] == '\0'; a = a->ai_next) {
        use = a->ai_family == AF_INET6 ? a : use;
    }
    patio_status st = bind_to(ep, use->ai_addr, use->ai_addrlen, err);
    if (st == PATIO_IO && use != found) {
        st = bind_to(ep, found->ai_addr, found->ai_addrlen, err);
    }
    freeaddrinfo(found);
    return st;
}

patio_status endpoint_listen(endpoint *ep, patio_error *err)
{
    patio_status st = ep->is_unix ? listen_unix(ep, err) : listen_tcp(ep, err);
    if (st != PATIO_OK) {
        return st;
    }
    struct sockaddr_storage a    = {0};
    socklen_t               size = sizeof(a);
    char                    text[80];
    ep->bound = ep->is_unix;
    if (!ep->is_unix && getsockname(ep->fd, (struct sockaddr *)&a, &size) == 0) {
        endpoint_address_text((struct sockaddr *)&a, text, sizeof(text));
    } else {
        (void)snprintf(text, sizeof(text), "%.79s", ep->path);
    }
    (void)snprintf(ep->bound_to, sizeof(ep->bound_to), "%s%s", ep->is_unix ? "unix:" : "",
                   ep->is_unix ? ep->path : text);
    patio_host_log(ep->t->host, PATIO_LOG_INFO, "listening on %s", text);
    return PATIO_OK;
}

void endpoint_close(endpoint *ep)
{
    if (ep->fd >= 0) {
        (void)close(ep->fd);
        ep->fd = -1;
        if (ep->bound) {
            (void)unlink(ep->path);
        }
    }
}

/* Is there room for one more, in total and from there? */
static bool may_enter(const patio_transport *t, const uint8_t from[16], bool is_unix)
{
    uint64_t same = 0;
    if (t->conn_count >= t->set.max_connections) {
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
    if (slow_down || !may_enter(t, from, ep->is_unix)) {
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

static void on_accept(uv_poll_t *poll, int status, int events)
{
    endpoint *ep = poll->data;
    (void)events;
    for (int i = 0; status == 0 && i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage a    = {0};
        socklen_t               size = sizeof(a);
        int fd = accept4(ep->fd, (struct sockaddr *)&a, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(ep, fd, (struct sockaddr *)&a);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            int os_errno = errno;
            if (limits_may_warn(ep->t, ep->t->host->now_ns(ep->t->host->self))) {
                patio_host_log(ep->t->host, PATIO_LOG_ERROR,
                               "accept on %s: %s; those who are connected stay, others wait",
                               ep->shown, strerrordesc_np(os_errno));
            }
            (void)uv_poll_stop(&ep->poll);
            ep->paused = true;
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
    }
}

void endpoint_accept_start(endpoint *ep)
{
    if (uv_poll_init(&ep->t->loop, &ep->poll, ep->fd) == 0) {
        ep->poll.data = ep;
        ep->poll_on   = true;
        (void)uv_poll_start(&ep->poll, UV_READABLE, on_accept);
    }
}

void endpoint_resume(endpoint *ep)
{
    if (ep->paused) {
        ep->paused = false;
        (void)uv_poll_start(&ep->poll, UV_READABLE, on_accept);
    }
}
