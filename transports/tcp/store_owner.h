/* store_owner.h: what tcp hangs at what the store holds. */
#ifndef STORE_OWNER_H
#define STORE_OWNER_H

typedef struct conn         conn;
typedef struct peersub      peersub;
typedef struct subscription subscription;

#define STORE_ENTRY_OWN                                                                            \
    bool             asked;   /* a cancel awaits its outcome */                                    \
    bool             aside;   /* in: in its connection's list of these */                          \
    uint8_t          returns; /* out: how often it was given back, in a row */                     \
    uint32_t         shunned; /* out, with that: of the incarnation of who did it last */          \
    patio_transport *t;                                                                            \
    entry           *link_next; /* in its connection's list */                                     \
    entry           *link_prev;                                                                    \
    peersub         *holder;   /* out, given: whose credit it uses */                              \
    conn            *link;     /* out, given: who has it; in: where it came from */                \
    uint64_t         remote;   /* in: the publisher's tag */                                       \
    uint64_t         moved_ns; /* given, or put into the inbox */                                  \
    uint64_t         wrote;    /* out, given: place in the stream where its frame ends */
#define STORE_LANE_OWN                                                                             \
    peersub **routes; /* who can run its tasks */                                                  \
    uint32_t  route_count;                                                                         \
    uint32_t  route_room;                                                                          \
    uint32_t  turn; /* round-robin among equals */                                                 \
    bool      own;  /* our subscription has it */                                                  \
    bool      kept; /* it had it once: events that are under way may name it */
#define STORE_QUEUE_OWN                                                                            \
    patio_transport *t;                                                                            \
    uint32_t         takers; /* peersubs of it */                                                  \
    subscription    *own;

#endif
