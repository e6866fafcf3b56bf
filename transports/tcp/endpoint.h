/* endpoint.h: the addresses to listen on and to connect to, what their options say, and who is let
 * in. The I/O thread's own, once it runs. */
#ifndef TCP_ENDPOINT_H
#define TCP_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include "allow.h"
#include "lookup.h"
#include "stream.h"

typedef struct address {
    struct sockaddr_storage in;
    socklen_t               size;
} address;

enum { ADDRESSES_MAX = 16 };

enum { TLS_CLIENT_NONE = 0, TLS_CLIENT_OPTIONAL = 1, TLS_CLIENT_REQUIRED = 2 };

/* Options of a tls:// endpoint; "" what was not given. */
typedef struct tls_settings {
    char    *cert;
    char    *cert_key;
    char    *ca;
    char    *crl;
    char    *name;
    char    *ciphers;
    char    *suites;
    char    *allow;
    uint32_t client;
    bool     min_1_3;
    uint64_t reload_ms;
} tls_settings;

/* How often an address may begin a handshake: a bucket that fills with time. */
enum { RATE_SLOTS = 1024 };
typedef struct rate {
    uint8_t  address[16];
    uint64_t at_ns;
    uint64_t tokens_milli;
} rate;

/* One socket that listens. */
typedef struct listener {
    endpoint *ep;
    int       fd;
    uint16_t  port; /* in network order; 0 of a UNIX socket */
    bool      poll_on;
    bool      paused; /* out of file descriptors */
    uv_poll_t poll;
    char      bound_to[128]; /* where it listens in truth */
} listener;

/* One address to listen on or to connect to; of a name all that it has. */
struct endpoint {
    patio_transport *t;
    bool             listens;
    bool             is_unix;
    bool             given_up; /* the last round was refused: it is tried seldom */
    bool             bound;    /* the socket file is ours: */
    uint64_t         file_dev;
    uint64_t         file_node;
    bool             is_tls;
    bool             was_open;  /* it has worked once: what fails now may heal */
    bool             tried;     /* its first round is over, or it is open */
    bool             reached;   /* the same, under the lock */
    bool             refused;   /* under the lock: given up before it ever worked */
    bool             itself;    /* under the lock: this round met this very broker */
    patio_error      refusal;   /* of this round: what waiting does not heal */
    char             told[200]; /* why it is not connected, as the log has it; under the lock */
    uint64_t         told_ns;
    char            *keys[2]; /* "" if none; secrets. The second one is taken, too */
    bool             insecure;
    char             host[256];
    uint32_t         port;
    char             path[108];
    char             shown[300];
    listener        *listeners; /* room for ADDRESSES_MAX; they stay where they are */
    uint32_t         listener_count;
    conn            *link; /* that is open; while it is NULL several may be tried */
    uv_timer_t       timer;
    lookup          *lookup; /* of its name, while it runs */
    uv_async_t       found;
    address          addresses[ADDRESSES_MAX];
    uint32_t         address_count;
    uint32_t         address_next;
    uint32_t         attempts;
    uint64_t         opened_ns; /* when its link opened; 0: it is not open */
    uint32_t         brief;     /* links in a row that were over soon after that */
    tls_settings     tls;
    tls_context     *context;
    allow_list      *allow; /* NULL: whoever is let in may call everything */
    uint64_t         stamp; /* of the files, when they were read */
    uint64_t         looked_ns;
};

/* options.c */
extern const patio_option *const tcp_options[];
extern const char *const         tcp_schemes[]; /* address.c */
patio_status tcp_read_settings(patio_transport *t, const patio_transport_params *params,
                               patio_error *err);
void         tcp_forget_settings(endpoint *ep);
/* address.c */
patio_status tcp_read_address(endpoint *ep, const patio_endpoint *e, uint32_t k, patio_error *err);
patio_status tcp_check_trust(const endpoint *ep, const struct sockaddr *a, patio_error *err);

/* secure.c */
/* Read the files of a tls endpoint. */
patio_status secure_load(endpoint *ep, patio_error *err);
/* Read them again if they have changed; the I/O thread. */
void secure_reload(endpoint *ep, uint64_t now);
void secure_fini(endpoint *ep);
/* The I/O thread: the socket is connected or accepted; begin with TLS or HELLO. */
void secure_begin(conn *c);
/* Go on with the handshake of TLS. */
void secure_step(conn *c);

/* limits.c; the I/O thread */
/* What counts as one address: of IPv4 all of it, also inside IPv6; of IPv6 its /64. */
void limits_address(const struct sockaddr *a, uint8_t out[16]);
bool limits_allow(patio_transport *t, const struct sockaddr *a, uint64_t now);
/* May the log be told once more of something that strangers cause? What was left out is summed up.
 */
bool limits_may_warn(patio_transport *t, uint64_t now);
void limits_warn_summary(patio_transport *t, uint64_t now);

/* listen.c */
patio_status endpoint_listen(endpoint *ep, patio_error *err);
void         endpoint_close(endpoint *ep);

/* endpoint.c */
void endpoint_accept_start(endpoint *ep);
void endpoint_resume(endpoint *ep);
void endpoint_address_text(const struct sockaddr *a, char *text, size_t room);

/* reconnect.c; the I/O thread */
/* Why a connection ends whose URL has another one by now. */
#define RECONNECT_LATE "another of its addresses was faster"

void reconnect_begin(endpoint *ep);
void reconnect_end(endpoint *ep);
void reconnect_now(endpoint *ep);
/* A connection of it, or an attempt to have one, has ended. */
void reconnect_later(endpoint *ep, const patio_error *why);
void reconnect_connected(conn *c);
void reconnect_opened(conn *c);

#endif
