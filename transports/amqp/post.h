/* post.h: one message that is published, until the broker has confirmed it. */
#ifndef PATIO_AMQP_POST_H
#define PATIO_AMQP_POST_H

#include "common.h"

enum {
    POST_TASK,  /* of our own caller: a receipt follows */
    POST_REPLY, /* then the task is acknowledged */
    POST_MOVE,  /* a copy of a delivered task to another queue, then it is
                   acknowledged */
    POST_PLAIN, /* nothing follows */
    POST_PROBE, /* not repeated after a reconnect */
    POST_RENEW, /* a copy of a task that runs, to the queue that holds it for us; not repeated */
};

struct post {
    post      *next;
    place     *place;   /* must be there first; NULL: nothing of ours */
    uint64_t   made_ns; /* when it was taken */
    uint64_t   end_ns;  /* nobody waits any more; 0: never */
    patio_tag  tag;     /* the delivery that is settled with it; 0: none */
    patio_tag  renews;  /* POST_RENEW: the delivery whose copy it is */
    patio_id   id;
    patio_buf *body;      /* may be NULL: empty */
    uint32_t   head_size; /* method and header frame, ready to be written */
    uint8_t    kind;
    uint64_t   browsed;     /* delivery tag of the dead letter that goes with it; 0: none */
    uint64_t   browse;      /* serial of the browse that was given that tag */
    uint64_t   retry_ns;    /* of `refused`: not sent again before */
    uint8_t    refusals;    /* how often the broker did not take it */
    bool       receipt;     /* acceptance is to be told */
    bool       persistent;  /* on disk when it is confirmed */
    bool       sent;        /* at least once */
    bool       returned;    /* its queue is not there */
    bool       prioritized; /* a priority was asked for */
    bool       orphan;      /* its lease is gone: not to be repeated */
    bool       told;        /* its outcome has been told */
    bool       quiet;       /* its delivery is not known to the host */
    uint8_t    head[];
};

typedef struct post_list {
    post  *first;
    post **end;
} post_list;

/* ---- message.c: making one ---- */
post *post_new_task(patio_transport *t, uint8_t kind, place *to, const task_facts *facts,
                    patio_buf *body);
/* partial: progress, which nothing depends on. */
post *post_new_reply(patio_transport *t, const char *reply_to, const patio_id *id, bool persistent,
                     bool partial, patio_buf *body);
post *post_new_probe(patio_transport *t);
/* exchange "": to the queue `key`. type: what it is. */
post *post_new_control(patio_transport *t, const char *exchange, const char *key, const char *type,
                       const patio_id *nonce, const char *reply_to, patio_bytes words);

/* ---- post.c ---- */
void post_free(patio_transport *t, post *p); /* under the lock or the only one who knows it */
/* Under the lock: on its way, now or when its place is ready and the link is
 * up. */
void  post_submit(patio_transport *t, post *p);
void  post_list_init(post_list *list);
void  post_list_add(post_list *list, post *p);
post *post_list_take(post_list *list);
post *post_ring_take(patio_transport *t, uint64_t number); /* NULL: not there any more */
void  post_link_lost(patio_transport *t);                  /* the publishing one */
void  post_link_ready(patio_transport *t);
void  post_step(patio_transport *t); /* send what could not be sent before */
/* A lease is gone, or (settlements: false) needs no copies any more to renew it. */
void post_orphan(patio_transport *t, patio_tag tag, bool settlements);

/* ---- publish.c ---- */
patio_status transport_publish(patio_transport *t, const patio_message *m, patio_error *err);

/* ---- confirm.c: I/O thread, without the lock ---- */
void confirm_settled(patio_transport *t, uint64_t number, bool multiple, bool accepted);
void confirm_returned(patio_transport *t, const inbound *in);
/* No task of our caller's any more that counts against its bounds; under the lock. */
void confirm_uncount(patio_transport *t, const post *p);
void confirm_tell(patio_transport *t, const post *p, uint32_t outcome, patio_status status,
                  const char *why);
/* The end of a post that nobody took. */
void confirm_failed(patio_transport *t, post *p, patio_status status, const char *why);
/* Its caller need not wait: a person has to act first, or it has waited long enough; under the
 * lock. */
bool confirm_is_hopeless(const patio_transport *t, const post *p, uint64_t now_ns);

/* ---- sweep.c: I/O thread, without the lock ---- */
void sweep_late(patio_transport *t, uint64_t now_ns); /* posts that have waited too long */
void sweep_all(patio_transport *t);                   /* what is left when all ends */

/* ---- refused.c ---- */
/* For people: what is wrong with that queue (NULL: a caller's). No lock. */
void refused_say(const patio_transport *t, const place *p, patio_status status, char *out,
                 size_t size);
/* Under the lock: what the broker says of a message to it. */
void refused_note(patio_transport *t, place *p, bool accepted);
bool refused_by_channel(const place *p);
void refused_forget(patio_transport *t); /* under the lock: the publishing link is gone */
/* Under the lock: is another connection worth a try, because of a place that takes nothing on this
 * one? */
const place *refused_relink(patio_transport *t, uint64_t now_ns);
void         refused_add(patio_transport *t, post *p, patio_status status); /* under the lock */
void         refused_step(patio_transport *t, uint64_t now_ns);             /* under the lock */
void refused_tell(patio_transport *t, uint64_t now_ns); /* I/O thread, without the lock: the log */

#endif
