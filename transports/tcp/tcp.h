/* tcp.h: what the files of the tcp transport share.
 *
 * An instance has one lock and one I/O thread. The lock guards everything but what a comment calls
 * the I/O thread's own; it is held for short and never while an event is raised or a socket is
 * written. What must happen once it is open is collected in `effects` (effects.c).
 *
 * A task of ours is an `entry` that goes OUT: it waits in the lane of its name, is given to a
 * connection whose peer has announced the task, and ends with the peer's settlement. A task of a
 * peer's is an entry that came IN: it waits in the inbox of our subscription and is delivered
 * within its credit. Our own subscriptions are a peer, too: the connection `self`, which has no
 * socket.
 */
#ifndef TCP_H
#define TCP_H

#include <patio/peers.h>
#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include "allow.h"
#include "frame.h"
#include "stream.h"

enum { PRIORITIES = PATIO_PRIORITY_MAX + 1, WORD_BITS = 64, CHUNK_ENTRIES = 128 };

typedef struct entry        entry;
typedef struct lane         lane;
typedef struct queue        queue;
typedef struct peersub      peersub;
typedef struct subscription subscription;
typedef struct large        large;
typedef struct effects      effects;

enum entry_state {
    ENTRY_FREE      = 0,
    ENTRY_READY     = 1, /* out: in its lane */
    ENTRY_GIVEN     = 2, /* out: a peer has it */
    ENTRY_DELAYED   = 3, /* out: waits for its time */
    ENTRY_DEAD      = 4, /* out: dead letter */
    ENTRY_GONE      = 5, /* out: cancelled while delayed; free once its timer cannot run any more */
    ENTRY_INBOX     = 6, /* in: waits for credit of ours */
    ENTRY_DELIVERED = 7, /* in: the host has it */
};

struct entry {
    entry           *next; /* in its lane, inbox, free list or dead letters */
    entry           *prev;
    entry           *link_next; /* in its connection's list */
    entry           *link_prev;
    uint64_t         tag; /* generation << 32 | slot + 1; the generation moves with every giving */
    patio_transport *t;
    lane            *lane;
    patio_buf       *body;
    patio_buf       *cause;  /* of a dead letter */
    peersub         *holder; /* out, given: whose credit it uses */
    conn            *link;   /* out, given: who has it; in: where it came from */
    uint64_t         remote; /* in: the publisher's tag */
    uint64_t         accepted_ns;
    uint64_t         deadline_ns; /* 0: none */
    uint64_t         moved_ns;    /* given, or put into the inbox */
    uint64_t         wrote;       /* out, given: place in the stream where its frame ends */
    uint64_t         timer;
    uint64_t         order;
    patio_id         id;
    uint32_t         flags; /* PATIO_MESSAGE_… */
    uint32_t         fence;
    uint16_t         attempt;
    uint16_t         crashes;
    uint8_t          priority;
    uint8_t          state;
    bool             claimed;
    bool             asked; /* a cancel awaits its outcome */
};

typedef struct list {
    entry *first;
    entry *last;
} list;

/* All ready tasks of one name in one queue, and who can run them. */
struct lane {
    queue    *queue;
    lane     *next; /* in its hash bucket */
    uint32_t  index;
    uint32_t  nonempty; /* bit per priority */
    peersub **routes;
    uint32_t  route_count;
    uint32_t  route_room;
    uint32_t  turn; /* round-robin among equals */
    bool      own;  /* our subscription has it */
    list      ready[PRIORITIES];
    char      task[];
};

enum { LANE_BUCKETS = 64, LANES_MAX = 65536, QUEUES_MAX = 4096 };

struct queue {
    queue           *next;
    patio_transport *t;
    lane            *buckets[LANE_BUCKETS];
    lane           **lanes;
    uint64_t        *nonempty; /* bit per lane */
    uint32_t         lane_count;
    uint32_t         lane_room;
    subscription    *own;
    uint64_t         consumers; /* peersubs with routes */
    uint64_t         ready;
    uint64_t         leased;
    uint64_t         delayed;
    uint64_t         dead;
    list             dead_letters; /* oldest first */
    char             name[];
};

