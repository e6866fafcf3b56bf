/* hub.h: the tasks an instance holds, in queues, lanes and lists, and who takes from them.
 * Everything here is under the instance's lock. */
#ifndef TCP_HUB_H
#define TCP_HUB_H

#include <patio/transport.h>

#include <stdbool.h>

#include "store.h"
#include "stream.h"

typedef struct effects effects;

enum {
    ENTRY_GIVEN     = ENTRY_LEASED,  /* out: a peer has it */
    ENTRY_INBOX     = ENTRY_OWN,     /* in: waits for credit of ours */
    ENTRY_DELIVERED = ENTRY_OWN + 1, /* in: the host has it */
};

/* What one peer takes from one queue. */
struct peersub {
    peersub  *next; /* of the same connection */
    conn     *link;
    queue    *queue;
    uint32_t  credit;
    uint32_t  extra; /* beyond the credit, while answers are quick */
    uint32_t  outstanding;
    uint32_t  words;
    uint64_t *lanes; /* bit per lane it can run */
    bool      active;
};

/* What we take from one queue. */
struct subscription {
    queue   *queue;
    size_t   task_count;
    uint32_t credit;
    uint32_t unsettled;
    uint32_t waiting; /* in the inbox */
    uint32_t nonempty;
    bool     closed;
    list     inbox[PRIORITIES];
};

/* hub.c; under the lock */
queue *hub_queue(patio_transport *t, const char *name, bool make);
entry *hub_entry_new(patio_transport *t);
entry *hub_entry_find(patio_transport *t, uint64_t tag, uint8_t state);
void   hub_entry_free(entry *e);
/* A send that will not be settled any more, as far as stop is concerned. */
void hub_count_out(const entry *e);
/* Out of its lane or of the delayed, and GONE: for store_bury. */
void hub_take_out(entry *e);
/* Its dedup key is over: whoever is attached gets the reply, or hears why there is none. */
void hub_end_key(entry *e, patio_buf *reply, patio_status status, const char *why, effects *fx);
/* Its caller, if it has had no receipt, hears that it is over, without a reply. */
void hub_say_gone(const entry *e, patio_status status, const char *why, effects *fx);
/* Encoded patio.v1.DeadLetter with a cause alone, for those that no host has given up. */
extern const patio_bytes hub_cause_expired;
extern const patio_bytes hub_cause_crashes;
extern const patio_bytes hub_cause_too_large;
extern const patio_bytes hub_cause_forbidden;
/* It is in no list and no peer's: to the dead letters. */
void hub_bury(entry *e, patio_bytes cause, effects *fx);
void hub_keep_result(entry *e, uint32_t state, uint64_t ttl_ms, patio_buf *reply);
/* It is removed, by somebody who named it or with others. */
void hub_keep_gone(const entry *e, bool named);
void hub_link(conn *c, entry **first, entry *e);
void hub_unlink_link(entry **first, entry *e);
void hub_fini(patio_transport *t);

/* losses.c: into the log, once nothing runs any more; takes the lock. */
void losses_tell(patio_transport *t);

#endif
