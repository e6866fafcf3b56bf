#include "socket_bio.h"

#include <stdint.h>
#include <sys/socket.h>

static int fd_of(BIO *b)
{
    return (int)(intptr_t)BIO_get_data(b);
}

static int bio_write(BIO *b, const char *data, int size)
{
    BIO_clear_retry_flags(b);
    int n = (int)send(fd_of(b), data, (size_t)size, MSG_NOSIGNAL);
    if (n < 0 && BIO_sock_should_retry(n)) {
        BIO_set_retry_write(b);
    }
    return n;
}

static int bio_read(BIO *b, char *data, int size)
{
    BIO_clear_retry_flags(b);
    int n = (int)recv(fd_of(b), data, (size_t)size, 0);
    if (n < 0 && BIO_sock_should_retry(n)) {
        BIO_set_retry_read(b);
    } else if (n == 0) {
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    }
    return n;
}

static long bio_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH || (what == BIO_CTRL_EOF && BIO_test_flags(b, BIO_FLAGS_IN_EOF));
}

BIO_METHOD *socket_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "patio socket");
    if (m != NULL) {
        (void)BIO_meth_set_write(m, bio_write);
        (void)BIO_meth_set_read(m, bio_read);
        (void)BIO_meth_set_ctrl(m, bio_ctrl);
    }
    return m;
}

bool socket_bio_set(SSL *ssl, const BIO_METHOD *method, int fd)
{
    BIO *b = BIO_new(method);
    if (b == NULL) {
        return false;
    }
    BIO_set_data(b, (void *)(intptr_t)fd);
    BIO_set_init(b, 1);
    SSL_set_bio(ssl, b, b);
    return true;
}
