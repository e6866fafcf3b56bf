/* control.h: questions to all processes of the project, and cancels, which are some. */
#ifndef PATIO_AMQP_CONTROL_H
#define PATIO_AMQP_CONTROL_H

#include "common.h"

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
    patio_id id;      /* ASK_CANCEL */
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

#endif
