/* browse.h: looking through dead letters. */
#ifndef PATIO_AMQP_BROWSE_H
#define PATIO_AMQP_BROWSE_H

#include "inbound.h"

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
    uint64_t     serial; /* which one it is */
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

#endif
