/* state.h: what an instance of the redis transport is made of.
 *
 * An instance has one lock and one I/O thread, whose part another thread may play while it waits
 * (turn.h). The lock guards everything but what a comment calls the I/O thread's own; it is never
 * held while an event is raised or a socket is used. Events are raised by the I/O thread,
 * `delivered` also by the thread that settles. Other threads append to the lists of a queue and
 * then try to write at once (conn_flush), so that a task costs no hand-off to the I/O thread on its
 * way out.
 *
 * A node is one server that holds slots (outside of a cluster there is one, with all of them), and
 * its pipelined connection. A queue has two connections of its own, which may block at the server:
 * `reader` takes tasks, `replies` takes answers to calls.
 *
 * What is known of the server's side, keys, fields and scripts: docs/redis.md.
 */
#ifndef REDIS_STATE_H
#define REDIS_STATE_H

#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <openssl/ssl.h>

#include "guest.h"
#include "resp.h"
#include "tasks.h"
#include "turn.h"

enum {
    SHA_BYTES     = 41,
    NODES_MAX     = 128,
    SLOTS         = 16384,
    BATCH_MAX     = 128,
    BATCH_BYTES   = 256 * 1024,
    STARTED_COUNT = 2, /* delivery count in the group that says: was started */
    ADDRESS_BYTES = 272,
    ENTRY_BYTES   = 44, /* "ms-seq" */
    CREDIT_MAX    = 65536,
    ORPHANS_MAX   = 64,
    LINK_REASONS  = 4,
    READ_BYTES    = 64 * 1024,
};

enum script {
    SCRIPT_ENQUEUE,
    SCRIPT_SPECIAL,
    SCRIPT_SETTLE,
    SCRIPT_FETCH,
    SCRIPT_BEAT,
    SCRIPT_PROMOTE,
    SCRIPT_LEAVE,
    SCRIPT_COUNTS,
    SCRIPT_CANCEL,
    SCRIPT_DEAD,
    SCRIPT_QUEUE,
    SCRIPT_STATE,
    SCRIPT_PRESENCE,
    SCRIPT_RIGHTS,
    SCRIPT_COUNT,
};

typedef struct node node;
typedef struct conn conn;
typedef struct ask  ask;

enum cmd_type {
    CMD_HELLO,   /* a step of the greeting */
    CMD_LOAD,    /* SCRIPT LOAD */
    CMD_ENQUEUE, /* ops: publish_op */
    CMD_SPECIAL, /* one publish_op */
    CMD_SETTLE,  /* ops: settle_op */
    CMD_FETCH,
    CMD_READ,
    CMD_REPLIES,
    CMD_BEAT,
    CMD_PROMOTE,
    CMD_CONTROL, /* what a busy worker is told */
    CMD_MARK,
    CMD_LEAVE,
    CMD_CANCEL,
    CMD_PRESENCE,
    CMD_SLOTS,
    CMD_ASK,
    CMD_PING,
    CMD_IGNORE,
};

/* A command whose answer is awaited. */
typedef struct cmd {
    uint8_t  type;
    uint8_t  detail; /* script, or step of the greeting */
    uint32_t count;
    queue   *q;
    void    *ops;  /* or ask */
    uint64_t from; /* place in the stream where it begins */
    uint64_t sent_ns;
} cmd;

enum conn_role { CONN_NODE, CONN_READER, CONN_REPLIES, CONN_SENTINEL };
enum conn_state {
    CONN_CLOSED     = 0,
    CONN_RESOLVING  = 1,
    CONN_CONNECTING = 2,
    CONN_TLS        = 3,
    CONN_HELLO      = 4,
    CONN_OPEN       = 5,
};

struct lookup;

struct conn {
    patio_transport *t;
    node            *node;
    queue           *q;
    uint8_t          role;
    _Atomic uint8_t  state;
    int              fd;
    SSL             *ssl;
    pthread_mutex_t  tls_lock; /* one user of `ssl` at a time */
    bool             listed;   /* in the instance's list */
    bool             flushing; /* somebody writes */
    bool             want_write;
    _Atomic bool     broken; /* to be closed by the I/O thread */
    bool             polled_out;
    bool             polled;
    bool             tls_write_first; /* the handshake waits to write */
    bytes            out;
    bytes            writing;
    size_t           writing_at;
    uint64_t         appended;
    uint64_t         written;
    cmd             *cmds;
    uint32_t         cmd_head;
    uint32_t         cmd_count;
    uint32_t         cmd_room;
    uint32_t         hello_left;
    uint32_t         attempts;
    uint64_t         opened_ns;
    uint64_t         retry_ns;
    int              unsent;      /* at the last look */
    uint64_t         progress_ns; /* last answer, or first command after none was open */
    char             host[256];
    uint32_t         port;
    struct lookup   *lookup;
    patio_error      why;

    /* the I/O thread's own */
    resp_reader *reader;
    conn        *next;
};

typedef struct op_list {
    void    *first;
    void    *last;
    uint32_t count;
} op_list;

/* What INFO said. */
typedef struct server_facts {
    uint32_t version; /* 70015 for 7.0.15 */
    bool     replica;
    bool     loading;
    bool     aof;
    bool     rdb;
    bool     cluster;
    bool     known; /* INFO was allowed */
    uint64_t maxmemory;
    char     policy[32];
} server_facts;

