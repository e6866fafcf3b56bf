/* parts.h: what each file of this plugin offers to the others. Included by
 * transport.h. */
#ifndef PATIO_AMQP_PARTS_H
#define PATIO_AMQP_PARTS_H

#include "transport.h"

/* ---- plugin.c, options.c ---- */
extern const patio_option *const option_table[];
extern const char *const         scheme_table[];
patio_status options_read(patio_transport *t, const patio_transport_params *params,
                          patio_error *err);
void         options_free(patio_transport *t);

/* ---- loop.c: the I/O thread ---- */
patio_status loop_start(patio_transport *t, patio_error *err);
void         loop_stop(patio_transport *t);
void         loop_wake(patio_transport *t); /* under the lock */
/* Whoever has the role, without the lock: do what there is, then sleep until there is more, unless
 * done(arg) (done may be NULL). */
void loop_round(patio_transport *t, patio_poll_done_fn done, const void *arg, int most_ms);

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

/* ---- lookup.c: I/O thread ---- */
struct addrinfo;
/* Begun if it is not under way. true: it is done, and *out is the caller's (NULL: out of memory).
 */
bool lookup_take(patio_transport *t, host_name *name, name_lookup **out);
/* The addresses take turns. NULL: there is none, and *why says why. */
const struct addrinfo *lookup_address(const name_lookup *l, uint32_t turn, const char **why);
void                   lookup_drop(name_lookup *l); /* [blocks] while it is under way */

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
/* Of whatever width; negative ones count as 0. */
bool props_number(const amqp_field_value_t *v, uint64_t *out);

/* ---- cause.c ---- */
/* What speaks against its being a task; NULL: nothing. */
const char *cause_strange(const patio_transport *t, const inbound *in);
/* Why it is dead, as an encoded patio.v1.DeadLetter; NULL: nothing is known. */
patio_buf *cause_read(const patio_transport *t, const inbound *in,
                      const amqp_basic_properties_t *p);
/* The newest entry of the header x-death; NULL: there is none. */
const amqp_table_t *cause_last_death(const amqp_field_value_t *deaths);

/* ---- message.c: making one ---- */
post *post_new_task(patio_transport *t, uint8_t kind, place *to, const task_facts *facts,
                    patio_buf *body);
/* partial: progress, which nothing depends on. */
post *post_new_reply(patio_transport *t, const char *reply_to, const patio_id *id, bool persistent,
                     bool partial, patio_buf *body);
post *post_new_probe(patio_transport *t);
/* exchange "": to the queue `key`. type: what it is. */
post *post_new_control(patio_transport *t, const char *exchange, const char *key, const char *type,
                       const patio_id *nonce, const char *reply_to, patio_bytes words);

/* ---- post.c ---- */
void post_free(patio_transport *t, post *p); /* under the lock or the only one who knows it */
/* Under the lock: on its way, now or when its place is ready and the link is
 * up. */
void  post_submit(patio_transport *t, post *p);
void  post_list_init(post_list *list);
void  post_list_add(post_list *list, post *p);
post *post_list_take(post_list *list);
post *post_ring_take(patio_transport *t, uint64_t number); /* NULL: not there any more */
void  post_link_lost(patio_transport *t);                  /* the publishing one */
void  post_link_ready(patio_transport *t);
void  post_step(patio_transport *t); /* send what could not be sent before */
/* A lease is gone, or (settlements: false) needs no copies any more to renew it. */
void post_orphan(patio_transport *t, patio_tag tag, bool settlements);

/* ---- publish.c ---- */
patio_status transport_publish(patio_transport *t, const patio_message *m, patio_error *err);

/* ---- confirm.c: I/O thread, without the lock ---- */
void confirm_settled(patio_transport *t, uint64_t number, bool multiple, bool accepted);
void confirm_returned(patio_transport *t, const inbound *in);
/* No task of our caller's any more that counts against its bounds; under the lock. */
void confirm_uncount(patio_transport *t, const post *p);
void confirm_tell(patio_transport *t, const post *p, uint32_t outcome, patio_status status,
                  const char *why);
/* The end of a post that nobody took. */
void confirm_failed(patio_transport *t, post *p, patio_status status, const char *why);
/* Its caller need not wait: a person has to act first, or it has waited long enough; under the
 * lock. */
bool confirm_is_hopeless(const patio_transport *t, const post *p, uint64_t now_ns);

/* ---- sweep.c: I/O thread, without the lock ---- */
void sweep_late(patio_transport *t, uint64_t now_ns); /* posts that have waited too long */
void sweep_all(patio_transport *t);                   /* what is left when all ends */

/* ---- refused.c ---- */
/* For people: what is wrong with that queue (NULL: a caller's). No lock. */
void refused_say(const patio_transport *t, const place *p, patio_status status, char *out,
                 size_t size);
