/* transport.h: what the files of this plugin share. docs/amqp.md has the names, the properties and
 * the reasons.
 *
 * One instance has two connections to the broker and one thread that reads both. The publishing
 * connection carries tasks, replies and copies, all confirmed; the consuming one carries
 * deliveries, acknowledgements and whatever is declared. They are two because a broker in an alarm
 * stops reading who publishes, and acknowledgements must still pass.
 *
 * librabbitmq encodes and decodes. The sockets are ours: nothing here ever waits inside the
 * library, and a write carries as many frames as there are.
 *
 * Locking: one lock for the state of an instance, held for short. What only the I/O thread touches
 * says so. Events are raised by the I/O thread only, without the lock.
 */
#ifndef PATIO_AMQP_TRANSPORT_H
#define PATIO_AMQP_TRANSPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <amqp.h>
#include <openssl/ssl.h>

#include <patio/plugin_util.h>
#include <patio/transport.h>

enum {
    CH_TASKS    = 1, /* consuming: deliveries of tasks and their acknowledgements */
    CH_TOPOLOGY = 2, /* consuming: what is declared and asked, one after the other */
    CH_INBOX    = 3, /* consuming: replies and control messages */
    CH_PUBLISH  = 1, /* publishing: everything, in confirm mode */
    CHANNELS    = 4,

    NAME_MAX_BYTES  = 256,
    PROJECT_BYTES   = 100, /* so that every name of the broker's fits into 255 bytes */
    QUEUE_BYTES     = 120,
    FRAME_MAX_BYTES = 131072,
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
    uint64_t claim_after_ms;
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

/* ---- one message that is published, until the broker has confirmed it ---- */

enum {
    POST_TASK,  /* of our own caller: a receipt follows */
    POST_REPLY, /* then the task is acknowledged */
    POST_MOVE,  /* a copy of a delivered task to another queue, then it is acknowledged */
    POST_PLAIN, /* nothing follows */
    POST_PROBE, /* not repeated after a reconnect */
};

struct post {
    post      *next;
    place     *place;   /* must be there first; NULL: nothing of ours */
    uint64_t   made_ns; /* when it was taken */
    uint64_t   end_ns;  /* nobody waits any more; 0: never */
    patio_tag  tag;     /* the delivery that is settled with it; 0: none */
    patio_id   id;
    patio_buf *body;      /* may be NULL: empty */
    uint32_t   head_size; /* method and header frame, ready to be written */
    uint8_t    kind;
    uint8_t    returns;    /* how often its queue was not there */
    bool       receipt;    /* acceptance is to be told */
    bool       persistent; /* on disk when it is confirmed */
    bool       sent;       /* at least once */
    bool       returned;   /* its queue is not there */
    bool       orphan;     /* its lease is gone: not to be repeated */
    bool       told;       /* its outcome has been told */
    bool       quiet;      /* its delivery is not known to the host */
    uint8_t    head[];
};

typedef struct post_list {
    post  *first;
    post **end;
} post_list;

/* ---- queues of the broker ---- */

enum { PLACE_WORK, PLACE_DEAD, PLACE_DELAY };
enum { PLACE_UNKNOWN, PLACE_DECLARING, PLACE_READY, PLACE_FAILED };

struct place {
    queue       *owner;
    uint64_t     ttl_ms; /* PLACE_DELAY */
    uint64_t     failed_ns;
    post_list    waiting; /* for it to be ready */
    patio_status status;  /* PLACE_FAILED */
    uint8_t      kind;
    uint8_t      state;
    uint8_t      type; /* QUEUE_CLASSIC, QUEUE_QUORUM: as last tried */
    char         name[NAME_MAX_BYTES];
    char         why[WHY_BYTES];
};

enum { SUB_NONE, SUB_WANTED, SUB_ASKED, SUB_ON };

/* A queue of the project, as patio sees it. Never freed before the instance. */
struct queue {
    queue           *next;
    patio_transport *t;
    place            work;
    place            dead;
    place           *delay[DELAY_STEPS];
    bool             subscribed;
    uint8_t          state;        /* SUB_… of the current consumer */
    uint32_t         credit;       /* wanted */
    uint32_t         asked_credit; /* of the consumer that is on */
    uint32_t         consumer;     /* number in its tag */
    uint32_t         unsettled;    /* with us, whatever their state */
    uint32_t         given;        /* told to the host, and not settled by it */
    uint32_t         waiting;      /* LEASE_WAITING */
    uint64_t         retry_ns;     /* subscribe again, not before */
    char             name[NAME_MAX_BYTES];
    char             address[QUEUE_BYTES + 1]; /* the name, fit for names of the broker */
};

/* ---- deliveries ---- */

enum {
    LEASE_FREE,
    LEASE_WAITING, /* arrived beyond the credit: not told yet */
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
    uint64_t   ttl_ms;   /* when it arrived; 0: none */
    uint64_t   sent_ms;  /* wall clock of its acceptance, for its age */
    queue     *queue;
    patio_buf *body;
    patio_id   id;
    uint32_t   flags;
    uint32_t   position; /* of the slot, from 1 */
    uint16_t   attempt;
    uint16_t   crashes;
    uint16_t   redelivered; /* how often this copy came before, as far as the broker says */
    uint8_t    priority;
    uint8_t    state;
    bool       persistent;
    bool       quiet;   /* the host does not know of it */
    bool       counted; /* in `given` */
    bool       told_cancel;
    char      *reply_to;
    char      *task; /* in the same allocation */
};

enum { SLOT_CHUNKS = 24 };
typedef struct slot_chunk {
    delivery *slots;
    uint32_t  count;
} slot_chunk;

/* ---- what is read ---- */

/* The properties of a message that mean something here; only what had its flag is set. */
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
    props      props;
    char       key[NAME_MAX_BYTES]; /* routing key */
} inbound;

