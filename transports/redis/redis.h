/* redis.h: who does what, file by file. Unless a line says otherwise a function is for the I/O
 * thread, without the lock. The state is in state.h, conn.h, queue.h, tasks.h. */
#ifndef REDIS_H
#define REDIS_H

#include "state.h"

/* options.c */
extern const patio_option *const redis_options[];
extern const char *const         redis_schemes[];
patio_status redis_configure(patio_transport *t, const patio_transport_params *params,
                             patio_error *err);

/* tls.c */
patio_status tls_prepare(patio_transport *t, patio_error *err);
/* 1: done. 0: not yet. -1: it failed, and why. */
int     tls_handshake(conn *c, char *why, size_t room);
ssize_t tls_read(conn *c, void *data, size_t size);
ssize_t tls_write(conn *c, const void *data, size_t size);
bool    tls_begin(conn *c);

/* loop.c */
patio_status loop_start(patio_transport *t, patio_error *err);
void         loop_join(patio_transport *t);
/* Under the lock: whoever has the role looks again, and if nobody has, the I/O thread takes it. */
void loop_wake(patio_transport *t);
void loop_kick(patio_transport *t); /* the first half of that */
/* Who has the role: all that is due, then what the network brings within that time. */
void     loop_once(patio_transport *t, patio_poll_done_fn done, const void *arg, int most_ms);
uint64_t now_ns(const patio_transport *t);

/* conn.c, conn_close.c; the I/O thread, without the lock unless it says otherwise */
void conn_init(conn *c, patio_transport *t, uint8_t role, node *n, queue *q);
void conn_event(conn *c, uint32_t events);
void conn_close(conn *c, patio_status status, const char *why);
void conn_fini(conn *c);
void conn_watch(conn *c);
/* [any] Under the lock; opens it while writing. */
void conn_flush(conn *c);
/* [any] Under the lock: to be closed soon. */
void conn_break(conn *c, patio_status status, const char *why);

/* conn_open.c */
void conn_open(conn *c, const char *host, uint32_t port);
void conn_resolved(conn *c);
void conn_connecting(conn *c); /* the socket says whether it is connected */
void conn_late(conn *c);       /* out of time: the next address of its name, or none */
void conn_greet(conn *c);      /* connected, and TLS is done: HELLO */

/* resolve.c */
struct resolve *resolve_begin(patio_transport *t, const char *host, uint32_t port);
/* 0 while it runs, else 1; then `fd` is a socket that connects, or -1 and why. */
int  resolve_end(struct resolve *l, int *fd, char *why, size_t room);
void resolve_drop(patio_transport *t, struct resolve *l);

/* command.c; under the lock. Appending to `out`; what does not fit into memory breaks it. */
cmd *command(conn *c, uint8_t type, queue *q, uint32_t args);
cmd *command_eval(conn *c, uint8_t type, uint8_t script, queue *q, uint32_t args);
void arg_bytes(conn *c, const void *data, size_t size);
void arg_text(conn *c, const char *text);
void arg_number(conn *c, uint64_t number);
void arg_key(conn *c, const queue *q, const char *suffix, const char *more);
void arg_place(conn *c, const place *at);
bool command_pop(conn *c, cmd *out);

/* scripts.c */
extern const char *const script_names[SCRIPT_COUNT];
bool script_text(const patio_transport *t, uint8_t script, bool legacy, bytes *out);

/* hello.c; the I/O thread */
void hello_begin(conn *c);
void hello_answer(conn *c, const cmd *k, const resp *r);
void hello_load(conn *c, uint8_t script); /* under the lock */

/* errors.c */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_NOSCRIPT,
    TROUBLE_NOGROUP, /* and a stream that went while somebody waited */
    TROUBLE_READONLY,
    TROUBLE_LOADING,
    TROUBLE_OOM,
    TROUBLE_BUSY,
    TROUBLE_MASTERDOWN,
    TROUBLE_AUTH,
    TROUBLE_MISCONF,
    TROUBLE_MOVED,
    TROUBLE_ASK,
    TROUBLE_CLUSTERDOWN,
    TROUBLE_NOREPLICAS,
    TROUBLE_OTHER,
};
uint8_t trouble_of(const resp *r);
/* Take note of it for the node: hold what waits, close, move. True: the ops are to wait and be sent
 * again. */
bool trouble_note(conn *c, const cmd *k, uint8_t trouble, const resp *r);

/* link.c; the I/O thread, without the lock */
void link_update(patio_transport *t);
void link_report(patio_transport *t, uint32_t state, const patio_error *why);

/* queue.c */
queue *queue_find(patio_transport *t, const char *name, bool make); /* under the lock */
void   queue_free(queue *q);
/* Under the lock: write what is pending for this node, reader or reply connection. */
void     queue_encode(conn *c);
uint64_t queue_tick(queue *q, uint64_t now, uint64_t next); /* under the lock */
void     queue_touch(queue *q);                             /* under the lock: write at once */
bool     queue_drained(const queue *q);
uint32_t slot_of(const char *tag);

/* dispatch.c; answers of commands: the I/O thread, without the lock */
void dispatch(conn *c, cmd *k, const resp *r);