/* Under the lock: what the broker says of a message to it. */
void refused_note(patio_transport *t, place *p, bool accepted);
bool refused_by_channel(const place *p);
void refused_forget(patio_transport *t); /* under the lock: the publishing link is gone */
/* Under the lock: is another connection worth a try, because of a place that takes nothing on this
 * one? */
const place *refused_relink(patio_transport *t, uint64_t now_ns);
void         refused_add(patio_transport *t, post *p, patio_status status); /* under the lock */
void         refused_step(patio_transport *t, uint64_t now_ns);             /* under the lock */
void refused_tell(patio_transport *t, uint64_t now_ns); /* I/O thread, without the lock: the log */

/* ---- place.c: under the lock ---- */
queue       *place_queue(patio_transport *t, const char *name, bool make);
place       *place_delay(patio_transport *t, queue *q, uint64_t delay_ms);
uint64_t     place_longest_delay_ms(void); /* no lock */
place       *place_step_at(patio_transport *t, queue *q, int step);
void         place_shorten(char *out, size_t most, const char *name);
patio_status place_check_name(const char *name, patio_error *err); /* no lock */
/* Under the lock: it is not there, although nobody has looked. */
void place_missing(patio_transport *t, place *p, const char *why);
bool place_ensure(patio_transport *t, place *p); /* true: it is ready */
void place_ready(patio_transport *t, place *p);
void place_made(queue *q, uint64_t ttl_ms); /* somebody has made a step */
bool place_has_delays(const queue *q);
void place_failed(patio_transport *t, place *p, patio_status status, const char *why);
void place_step(patio_transport *t);   /* what waits may be able to go on */
void place_forget(patio_transport *t); /* the link died: nothing is known */
void place_free_all(patio_transport *t);
/* All that a queue of ours has; NULL: not in use. */
enum { PLACES = 3 + DELAY_STEPS };
place *place_at(queue *q, int i);
enum { PLACE_ARGUMENTS = 8 };
int place_arguments(const patio_transport *t, const place *p, amqp_table_entry_t *out);

/* ---- kinds.c: which type a queue has, and why ---- */
void kinds_say(const patio_transport *t, const queue *q, char *out,
               size_t size); /* under the lock */
/* Under the lock: it is known to be one that has no priorities. */
bool kinds_no_priorities(const queue *q);
void kinds_tell(patio_transport *t); /* the I/O thread: into the log, once for each queue */
/* [blocks] Find out about a queue, if there is one; nothing is made. */
void kinds_look(patio_transport *t, const char *name, uint64_t timeout_ms);

