/* Names of hosts. The system's resolver blocks, so it has a thread of its own for as long as it
 * takes; the I/O thread looks in from time to time. */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

struct lookup {
    const patio_host *host;
    _Atomic int       done;
    pthread_t         thread;
    bool              has_thread;
    int               error;
    struct addrinfo  *list;
    struct addrinfo  *next;
    char              name[256];
    char              port[8];
};

void lookup_drop(struct lookup *l)
{
    if (l == NULL) {
        return;
    }
    if (l->has_thread) {
        (void)pthread_join(l->thread, NULL);
    }
    if (l->list != NULL) {
        freeaddrinfo(l->list);
    }
    l->host->free(l->host->self, l);
}

static void look(struct lookup *l, int flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC, .ai_flags = flags};
    l->error              = getaddrinfo(l->name, l->port, &hints, &l->list);
    l->next               = l->list;
    atomic_store(&l->done, 1);
}

static void *run(void *arg)
{
    look(arg, AI_ADDRCONFIG);
    return NULL;
}

struct lookup *lookup_begin(patio_transport *t, const char *host, uint32_t port)
{
    struct lookup *l = t->host->alloc(t->host->self, sizeof(*l));
    if (l == NULL) {
        return NULL;
    }
    memset(l, 0, sizeof(*l));
    l->host = t->host;
    (void)snprintf(l->name, sizeof(l->name), "%s", host);
    (void)snprintf(l->port, sizeof(l->port), "%u", port);
    look(l, AI_NUMERICHOST);
    if (l->error == 0) {
        return l;
    }
    if (strcmp(host, "localhost") == 0) {
        look(l, 0); /* from a file: nothing to wait for */
        return l;
    }
    atomic_store(&l->done, 0);
    l->has_thread = pthread_create(&l->thread, NULL, run, l) == 0;
    if (!l->has_thread) {
        l->error = EAI_AGAIN;
        atomic_store(&l->done, 1);
    }
    return l;
}

int lookup_end(struct lookup *l, int *fd, char *why, size_t room)
{
    if (!atomic_load(&l->done)) {
        return 0;
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