/* ---- connections ---- */

enum { CONSUMING, PUBLISHING, LINKS };
enum {
    LINK_CLOSED,
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
    uint32_t                state;
    int                     fd;
    SSL                    *ssl;   /* I/O thread */
    amqp_connection_state_t codec; /* I/O thread */
    obuf                    out;   /* under the lock */
    obuf                    wire;  /* belongs to who flushes */
    bool                    flushing;
    bool                    want_write;
    bool                    tls_wants_write;
    bool                    blocked;
    bool                    channel_open[CHANNELS];
    uint32_t                frame_max;
    uint32_t                failures; /* in a row */
    uint32_t                host_at;  /* next to try */
    uint64_t                generation;
    uint64_t                heartbeat_ns;
    uint64_t                deadline_ns; /* of the handshake */
    uint64_t                retry_ns;
    uint64_t                sent_ns;
    uint64_t                heard_ns;
    inbound                 in[CHANNELS];
    char                    tls_why[160]; /* why a certificate was refused */
    char                    shown[NAME_MAX_BYTES];
    char                    host[NAME_MAX_BYTES];
} connection;

typedef struct host_name {
    char    *host;
    uint32_t port;
} host_name;

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
    int             wake_fd;
    bool            started;
    _Atomic bool    woken;
    bool            again; /* I/O thread: look once more before sleeping */
    bool            stopping;
    bool            quit;
    bool            removing; /* our inbox: its end is no surprise */
    bool            proven;   /* a message has gone out and come back since the last reconnect */
    bool            probing;
    bool            work; /* something for the I/O thread to look at */
    uint64_t        probe_ns;
    uint32_t        raised;     /* link state the host knows */
    patio_status    fatal;      /* refused for a reason that waiting does not heal */
    bool            raised_why; /* and it has been told why */
    char            why[WHY_BYTES];

    connection links[LINKS];

    queue     *queues;
    uint32_t   consumers; /* numbers given out */
    rpc       *rpc_first; /* the first one is with the broker if rpc_sent */
    rpc      **rpc_end;
    bool       rpc_sent;
    bool       inbox_ready;
    post     **ring; /* by sequence number of the publishing channel */
    uint32_t   ring_size;
    uint64_t   ring_first; /* oldest unconfirmed */
    uint64_t   ring_next;
    post_list  resend; /* unconfirmed when the link died, in their order */
    uint64_t   posts;  /* alive */
    uint64_t   post_bytes;
    slot_chunk chunks[SLOT_CHUNKS];
    uint32_t   chunk_count;
    uint32_t   slot_count;
    delivery  *free_slots;
    delivery   leases; /* head of a circle, in the order of arrival */
    uint64_t   serial;
    uint32_t   ackable;
    patio_id  *replied; /* ids of late, by a hash: nobody hears a reply twice */
    patio_id  *tombs;   /* cancelled, in a ring */
    uint32_t   tomb_count;
    patio_id  *ended; /* settled here, in a ring */
    uint32_t   ended_count;
    ask       *asks;
    uint64_t   inbox_ack; /* delivery tag up to which the inbox is to be acknowledged */
    uint64_t   replies_undeliverable;
    uint64_t   sweep_ns;
};

