/* stream.h: what is below a connection: a socket as it is, or TLS over it.
 *
 * A table, so that the connection code is the same for both. One thread at a time reads and one
 * writes, which may be two different ones. */
#ifndef TCP_STREAM_H
#define TCP_STREAM_H

#include <patio/plugin_util.h>

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct conn            conn;
typedef struct endpoint        endpoint;
typedef struct patio_transport patio_transport;
typedef struct tls_context     tls_context;

enum stream_step {
    STREAM_READY      = 1,
    STREAM_WANT_READ  = 2,
    STREAM_WANT_WRITE = 3,
    STREAM_FAILED     = 4,
};

typedef struct stream_ops {
    /* As recv and send that never block: -1 with errno; EPROTO: `why` says what it is. */
    ssize_t (*read)(conn *c, void *data, size_t size);
    ssize_t (*write)(conn *c, const struct iovec *parts, int count);
    /* Are there bytes here of which no poll will tell? */
    bool (*more)(conn *c);
    /* What stopped the last read or write, for people. */
    const char *(*why)(conn *c, int os_errno, patio_status *status);
    /* Say that no more comes, as far as that is possible at once. */
    void (*finish)(conn *c);
    void (*free)(conn *c);
} stream_ops;

/* A turn begins: so many bytes may come before the others have theirs. Of one that is not open yet
 * no more than this in all: a greeting, and where certificates are shown, these. */
enum { OPENING_BYTES = 16 * 1024, OPENING_SHOWN_BYTES = 64 * 1024 };
void stream_turn(conn *c, size_t size);
bool stream_turn_over(const conn *c);
/* Why one ends whose turn was over before it was open. */
extern const char stream_too_much[];
/* As recv, for both streams, within the turn. What stays in the socket, the next poll tells of. */
ssize_t stream_receive(conn *c, void *data, size_t size);

extern const stream_ops stream_plain;
extern const stream_ops stream_tls;

/* tls.c */
enum { TLS_BINDING_BYTES = 32 };

/* Read the certificates and what else the endpoint's options name; files are read now. */
patio_status tls_context_new(const endpoint *ep, tls_context **out, patio_error *err);
/* A stream keeps the one it was made from. NULL is allowed. */
void tls_context_unref(const endpoint *ep, tls_context *context);
/* Give the connection a TLS stream; false: out of memory. */
bool tls_begin(conn *c, tls_context *context);
/* Go on with the handshake. FAILED: `why` of the stream says what stopped it. */
enum stream_step tls_handshake(conn *c);
/* Was its peer checked by what the files of its endpoint said earlier? */
bool tls_is_old(const conn *c);
/* Check the peer's certificate again, by what they say now. NULL, or what is wrong with it. */
const char *tls_check_again(conn *c);
/* Does reading have to wait until the socket can be written? */
bool tls_reads_wait_for_room(conn *c);
/* Does writing have to wait until more was read? */
bool tls_writes_wait_for_data(conn *c);
/* Bytes that both ends of this TLS connection know, and nobody else. */
bool tls_binding(conn *c, uint8_t binding[TLS_BINDING_BYTES]);
/* "TLSv1.3 CN=worker-1": version, and the name in the peer's certificate if it showed one. */
void tls_describe(conn *c, char *text, size_t room);
/* The names of the peer's certificate, common name first, "" for one that is odd; how many there
 * are, "room" at most. */
unsigned tls_peer_names(conn *c, char (*names)[256], unsigned room);

#endif
