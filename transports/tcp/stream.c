/* The plain stream: a socket as it is. */
#include "tcp.h"

static ssize_t read_plain(conn *c, void *data, size_t size)
{
    return recv(c->fd, data, size, MSG_DONTWAIT);
}

static ssize_t write_plain(conn *c, const void *data, size_t size)
{
    return send(c->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
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
