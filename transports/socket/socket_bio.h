/* socket_bio.h: OpenSSL on a socket. Its own way there is write(), and whoever writes to a
 * connection that the other side has closed is ended by SIGPIPE, which is the program's to decide
 * and not ours. */
#ifndef TRANSPORT_SOCKET_BIO_H
#define TRANSPORT_SOCKET_BIO_H

#include <openssl/ssl.h>

#include <stdbool.h>

/* Once for an instance; BIO_meth_free ends it, when no connection has it any more. NULL: out of
 * memory. */
BIO_METHOD *socket_bio_method(void);
/* As SSL_set_fd: the socket stays the caller's. false: out of memory. */
bool socket_bio_set(SSL *ssl, const BIO_METHOD *method, int fd);

#endif