/* ---- plugin.c, options.c ---- */
extern const patio_option *const option_table[];
extern const char *const         scheme_table[];
patio_status options_read(patio_transport *t, const patio_transport_params *params,
                          patio_error *err);
void         options_free(patio_transport *t);

/* ---- loop.c: the I/O thread ---- */
patio_status loop_start(patio_transport *t, patio_error *err);
void         loop_stop(patio_transport *t);
void         loop_wake(patio_transport *t); /* any thread, with or without the lock */

/* ---- link.c: one connection. I/O thread, without the lock, unless it says otherwise ---- */
void link_connect(connection *c);
void link_step(connection *c, uint64_t now_ns); /* what time brings */
void link_read(connection *c);
void link_writable(connection *c);
/* Give it up: all that hung on it is told, and another try is planned. */
void link_fail(connection *c, patio_status status, const char *format, ...) PATIO_PRINTF(3, 4);
void link_close(connection *c); /* without a word */

/* ---- socket.c ---- */
int socket_connect(connection *c, patio_error *err); /* to the next address */
/* Bytes moved; 0: not now; -1: failed or ended, errno says why (0: the other side ended it). */
ssize_t socket_read(connection *c, void *data, size_t size);
ssize_t socket_write(connection *c, const void *data, size_t size);
/* Under the lock, which it lets go while it writes. Any thread with `plain` connections. */
void socket_flush(connection *c);
/* Under the lock: write now if that is worth it, else let the I/O thread do it. */
void socket_push(connection *c);
bool socket_is_calm(const connection *c); /* under the lock: nothing went out just now */

/* ---- tls.c ---- */
patio_status tls_make(patio_transport *t, patio_error *err);
int          tls_begin(connection *c);
int          tls_handshake(connection *c); /* 1 done, 0 not yet, -1 failed */
void         tls_end(connection *c);
void         tls_explain(const connection *c, char *text, size_t size);

/* ---- login.c: from TCP to LINK_READY ---- */
void login_begin(connection *c);
void login_method(connection *c, uint16_t channel, const amqp_method_t *m);
void login_open_channel(connection *c, uint16_t channel); /* under the lock */

/* ---- input.c, content.c: frames ---- */
void input_frame(connection *c, const amqp_frame_t *f);
void content_method(connection *c, uint16_t channel, const amqp_method_t *m);
void content_header(connection *c, uint16_t channel, const amqp_frame_t *f);
void content_body(connection *c, uint16_t channel, const amqp_frame_t *f);
void content_reset(connection *c);

/* ---- wire.c: encoding; under the lock. false: out of memory ---- */
bool         obuf_add(patio_transport *t, obuf *b, const void *data, size_t size);
bool         wire_method(connection *c, uint16_t channel, uint32_t method, void *decoded);
bool         wire_body(connection *c, uint16_t channel, patio_bytes body);
bool         wire_heartbeat(connection *c);
amqp_bytes_t wire_text(const char *text);
void         wire_copy(char *out, size_t size, amqp_bytes_t text);
bool         wire_is(amqp_bytes_t text, const char *word);
void         obuf_clear(patio_transport *t, obuf *b);
/* Into memory of the caller's; 0: no room. No lock. */
size_t wire_put_method(uint8_t *at, size_t room, uint16_t channel, uint32_t method, void *decoded);
size_t wire_put_header(uint8_t *at, size_t room, uint16_t channel, uint64_t body_size,
                       amqp_basic_properties_t *p);

/* ---- props.c ---- */
void props_read(props *out, const amqp_basic_properties_t *p);
void props_write_id(char out[33], const patio_id *id);
bool props_read_id(patio_id *id, amqp_bytes_t text);
/* What is said of a task beside its body. */
typedef struct task_facts {
    patio_id    id;
    const char *task;
    const char *reply_to; /* "" none */
    patio_bytes cause;    /* of its death */
    uint64_t    ttl_ms;
    uint64_t    expire_ms; /* for the broker; 0: none */
    uint64_t    sent_ms;
    uint64_t    fence;
    uint32_t    flags;
    uint16_t    attempt;
    uint16_t    crashes;
    uint8_t     priority;
    bool        persistent;
} task_facts;
uint64_t props_wall_ms(void);