/* What one peer takes from one queue. */
struct peersub {
    peersub  *next; /* of the same connection */
    conn     *link;
    queue    *queue;
    uint32_t  credit;
    uint32_t  extra; /* beyond the credit, while answers are quick */
    uint32_t  outstanding;
    uint32_t  words;
    uint64_t *lanes; /* bit per lane it can run */
    bool      active;
};

/* What we take from one queue. */
struct subscription {
    queue   *queue;
    uint32_t credit;
    uint32_t unsettled;
    uint32_t waiting; /* in the inbox */
    uint32_t nonempty;
    bool     closed;
    list     inbox[PRIORITIES];
};

typedef struct bytes {
    uint8_t *data;
    size_t   size;
    size_t   room;
} bytes;

/* A long message on its way out. */
struct large {
    large       *next;
    patio_buf   *body;
    uint8_t     *head; /* behind this struct */
    size_t       head_bytes;
    size_t       at;
    frame_header header;
    uint64_t     tag; /* of a PUBLISH: the entry to tell where it ended; else 0 */
};

/* A long message on its way in; the I/O thread's own. */
typedef struct piece {
    patio_buf *body;
    uint8_t   *data;
    size_t     size;
    size_t     at;
    uint8_t   *head;
    size_t     head_bytes;
    uint64_t   id;
    uint8_t    type;
} piece;

enum conn_state {
    CONN_CONNECTING = 1,
    CONN_SECURING   = 2, /* TLS shakes hands */
    CONN_GREETING   = 3, /* HELLO is sent or awaited */
    CONN_PROVING    = 4, /* AUTH or WELCOME is awaited */
    CONN_OPEN       = 5,
    CONN_CLOSED     = 6,
};

struct conn {
    conn             *next;
    conn             *prev;
    patio_transport  *t;
    endpoint         *endpoint;
    int               fd;
    const stream_ops *stream;
    struct tls       *tls;   /* of a TLS stream; tls.c */
    grant            *allow; /* what it may call; NULL: everything */
    uint32_t          refs;
    uint8_t           state;
    uint8_t           key_index; /* which of our keys is used with it */
    bool              self;
    bool              connects;
    bool              announced; /* its ANNOUNCE has come */
    bool              foreign;   /* of another project */
    bool              broken;    /* to be closed by the I/O thread */
    bool              parting;   /* close once all is written */
    bool              proven;    /* the peer has shown the key */
    bool              spoke;     /* its first bytes were looked at */
    char              name[80];
    char              security[128];

    /* reading, the I/O thread's own */
    uv_poll_t poll;
    int       poll_for;
    uint8_t   step; /* of the handshake of TLS: enum stream_step */
    bytes     in;
    piece     pieces[FRAME_CHANNELS];
    uint64_t  since_ns;
    uint64_t  heard_ns;
    uint64_t  pinged_ns;
    uint64_t  rtt_ns; /* of the last answered ping */
    uint64_t  bytes_in;
    uint64_t  peer_incarnation;
    char      project[256]; /* that it announced */
    uint8_t   hello_own[FRAME_HELLO_BYTES];
    uint8_t   hello_peer[FRAME_HELLO_BYTES];
    uint32_t  max_bytes; /* the peer's */

    /* writing */
    bytes    out;     /* appended under the lock */
    bytes    writing; /* of whoever has set `flushing` */
    size_t   writing_at;
    bool     flushing;
    bool     want_write; /* the socket is full; the I/O thread waits for it */
    bool     dirty;      /* in the instance's list of what to flush */
    bool     choked;     /* somebody wanted to give it a task and its queue was full */
    conn    *dirty_next;
    large   *larges;
    large  **larges_end;
    uint64_t larges_bytes;
    uint32_t channels; /* bit per one in use */
    uint64_t appended; /* bytes ever appended, and written */
    uint64_t written;
    uint64_t flushed_ns;
    uint64_t progress_ns;