struct node {
    conn         w;
    op_list      asks;
    bool         used;
    bool         ready;  /* greeted, checked, scripts are there */
    bool         legacy; /* scripts without flags */
    server_facts facts;
    char         sha[SCRIPT_COUNT][SHA_BYTES];
    uint64_t     hold_ns;         /* nothing but greeting and beats before this */
    uint64_t     hold_publish_ns; /* no tasks before this */
    uint32_t     holds;
    uint64_t     clock_ms; /* the server's, at clock_at_ns of ours */
    uint64_t     clock_at_ns;
    patio_error  trouble; /* status OK: none */
    uint64_t     probe_ns;
    uint32_t     generation;
};

struct queue {
    queue           *next;
    patio_transport *t;
    node            *node;
    uint32_t         slot;
    conn             reader;
    conn             replies;
    char            *tag; /* patio:{project:queue} */
    char            *name;
    op_list          publishes;
    op_list          settles;
    op_list          cancels;
    bool             pumping;
    op_list          inbox; /* came, and waits for credit */
    uint32_t         extra; /* tasks beyond the credit, while they are quick */
    uint32_t         publish_flights;
    uint32_t         settle_flights;
    bool             returned; /* tasks were given back, and the server may not have them yet */
    uint32_t         mark_flights;

    bool     calls;      /* somebody here awaits replies */
    bool     subscribed; /* somebody here takes tasks */
    bool     closed;     /* and does not any more, but may have some to settle */
    bool     opened;     /* groups are there, as far as we know */
    bool     left;
    bool     armed;     /* a read is at the server */
    bool     listening; /* it brings words, and no tasks */
    bool     freed;     /* since the last fetch: a place within the limit, or a word to look */
    bool     fetching;
    bool     more;  /* the last ordered fetch was full */
    bool     fresh; /* a fetch came back short: now a blocking read may wait */
    bool     beating;
    bool     promoting;
    bool     controlling;
    bool     words; /* to this worker, and it has not read them */
    bool     leaving;
    bool     proven; /* was opened once */
    uint8_t  asking; /* something was set: take nothing until it is known; 2: since it was asked */
    bool     mark_now; /* a start must not wait */
    uint32_t credit;
    uint32_t unsettled;
    uint32_t reserved; /* by the read or fetch under way */
    uint32_t marks;    /* started, not yet told */
    uint32_t state;    /* PATIO_QUEUE_… */
    uint64_t limit;
    uint64_t front;
    char     priorities[12]; /* used beside 4 */
    uint64_t beat_ns;
    uint64_t mark_ns;
    uint64_t due_ns; /* when to promote; 0: not known */
    uint64_t control_ns;
    uint64_t look_ns; /* when to look again whether what fills it is too late */
    char     last_reply[ENTRY_BYTES];
    uint64_t untrimmed;
    uint32_t beats;
    uint32_t round;
    uint32_t orphan_count;
    orphan   orphans[ORPHANS_MAX];
    uint64_t reads; /* answered or lost */
};

typedef struct settings {
    uint64_t    lease_ms;
    uint64_t    max_queued;
    uint64_t    max_dead;
    uint64_t    dead_ttl_ms;
    uint64_t    max_crashes;
    uint64_t    reply_ttl_ms;
    uint64_t    block_ms;
    uint64_t    handshake_ms;
    uint64_t    dead_ms;
    uint64_t    enqueue_wait_ms;
    uint64_t    reconnect_min_ms;
    uint64_t    reconnect_max_ms;
    uint64_t    write_queue_bytes;
    uint64_t    prefetch;
    uint64_t    max_reply_bytes;
    bool        allow_eviction;
    const char *tls_ca_file;
    const char *tls_cert_file;
    const char *tls_key_file;
    const char *tls_server_name;
    const char *sentinel_user;
    const char *sentinel_password;
} settings;

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    const patio_endpoint         *endpoint;
    settings                      set;
    uint64_t                      max_body_bytes;
    uint64_t                      incarnation;
    char                          owner[OWNER_BYTES];
    char                         *project;
    char                          unix_path[108];
    char                          master[128]; /* sentinel: the master's name */
    uint32_t                      db;
    bool                          tls;
    bool                          sentinel;
    bool                          cluster;
    SSL_CTX                      *ssl_ctx;

    pthread_mutex_t lock;
    pthread_cond_t  changed;
    bool            running;
    bool            stopping;
    bool            stopped;
    uint64_t        stop_ns;
    queue          *queues;
    node            nodes[NODES_MAX];
    uint32_t        node_count;
    uint8_t        *slot_node; /* cluster: node of each slot, + 1 */
    bool            slots_known;
    _Atomic bool    slots_wanted;
    uint64_t        slots_ns;
    delivery       *deliveries;
    uint32_t        delivery_room;
    uint32_t        delivery_free; /* slot + 1 */
    uint32_t        delivering;    /* events under way */
    uint32_t        settle_count;  /* not yet answered */
    uint32_t        publish_count;
    uint64_t        publish_bytes;
    bytes           presence; /* what the host says of itself */
    queue          *lobby;    /* the queue without a name, where presence is kept */

    int          epoll;
    int          wake;
    bool         woken;
    pthread_t    thread;
    bool         has_thread;
    _Atomic bool quit;

    io_turn   turn;
    call_list awaited; /* under the lock */
    bool      again;   /* the runner's own: not to sleep before it has looked again */

    /* the I/O thread's own */
    uint8_t     *incoming; /* READ_BYTES of what has been read */
    conn        *conns;
    conn         sentinel_conn;
    uint32_t     sentinel_next;
    uint32_t     seed_next;
    char         sentinel_host[256];
    uint32_t     sentinel_port;
    bool         master_known;
    uint32_t     link_state;
    patio_status link_status;
    char         link_reasons[LINK_REASONS][160]; /* told since the state is this one */
    bool         said_checks;
};

#endif
