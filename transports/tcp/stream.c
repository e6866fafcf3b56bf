/* The plain stream: a socket as it is. */
#include "tcp.h"

#include <errno.h>

enum { TURN_REKEYS = 32 }; /* each takes as long as reading many KiB, and hardly one is needed */

const char stream_too_much[] = "it sent too much before it had said who it is";

static size_t turn_left(const conn *c)
{
    return atomic_load_explicit(&c->turn_left, memory_order_relaxed);
}

void stream_turn(conn *c, size_t size)
{
    atomic_store_explicit(&c->turn_left, size, memory_order_relaxed);
    atomic_store_explicit(&c->turn_rekeys, TURN_REKEYS, memory_order_relaxed);
}

bool stream_turn_over(const conn *c)
{
    return turn_left(c) == 0;
}

ssize_t stream_receive(conn *c, void *data, size_t size)
{
    size_t left = turn_left(c);
    if (left == 0) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t n = recv(c->fd, data, size < left ? size : left, MSG_DONTWAIT);
    if (n > 0) {
        atomic_store_explicit(&c->turn_left, left - (size_t)n, memory_order_relaxed);
    }
    return n;
}

static ssize_t read_plain(conn *c, void *data, size_t size)
{
    return stream_receive(c, data, size);
}

static ssize_t write_plain(conn *c, const struct iovec *parts, int count)
{
    if (count == 1) {
        return send(c->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    /* sendmsg only reads them */
    union {
        const struct iovec *in;
        struct iovec       *out;
    } cast          = {.in = parts};
    struct msghdr m = {.msg_iov = cast.out, .msg_iovlen = (size_t)count};
    return sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool more_plain(conn *c)
{
    (void)c;
    return false;
}

static const char *why_plain(conn *c, int os_errno, patio_status *status)
{
    (void)c;
    *status = PATIO_PEER_LOST;
    return strerrordesc_np(os_errno);
}

static void finish_plain(conn *c)
{
    (void)c;
}

const stream_ops stream_plain = {
    .read   = read_plain,
    .write  = write_plain,
    .more   = more_plain,
    .why    = why_plain,
    .finish = finish_plain,
    .free   = finish_plain,
};
