/* queue.h: a queue, as far as this instance takes part in it. */
#ifndef REDIS_QUEUE_H
#define REDIS_QUEUE_H

#include "conn.h"
#include "tasks.h"

enum {
    BATCH_MAX     = 128,
    BATCH_BYTES   = 256 * 1024,
    STARTED_COUNT = 2,  /* delivery count in the group that says: was started */
    ENTRY_BYTES   = 44, /* "ms-seq" */
    CREDIT_MAX    = 65536,
    ORPHANS_MAX   = 64,
};

struct queue {
    queue           *next;
    patio_transport *t;
    node            *node;
    uint32_t         slot;
    conn             reader;
    conn             replies;
    char            *tag; /* patio:{project:queue} */
    char            *name;
    op_list          publishes;
    op_list          settles;
    op_list          cancels;
    bool             pumping;
    op_list          inbox; /* came, and waits for credit */
    uint32_t         extra; /* tasks beyond the credit, while they are quick */
    uint32_t         publish_flights;
    uint32_t         settle_flights;
    bool             returned; /* tasks were given back, and the server may not have them yet */
    uint32_t         mark_flights;

    bool     calls;      /* somebody here awaits replies */
    bool     subscribed; /* somebody here takes tasks */
    bool     closed;     /* and does not any more, but may have some to settle */
    bool     opened;     /* groups are there, as far as we know */
    bool     left;
    bool     armed;     /* a read is at the server */
    bool     listening; /* it brings words, and no tasks */
    bool     freed;     /* since the last fetch: a place within the limit, or a word to look */
    bool     fetching;
    bool     more;  /* the last ordered fetch was full */
    bool     fresh; /* a fetch came back short: now a blocking read may wait */
    bool     beating;
    bool     promoting;
    bool     controlling;
    bool     words; /* to this worker, and it has not read them */
    bool     leaving;
    bool     proven; /* was opened once */
    uint8_t  asking; /* something was set: take nothing until it is known; 2: since it was asked */
    bool     mark_now; /* a start must not wait */
    uint32_t credit;
    uint32_t unsettled;
    uint32_t reserved; /* by the read or fetch under way */
    uint32_t marks;    /* started, not yet told */
    uint32_t state;    /* PATIO_QUEUE_… */
    uint64_t limit;
    uint64_t front;
    char     priorities[12]; /* used beside 4 */
    uint64_t beat_ns;
    uint64_t mark_ns;
    uint64_t due_ns; /* when to promote; 0: not known */
    uint64_t control_ns;
    uint64_t look_ns; /* when to look again whether what fills it is too late */
    char     last_reply[ENTRY_BYTES];
    uint64_t untrimmed;
    uint32_t beats;
    uint32_t round;
    uint32_t orphan_count;
    orphan   orphans[ORPHANS_MAX];
    uint64_t reads; /* answered or lost */
};

#endif
