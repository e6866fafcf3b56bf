/* proxy_run.c: the proxy's thread. One thread, poll: it has a dozen sockets at most, and a delay of
 * milliseconds to keep. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy_inside.h"

enum { UP = 0, DOWN = 1 };

static void close_link(kit_proxy *p, uint32_t n, bool reset)
{
    proxied *l = p->links[n];
    for (int side = 0; side < 2; side++) {
        if (reset) {
            struct linger now = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(l->fds[side], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        }
        (void)close(l->fds[side]);
    }
    free(l);
    p->links[n] = NULL;
}

static void accept_one(kit_proxy *p)
{
    int client = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    uint32_t n = 0;
    while (n < PROXY_LINKS && p->links[n] != NULL) {
        n++;
    }
    int      server = n < PROXY_LINKS && (p->flags & KIT_PROXY_REFUSE) == 0
                          ? socket(p->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
                          : -1;
    proxied *l      = server >= 0 ? calloc(1, sizeof(*l)) : NULL;
    if (l == NULL ||
        (connect(server, (struct sockaddr *)&p->to, p->to_size) != 0 && errno != EINPROGRESS)) {
        (void)close(client);
        if (server >= 0) {
            (void)close(server);
        }
        free(l);
        return;
    }
    int on = 1;
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    l->fds[0]     = client;
    l->fds[1]     = server;
    l->connecting = true;
    p->links[n]   = l;
    p->accepted++;
}

static bool held(const kit_proxy *p, int way)
{
    return (p->flags & (way == UP ? KIT_PROXY_HOLD_UP : KIT_PROXY_HOLD_DOWN)) != 0;
}

/* false: the link is to be closed. */
static bool read_some(kit_proxy *p, proxied *l, int way)
{
    stream *s    = &l->way[way];
    size_t  room = PROXY_ROOM - s->used;
    ssize_t n    = recv(l->fds[way], s->data + s->used, room, 0);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (n == 0) {
        s->eof = true;
        return true;
    }
    if (s->used == 0) {
        s->due_ms = kit_now_ms() + p->delay_ms;
    }
    s->used += (size_t)n;
    return true;
}

static size_t allowed(kit_proxy *p, size_t want)
{
    if (p->slice > 0 && want > p->slice) {
        want = p->slice;
    }
    if (p->rate > 0) {
        uint64_t now = kit_now_ms();
        p->budget += (now - p->budget_ms) * p->rate / 1000;
        p->budget_ms = now;
        p->budget    = p->budget > p->rate / 4 + 1 ? p->rate / 4 + 1 : p->budget;
        want         = want > p->budget ? (size_t)p->budget : want;
    }
    return want;
}

static bool write_some(kit_proxy *p, proxied *l, int way)
{
    stream *s    = &l->way[way];
    size_t  want = allowed(p, s->used);
    if (way == UP && p->cut_after > 0 && want >= p->cut_after) {
        want = (size_t)p->cut_after;
    }
    if (want == 0) {
        return true;
    }
    ssize_t n = send(l->fds[1 - way], s->data, want, MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR || l->connecting;
    }
    s->used -= (size_t)n;
    memmove(s->data, s->data + n, s->used);
    if (p->rate > 0) {
        p->budget -= (uint64_t)n;
    }
    s->due_ms = kit_now_ms() + (p->slice > 0 ? 0 : p->delay_ms);
    if (way == UP && p->cut_after > 0) {
        p->cut_after -= (uint64_t)n;
        if (p->cut_after == 0) {
            if (!p->cut_half) {
                return false;
            }
            (void)shutdown(l->fds[1], SHUT_WR);
        }
    }
    return true;
}

static bool serve(kit_proxy *p, proxied *l, const struct pollfd *fds)
{
    bool open = true;
    for (int way = 0; way < 2 && open; way++) {
        short got = fds[way].revents;
        if ((got & (POLLIN | POLLHUP | POLLERR)) != 0 && l->way[way].used < PROXY_ROOM &&
            !l->way[way].eof && !held(p, way)) {
            open = read_some(p, l, way);
        }
    }
    if ((fds[1].revents & POLLOUT) != 0) {
        l->connecting = false;
    }
    for (int way = 0; way < 2 && open; way++) {
        stream *s = &l->way[way];
        if (s->used > 0 && !held(p, way) && kit_now_ms() >= s->due_ms && !l->connecting) {
            open = write_some(p, l, way);
        }
        if (s->eof && s->used == 0 && !held(p, way)) {
            open = false;
        }
    }
    return open;
}

static short wanted(const kit_proxy *p, const proxied *l, int side)
{
    /* side 0 is read for UP and written for DOWN */
    const stream *in  = &l->way[side];
    const stream *out = &l->way[1 - side];
    short         e   = 0;
    if (in->used < PROXY_ROOM && !in->eof && !held(p, side)) {
        e |= POLLIN;
    }
    bool due = out->used > 0 && !held(p, 1 - side) && kit_now_ms() >= out->due_ms &&
               (p->rate == 0 || p->budget > 0);
    if (due || (side == 1 && l->connecting)) {
        e |= POLLOUT;
    }
    return e;
}

static void turn(kit_proxy *p)
{
    struct pollfd fds[2 + 2 * PROXY_LINKS];
    uint32_t      who[PROXY_LINKS];
    nfds_t        count = 2;
    fds[0]              = (struct pollfd){.fd = p->listener, .events = POLLIN};
    fds[1]              = (struct pollfd){.fd = p->wake[0], .events = POLLIN};
    for (uint32_t n = 0; n < PROXY_LINKS; n++) {
        if (p->links[n] != NULL) {
            who[(count - 2) / 2] = n;
            for (int side = 0; side < 2; side++) {
                fds[count++] = (struct pollfd){.fd     = p->links[n]->fds[side],
                                               .events = wanted(p, p->links[n], side)};
            }
        }
    }
    bool shaped = p->delay_ms > 0 || p->rate > 0 || p->slice > 0;
    pthread_mutex_unlock(&p->lock);
    (void)poll(fds, count, shaped ? 1 : 20);
    pthread_mutex_lock(&p->lock);
    if ((fds[1].revents & POLLIN) != 0) {
        char drain[64];
        (void)!read(p->wake[0], drain, sizeof(drain));
    }
    for (nfds_t f = 2; f < count; f += 2) {
        uint32_t n = who[(f - 2) / 2];
        if (p->links[n] != NULL && (p->cut || !serve(p, p->links[n], &fds[f]))) {
            close_link(p, n, p->reset);
        }
    }
    p->cut = false;
    if ((fds[0].revents & POLLIN) != 0) {
        accept_one(p);
    }
}

void *kit_proxy_run(void *arg)
{
    kit_proxy *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        turn(p);
    }
    for (uint32_t n = 0; n < PROXY_LINKS; n++) {
        if (p->links[n] != NULL) {
            close_link(p, n, false);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}
