/* runtime/queues.h: the queues a worker takes from, and how it shares itself among them.
 *
 * The sum of what all queues may have delivered is what the executors can run. A queue that has
 * nothing lends its share to those that have more, and gets it back within a tenth of a second of
 * its next tasks: by weight, or in strict order.
 */
#ifndef PT_QUEUES_H
#define PT_QUEUES_H

#include <stdatomic.h>

#include <patio/broker.h>

enum { PT_QUEUES_MAX = 256, PT_QUEUE_NAME_BYTES = 256 };

typedef struct pt_queue {
    char            *name;
    const char     **tasks;
    size_t           task_count;
    uint32_t         weight;
    uint32_t         most;    /* what its executors can run at once */
    _Atomic uint32_t credit;  /* as the transport knows it */
    _Atomic uint32_t held;    /* delivered, not settled; only counted among several queues */
    _Atomic uint32_t full;    /* it used all of its credit since the last look */
    _Atomic uint64_t took;    /* delivered so far; only counted among several queues */
    _Atomic uint64_t full_ns; /* when it last had all of its credit */
    _Atomic uint64_t due_ns;  /* and until when its next task is expected */
    uint64_t         turn;    /* by weight: the lowest is next; under the broker's lock */
} pt_queue;

/* ---- queues.c: which they are, and what each of them brings ---- */

/* When the broker is made: the queues that are configured, if any. */
patio_status pt_queues_configure(patio_broker *broker, const patio_config *config,
                                 patio_error *err);
/* When the executors know their slots: which tasks each queue brings. *most: of deliveries at once.
 */
patio_status pt_queues_fill(patio_broker *broker, uint32_t *most, patio_error *err);
/* What the executors can run at once, with what is fetched ahead, and nothing lent. */
uint32_t pt_queues_capacity(const patio_broker *broker);
void     pt_queues_fini(patio_broker *broker);

/* ---- queues_share.c: how a worker shares itself among them ---- */

/* NULL: there is none of that name. */
pt_queue    *pt_queues_find(patio_broker *broker, const char *name);
patio_status pt_queues_subscribe(patio_broker *broker, patio_error *err);
/* Waits for the timer thread: nothing is subscribed after it. */
void pt_queues_unsubscribe(patio_broker *broker);
/* Subscribe one anew, as if it had never been. On the timer thread. */
void pt_queues_again(patio_broker *broker, size_t queue);

/* What there is to share has changed. Soon, on the timer thread, or at once, already there. */
void pt_queues_look(patio_broker *broker);
void pt_queues_look_now(patio_broker *broker);
/* More slots were lent: is there credit for them? */
void pt_queues_lent(patio_broker *broker);
/* A delivery came; returns what to hand to pt_queues_gave when it is settled, may be NULL. */
pt_queue *pt_queues_took(patio_broker *broker, const char *name);
void      pt_queues_gave(patio_broker *broker, pt_queue *queue);

#endif