    /* its tasks */
    peersub *subs;
    entry   *given;    /* ours that it has */
    entry   *received; /* its that we have */
    uint32_t given_count;
    uint32_t received_count;
};

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

/* One address to listen on or to connect to. */
struct endpoint {
    patio_transport *t;
    bool             listens;
    bool             is_unix;
    bool             given_up;
    bool             resolving;
    bool             timer_on;
    bool             bound; /* the socket file is ours */
    bool             is_tls;
    bool             was_open; /* it has worked once: what fails now may heal */
    char            *keys[2];  /* "" if none; secrets. The second one is taken, too */
    bool             insecure;
    char             host[256];
    uint32_t         port;
    char             path[108];
    char             shown[300];
    char             bound_to[128]; /* where it listens in truth */
    int              fd;            /* listening */
    uv_poll_t        poll;
    bool             poll_on;
    bool             paused; /* out of file descriptors */
    conn            *link;
    uv_timer_t       timer;
    uv_getaddrinfo_t lookup;
    address          addresses[ADDRESSES_MAX];
    uint32_t         address_count;
    uint32_t         address_next;
    uint32_t         attempts;
    tls_settings     tls;
    tls_context     *context;
    allow_list      *allow; /* NULL: whoever is let in may call everything */
    uint64_t         stamp; /* of the files, when they were read */
    uint64_t         looked_ns;
};

typedef struct settings {
    uint64_t max_queued;
    uint64_t max_queued_bytes;
    uint64_t max_dead;
    uint64_t max_crashes;
    uint64_t max_frame_bytes;
    uint64_t write_queue_bytes;
    uint64_t prefetch;
    uint64_t ping_ms;
    uint64_t dead_ms;
    uint64_t handshake_ms;
    uint64_t reconnect_min_ms;
    uint64_t reconnect_max_ms;
    uint64_t max_connections;
    uint64_t max_connections_per_address;
    uint64_t handshakes_per_second;
} settings;

/* In `calls`: stop() waits for the last of them. */
enum { CALLS_AWAITED = 1 << 30 };

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    char                          project[256];
    uint64_t                      incarnation;
    uint64_t                      max_body_bytes;
    settings                      set;
    endpoint                     *endpoints;
    uint32_t                      endpoint_count;

    pthread_mutex_t lock;
    pthread_cond_t  calm; /* something was settled, flushed or closed */
    bool            running;
    bool            waiting_calm; /* stop waits for `calm` */
    _Atomic bool    quit;         /* the I/O thread is to end */
    uint32_t        queue_count;
    queue          *queues;
    entry         **chunks;
    uint32_t        chunk_count;
    entry          *free;
    uint64_t        order;
    uint64_t        lanes;
    uint64_t        held; /* entries that go out, and their bytes */
    uint64_t        held_bytes;
    uint64_t        inbound; /* entries of other peers that are here, and their bytes */
    uint64_t        inbound_bytes;
    uint64_t        sends; /* of those, nobody waits for and not dead */
    conn           *conns;
    uint32_t        conn_count;
    conn           *self;
    conn           *dirty;
    bool            awake; /* the I/O thread will look at `dirty` before it sleeps */

    _Atomic bool     stopping;
    bool             idled; /* under the lock: no event runs any more */
    _Atomic uint32_t calls; /* events being raised on threads that are not ours */

    /* the I/O thread's own */
    pthread_t    thread;
    _Atomic bool has_thread;
    bool         loop_made;
    uv_loop_t    loop;
    uv_async_t   wake;
    uv_prepare_t prepare;
    uv_check_t   check;
    uv_timer_t   tick;
    uint8_t     *read_data;
    uint64_t     piece_bytes; /* announced for long messages that have not come whole */
    uint32_t     ticks;
    rate        *rates; /* RATE_SLOTS of them, or NULL */
    uint32_t     link_state;
    char         link_why[200];
};

