/* Names of hosts. The system's resolver blocks, so it has a thread of its own for as long as it
 * takes; the I/O thread looks in from time to time. */
#include "redis.h"

#include "lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

struct resolve {
    lookup          *running; /* NULL: it is over */
    int              error;
    struct addrinfo *list;
    struct addrinfo *next;
};

void resolve_drop(patio_transport *t, struct resolve *l)
{
    if (l == NULL) {
        return;
    }
    if (l->running != NULL) {
        lookup_leave(l->running);
    }
    if (l->list != NULL) {
        freeaddrinfo(l->list);
    }
    t->host->free(t->host->self, l);
}

struct resolve *resolve_begin(patio_transport *t, const char *host, uint32_t port)
{
    struct resolve *l = t->host->alloc(t->host->self, sizeof(*l));
    if (l == NULL) {
        return NULL;
    }
    memset(l, 0, sizeof(*l));
    l->list = lookup_at_once(host, port);
    l->next = l->list;
    if (l->list == NULL) {
        l->running = lookup_begin(host, port, NULL, NULL);
        l->error   = l->running == NULL ? EAI_AGAIN : 0;
    }
    return l;
}

int resolve_end(struct resolve *l, int *fd, char *why, size_t room)
{
    if (l->running != NULL) {
        if (!lookup_is_done(l->running)) {
            return 0;
        }
        l->error   = lookup_end(l->running, &l->list);
        l->next    = l->list;
        l->running = NULL;
    }
    *fd = -1;
    if (l->error != 0) {
        (void)snprintf(why, room, "%s", gai_strerror(l->error));
        return 1;
    }
    (void)snprintf(why, room, "no address answered");
    for (; l->next != NULL && *fd < 0; l->next = l->next->ai_next) {
        int s = socket(l->next->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s < 0) {
            (void)snprintf(why, room, "socket: %s", strerrordesc_np(errno));
            continue;
        }
        int one = 1;
        (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        if (connect(s, l->next->ai_addr, l->next->ai_addrlen) == 0 || errno == EINPROGRESS) {
            *fd = s;
        } else {
            (void)snprintf(why, room, "%s", strerrordesc_np(errno));
            (void)close(s);
        }
    }
    return 1;
}
