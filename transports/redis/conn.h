/* conn.h: commands, the connection that carries them, and the node that it leads to. */
#ifndef REDIS_CONN_H
#define REDIS_CONN_H

#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <openssl/ssl.h>

#include "resp.h"
#include "tasks.h"

enum { SHA_BYTES = 41 };

typedef struct node node;
typedef struct conn conn;

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

struct resolve;

struct conn {
    patio_transport *t;
    node            *node;
    queue           *q;
    uint8_t          role;
    _Atomic uint8_t  state;
    int              fd; /* from CONN_HELLO on it changes under the lock only */
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
    struct resolve  *names;
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

#endif