/* options.c */
extern const patio_option *const tcp_options[];
extern const char *const         tcp_schemes[];
patio_status tcp_read_settings(patio_transport *t, const patio_transport_params *params,
                               patio_error *err);
void         tcp_forget_settings(endpoint *ep);
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
bool limits_allow(patio_transport *t, const struct sockaddr *a, uint64_t now);

/* peers.c */
extern const patio_peers_ops tcp_peers;

/* loop.c */
patio_status loop_start(patio_transport *t, patio_error *err);
void         loop_stop(patio_transport *t);
bool         loop_is_mine(const patio_transport *t);
/* What the link is now, from what the endpoints are; raises the event if it changed. `why` may be
 * NULL. The I/O thread, without the lock. */
void loop_link(patio_transport *t, const patio_error *why);

/* endpoint.c */
patio_status endpoint_listen(endpoint *ep, patio_error *err);
void         endpoint_accept_start(endpoint *ep);
void         endpoint_close(endpoint *ep);
void         endpoint_resume(endpoint *ep);
void         endpoint_address_text(const struct sockaddr *a, char *text, size_t room);

/* reconnect.c; the I/O thread */
void reconnect_now(endpoint *ep);
void reconnect_later(endpoint *ep, const patio_error *why);
void reconnect_connected(conn *c);

/* conn.c; the I/O thread */
conn *conn_new(patio_transport *t, endpoint *ep, int fd, bool connects);
void  conn_close(conn *c, patio_status status, const char *why);
void  conn_poll(conn *c);
void  conn_free(conn *c);
void  conn_unref(conn *c);
void  conn_tick(conn *c, uint64_t now);

/* read.c; the I/O thread */
void conn_read(conn *c);

/* write.c; under the lock unless it says otherwise */
/* Appends a frame; a long one is queued. `tail` may be NULL. False: out of memory, and the
 * connection is broken. */
bool write_frame(conn *c, const frame_header *h, patio_bytes head, patio_buf *tail, uint64_t tag);
/* See to it that what was appended goes out: by this thread after the lock, or by the I/O thread.
 */
void     write_kick(conn *c, effects *fx);
void     write_flush(conn *c); /* not under the lock; `flushing` is ours */
void     write_mark_dirty(conn *c);
uint64_t write_backlog(const conn *c);
void     write_fini(conn *c);

/* hello.c; the I/O thread, under the lock */
void hello_begin(conn *c);
/* NULL, or why the connection ends. */
const char *hello_frame(conn *c, const frame_header *h, patio_bytes body, patio_status *status);
void        hello_goodbye(conn *c, enum goodbye reason);

/* auth.c */
/* `binding`: TLS_BINDING_BYTES of the channel, or NULL on a plain one. */
bool auth_mac(const char *key, bool from_listener, const uint8_t *hello_connects,
              const uint8_t *hello_listens, const uint8_t *binding, uint8_t mac[FRAME_MAC_BYTES]);
/* By which key the other side may find the one meant: 4 bytes from key and nonce. */
uint32_t auth_hint(const char *key, const uint8_t nonce[FRAME_NONCE_BYTES]);
bool     auth_same(const uint8_t *a, const uint8_t *b);

/* hub.c; under the lock */
queue *hub_queue(patio_transport *t, const char *name, bool make);
lane  *hub_lane(queue *q, const char *task, bool make);
entry *hub_entry_new(patio_transport *t);
entry *hub_entry_find(patio_transport *t, uint64_t tag, uint8_t state);
void   hub_entry_free(entry *e);
void   hub_append(list *l, entry *e);
void   hub_unlink(list *l, entry *e);
void   hub_push_ready(entry *e);
void   hub_unlink_ready(entry *e);
void   hub_link(conn *c, entry **first, entry *e);
void   hub_unlink_link(entry **first, entry *e);
void   hub_fini(patio_transport *t);

/* peer.c; under the lock */
bool peer_announced(conn *c, patio_bytes body, effects *fx);
bool peer_announce(conn *c);
void peer_announce_all(patio_transport *t, effects *fx);
void peer_leave(conn *c, effects *fx);
bool peer_set_self(queue *q, const patio_subscription *in);

