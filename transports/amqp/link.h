/* link.h: a connection to the broker. */
#ifndef PATIO_AMQP_LINK_H
#define PATIO_AMQP_LINK_H

#include <openssl/ssl.h>

#include "inbound.h"

enum { CONSUMING, PUBLISHING, LINKS };
enum {
    LINK_CLOSED,
    LINK_LOOKUP,     /* of the host's name */
    LINK_CONNECTING, /* TCP */
    LINK_SECURING,   /* TLS */
    LINK_START,      /* protocol header sent */
    LINK_TUNE,
    LINK_OPEN,
    LINK_SETUP, /* open: channels, confirm mode, inbox */
    LINK_READY,
    LINK_CLOSING,
};

typedef struct connection {
    patio_transport        *t;
    uint32_t                role;
    _Atomic uint32_t        state;
    int                     fd;
    SSL                    *ssl;   /* I/O thread */
    amqp_connection_state_t codec; /* I/O thread */
    obuf                    out;   /* under the lock */
    obuf                    wire;  /* belongs to who flushes */
    _Atomic bool            flushing;
    _Atomic bool            want_write;
    bool                    tls_wants_write;
    _Atomic bool            blocked;
    bool                    channel_open[CHANNELS];
    uint32_t                frame_max;
    uint32_t                failures; /* in a row */
    uint32_t                host_at;  /* next to try */
    uint64_t                generation;
    uint64_t                heartbeat_ns;
    uint64_t                looked_ns;   /* link_step was here */
    uint64_t                deadline_ns; /* of the handshake */
    uint64_t                retry_ns;
    uint64_t                sent_ns;
    uint64_t                heard_ns;
    inbound                 in[CHANNELS];
    patio_status            tls_status;
    char                    tls_why[200]; /* how TLS ended; "": it has not */
    bool                    says_no;      /* a refused login is told, not hung up on */
    char                    shown[NAME_MAX_BYTES];
    char                    host[NAME_MAX_BYTES];
} connection;

typedef struct host_name {
    char          *host;
    uint32_t       port;
    struct lookup *lookup; /* under way, or done and not taken; I/O thread */
} host_name;

/* ---- link.c: one connection. I/O thread, without the lock, unless it says
 * otherwise ---- */
void link_connect(connection *c);
void link_step(connection *c, uint64_t now_ns); /* what time brings */
void link_read(connection *c);
void link_writable(connection *c);
/* Give it up: all that hung on it is told, and another try is planned. */
void link_fail(connection *c, patio_status status, const char *format, ...) PATIO_PRINTF(3, 4);
void link_close(connection *c); /* without a word */

/* ---- socket.c ---- */
/* To the next address. false: its name is still being looked up, come again. */
bool socket_connect(connection *c, int *fd, patio_error *err);
/* Bytes moved; 0: not now; -1: failed or ended, errno says why (0: the other
 * side ended it). */
ssize_t socket_read(connection *c, void *data, size_t size);
ssize_t socket_write(connection *c, const void *data, size_t size);
/* Under the lock, which it lets go while it writes. Any thread with `plain`
 * connections. */
void socket_flush(connection *c);
/* Under the lock: write now if that is worth it, else let the I/O thread do it.
 */
void socket_push(connection *c);
bool socket_is_free(const connection *c);
bool socket_is_calm(const connection *c); /* under the lock: nothing went out just now */

/* ---- name.c: I/O thread ---- */
struct addrinfo;
/* Look the name up, unless that is under way. false: come again. true: it is done; what was found
 * is for freeaddrinfo(), or NULL, and *why says why. */
bool name_take(host_name *name, struct addrinfo **found, const char **why);
/* The addresses take turns. */
const struct addrinfo *name_address(const struct addrinfo *found, uint32_t turn);
void                   name_drop(host_name *name);

/* ---- tls.c ---- */
patio_status tls_make(patio_transport *t, patio_error *err);
int          tls_begin(connection *c);
int          tls_handshake(connection *c); /* 1 done, 0 not yet, -1 failed */
void         tls_end(connection *c);
/* Why it failed, for people: AUTH and CONFIG want a person, UNREACHABLE may heal. */
patio_status tls_explain(const connection *c, char *text, size_t size);

/* ---- login.c: from TCP to LINK_READY ---- */
void login_begin(connection *c);
void login_method(connection *c, uint16_t channel, const amqp_method_t *m);
void login_open_channel(connection *c, uint16_t channel); /* under the lock */

#endif