/* beat.c */
void beat_encode(queue *q); /* under the lock */
void beat_answer(conn *c, const cmd *k, const resp *r);
void promote_answer(conn *c, const cmd *k, const resp *r);

/* control.c */
void control_encode(queue *q, uint64_t now); /* under the lock */
void control_answer(conn *c, const cmd *k, const resp *r);
void control_entries(queue *q, const resp *entries);

/* fetch.c */
void     read_encode(conn *c);   /* under the lock */
void     fetch_encode(queue *q); /* under the lock */
void     read_answer(conn *c, const cmd *k, const resp *r);
void     fetch_answer(conn *c, const cmd *k, const resp *r);
bool     queue_ordered(const queue *q);
bool     queue_listens(const queue *q);
uint32_t queue_free_credit(const queue *q);

/* deliver.c; the I/O thread */
void     deliver_entries(queue *q, char suffix, const resp *entries);
void     inbox_pump(queue *q);
void     inbox_return(queue *q); /* under the lock */
uint64_t inbox_tick(queue *q, uint64_t now, uint64_t next);

/* leases.c; under the lock */
delivery *delivery_new(patio_transport *t);
delivery *delivery_find(patio_transport *t, patio_tag tag);
void      delivery_free(patio_transport *t, delivery *d);
void      deliveries_fini(patio_transport *t);

/* publish.c, published.c */
patio_status redis_publish(patio_transport *t, const patio_message *m, patio_error *err);
void         publish_append(op_list *l, publish_op *op); /* under the lock, as the next two */
publish_op  *publish_take(op_list *l);
void         publish_encode(queue *q);
void         publish_answer(conn *c, cmd *k, const resp *r);
void         publish_lost(conn *c, cmd *k); /* no lock: the link died */
void         publish_expire(patio_transport *t, uint64_t now, bool all);
void         publish_free(patio_transport *t, publish_op *op);
uint64_t     publish_deadline(const queue *q, uint64_t next);

/* settle.c, settle_send.c */
patio_status redis_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                          patio_error *err);
patio_status redis_started(patio_transport *t, patio_tag tag, patio_error *err);
patio_status redis_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
void         settle_encode(queue *q); /* under the lock */
void         settle_answer(conn *c, cmd *k, const resp *r);
void         settle_lost(conn *c, cmd *k);
void         settle_own(queue *q, uint8_t kind, const place *at, const char *cause); /* lock */
void         settle_free(patio_transport *t, settle_op *op);
void         settle_drop_all(patio_transport *t);
/* mark.c */
void mark_encode(queue *q); /* under the lock */
void mark_lost(queue *q);

/* replies.c */
void replies_encode(conn *c); /* under the lock */
void replies_answer(conn *c, const cmd *k, const resp *r);

/* subscribe.c */
patio_status redis_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err);
patio_status redis_unsubscribe(patio_transport *t, const char *name, patio_error *err);

/* ask.c: a question of any thread that waits for the answer */
typedef void (*ask_args_fn)(conn *c, void *arg); /* appends arguments, under the lock */
typedef struct ask_in {
    queue      *q;
    uint8_t     script; /* SCRIPT_COUNT: a plain command of `args` arguments, all from `write` */
    uint32_t    args;
    ask_args_fn write; /* NULL: none */
    void       *arg;
    node       *node; /* with a plain command */
} ask_in;
patio_status ask_wait(patio_transport *t, const ask_in *in, uint64_t timeout_ms,
                      resp_reader **answer, const resp **out, patio_error *err);
void         ask_encode(conn *c); /* under the lock */
void         ask_answer(conn *c, cmd *k, const resp *r);
void         ask_lost(conn *c, cmd *k, const char *why);

/* cancel.c */
patio_status redis_cancel(patio_transport *t, const char *queue_name, const patio_id *id,
                          patio_error *err);
void         cancel_encode(queue *q);                       /* under the lock */
void         cancel_answer(conn *c, cmd *k, const resp *r); /* NULL: the link died */
void         cancel_drop_all(patio_transport *t);

/* cluster.c, sentinel.c; the I/O thread */
void  cluster_learn(conn *c, const resp *r);
void  cluster_moved(conn *c, const char *text);
void  cluster_place(patio_transport *t); /* under the lock: queues to their nodes */
node *node_for(patio_transport *t, const char *host, uint32_t port);
void  sentinel_ask(patio_transport *t);
void  sentinel_answer(conn *c, const resp *r);

/* ops */
patio_status redis_counts(patio_transport *t, const char *name, uint64_t timeout_ms,
                          patio_counts *out, patio_error *err);
const void  *redis_query(patio_transport *t, const char *interface_id);
/* Ask a script about a queue, with text arguments; *holder is the caller's to free. */
patio_status ops_ask(patio_transport *t, const char *queue_name, uint8_t script,
                     const patio_bytes *args, uint32_t count, uint64_t timeout_ms,
                     resp_reader **holder, const resp **out, patio_error *err);
patio_bytes  ops_text(const char *text);
void         presence_encode(queue *q); /* under the lock */

/* text.c */
void id_to_hex(const patio_id *id, char hex[33]);
bool id_from_hex(const char *hex, size_t size, patio_id *id);
bool place_parse(const char *text, size_t size, place *at);
void bytes_to_hex(const uint8_t *data, size_t size, char *hex);

#endif