/* ---- rpc.c: the topology channel ---- */
enum {
    RPC_DECLARE,
    RPC_PASSIVE,
    RPC_INBOX,
    RPC_EXCHANGE,
    RPC_BIND,
    RPC_MARK,
    RPC_PURGE,
    RPC_DELETE
};
struct rpc {
    rpc     *next;
    uint32_t kind;
    place   *place;  /* RPC_DECLARE */
    ask     *cancel; /* whose outcome depends on it */
    queue   *marked; /* whose state is looked at */
    uint32_t mark;
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
rpc *rpc_take_first(patio_transport *t);  /* under the lock */
void rpc_method(patio_transport *t, const amqp_method_t *m);
void rpc_channel_closed(patio_transport *t, uint16_t code, const char *text);
void rpc_link_lost(patio_transport *t); /* under the lock */

/* ---- question.c, rpc_wait.c ---- */
bool question_send(connection *c, const rpc *r);
/* [blocks] Hand over, wait, take back. */
patio_status rpc_wait(patio_transport *t, rpc *r, uint64_t timeout_ms, patio_error *err);
void         rpc_remove_inbox(patio_transport *t, uint64_t until_ns);
void         rpc_decide(patio_transport *t); /* I/O thread, without the lock */

/* ---- counts.c ---- */
patio_status counts_ask(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err);

/* ---- control.c: questions to all processes of the project, over an exchange
 * ---- */
enum { ASK_LEASED, ASK_CANCEL, ASK_PRESENCE };
struct ask {
    ask     *next;
    patio_id nonce;
    uint32_t kind;
    bool     awaited;  /* by a thread; else `control_step` ends it */
    bool     told;     /* ASK_CANCEL: it runs somewhere */
    bool     late;     /* ASK_CANCEL: it was settled somewhere */
    bool     delayed;  /* ASK_CANCEL: somebody knows of delays in that queue */
    uint64_t expected; /* answers of subscribed workers */
    uint64_t answers;  /* of them */
    uint64_t sum;      /* ASK_LEASED */
    uint64_t asked_ns;
    uint64_t echo_ns; /* our own question took so long to come back; 0: it has not */
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
void control_end(patio_transport *t);
/* [blocks], under the lock: until `expected` have answered, or until nobody has for a while: at
 * least least_ms, more with a broker that is slow just now, and most_ms at most. */
void control_wait(patio_transport *t, ask *a, uint64_t least_ms, uint64_t most_ms);
#define CONTROL_NAME(t, buffer)                                                                    \
    ((void)snprintf((buffer), sizeof(buffer), "patio:%.100s:@control", (t)->address))

/* ---- cancel.c ---- */
patio_status transport_cancel(patio_transport *t, const char *name, const patio_id *id,
                              patio_error *err);
/* Under the lock: was it cancelled while it waited? */
bool     cancel_is_dead(patio_transport *t, const patio_id *id);
void     cancel_open(patio_transport *t, const patio_id *id, queue *waits); /* under the lock */
uint64_t cancel_still_ready(patio_transport *t, const queue *q, uint64_t messages);
void     cancel_decided(patio_transport *t, ask *a, uint64_t messages);
void     cancel_ended(patio_transport *t, const patio_id *id);
/* Without the lock: what this process says: "told", "late" or "noted". */
const char *cancel_here(patio_transport *t, const char *name, const patio_id *id);
void        cancel_finish(patio_transport *t, ask *a); /* frees it */

/* ---- browse.c: dead letters, one after the other ---- */
enum { BROWSE_LIST, BROWSE_RETRY, BROWSE_DROP };
struct letter {
    letter    *next;
    props      props;
    patio_buf *body;
    patio_buf *cause;
};
struct browse {
    browse      *next;
    queue       *queue;
    uint32_t     verb;
    bool         one;    /* only `id` */
    bool         skip;   /* until `after` has been seen */
    bool         enough; /* no more are wanted */
    bool         running;
    bool         at_end;
    bool         done;
    patio_status status;
    patio_id     id;
    patio_id     after;
    uint64_t     limit;
    uint64_t     count;
    uint64_t     moving; /* copies that are not confirmed */
    uint64_t     last;   /* delivery tag of the last one to be given back */
    obuf         back;   /* all such tags, where each is given back alone */
    letter      *letters;
    letter     **end;
    char         why[WHY_BYTES];
};
void browse_step(patio_transport *t);                                         /* under the lock */
void browse_moved(patio_transport *t, const post *p);                         /* under the lock */
void browse_refused(patio_transport *t, const post *p, patio_status status);  /* under the lock */
void browse_link_lost(patio_transport *t);                                    /* under the lock */
void browse_failed(patio_transport *t, patio_status status, const char *why); /* under the lock */
void browse_message(patio_transport *t, inbound *in);
void browse_empty(patio_transport *t);
/* Under the lock: give back what was only looked at, and tell who waits. why: NULL: as it is. */
void browse_finish(patio_transport *t, browse *b, patio_status status, const char *why);
void browse_free(patio_transport *t, browse *b);
/* browse_wait.c [blocks] */
patio_status browse_run(patio_transport *t, browse *b, uint64_t timeout_ms, patio_error *err);

extern const patio_queues_ops   queues_ops;
extern const patio_presence_ops presence_ops;
extern const patio_doctor_ops   doctor_ops;
extern const patio_dead_ops     dead_ops;
extern const patio_topology_ops topology_ops;

/* ---- queues.c, presence.c ---- */
void queues_follow(patio_transport *t, queue *q, uint32_t state); /* under the lock */
bool queues_ask(patio_transport *t, queue *q);                    /* under the lock; true: known */
void queues_marked(patio_transport *t, const rpc *r);             /* under the lock */
void presence_answer(patio_transport *t, const inbound *in);
void presence_heard(patio_transport *t, ask *a, patio_bytes body); /* under the lock */
void control_answer(patio_transport *t, const inbound *in, const void *data, size_t size);

/* ---- subscribe.c ---- */
patio_status transport_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err);
patio_status transport_unsubscribe(patio_transport *t, const char *name, patio_error *err);
void         subscribe_step(patio_transport *t, uint64_t now_ns); /* under the lock */
void         subscribe_ok(patio_transport *t, amqp_bytes_t tag);
void         subscribe_cancelled(patio_transport *t, amqp_bytes_t tag);
void         subscribe_forget(patio_transport *t); /* under the lock: the channel is gone */
/* The same, and the broker has closed it. */
void subscribe_refused(patio_transport *t, uint16_t code, const char *why);
void subscribe_cancel_ok(patio_transport *t, amqp_bytes_t tag);
/* Under the lock: what is held is about to leave the consumer's window, so the consumer ends first.
 */
void subscribe_narrow(patio_transport *t, queue *q);
/* Nothing more will be delivered: the broker has confirmed the end of each consumer. Under the
 * lock. */
bool subscribe_all_off(const patio_transport *t);
bool subscribe_all_on(const patio_transport *t);
/* Under the lock: a consumer comes back as soon as there is room for what it brings. */
bool     subscribe_is_wanted(const queue *q);
uint32_t subscribe_number(amqp_bytes_t tag);
queue   *subscribe_queue(patio_transport *t, uint32_t consumer);
bool     subscribe_is_held(uint32_t consumer);         /* of the queue `held` */
void     subscribe_held(patio_transport *t, queue *q); /* under the lock: consume it */

/* ---- leases.c: slots of deliveries; under the lock ---- */
bool      deliver_reserve(patio_transport *t); /* slots for what is subscribed */
delivery *deliver_take_slot(patio_transport *t, queue *q);
delivery *deliver_find(patio_transport *t, patio_tag tag);
void      deliver_uncount(patio_transport *t, delivery *d);
void      deliver_release(patio_transport *t, delivery *d);
void      deliver_leave_window(delivery *d); /* the broker does not count it any more */
void      deliver_free_all(patio_transport *t);

/* ---- deliver.c ---- */
void deliver_task(patio_transport *t, inbound *in);
/* Under the lock, uncharged; all but the oldest `keep`. */
void deliver_give_back(patio_transport *t, queue *q, bool held, uint32_t keep);
/* Under the lock: since when the oldest but `keep` waits to be told; UINT64_MAX: none does. */
uint64_t deliver_waits_since(patio_transport *t, const queue *q, uint32_t keep);
/* The channel of the deliveries is gone: leases are lost. */
void deliver_lost(patio_transport *t, const char *why);

/* Under the lock: a copy to the work queue for a delivery that the host has not heard of.
 * charged: that it was delivered before counts as a crash. */
void deliver_send_on(patio_transport *t, delivery *d, bool charged);
/* Under the lock: a delivery of what is read; NULL: out of memory. */
delivery *deliver_make(patio_transport *t, queue *q, inbound *in);
/* Under the lock: it ends here, and the host does not hear of it. */
void deliver_throw_away(patio_transport *t, delivery *d);

/* ---- tell.c ---- */
void deliver_step(patio_transport *t); /* I/O thread, without the lock: tell what waits */

/* ---- renew.c: tasks that run for longer than the broker lets a consumer have them; under the
 * lock ---- */
void renew_step(patio_transport *t, uint64_t now_ns);
void renew_arrived(patio_transport *t, queue *q, inbound *in); /* from the queue `held` */
void renew_confirmed(patio_transport *t, patio_tag tag);
void renew_give_up(patio_transport *t, delivery *d); /* its copy is not needed any more */
void renew_cancelled(patio_transport *t, queue *q);  /* its queue was deleted */
void renew_forget(patio_transport *t);               /* the channel is gone */
/* I/O thread, without the lock. */
void renew_tell(patio_transport *t);
void renew_learn(patio_transport *t, const char *text); /* of a channel's end */
void renew_warn(patio_transport *t); /* any thread, without the lock: what cannot be done */

/* ---- inbox.c ---- */
enum { INBOX_DIGITS = 16 }; /* at the end of its name */
void inbox_name(patio_transport *t);
/* Under the lock: the node of a cluster that has our queue is down, so another one takes its place,
 * on the node that we are connected with. false: that has been tried. */
bool inbox_move(patio_transport *t);
void deliver_inbox(patio_transport *t, inbound *in);

/* ---- settle.c ---- */
patio_status transport_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                              patio_error *err);
patio_status transport_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
void         settle_confirmed(patio_transport *t, patio_tag tag); /* under the lock */
bool         settle_is_due(const patio_transport *t);             /* under the lock */
void         settle_flush(patio_transport *t);                    /* under the lock */
void         settle_ack(patio_transport *t, uint64_t number);     /* under the lock */
/* Under the lock: a copy with other counters to another queue, then the
 * original goes. */
bool settle_move(patio_transport *t, delivery *d, place *to, const task_facts *changed);
void settle_facts(const delivery *d, task_facts *out);

/* ---- state.c: what the host is told of the link ---- */
void state_raise(patio_transport *t);
void state_probe(patio_transport *t); /* under the lock */
/* [blocks], under the lock: until something happens, ns at most. */
void state_sleep(patio_transport *t, uint64_t ns);
/* [blocks], under the lock: until questions can be asked and answered. false: not in time, or there
 * is no hope. */
bool state_await(patio_transport *t, uint64_t timeout_ms);
/* Under the lock. */
void state_fatal(patio_transport *t, patio_status status, const char *format, ...)
    PATIO_PRINTF(3, 4);

#endif