/* ---- post.c ---- */
post *post_new_task(patio_transport *t, uint8_t kind, place *to, const task_facts *facts,
                    patio_buf *body);
/* partial: progress, which nothing depends on. */
post *post_new_reply(patio_transport *t, const char *reply_to, const patio_id *id, bool persistent,
                     bool partial, patio_buf *body);
post *post_new_probe(patio_transport *t);
/* exchange "": to the queue `key`. type: what it is. */
post *post_new_control(patio_transport *t, const char *exchange, const char *key, const char *type,
                       const patio_id *nonce, const char *reply_to, patio_bytes words);
void  post_free(patio_transport *t, post *p); /* under the lock or the only one who knows it */
/* Under the lock: on its way, now or when its place is ready and the link is up. */
void  post_submit(patio_transport *t, post *p);
void  post_list_init(post_list *list);
void  post_list_add(post_list *list, post *p);
post *post_list_take(post_list *list);
post *post_ring_take(patio_transport *t, uint64_t number); /* NULL: not there any more */
void  post_link_lost(patio_transport *t);                  /* the publishing one */
void  post_link_ready(patio_transport *t);
void  post_step(patio_transport *t); /* send what could not be sent before */

/* ---- publish.c ---- */
patio_status transport_publish(patio_transport *t, const patio_message *m, patio_error *err);

/* ---- confirm.c: I/O thread, without the lock ---- */
void confirm_settled(patio_transport *t, uint64_t number, bool multiple, bool accepted);
void confirm_returned(patio_transport *t, const inbound *in);
void confirm_sweep(patio_transport *t, uint64_t now_ns); /* posts that have waited too long */
void confirm_end(patio_transport *t);                    /* what is left when all ends */

/* ---- place.c: under the lock ---- */
queue       *place_queue(patio_transport *t, const char *name, bool make);
place       *place_delay(patio_transport *t, queue *q, uint64_t delay_ms);
place       *place_step_at(patio_transport *t, queue *q, int step);
void         place_shorten(char *out, size_t most, const char *name);
patio_status place_check_name(const char *name, patio_error *err); /* no lock */
bool         place_ensure(patio_transport *t, place *p);           /* true: it is ready */
void         place_ready(patio_transport *t, place *p);
void         place_failed(patio_transport *t, place *p, patio_status status, const char *why);
void         place_step(patio_transport *t);   /* what waits may be able to go on */
void         place_forget(patio_transport *t); /* the link died: nothing is known */
void         place_free_all(patio_transport *t);
enum { PLACE_ARGUMENTS = 8 };
int place_arguments(const patio_transport *t, const place *p, amqp_table_entry_t *out);

/* ---- rpc.c: the topology channel ---- */
enum { RPC_DECLARE, RPC_PASSIVE, RPC_INBOX, RPC_EXCHANGE, RPC_BIND, RPC_PURGE, RPC_DELETE };
struct rpc {
    rpc     *next;
    uint32_t kind;
    place   *place; /* RPC_DECLARE */
    /* a caller that waits; else it is freed when done */
    bool         awaited;
    bool         done;
    patio_status status;
    uint64_t     messages;
    uint64_t     consumers;
    char         name[NAME_MAX_BYTES];
    char         why[WHY_BYTES];
};
rpc *rpc_new(patio_transport *t, uint32_t kind, const char *name);
void rpc_add(patio_transport *t, rpc *r); /* under the lock */
void rpc_step(patio_transport *t);        /* under the lock: send the next */
void rpc_method(patio_transport *t, const amqp_method_t *m);
void rpc_channel_closed(patio_transport *t, uint16_t code, const char *text);
void rpc_link_lost(patio_transport *t); /* under the lock */
/* [blocks] Hand over, wait, take back. */
patio_status rpc_wait(patio_transport *t, rpc *r, uint64_t timeout_ms, patio_error *err);

void rpc_remove_inbox(patio_transport *t);

/* ---- counts.c ---- */
patio_status counts_ask(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err);

