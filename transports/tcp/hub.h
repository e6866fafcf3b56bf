/* hub.h: the tasks an instance holds, in queues, lanes and lists, and who takes from them.
 * Everything here is under the instance's lock. */
#ifndef TCP_HUB_H
#define TCP_HUB_H

#include <patio/transport.h>

#include <stdbool.h>

#include "stream.h"

enum { PRIORITIES = PATIO_PRIORITY_MAX + 1, WORD_BITS = 64, CHUNK_ENTRIES = 128 };

typedef struct entry        entry;
typedef struct lane         lane;
typedef struct queue        queue;
typedef struct peersub      peersub;
typedef struct subscription subscription;

enum entry_state {
    ENTRY_FREE      = 0,
    ENTRY_READY     = 1, /* out: in its lane */
    ENTRY_GIVEN     = 2, /* out: a peer has it */
    ENTRY_DELAYED   = 3, /* out: waits for its time */
    ENTRY_DEAD      = 4, /* out: dead letter */
    ENTRY_GONE      = 5, /* out: cancelled while delayed; free once its timer cannot run any more */
    ENTRY_INBOX     = 6, /* in: waits for credit of ours */
    ENTRY_DELIVERED = 7, /* in: the host has it */
};

struct entry {
    entry           *next; /* in its lane, inbox, free list or dead letters */
    entry           *prev;
    entry           *link_next; /* in its connection's list */
    entry           *link_prev;
    uint64_t         tag; /* generation << 32 | slot + 1; the generation moves with every giving */
    patio_transport *t;
    lane            *lane;
    patio_buf       *body;
    patio_buf       *cause;  /* of a dead letter */
    peersub         *holder; /* out, given: whose credit it uses */
    conn            *link;   /* out, given: who has it; in: where it came from */
    uint64_t         remote; /* in: the publisher's tag */
    uint64_t         accepted_ns;
    uint64_t         deadline_ns; /* 0: none */
    uint64_t         moved_ns;    /* given, or put into the inbox */
    uint64_t         wrote;       /* out, given: place in the stream where its frame ends */
    uint64_t         timer;
    uint64_t         order;
    patio_id         id;
    uint32_t         flags; /* PATIO_MESSAGE_… */
    uint32_t         fence;
    uint16_t         attempt;
    uint16_t         crashes;
    uint8_t          priority;
    uint8_t          state;
    bool             claimed;
    bool             asked; /* a cancel awaits its outcome */
};

typedef struct list {
    entry *first;
    entry *last;
} list;

/* All ready tasks of one name in one queue, and who can run them. */
struct lane {
    queue    *queue;
    lane     *next; /* in its hash bucket */
    uint32_t  index;
    uint32_t  nonempty; /* bit per priority */
    peersub **routes;
    uint32_t  route_count;
    uint32_t  route_room;
    uint32_t  turn; /* round-robin among equals */
    bool      own;  /* our subscription has it */
    list      ready[PRIORITIES];
    char      task[];
};

enum { LANE_BUCKETS = 64, LANES_MAX = 65536, QUEUES_MAX = 4096 };

struct queue {
    queue           *next;
    patio_transport *t;
    lane            *buckets[LANE_BUCKETS];
    lane           **lanes;
    uint64_t        *nonempty; /* bit per lane */
    uint32_t         lane_count;
    uint32_t         lane_room;
    subscription    *own;
    uint64_t         consumers; /* peersubs with routes */
    uint64_t         ready;
    uint64_t         leased;
    uint64_t         delayed;
    uint64_t         dead;
    list             dead_letters; /* oldest first */
    char             name[];
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
    uint32_t credit;
    uint32_t unsettled;
    uint32_t waiting; /* in the inbox */
    uint32_t nonempty;
    bool     closed;
    list     inbox[PRIORITIES];
};

/* hub.c; under the lock */
queue *hub_queue(patio_transport *t, const char *name, bool make);
lane  *hub_lane(queue *q, const char *task, bool make);
entry *hub_entry_new(patio_transport *t);
entry *hub_entry_find(patio_transport *t, uint64_t tag, uint8_t state);
void   hub_entry_free(entry *e);
void   hub_append(list *l, entry *e);
void   hub_unlink(list *l, entry *e);
void   hub_push_ready(entry *e);
void   hub_unlink_ready(entry *e);
void   hub_link(conn *c, entry **first, entry *e);
void   hub_unlink_link(entry **first, entry *e);
void   hub_fini(patio_transport *t);

#endif
