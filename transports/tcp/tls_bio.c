/* How OpenSSL reaches the socket of a connection. */
#include "tls.h"

#include <errno.h>

static int bio_write(BIO *b, const char *data, int size)
{
    const conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t n = send(c->fd, data, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        BIO_set_retry_write(b);
    }
    return (int)n;
}

/* Who has no room for one more says so before TLS, as to everybody. Nothing more than that is
 * believed: it costs an attempt, and who could feign it could cut the line as well. */
static void look_for_goodbye(const conn *c, struct tls *s, const uint8_t *data, size_t size)
{
    frame_header h;
    const char  *why   = NULL;
    bool         first = !s->heard;
    s->heard           = true;
    if (!first || !c->connects || size != FRAME_HEADER_BYTES) {
        return;
    }
    frame_get_header(data, &h);
    why = h.size == 0 && h.type == FRAME_GOODBYE ? hello_no_room(h.id) : NULL;
    if (why != NULL) {
        s->status = PATIO_UNREACHABLE;
        (void)snprintf(s->why, sizeof(s->why), "%s", why);
    }
}

static int bio_read(BIO *b, char *data, int size)
{
    conn       *c = BIO_get_data(b);
    struct tls *s = c->tls;
    BIO_clear_retry_flags(b);
    ssize_t n = stream_receive(c, data, (size_t)size);
    if (n > 0) {
        look_for_goodbye(c, s, (const uint8_t *)data, (size_t)n);
    }
    if (n > 0 && !tls_hello_fits(&s->hello, (const uint8_t *)data, (size_t)n)) {
        s->status = PATIO_PROTOCOL;
        (void)snprintf(s->why, sizeof(s->why), "its ClientHello is not whole in one record");
        return -1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        BIO_set_retry_read(b);
    }
    return (int)n;
}

static long bio_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "patio socket");
    if (m != NULL) {
        (void)BIO_meth_set_write(m, bio_write);
        (void)BIO_meth_set_read(m, bio_read);
        (void)BIO_meth_set_ctrl(m, bio_ctrl);
    }
    return m;
}
