/* memory.h: the slots of the memory transport, by file. */
#ifndef MEMORY_H
#define MEMORY_H

#include "hub.h"

/* publish.c */
patio_status memory_publish(patio_transport *t, const patio_message *m, patio_error *err);
patio_status memory_cancel(patio_transport *t, const char *name, const patio_id *id,
                           patio_error *err);

/* settle.c */
patio_status memory_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err);
patio_status memory_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);

/* subscribe.c */
patio_status memory_subscribe(patio_transport *t, const patio_subscription *in, patio_error *err);
patio_status memory_unsubscribe(patio_transport *t, const char *name, patio_error *err);
/* Under the hub's lock: no new delivery for this instance. */
void memory_unsubscribe_all(patio_transport *t);
/* Give back what this instance holds, forget that it waits for replies. Twice is harmless. */
void memory_leave(patio_transport *t);

#endif
