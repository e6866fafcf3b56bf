/* The plain stream: a socket as it is. */
#include "tcp.h"

#include <errno.h>

void stream_turn(conn *c, size_t size)
{
    atomic_store_explicit(&c->turn_left, size, memory_order_relaxed);
}

ssize_t stream_receive(conn *c, void *data, size_t size)
{
    size_t left = atomic_load_explicit(&c->turn_left, memory_order_relaxed);
    if (left == 0) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t n = recv(c->fd, data, size < left ? size : left, MSG_DONTWAIT);
    if (n > 0) {
        stream_turn(c, left - (size_t)n);
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
