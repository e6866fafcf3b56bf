/* Listening: which sockets a URL means, and binding them. */
#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 1024, PORT_TRIES = 32, LOCK_TRIES = 100, LOCK_PAUSE_NS = 10 * 1000 * 1000 };

static int fail_bind(int fd)
{
    int os_errno = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return os_errno;
}

static void forget_listeners(endpoint *ep)
{
    while (ep->listener_count > 0) {
        int fd = ep->listeners[--ep->listener_count].fd;
        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

/* One more socket of this endpoint; an errno, or 0. */
static int bind_to(endpoint *ep, const struct sockaddr *a, socklen_t size)
{
    const int on    = 1;
    const int off   = 0;
    bool      alone = ep->host[0] != '\0'; /* without a host one socket is for both families */
    listener *l     = &ep->listeners[ep->listener_count];
    int       fd    = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fail_bind(fd);
    }
    if (a->sa_family != AF_UNIX) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (a->sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, alone ? &on : &off, sizeof(on));
    }
    if (bind(fd, a, size) != 0 || listen(fd, BACKLOG) != 0) {
        return fail_bind(fd);
    }
    union {
        struct sockaddr_storage room;
        struct sockaddr         any;
        struct sockaddr_in      in; /* its port lies where that of IPv6 does */
    } bound              = {.room = {.ss_family = AF_UNSPEC}};
    socklen_t bound_size = sizeof(bound);
    memset(l, 0, sizeof(*l));
    l->ep = ep;
    l->fd = fd;
    ep->listener_count++;
    if (!ep->is_unix && getsockname(fd, &bound.any, &bound_size) == 0) {
        endpoint_address_text(&bound.any, l->bound_to, sizeof(l->bound_to));
        l->port = bound.in.sin_port;
    } else {
        (void)snprintf(l->bound_to, sizeof(l->bound_to), "unix:%s", ep->path);
    }
    return 0;
}

static patio_status fail_listen(const endpoint *ep, const struct sockaddr *a, int os_errno,
                                patio_error *err)
{
    char text[80];
    endpoint_address_text(a, text, sizeof(text));
    return patio_fail(err, PATIO_IO, os_errno, "listen on %s (%s): %s", ep->shown, text,
                      strerrordesc_np(os_errno));
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

/* Two that start at once both see a dead socket, and the second would remove what the first has
 * bound meanwhile: they take turns, by a lock on the folder that leaves no file behind. Whoever may
 * read a folder may lock it, so after a second, or where it may not be read, it goes on without. */
static int lock_folder(const endpoint *ep)
{
    char folder[sizeof(ep->path)];
    memcpy(folder, ep->path, sizeof(folder));
    strrchr(folder, '/')[1] = '\0'; /* a path begins at the root */
    int fd                  = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
    }
    return fd;
}

static patio_status listen_unix(endpoint *ep, patio_error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat        about;
    memcpy(a.sun_path, ep->path, strlen(ep->path) + 1);
    int lock = lock_folder(ep);
    remove_dead_socket(ep, &a);
    int os_errno = bind_to(ep, (const struct sockaddr *)&a, sizeof(a));
    if (lock >= 0) {
        (void)close(lock);
    }
    if (os_errno == 0 && lstat(ep->path, &about) == 0) {
        ep->bound     = true;
        ep->file_dev  = (uint64_t)about.st_dev;
        ep->file_node = (uint64_t)about.st_ino;
    }
    if (os_errno == EADDRINUSE && lstat(ep->path, &about) == 0 && !S_ISSOCK(about.st_mode)) {
        return patio_fail(
            err, PATIO_IO, os_errno,
            "listen on %s: what is there is no socket: remove it, or take another path", ep->shown);
    }
    return os_errno == 0 ? PATIO_OK : fail_listen(ep, (const struct sockaddr *)&a, os_errno, err);
}

/* Without a host: one socket for both families, where there is IPv6. */
static patio_status listen_everywhere(endpoint *ep, const struct addrinfo *found, patio_error *err)
{
    const struct addrinfo *use = found;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        use = a->ai_family == AF_INET6 ? a : use;
    }
    patio_status st = tcp_check_trust(ep, use->ai_addr, err);
    if (st != PATIO_OK) {
        return st;
    }
    int os_errno = bind_to(ep, use->ai_addr, use->ai_addrlen);
    if (os_errno != 0 && use != found) {
        use      = found;
        os_errno = bind_to(ep, use->ai_addr, use->ai_addrlen);
    }
    return os_errno == 0 ? PATIO_OK : fail_listen(ep, use->ai_addr, os_errno, err);
}

static bool is_repeated(const struct addrinfo *found, const struct addrinfo *a)
{
    while (found != a && (found->ai_addrlen != a->ai_addrlen ||
                          memcmp(found->ai_addr, a->ai_addr, a->ai_addrlen) != 0)) {
        found = found->ai_next;
    }
    return found != a;
}

