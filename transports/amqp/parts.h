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

/* ---- counts.c ---- */
patio_status counts_ask(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err);

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
