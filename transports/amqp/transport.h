/* transport.h: what the files of this plugin share. docs/amqp.md has the names,
 * the properties and the reasons.
 *
 * One instance has two connections to the broker and one thread that reads
 * both. The publishing connection carries tasks, replies and copies, all
 * confirmed; the consuming one carries deliveries, acknowledgements and
 * whatever is declared. They are two because a broker in an alarm stops reading
 * who publishes, and acknowledgements must still pass.
 *
 * librabbitmq encodes and decodes. The sockets are ours: nothing here ever
 * waits inside the library, and a write carries as many frames as there are.
 *
 * Locking: one lock for the state of an instance, held for short. What only the
 * I/O thread touches says so. Events are raised by the I/O thread only, without
 * the lock.
 */
#ifndef PATIO_AMQP_TRANSPORT_H
#define PATIO_AMQP_TRANSPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <amqp.h>
#include <openssl/ssl.h>

#include <patio/dead.h>
#include <patio/doctor.h>
#include <patio/plugin_util.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/topology.h>
#include <patio/transport.h>

#include "browse.h"
#include "control.h"
#include "guest.h"
#include "inbound.h"
#include "lease.h"
#include "link.h"
#include "place.h"
#include "post.h"
#include "rpc.h"
#include "turn.h"

enum { TOPOLOGY_DECLARE, TOPOLOGY_CHECK, TOPOLOGY_NONE };
enum { QUEUE_AUTO, QUEUE_CLASSIC, QUEUE_QUORUM };
enum { AUTH_PLAIN, AUTH_EXTERNAL };
enum { REPLY_AUTO, REPLY_QUEUE, REPLY_DIRECT };

typedef struct settings {
    char    *user;
    char    *password;
    char    *vhost;
    char    *tls_ca_file;
    char    *tls_cert_file;
    char    *tls_key_file;
    char    *tls_crl_file;
    char    *tls_server_name;
    bool     tls;
    bool     tls_verify;
    bool     persistent;
    uint32_t auth;
    uint32_t topology;
    uint32_t queue_type;
    uint32_t reply;
    uint64_t heartbeat_ms;
    uint64_t handshake_ms;
    uint64_t reconnect_min_ms;
    uint64_t reconnect_max_ms;
    uint64_t enqueue_ms;
    uint64_t max_unconfirmed;
    uint64_t max_unconfirmed_bytes;
    uint64_t delivery_limit;
    uint64_t dead_ttl_ms;
    uint64_t max_dead;
    uint64_t reply_expires_ms;
    uint64_t persistent_reply_after_ms;
    uint64_t consumer_timeout_ms; /* of the broker; 0: it has none */
    uint64_t probe_ms;
} settings;

typedef struct seen {
    patio_id id;
    uint64_t fence;
} seen;

enum { STRAYS = 1024, HELD_TTL_MS = 10000 };

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    settings                      set;
    host_name                    *hosts;
    uint32_t                      host_count;
    uint64_t                      incarnation;
    uint64_t                      max_body_bytes;
    char                          project[NAME_MAX_BYTES];
    char        address[PROJECT_BYTES + 1]; /* the project, fit for names of the broker */
    char        inbox[NAME_MAX_BYTES];
    char        shown[NAME_MAX_BYTES];
    SSL_CTX    *tls;
    BIO_METHOD *tls_bio;

    pthread_mutex_t lock;
    pthread_cond_t  calm; /* a flush ended, something was settled, an answer came */
    pthread_t       thread;
    io_turn         turn; /* who is the I/O thread */
    int             wake_fd;
    bool            started;
    _Atomic bool    asleep; /* the I/O thread is, or is about to be: a look needs a wake-up */
    _Atomic bool    again;  /* look once more before sleeping */
    bool            stopping;
    _Atomic bool    quit;     /* set under the lock */
    _Atomic bool    removing; /* our inbox: its end is no surprise */
    bool            proven;   /* a message has gone out and come back since the last reconnect
                               */
    bool         probing;
    bool         work; /* something for the I/O thread to look at */
    uint64_t     probe_ns;
    uint32_t     raised;     /* link state the host knows */
    patio_status fatal;      /* refused for a reason that waiting does not heal */
    bool         raised_why; /* and it has been told why */
    char         why[WHY_BYTES];

    connection links[LINKS];
    uint8_t    input[READ_BYTES]; /* I/O thread */

    queue       *queues;
    uint32_t     consumers; /* numbers given out */
    rpc         *rpc_first; /* the first one is with the broker if rpc_sent */
    rpc        **rpc_end;
    rpc         *decided; /* answered; a cancel is to be told */
    bool         rpc_sent;
    bool         inbox_ready;
    post       **ring; /* by sequence number of the publishing channel */
    uint32_t     ring_size;
    uint64_t     ring_first; /* oldest unconfirmed */
    uint64_t     ring_next;
    post_list    resend;  /* unconfirmed when the link died, in their order */
    post_list    refused; /* what the broker did not take, and is to be tried again */
    uint64_t     posts;   /* alive */
    uint64_t     post_bytes;
    slot_chunk   chunks[SLOT_CHUNKS];
    uint32_t     chunk_count;
    uint32_t     slot_count;
    delivery    *free_slots;
    delivery     leases; /* head of a circle, in the order of arrival */
    uint64_t     serial;
    uint32_t     ackable;
    uint64_t     acked_ns;
    bool         settled;    /* something, since the I/O thread looked last */
    bool         stuck;      /* a consumer's window may be too small: to be looked at soon */
    bool         looks_soon; /* it does: acknowledgements may wait for it */
    uint32_t     unhurried;  /* I/O thread: tasks of late that nobody waits for */
    bool         hurried;    /* I/O thread: something came that somebody waits for */
    bool         crowded;    /* I/O thread: so much is on its way that nobody notices a pause */
    uint32_t     cancels;    /* of consumers, that the broker has not confirmed */
    patio_id    *replied;    /* ids of late, by a hash: nobody hears a reply twice */
    tomb        *tombs;      /* cancelled, in a ring */
    uint32_t     tomb_count;
    patio_id    *ended; /* settled here, in a ring */
    uint32_t     ended_count;
    seen        *seen;   /* deliveries of late, by a hash */
    seen        *strays; /* copies on their way to us that nobody needs any more, in a ring */
    uint32_t     stray_count;
    uint64_t     renew_ns;     /* look again, not before */
    const place *renew_failed; /* to be told */
    bool         renew_warned;
    uint32_t     renewed; /* to be told */
    browse      *browses; /* the first one is at work */
    bool         browse_opening;
    uint64_t     browse_serial; /* the last one given out */
    ask         *asks;
    obuf         info;         /* what the host says of itself */
    char         product[200]; /* what the broker says of itself */
    uint64_t     inbox_ack;    /* delivery tag up to which the inbox is to be acknowledged */
    uint64_t     inbox_acked;  /* and up to which it has been, then */
    uint64_t     inbox_acked_ns;
    uint64_t     inbox_moves;    /* how often its name has become another one */
    uint64_t     inbox_moved_on; /* generation of the connection when it did so last */
    uint64_t     replies_undeliverable;
    uint64_t     sweep_ns;
};

#include "parts.h"

#endif
