/* memory.h: the slots of the memory transport, by file. */
#ifndef MEMORY_H
#define MEMORY_H

#include "hub.h"

/* publish.c */
patio_status memory_publish(patio_transport *t, const patio_message *m, patio_error *err);
patio_status memory_cancel(patio_transport *t, const char *name, const patio_id *id,
                           patio_error *err);

/* queues.c, presence.c */
extern const patio_dead_ops     memory_dead_ops;
extern const patio_results_ops  memory_results_ops;
extern const patio_queues_ops   memory_queues_ops;
extern const patio_presence_ops memory_presence_ops;
extern const patio_doctor_ops   memory_doctor_ops;

/* settle.c */
patio_status memory_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err);
patio_status memory_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);

/* subscribe.c */
patio_status memory_subscribe(patio_transport *t, const patio_subscription *in, patio_error *err);
patio_status memory_unsubscribe(patio_transport *t, const char *name, patio_error *err);
/* Under the hub's lock: no new delivery for this instance. */
void memory_unsubscribe_all(patio_transport *t);
/* Hand out what has become free to go, in every queue. Not under the lock. */
void memory_hand_out_all(hub *h);
/* Give back what this instance holds, forget that it waits for replies. Twice is harmless. */
void memory_leave(patio_transport *t);

#endif