/* ---- control.c: questions to all processes of the project, over an exchange ---- */
enum { ASK_LEASED, ASK_CANCEL, ASK_PRESENCE };
struct ask {
    ask     *next;
    patio_id nonce;
    uint32_t kind;
    bool     awaited;  /* by a thread; else `control_step` ends it */
    bool     told;     /* ASK_CANCEL: it runs somewhere */
    bool     late;     /* ASK_CANCEL: it was settled somewhere */
    uint64_t expected; /* answers of subscribed workers */
    uint64_t answers;  /* of them */
    uint64_t sum;      /* ASK_LEASED */
    uint64_t asked_ns;
    uint64_t until_ns;
    patio_id id; /* ASK_CANCEL */
    queue   *queue;
    obuf     got; /* ASK_PRESENCE: what came, one after the other */
};
bool control_can(const patio_transport *t, patio_error *err, const char *what);
ask *control_new(patio_transport *t, uint32_t kind);
/* Under the lock: ask everybody. false: out of memory, or no link. */
bool control_ask(patio_transport *t, ask *a, const char *words);
void control_tell_all(patio_transport *t, const char *words); /* under the lock */
void control_forget(patio_transport *t, ask *a);              /* under the lock; frees it */
void control_input(patio_transport *t, inbound *in);
void control_step(patio_transport *t, uint64_t now_ns); /* without the lock */
void control_free_all(patio_transport *t);
/* [blocks], under the lock: until `expected` have answered, or until the time has come. */
void control_wait(patio_transport *t, ask *a, uint64_t timeout_ms);
#define CONTROL_NAME(t, buffer)                                                                    \
    ((void)snprintf((buffer), sizeof(buffer), "patio:%.100s:@control", (t)->address))

/* ---- cancel.c ---- */
patio_status transport_cancel(patio_transport *t, const char *queue, const patio_id *id,
                              patio_error *err);
/* Under the lock: was it cancelled while it waited? */
bool cancel_is_dead(const patio_transport *t, const patio_id *id);
void cancel_note(patio_transport *t, const patio_id *id);
void cancel_ended(patio_transport *t, const patio_id *id);
/* Without the lock: what this process says: "told", "late" or "noted". */
const char *cancel_here(patio_transport *t, const patio_id *id);
void        cancel_finish(patio_transport *t, ask *a); /* frees it */

/* ---- subscribe.c ---- */
patio_status transport_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err);
patio_status transport_unsubscribe(patio_transport *t, const char *name, patio_error *err);
void         subscribe_step(patio_transport *t, uint64_t now_ns); /* under the lock */
void         subscribe_ok(patio_transport *t, amqp_bytes_t tag);
void         subscribe_cancelled(patio_transport *t, amqp_bytes_t tag);
void         subscribe_forget(patio_transport *t); /* under the lock: the channel is gone */
bool         subscribe_all_on(const patio_transport *t);
uint32_t     subscribe_number(amqp_bytes_t tag);
queue       *subscribe_queue(patio_transport *t, uint32_t consumer);

/* ---- deliver.c ---- */
void      deliver_task(patio_transport *t, inbound *in);
void      deliver_inbox(patio_transport *t, inbound *in);
delivery *deliver_find(patio_transport *t, patio_tag tag); /* under the lock */
void      deliver_release(patio_transport *t, delivery *d);
bool      deliver_reserve(patio_transport *t); /* slots for what is subscribed */
/* The channel of the deliveries is gone: leases are lost. */
void deliver_step(patio_transport *t); /* without the lock: tell what had to wait */
void deliver_give_back(patio_transport *t, queue *q, bool held); /* under the lock, uncharged */
void deliver_uncount(patio_transport *t, delivery *d);           /* under the lock */
void deliver_lost(patio_transport *t, const char *why);
void deliver_free_all(patio_transport *t);

/* ---- settle.c ---- */
patio_status transport_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                              patio_error *err);
patio_status transport_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
void         settle_confirmed(patio_transport *t, patio_tag tag); /* under the lock */
void         settle_flush(patio_transport *t);                    /* under the lock */
/* Under the lock: a copy with other counters to another queue, then the original goes. */
bool settle_move(patio_transport *t, delivery *d, place *to, const task_facts *changed);
void settle_orphan(patio_transport *t, patio_tag tag); /* under the lock: its lease is gone */
void settle_facts(const delivery *d, task_facts *out);

/* ---- state.c: what the host is told of the link ---- */
void state_raise(patio_transport *t);
void state_probe(patio_transport *t); /* under the lock */
/* Under the lock. */
void state_fatal(patio_transport *t, patio_status status, const char *format, ...)
    PATIO_PRINTF(3, 4);

#endif
