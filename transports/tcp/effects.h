/* effects.h: what is raised, dropped and written once the lock is open. */
#ifndef TCP_EFFECTS_H
#define TCP_EFFECTS_H

#include <patio/transport.h>

#include <stdbool.h>

#include "store.h"
#include "stream.h"

enum { EFFECTS_MAX = 64, EFFECTS_SPARE = 8 };

enum effect_kind {
    EFFECT_DELIVERED,
    EFFECT_REPLIED,
    EFFECT_PARTIAL,
    EFFECT_ACCEPTED,
    EFFECT_REJECTED,
    EFFECT_UNKNOWN,
    EFFECT_LEASE_LOST,
    EFFECT_CANCEL_WANTED,
    EFFECT_CANCELLED,
    EFFECT_DUPLICATE,
    EFFECT_ATTACHED,
};

typedef struct effect {
    uint32_t       kind;
    patio_status   status; /* of a receipt; outcome of a cancel */
    uint32_t       times;  /* of a cancel: how many have the same outcome */
    patio_buf     *body;
    patio_tag      tag;
    patio_id       id;
    patio_id       original; /* of a duplicate */
    attached      *waiting;  /* with ATTACHED: who gets the body, or the text */
    patio_delivery delivery;
    patio_message  message;
    const char    *text;
} effect;

typedef struct effects {
    patio_transport *t;
    conn            *flush; /* `flushing` and a reference are ours */
    uint64_t         now;
    uint32_t         count;
    bool             again; /* there was no room for all there is to do */
    bool             loop;  /* on the I/O thread */
    bool             polls; /* on a thread that comes for the reply: see turn.h */
    effect           items[EFFECTS_MAX];
} effects;

/* Lock and begin to collect. */
void effects_begin(effects *fx, patio_transport *t);
bool effects_room(const effects *fx);
/* A cleared one of that kind. The caller has made sure of room. */
effect *effects_add(effects *fx, enum effect_kind kind);
/* One of `calls` is over: stop() closes nothing that they use before that. */
void effects_release(patio_transport *t);
/* Open the lock, do all that was collected, go on as long as there is more. */
void effects_end(effects *fx);
/* The same, and lock again. */
void effects_pass(effects *fx);
/* The same, with something to be done while the lock is open. The I/O thread. */
void effects_aside(effects *fx, void (*run)(void *arg), void *arg);

#endif
