/* tls.h: what the files that know OpenSSL share. No other file includes it. */
#ifndef TCP_TLS_H
#define TCP_TLS_H

#include <stdatomic.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tcp.h"
#include "tls_hello.h"

static const unsigned char tls_alpn[] = {7, 'p', 'a', 't', 'i', 'o', '/', '1'};

struct tls_context {
    _Atomic uint32_t refs;
    SSL_CTX         *ctx;
    BIO_METHOD      *method;
};

struct tls {
    pthread_mutex_t lock;
    tls_context    *context;
    SSL            *ssl;
    bool            heard;      /* something has come */
    bool            more;       /* the last read was as long as its buffer */
    bool            read_room;  /* reading waits until the socket can be written */
    _Atomic bool    write_data; /* writing waits until more was read */
    patio_status    status;     /* of what ended it; OK: nothing has */
    char            why[200];
    tls_hello       hello; /* of who connects, until hands are shaken */
};

/* tls_bio.c */
/* Bytes go through a BIO of ours, since OpenSSL's own one would raise SIGPIPE. */
BIO_METHOD *tls_bio_method(void);
/* tls_context.c */
/* What OpenSSL says last, which is what it was about. */
const char *tls_reason(void);

#endif
