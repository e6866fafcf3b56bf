/* lease.h: deliveries, from their arrival to their settlement. */
#ifndef PATIO_AMQP_LEASE_H
#define PATIO_AMQP_LEASE_H

#include "common.h"

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

#endif