/* All of them; where the port was 0 on the one that the first was given. An address that this
 * machine does not have, as ::1 where there is no IPv6, is left out if another one is there.
 * *which: of the errno that is returned. */
static int bind_all(endpoint *ep, const struct addrinfo *found, const struct addrinfo **which,
                    bool tell)
{
    int missing = 0;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        struct sockaddr_storage in = {0};
        if (is_repeated(found, a)) {
            continue;
        }
        memcpy(&in, a->ai_addr, a->ai_addrlen);
        if (ep->listener_count > 0) {
            ((struct sockaddr_in *)(void *)&in)->sin_port = ep->listeners[0].port;
        }
        int  os_errno   = bind_to(ep, (const struct sockaddr *)&in, a->ai_addrlen);
        bool is_missing = os_errno == EADDRNOTAVAIL || os_errno == EAFNOSUPPORT;
        *which          = os_errno != 0 ? a : *which;
        if (os_errno != 0 && !is_missing) {
            return os_errno;
        }
        if (is_missing && tell && found->ai_next != NULL) {
            char text[80];
            endpoint_address_text(a->ai_addr, text, sizeof(text));
            patio_host_log(ep->t->host, PATIO_LOG_WARN, "listen on %s: %s is left out: %s",
                           ep->shown, text, strerrordesc_np(os_errno));
        }
        missing = is_missing ? os_errno : missing;
    }
    return ep->listener_count > 0 ? 0 : missing;
}

/* A port that is free at the first address may be taken at another: then another port. The first
 * socket is kept meanwhile, so that its port is not given again. */
static patio_status listen_at(endpoint *ep, const struct addrinfo *found, patio_error *err)
{
    const struct addrinfo *which = found;
    int                    others[PORT_TRIES];
    unsigned               tries = 0;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        patio_status st = tcp_check_trust(ep, a->ai_addr, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    int os_errno = bind_all(ep, found, &which, true);
    while (os_errno == EADDRINUSE && ep->port == 0 && ep->listener_count > 0 &&
           tries < PORT_TRIES) {
        others[tries++]     = ep->listeners[0].fd;
        ep->listeners[0].fd = -1;
        forget_listeners(ep);
        os_errno = bind_all(ep, found, &which, false);
    }
    while (tries > 0) {
        (void)close(others[--tries]);
    }
    return os_errno == 0 ? PATIO_OK : fail_listen(ep, which->ai_addr, os_errno, err);
}

static patio_status listen_tcp(endpoint *ep, patio_error *err)
{
    char             port[8];
    struct addrinfo *found = NULL;
    struct addrinfo  hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    bool             named = ep->host[0] != '\0';
    (void)snprintf(port, sizeof(port), "%u", ep->port);
    int rc = getaddrinfo(named ? ep->host : NULL, port, &hints, &found);
    if (rc != 0 || found == NULL) {
        return patio_fail(err, PATIO_CONFIG, 0, "listen on %s: %s", ep->shown, gai_strerror(rc));
    }
    unsigned count = 0;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        count++;
    }
    patio_status st =
        count <= ADDRESSES_MAX
            ? PATIO_OK
            : patio_fail(err, PATIO_CONFIG, 0, "listen on %s: it has %u addresses, at most %d",
                         ep->shown, count, ADDRESSES_MAX);
    if (st == PATIO_OK) {
        st = named ? listen_at(ep, found, err) : listen_everywhere(ep, found, err);
    }
    freeaddrinfo(found);
    return st;
}

patio_status endpoint_listen(endpoint *ep, patio_error *err)
{
    const patio_host *host = ep->t->host;
    ep->listeners          = host->alloc(host->self, ADDRESSES_MAX * sizeof(*ep->listeners));
    if (ep->listeners == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = ep->is_unix ? listen_unix(ep, err) : listen_tcp(ep, err);
    if (st != PATIO_OK) {
        endpoint_close(ep);
        return st;
    }
    for (uint32_t i = 0; i < ep->listener_count; i++) {
        patio_host_log(host, PATIO_LOG_INFO, "listening on %s",
                       ep->is_unix ? ep->path : ep->listeners[i].bound_to);
    }
    return PATIO_OK;
}

/* The file may have been removed, and another process may listen there by now: that one stays. */
static void remove_own_socket(endpoint *ep)
{
    struct stat about;
    if (ep->bound && lstat(ep->path, &about) == 0 && (uint64_t)about.st_dev == ep->file_dev &&
        (uint64_t)about.st_ino == ep->file_node) {
        (void)unlink(ep->path);
    }
    ep->bound = false;
}

void endpoint_close(endpoint *ep)
{
    remove_own_socket(ep); /* while its number is taken by the socket */
    forget_listeners(ep);
    ep->t->host->free(ep->t->host->self, ep->listeners);
    ep->listeners = NULL;
}
