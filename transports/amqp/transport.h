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

#include "guest.h"
#include "turn.h"

enum {
    CH_TASKS    = 1, /* consuming: deliveries of tasks and their acknowledgements */
    CH_TOPOLOGY = 2, /* consuming: what is declared and asked, one after the other */
    CH_INBOX    = 3, /* consuming: replies and control messages */
    CH_PUBLISH  = 1, /* publishing: everything, in confirm mode */
    CH_BROWSE   = 4, /* consuming: looking through dead letters */
    CHANNELS    = 5,

    NAME_MAX_BYTES  = 256,
    PROJECT_BYTES   = 100, /* so that every name of the broker's fits into 255 bytes */
    QUEUE_BYTES     = 120,
    FRAME_MAX_BYTES = 131072,
    READ_BYTES      = 64 * 1024,
    DELAY_STEPS     = 36,
    WHY_BYTES       = 640,
    TAG_SLOT_BITS   = 20,
};

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

/* Bytes to be written. */
typedef struct obuf {
    uint8_t *data;
    size_t   size;
    size_t   capacity;
    size_t   done; /* of them written */
} obuf;

typedef struct place    place;
typedef struct queue    queue;
typedef struct post     post;
typedef struct delivery delivery;
typedef struct rpc      rpc;
typedef struct ask      ask;
typedef struct tomb     tomb;
typedef struct browse   browse;
typedef struct letter   letter;

/* ---- one message that is published, until the broker has confirmed it ---- */

enum {
    POST_TASK,  /* of our own caller: a receipt follows */
    POST_REPLY, /* then the task is acknowledged */
    POST_MOVE,  /* a copy of a delivered task to another queue, then it is
                   acknowledged */
    POST_PLAIN, /* nothing follows */
    POST_PROBE, /* not repeated after a reconnect */
    POST_RENEW, /* a copy of a task that runs, to the queue that holds it for us; not repeated */
};

struct post {
    post      *next;
    place     *place;   /* must be there first; NULL: nothing of ours */
    uint64_t   made_ns; /* when it was taken */
    uint64_t   end_ns;  /* nobody waits any more; 0: never */
    patio_tag  tag;     /* the delivery that is settled with it; 0: none */
    patio_tag  renews;  /* POST_RENEW: the delivery whose copy it is */
    patio_id   id;
    patio_buf *body;      /* may be NULL: empty */
    uint32_t   head_size; /* method and header frame, ready to be written */
    uint8_t    kind;
    uint64_t   browsed;     /* delivery tag of the dead letter that goes with it; 0: none */
    uint64_t   retry_ns;    /* of `refused`: not sent again before */
    uint8_t    refusals;    /* how often the broker did not take it */
    bool       receipt;     /* acceptance is to be told */
    bool       persistent;  /* on disk when it is confirmed */
    bool       sent;        /* at least once */
    bool       returned;    /* its queue is not there */
    bool       prioritized; /* a priority was asked for */
    bool       orphan;      /* its lease is gone: not to be repeated */
    bool       told;        /* its outcome has been told */
    bool       quiet;       /* its delivery is not known to the host */
    uint8_t    head[];
};

typedef struct post_list {
    post  *first;
    post **end;
} post_list;

/* ---- queues of the broker ---- */

enum { PLACE_WORK, PLACE_DEAD, PLACE_HELD, PLACE_DELAY };
enum { PLACE_UNKNOWN, PLACE_DECLARING, PLACE_READY, PLACE_FAILED };

struct place {
    queue       *owner;
    uint64_t     ttl_ms; /* PLACE_DELAY */
    uint64_t     failed_ns;
    post_list    waiting; /* for it to be ready */
    patio_status status;  /* PLACE_FAILED */
    uint8_t      kind;
    uint8_t      state;
    uint32_t     made;      /* PLACE_DELAY: how often somebody has told that he made it */
    bool         absent;    /* PLACE_DELAY: nobody has made it, as far as we have heard */
    patio_status refused;   /* why it did not take a settlement of late, to be told */
    uint64_t     told_ns;   /* when that was told */
    uint64_t     nacked_ns; /* on this connection, since when; 0: it was not */
    bool         taken;     /* something, on this connection */
    uint8_t      relinks;   /* connections in a row on which nothing was taken */
    uint8_t      type;      /* QUEUE_CLASSIC, QUEUE_QUORUM: as last tried */
    char         name[NAME_MAX_BYTES];
    char         why[WHY_BYTES];
};

enum { SUB_NONE, SUB_ASKED, SUB_ON, SUB_ENDING };

/* A queue of the project, as patio sees it. Never freed before the instance. */
enum { MARKS_UNKNOWN, MARKS_ASKED, MARKS_KNOWN };

