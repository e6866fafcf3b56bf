/* ask.h: questions of operators: put to the peers, answered for what this process holds, passed on.
 *
 * A question goes to every connected peer of the project that speaks version 2, and each of them
 * puts it to those it is connected with, once. So a command that reaches one process reaches
 * all that are one link further: a worker and the callers that are connected to it, for one.
 */
#ifndef TCP_ASK_H
#define TCP_ASK_H

#include "frame_ask.h"
#include "store.h"

typedef struct effects effects;

enum {
    ASK_VERSION     = 2,                /* of the protocol that knows these frames */
    ASK_BYTES_MAX   = 64 * 1024 * 1024, /* of the answers to one question */
    ASK_RELAYS_MAX  = 16384,            /* questions that are passed on at once */
    ASK_RECENT      = 256,              /* questions remembered, so that each is answered once */
    ASK_CANCELS_MAX = 1024,             /* of one peer, that wait for their outcome */
    ASK_CANCEL_MS   = 10000,            /* a cancel that nobody answers is given up */
    ASK_PAGE_BYTES  = 32 * 1024,
};

/* One frame of an answer. */
typedef struct part {
    struct part *next;
    uint64_t     at_ns;
    patio_buf   *tail;
    frame_answer answer; /* its rows lie behind this struct */
} part;

/* Who was asked directly, and how many of its answers are still awaited. */
typedef struct ask_target {
    conn    *c;
    uint32_t pending;
} ask_target;

/* A question of ours. */
typedef struct ask {
    struct ask  *next;
    frame_ask    question;
    uint64_t     begun_ns;
    uint64_t     until_ns;
    uint32_t     pending;
    ask_target  *targets;
    uint32_t     target_count;
    uint32_t     target_room;
    uint64_t     bytes;
    part        *first;
    part        *last;
    patio_status status; /* the first thing that went wrong */
    char         text[200];
    bool         cancels; /* on the heap; nobody waits, its outcome is raised */
} ask;

/* A question of another peer's that we have passed on. */
typedef struct relay {
    conn    *from; /* NULL: free */
    conn    *to;
    uint64_t id; /* of the question, as `from` knows it */
    uint64_t until_ns;
    uint32_t generation;
    uint32_t next_free;
    uint8_t  what;
} relay;

/* Who waits for the outcome of a cancel of a task that is held here. */
typedef struct cancelling {
    struct cancelling *next;
    conn              *from; /* NULL: our own host */
    uint64_t           ask;
    patio_id           id;
    uint32_t           times; /* of our own host: how often it has cancelled this task */
} cancelling;

/* All of it under the lock. */
typedef struct ask_room {
    pthread_cond_t answered; /* an answer came, or the links changed */
    ask           *asks;
    uint64_t       last;
    uint32_t       hoped; /* connecting URLs that have not worked yet and are not given up */
    relay         *relays;
    uint32_t       relay_count; /* in use */
    uint32_t       relay_room;
    uint32_t       relay_free; /* index + 1 of the first */
    cancelling    *cancels;
    patio_buf     *info; /* what our host said of itself */
    uint32_t       recent_at;
    struct {
        uint64_t origin;
        uint64_t number;
    } recent[ASK_RECENT];
} ask_room;

/* ask.c */
void ask_init(patio_transport *t);
void ask_fini(patio_transport *t);
/* Put a question to all peers and wait for the answers. `a` is the caller's; ask_forget frees what
 * it holds, whatever was returned. Not under the lock. UNSUPPORTED, AUTH: a peer does not know such
 * questions, or refuses them. */
patio_status ask_all(patio_transport *t, ask *a, uint64_t timeout_ms, patio_error *err);
void         ask_forget(const patio_transport *t, ask *a);
/* Under the lock: put a cancel to all peers; its outcome is raised. OK with *asked false: there is
 * nobody to ask. */
patio_status ask_cancel(patio_transport *t, const char *name, const patio_id *id, bool *asked,
                        effects *fx, patio_error *err);
/* Under the lock: the question to one more peer. */
void ask_put(ask *a, conn *c, effects *fx);
/* Under the lock. */
void ask_tick(patio_transport *t, effects *fx);
/* The question goes to this peer. False: it could not be written. */
bool ask_write(conn *c, uint64_t id, const frame_ask *question, effects *fx);
/* May this peer be asked at all? */
bool ask_can(const conn *c);
/* Under the lock. The first thing that went wrong with a question, and with whom. */
void ask_fail(ask *a, patio_status status, const char *text, const char *who);
/* Under the lock: somebody may have waited for what has just changed of it. A cancel that is over
 * is freed. */
void ask_changed(patio_transport *t, ask *a, effects *fx);

/* ask_links.c */
/* The I/O thread. What a connection's beginning and end mean for questions; under the lock. */
void ask_conn_open(conn *c, effects *fx);
/* True: the effects are full, once more. */
bool ask_conn_left(conn *c, effects *fx);
/* Which URLs have not worked yet; takes the lock. */
void ask_links(patio_transport *t);

/* asked.c; the I/O thread, under the lock */
/* An ANSWER to a question of ours, or to one that was passed on; takes over nothing. NULL, or what
 * is wrong with it. */
const char *ask_answered(conn *c, uint64_t id, const frame_answer *in, patio_buf *tail,
                         effects *fx);

/* relay.c; under the lock */
/* Pass a question on; how many were asked. False: too many are on their way. */
bool   relay_all(conn *from, uint64_t id, const frame_ask *question, uint32_t *others, effects *fx);
relay *relay_find(patio_transport *t, uint64_t id, const conn *to);
void   relay_free(patio_transport *t, relay *r);
bool   relay_conn_left(conn *c, effects *fx);
void   relay_tick(patio_transport *t, uint64_t now);

/* answer.c; the I/O thread, under the lock */
const char *answer_ask(conn *c, uint64_t id, patio_bytes body, effects *fx);
void        answer_write(conn *c, uint64_t id, const frame_answer *a, patio_buf *tail, effects *fx);

/* operate.c: what this process holds; take the lock */
void operate_counts(patio_transport *t, const char *name, patio_counts *out);
/* False: out of memory. */
bool         operate_queues(patio_transport *t, patio_queue_visit_fn visit, void *arg);
uint64_t     operate_purge(patio_transport *t, const char *name);
patio_status operate_set_state(patio_transport *t, const char *name, uint32_t state,
                               patio_error *err);
uint32_t     operate_state(patio_transport *t, const char *name);
patio_status operate_retry(patio_transport *t, const char *name, const patio_id *id,
                           uint64_t *count, patio_error *err);

/* ops_*.c */
extern const patio_dead_ops     tcp_dead_ops;
extern const patio_results_ops  tcp_results_ops;
extern const patio_queues_ops   tcp_queues_ops;
extern const patio_presence_ops tcp_presence_ops;
extern const patio_doctor_ops   tcp_doctor_ops;
patio_status tcp_counts(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err);

#endif
