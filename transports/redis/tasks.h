/* tasks.h: what is kept of a task on its way: to the server, from it, and its end. */
#ifndef REDIS_TASKS_H
#define REDIS_TASKS_H

#include <patio/transport.h>

#include <stdbool.h>
#include <stdint.h>

enum { OWNER_BYTES = 17 }; /* incarnation in hex */

typedef struct queue queue;

/* A place in a stream: which one, and where. */
typedef struct place {
    uint64_t ms;
    uint64_t seq;
    char     suffix; /* 'f' or a priority */
} place;

/* Ours, as the group says, and not known here. The read under way may still bring it: only when
 * that one is over it is certain that none will. */
typedef struct orphan {
    place    at;
    uint64_t after; /* so many reads */
} orphan;

/* A task on its way to the server; head and dedup key follow the struct. */
typedef struct publish_op {
    struct publish_op *next;
    patio_buf         *body;
    uint64_t           deadline_ns; /* of being accepted */
    uint64_t           delay_ms;
    uint64_t           window_ms;
    size_t             head_bytes;
    size_t             body_bytes;
    patio_id           id;
    uint32_t           flags;
    uint8_t            priority;
    uint8_t            conflict;
    bool               special; /* has a delay or a dedup key */
    bool               safe;    /* may be sent twice */
    uint8_t            level;
    char               head[];
} publish_op;

enum settle_kind {
    SETTLE_DONE   = 'A',
    SETTLE_REPLY  = 'R',
    SETTLE_RETRY  = 'T',
    SETTLE_CRASH  = 'K', /* a retry after the run took its process along */
    SETTLE_RETURN = 'U',
    SETTLE_BURY   = 'X',
    SETTLE_CLAIM  = 'C',
    SETTLE_NOTIFY = 'N',
};

/* A thread that waits until the server has noted its claim. */
struct claim {
    bool done;
    bool taken;
};

typedef struct settle_op {
    struct settle_op *next;
    patio_tag         tag; /* 0: of the transport's own */
    patio_buf        *reply;
    struct claim     *claim; /* who waits for it */
    uint64_t          delay_ms;
    uint64_t          result_ttl_ms;
    place             at;
    patio_id          id;
    uint8_t           kind;
    bool              resent; /* may have taken effect before */
    char              to[OWNER_BYTES];
    size_t            dedup_bytes;
    size_t            cause_bytes;
    char              data[]; /* dedup key in hex, then the cause */
} settle_op;

enum delivery_state { DELIVERY_FREE = 0, DELIVERY_HELD = 1, DELIVERY_SETTLING = 2 };
enum start_state { START_NO = 0, START_WANTED = 1, START_SENT = 2 };

typedef struct delivery {
    patio_tag tag; /* generation << 32 | slot + 1 */
    queue    *q;
    char     *dedup; /* hex, or NULL */
    uint64_t  since_ns;
    uint32_t  round; /* of the last look at what the group says */
    place     at;
    patio_id  id;
    uint32_t  flags;
    uint32_t  next_free;
    uint8_t   state;
    uint8_t   start;
    bool      lost_before; /* its start is told at once */
    bool      told;        /* of its cancellation */
    bool      claimed;
    char      to[OWNER_BYTES];
} delivery;

#endif