struct queue {
    queue           *next;
    patio_transport *t;
    place            work;
    place            dead;
    place            held;    /* ours alone: copies of tasks that run for long */
    bool             held_on; /* we consume it */
    place           *delay[DELAY_STEPS];
    bool             subscribed;
    bool             refused;        /* what ended the channel was asked for it, maybe */
    bool             type_told;      /* in the log */
    uint8_t          operator_state; /* PATIO_QUEUE_… */
    uint8_t          mark_state;     /* MARKS_… */
    uint8_t          marks_due;
    uint8_t          state;        /* SUB_… of the current consumer */
    uint32_t         credit;       /* wanted */
    uint32_t         asked_credit; /* the credit when the consumer was made */
    uint32_t         window;       /* its prefetch: what the credit left then */
    uint32_t         consumer;     /* number in its tag */
    uint32_t         unsettled;    /* with us, whatever their state */
    uint32_t         own;          /* of them in the window of the current consumer */
    uint32_t         given;        /* told to the host, and not settled by it */
    uint32_t         waiting;      /* LEASE_WAITING */
    uint64_t         retry_ns;     /* subscribe again, not before */
    uint64_t         stuck_ns;     /* its window has been too small since then; 0: it is not */
    char             name[NAME_MAX_BYTES];
    char             address[QUEUE_BYTES + 1]; /* the name, fit for names of the broker */
};

/* ---- deliveries ---- */

enum {
    LEASE_FREE,
    LEASE_WAITING, /* not told yet: with the rest of what was read, or when there is credit */
    LEASE_HELD,
    LEASE_SETTLING,
    LEASE_ACKABLE,
    LEASE_CLAIMED,
};

/* A slot; its tag is serial << TAG_SLOT_BITS | position + 1. */
struct delivery {
    delivery  *next; /* unsettled ones in the order of their arrival, or free ones */
    delivery  *prev;
    patio_tag  tag;
    uint64_t   number;   /* the broker's delivery tag; 0: acknowledged already */
    uint64_t   fence;    /* header: deliveries of earlier copies */
    uint64_t   since_ns; /* arrival */
    uint64_t   taken_ns; /* arrival of what `number` is of: the delivery, or its latest copy */
    uint64_t   asked_ns; /* when a copy was sent to be held for us; 0: none is on its way */
    uint64_t   copy;     /* delivery tag of that copy; 0: it is not here yet */
    uint64_t   copy_fence;
    uint64_t   ttl_ms;  /* when it arrived; 0: none */
    uint64_t   sent_ms; /* wall clock of its acceptance, for its age */
    queue     *queue;
    patio_buf *body;
    patio_id   id;
    uint32_t   flags;
    uint32_t   position; /* of the slot, from 1 */
    uint32_t   consumer; /* in whose window it is; 0: in none any more */
    uint16_t   attempt;
    uint16_t   crashes;
    uint16_t   redelivered; /* how often this copy came before, as far as the broker
                               says */
    uint8_t priority;
    uint8_t state;
    bool    persistent;
    bool    quiet;   /* the host does not know of it */
    bool    counted; /* in `given` */
    bool    told_cancel;
    bool    copy_confirmed; /* the broker has `copy` on its disk */
    bool    is_held;        /* `number` is of the queue `held` */
    char   *reply_to;
    char   *task; /* in the same allocation */
};

enum { SLOT_CHUNKS = 24 };
typedef struct slot_chunk {
    delivery *slots;
    uint32_t  count;
} slot_chunk;

/* ---- what is read ---- */

/* The properties of a message that mean something here; only what had its flag
 * is set. */
typedef struct props {
    patio_id id;
    bool     has_id;
    bool     persistent;
    uint8_t  priority;
    uint32_t flags;
    uint16_t attempt;
    uint16_t crashes;
    uint64_t ttl_ms;
    uint64_t sent_ms;
    uint64_t fence;
    uint64_t delivery_count;
    uint64_t dead_at_ms;           /* wall clock */
    uint64_t moved_at_ms;          /* by the broker itself, to the dead; 0: it was not */
    char     task[NAME_MAX_BYTES]; /* property `type` */
    char     reply_to[NAME_MAX_BYTES];
} props;

enum { IN_NOTHING, IN_DELIVERY, IN_RETURN };

/* A message that is being read, one per channel. I/O thread. */
typedef struct inbound {
    uint8_t    kind; /* IN_… */
    bool       redelivered;
    bool       skip; /* too large or no memory: its bytes are dropped */
    bool       has_header;
    uint32_t   consumer; /* number in its tag */
    uint64_t   number;   /* delivery tag */
    uint64_t   size;
    uint64_t   got;
    uint16_t   reply_code;
    patio_buf *body;
    uint8_t   *data;
    patio_buf *cause; /* header patio-cause; dead letters only */
    props      props;
    char       key[NAME_MAX_BYTES]; /* routing key */
} inbound;

/* ---- connections ---- */

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

typedef struct name_lookup name_lookup;

typedef struct host_name {
    char        *host;
    uint32_t     port;
    name_lookup *lookup; /* under way, or done and not taken; I/O thread */
} host_name;

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
    char     address[PROJECT_BYTES + 1]; /* the project, fit for names of the broker */
    char     inbox[NAME_MAX_BYTES];
    char     shown[NAME_MAX_BYTES];
    SSL_CTX *tls;

    pthread_mutex_t lock;
    pthread_cond_t  calm; /* a flush ended, something was settled, an answer came */
    pthread_t       thread;
    io_turn         turn; /* who is the I/O thread */
    int             wake_fd;
    bool            started;
    _Atomic bool    asleep; /* the I/O thread is, or is about to be: a look needs a wake-up */
    _Atomic bool    again;  /* look once more before sleeping */
    bool            stopping;
    bool            quit;
    bool            removing; /* our inbox: its end is no surprise */
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
