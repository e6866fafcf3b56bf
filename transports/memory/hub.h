/* hub.h: where the instances of the memory transport meet: one room of tasks (transports/store),
 * and those who take from it.
 */
#ifndef MEMORY_HUB_H
#define MEMORY_HUB_H

#include <stdatomic.h>

#include "store.h"

struct hub {
    pthread_mutex_t  lock; /* guards all of it */
    store_room       room;
    patio_transport *instances;
    bool             closing; /* timers find nothing to do any more */
};

/* One instance's interest in one queue. */
struct subscription {
    subscription    *next; /* of the same queue */
    patio_transport *instance;
    queue           *queue;
    uint32_t         credit;
    uint32_t         unsettled;
    uint64_t        *lanes; /* bit per lane it can run */
    uint32_t         words;
    bool             closed; /* unsubscribed; kept while deliveries are unsettled */
};

/* The plugin's instance. */
struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    hub                          *hub;
    store_bounds                  bounds;
    uint64_t                      max_body_bytes;
    uint64_t                      incarnation;
    patio_transport              *next;    /* in the hub */
    patio_buf                    *info;    /* what its host announced; NULL: nothing */
    bool                          running; /* under the hub's lock */
    _Atomic uint32_t              calls;   /* events being raised on this instance, and STOPPING */
    pthread_mutex_t               idle_lock;
    pthread_cond_t                idle;
    bool                          idled; /* under idle_lock: the last event has returned */
};
enum { STOPPING = 1 << 30 };

/* What is to be raised once the lock is open: at most one delivery, and whether to look again. */
typedef struct handout {
    patio_transport *instance;
    patio_delivery   delivery;
    patio_message    message;
    bool             more;
} handout;

/* A caller whose task will not be answered, once the lock is open. */
typedef struct farewell {
    patio_transport *origin; /* held */
    patio_id         id;
} farewell;

/* hub.c */
void *hub_make(void *arg);
void  hub_free(void *arg);
/* Under the lock: into its lane, behind all others. */
void hub_push(entry *e);

/* attached.c: those who wait for the result of a task with the same dedup key */
/* Under the lock: the task has ended; those who are still there, held, chained. */
attached *attached_end(entry *e, patio_buf *reply);
/* Tell them: with a reply, or that there is none. Not under the lock; releases and frees them. */
void attached_tell(const patio_host *host, attached *list, patio_buf *reply, patio_status status,
                   const char *why);
/* Raise that a task is gone without an answer. Not under the lock; releases the origin. */
void say_gone(const farewell *f, patio_status status, const char *why);

/* dispatch.c */
/* Lease the next task that somebody can run now; out->instance is held until raise() is over. */
bool dispatch_next(queue *q, subscription *prefer, handout *out);
/* Raise one delivery, and go on as long as there is more. Not under the lock. */
void dispatch_raise(queue *q, handout *out);
/* Hold an instance so that it is not stopped under an event; under the lock, while it is running.
 * Once released it may be gone. */
void instance_hold(patio_transport *t);
void instance_release(patio_transport *t);
void dispatch_delay(entry *e, uint64_t delay_ms);

#endif
