/* place.h: queues of the broker, and queues of the project, which are some of them each. */
#ifndef PATIO_AMQP_PLACE_H
#define PATIO_AMQP_PLACE_H

#include "post.h"

enum { PLACE_WORK, PLACE_DEAD, PLACE_HELD, PLACE_DELAY };
enum { PLACE_UNKNOWN, PLACE_DECLARING, PLACE_READY, PLACE_FAILED };

struct place {
    queue       *owner;
    uint64_t     ttl_ms; /* PLACE_DELAY */
    uint64_t     failed_ns;
    post_list    waiting; /* for it to be ready */
    patio_status status;  /* PLACE_FAILED */
    uint8_t      kind;
    uint8_t      state;
    uint32_t     made;      /* PLACE_DELAY: how often somebody has told that he made it */
    bool         absent;    /* PLACE_DELAY: nobody has made it, as far as we have heard */
    patio_status refused;   /* why it did not take a settlement of late, to be told */
    uint64_t     told_ns;   /* when that was told */
    uint64_t     nacked_ns; /* on this connection, since when; 0: it was not */
    bool         taken;     /* something, on this connection */
    uint8_t      relinks;   /* connections in a row on which nothing was taken */
    uint8_t      type;      /* QUEUE_CLASSIC, QUEUE_QUORUM: as last tried */
    char         name[NAME_MAX_BYTES];
    char         why[WHY_BYTES];
};

enum { SUB_NONE, SUB_ASKED, SUB_ON, SUB_ENDING };

/* A queue of the project, as patio sees it. Never freed before the instance. */
enum { MARKS_UNKNOWN, MARKS_ASKED, MARKS_KNOWN };

struct queue {
    queue           *next;
    patio_transport *t;
    place            work;
    place            dead;
    place            held;    /* ours alone: copies of tasks that run for long */
    bool             held_on; /* we consume it */
    place           *delay[DELAY_STEPS];
    bool             subscribed;
    bool             refused;        /* what ended the channel was asked for it, maybe */
    bool             type_told;      /* in the log */
    uint8_t          operator_state; /* PATIO_QUEUE_… */
    uint8_t          mark_state;     /* MARKS_… */
    uint8_t          marks_due;
    uint8_t          state;        /* SUB_… of the current consumer */
    uint32_t         credit;       /* wanted */
    uint32_t         asked_credit; /* the credit when the consumer was made */
    uint32_t         window;       /* its prefetch: what the credit left then */
    uint32_t         consumer;     /* number in its tag */
    uint32_t         unsettled;    /* with us, whatever their state */
    uint32_t         own;          /* of them in the window of the current consumer */
    uint32_t         given;        /* told to the host, and not settled by it */
    uint32_t         waiting;      /* LEASE_WAITING */
    uint64_t         retry_ns;     /* subscribe again, not before */
    uint64_t         stuck_ns;     /* its window has been too small since then; 0: it is not */
    char             name[NAME_MAX_BYTES];
    char             address[QUEUE_BYTES + 1]; /* the name, fit for names of the broker */
};

/* ---- place.c: under the lock ---- */
queue       *place_queue(patio_transport *t, const char *name, bool make);
place       *place_delay(patio_transport *t, queue *q, uint64_t delay_ms);
uint64_t     place_longest_delay_ms(void); /* no lock */
place       *place_step_at(patio_transport *t, queue *q, int step);
void         place_shorten(char *out, size_t most, const char *name);
patio_status place_check_name(const char *name, patio_error *err); /* no lock */
/* Under the lock: it is not there, although nobody has looked. */
void place_missing(patio_transport *t, place *p, const char *why);
bool place_ensure(patio_transport *t, place *p); /* true: it is ready */
void place_ready(patio_transport *t, place *p);
void place_made(queue *q, uint64_t ttl_ms); /* somebody has made a step */
bool place_has_delays(const queue *q);
void place_failed(patio_transport *t, place *p, patio_status status, const char *why);
void place_step(patio_transport *t);   /* what waits may be able to go on */
void place_forget(patio_transport *t); /* the link died: nothing is known */
void place_free_all(patio_transport *t);
/* All that a queue of ours has; NULL: not in use. */
enum { PLACES = 3 + DELAY_STEPS };
place *place_at(queue *q, int i);
enum { PLACE_ARGUMENTS = 8 };
int place_arguments(const patio_transport *t, const place *p, amqp_table_entry_t *out);

/* ---- kinds.c: which type a queue has, and why ---- */
void kinds_say(const patio_transport *t, const queue *q, char *out,
               size_t size); /* under the lock */
/* Under the lock: it is known to be one that has no priorities. */
bool kinds_no_priorities(const queue *q);
void kinds_tell(patio_transport *t); /* the I/O thread: into the log, once for each queue */
/* [blocks] Find out about a queue, if there is one; nothing is made. */
void kinds_look(patio_transport *t, const char *name, uint64_t timeout_ms);

#endif