/* route.c; under the lock */
peersub *route_choose(lane *l, size_t size);
bool     route_give(entry *e, peersub *to, effects *fx);
void     route_fill(peersub *ps, effects *fx);
void     route_fill_all(patio_transport *t, effects *fx);
/* Into its lane, or to whoever can run it now; a call that nobody can run any more fails. */
void route_put(entry *e, effects *fx);
void route_delay(entry *e, uint64_t delay_ms, effects *fx);
void route_bury(entry *e, patio_bytes cause, effects *fx);
/* It is not with its peer any more: credit back. */
void route_take_back(entry *e);
/* The connection died; as many as the effects have room for. True: there are more. */
bool route_lost(conn *c, effects *fx);

/* inbox.c; under the lock */
bool inbox_put(conn *from, uint64_t remote, const frame_publish *p, lane *l, patio_buf *body,
               effects *fx);
void inbox_pump(subscription *s, effects *fx);
/* Give back what was not started. */
void inbox_return(entry *e, effects *fx);
/* At the end: a delivered one, unless it is a call that must not run twice. */
void inbox_return_unsettled(entry *e, effects *fx);
void inbox_return_all(subscription *s, effects *fx);
void inbox_return_old(subscription *s, uint64_t now, effects *fx);
bool inbox_lost(conn *c, effects *fx);
void inbox_forget(entry *e, effects *fx);

/* settle.c */
patio_status tcp_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                        patio_error *err);
patio_status tcp_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
/* A peer settled a task of ours; under the lock. */
void settle_came(conn *c, uint64_t tag, const frame_settle *s, patio_buf *reply, effects *fx);

/* publish.c, cancel.c, subscribe.c */
patio_status tcp_publish(patio_transport *t, const patio_message *m, patio_error *err);
patio_status tcp_cancel(patio_transport *t, const char *name, const patio_id *id, patio_error *err);
void         cancel_asked(conn *c, uint64_t tag, patio_bytes id, effects *fx);
void         cancel_came(conn *c, uint64_t tag, patio_bytes body, effects *fx);
patio_status tcp_subscribe(patio_transport *t, const patio_subscription *in, patio_error *err);
patio_status tcp_unsubscribe(patio_transport *t, const char *name, patio_error *err);
/* Take no more from it. Under the lock. */
void         subscribe_close(queue *q);
patio_status tcp_counts(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err);

/* effects.c: what is raised, dropped and written once the lock is open. */
enum { EFFECTS_MAX = 64, EFFECTS_SPARE = 8 };

enum effect_kind {
    EFFECT_DELIVERED,
    EFFECT_REPLIED,
    EFFECT_PARTIAL,
    EFFECT_ACCEPTED,
    EFFECT_REJECTED,
    EFFECT_UNKNOWN,
    EFFECT_LEASE_LOST,
    EFFECT_CANCEL_WANTED,
    EFFECT_CANCELLED,
};

typedef struct effect {
    uint32_t       kind;
    patio_status   status; /* of a receipt; outcome of a cancel */
    patio_buf     *body;
    patio_tag      tag;
    patio_id       id;
    patio_delivery delivery;
    patio_message  message;
    const char    *text;
} effect;

struct effects {
    patio_transport *t;
    conn            *flush; /* `flushing` and a reference are ours */
    uint64_t         now;
    uint32_t         count;
    bool             again; /* there was no room for all there is to do */
    bool             loop;  /* on the I/O thread */
    effect           items[EFFECTS_MAX];
};

/* Lock and begin to collect. */
void effects_begin(effects *fx, patio_transport *t);
bool effects_room(const effects *fx);
/* A cleared one of that kind. The caller has made sure of room. */
effect *effects_add(effects *fx, enum effect_kind kind);
/* Open the lock, do all that was collected, go on as long as there is more. */
void effects_end(effects *fx);
/* The same, and lock again. */
void effects_pass(effects *fx);

#endif
