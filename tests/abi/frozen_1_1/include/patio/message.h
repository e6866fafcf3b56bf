/* patio/message.h: what travels between the core and a transport.
 *
 * Part of the plugin ABI. The core encodes and decodes envelopes (proto/patio/v1); a transport
 * moves them as opaque bytes and sees, beside them, only what it needs to route, order, bound and
 * count.
 */
#ifndef PATIO_MESSAGE_H
#define PATIO_MESSAGE_H

#include <patio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Immutable bytes with an atomic reference count, always made by the host (patio/host.h). The only
 * heap object that the core and its plugins share. */
typedef struct patio_buf patio_buf;

/* One delivery of one task to one worker; the plugin's own number, never 0, never used twice. */
typedef uint64_t patio_tag;

enum {
    /* Somebody waits: the settlement carries a reply, and the transport brings it back to the
     * instance that published. How the reply finds its way is the transport's own affair. */
    PATIO_MESSAGE_CALL = 1u << 0,
    /* Wait for a worker that knows the task, instead of refusing with NO_ROUTE. Implied without
     * CALL where the transport keeps queues. */
    PATIO_MESSAGE_WAIT_ROUTE = 1u << 1,
    /* Raise `published` only if the message was not accepted, was lost after it had been, or is a
     * duplicate of one that was. */
    PATIO_MESSAGE_NO_RECEIPT = 1u << 2,
    /* The task may safely run twice: a transport may send it to another peer after a loss. */
    PATIO_MESSAGE_IDEMPOTENT = 1u << 3,
    /* This is not the first delivery, as far as the transport can tell. */
    PATIO_MESSAGE_REDELIVERED = 1u << 4,
    /* On a delivery: its deadline passed while it waited. The host will not start it. */
    PATIO_MESSAGE_EXPIRED = 1u << 5,
    /* Its caller said how to treat it: the worker's host looks into the envelope. Carried along as
     * it is. */
    PATIO_MESSAGE_POLICY = 1u << 6,
    /* Its result is to be kept: the settlement has a reply and a result_ttl_ms, also where nobody
     * waits. Carried along; a transport without RESULTS refuses it. */
    PATIO_MESSAGE_KEEP_RESULT = 1u << 7,
    /* What a delivery has as it was published. */
    PATIO_MESSAGE_CARRIED = PATIO_MESSAGE_CALL | PATIO_MESSAGE_IDEMPOTENT | PATIO_MESSAGE_POLICY |
                            PATIO_MESSAGE_KEEP_RESULT,
};

#define PATIO_PRIORITY_MAX     9u
#define PATIO_PRIORITY_DEFAULT 4u

/* What happens to a second task with a dedup key that is still in its window. */
enum {
    PATIO_DEDUP_DROP    = 0, /* accepted as a duplicate; the receipt names the original */
    PATIO_DEDUP_ATTACH  = 1, /* as DROP, and the caller gets the original's reply */
    PATIO_DEDUP_REPLACE = 2, /* the queued original goes, this one stays */
};

/* A task on its way. Everything it points to is borrowed for the call it is passed in; keep `body`
 * by taking a reference, copy the rest. */
typedef struct patio_message {
    uint32_t    struct_size;
    uint32_t    flags; /* PATIO_MESSAGE_… */
    patio_id    id;
    const char *queue;           /* 1..255 bytes of [A-Za-z0-9._-] */
    const char *task;            /* 1..255 bytes of UTF-8 without control characters */
    patio_bytes dedup_key;       /* empty: none */
    uint64_t    dedup_window_ms; /* used with dedup_key */
    uint64_t    ttl_ms;          /* time left until the deadline when handed over; 0: none. Time
                                    travels as a remainder, so no two clocks are ever compared */
    uint64_t delay_ms;           /* not before; held by the transport, never by a worker */
    uint32_t dedup_conflict;     /* PATIO_DEDUP_… */
    uint16_t priority;           /* 0..9, higher is sooner */
    uint16_t attempt;            /* starts so far, this one included: 1 on the first delivery */
    uint16_t crashes;            /* leases that ended without settlement, and runs that killed what
                                    ran them (PATIO_SETTLE_CRASHED) */
    uint16_t   level;            /* PATIO_LEVEL_… demanded; refuse what cannot be given */
    uint32_t   reserved;
    patio_buf *body; /* encoded patio.v1.Envelope */
} patio_message;

/* A message handed to one worker, under a lease that the transport renews by itself, on its own
 * thread, until the delivery is settled. */
typedef struct patio_delivery {
    uint32_t             struct_size;
    uint32_t             reserved;
    patio_tag            tag;
    uint64_t             fence;  /* grows with every delivery of the same task */
    uint64_t             age_ms; /* since it was accepted, as far as the transport knows; else 0 */
    const patio_message *message;
} patio_delivery;

/* How safe is what was accepted? */
enum {
    PATIO_LEVEL_PROCESS    = 0, /* memory of this process */
    PATIO_LEVEL_PEER       = 1, /* memory of a peer or of a broker */
    PATIO_LEVEL_DISK       = 2, /* broker's disk: survives its kill -9 */
    PATIO_LEVEL_REPLICATED = 3, /* more than one disk */
};

enum {
    PATIO_ACCEPTED  = 1, /* it will be executed or visibly dead-lettered, as `level` reaches */
    PATIO_DUPLICATE = 2, /* accepted before under the same dedup key: see `original` */
    PATIO_REJECTED  = 3, /* certainly not taken: `error` says why */
    PATIO_UNKNOWN   = 4, /* the link died first; publishing the same id again is safe */
};

/* The outcome of one publish. Borrowed for the event. */
typedef struct patio_receipt {
    uint32_t           struct_size;
    uint32_t           outcome; /* PATIO_ACCEPTED … */
    patio_id           id;
    patio_id           original; /* with PATIO_DUPLICATE */
    uint32_t           level;    /* PATIO_LEVEL_… reached, with PATIO_ACCEPTED */
    uint32_t           reserved;
    const patio_error *error; /* with REJECTED and UNKNOWN, else NULL */
} patio_receipt;

/* Exactly one per delivery, which a CLAIM may precede. */
enum {
    PATIO_ACK    = 1, /* done: deliver the reply if there is one, then remove the task */
    PATIO_RETRY  = 2, /* again, after delay_ms; the next delivery has attempt + 1 */
    PATIO_RETURN = 3, /* never started: back, after delay_ms, at no cost of an attempt */
    PATIO_REJECT = 4, /* never again: deliver the reply if there is one, then to the dead letters */
    PATIO_CLAIM = 5, /* never deliver it again, whatever happens (at most once); the tag stays valid
                        for the one ACK or REJECT that follows with the reply */
};

enum {
    /* With RETRY: what ran it died of it. The next delivery has crashes + 1 and the same attempt. A
     * transport that does not know this charges an attempt instead: bounded all the same. */
    PATIO_SETTLE_CRASHED = 1u << 0,
};

typedef struct patio_settlement {
    uint32_t    struct_size;
    uint32_t    verdict;       /* PATIO_ACK … */
    uint64_t    delay_ms;      /* with RETRY and RETURN */
    uint64_t    result_ttl_ms; /* keep the reply under the task's id for so long; 0: do not */
    patio_bytes cause;         /* with REJECT: encoded patio.v1.DeadLetter, kept with the task */
    patio_buf  *reply;         /* encoded patio.v1.Envelope or NULL; borrowed. It is made as durable
                                  as the task was before the task is removed */
    uint32_t flags;            /* PATIO_SETTLE_… */
    uint32_t reserved;
} patio_settlement;

enum {
    PATIO_REPLY_PARTIAL = 1u << 0, /* more follows for this id: progress, a streamed part */
};

/* A reply that found its caller. Borrowed for the event; reference `body` to keep it. */
typedef struct patio_reply {
    uint32_t   struct_size;
    uint32_t   flags; /* PATIO_REPLY_… */
    patio_id   id;
    patio_buf *body; /* encoded patio.v1.Envelope */
} patio_reply;

/* The user's own, beside the arguments; order is kept, names may repeat. */
typedef struct patio_header {
    const char *name;  /* 1..255 bytes */
    const char *value; /* UTF-8 */
} patio_header;

/* How far a running task has come. A plain copy: nothing in it is borrowed. */
#define PATIO_PROGRESS_NOTE_BYTES 232u
typedef struct patio_progress {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t numerator;
    uint64_t denominator;                 /* 0: not known */
    char note[PATIO_PROGRESS_NOTE_BYTES]; /* UTF-8 with a NUL, cut to fit; "" if there is none */
} patio_progress;

/* True numbers of one queue; what cannot be known is PATIO_COUNT_UNKNOWN, never 0. */
#define PATIO_COUNT_UNKNOWN UINT64_MAX
typedef struct patio_counts {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t ready;         /* could be delivered now */
    uint64_t leased;        /* delivered, not settled */
    uint64_t delayed;       /* wait for their time */
    uint64_t dead;          /* dead letters */
    uint64_t consumers;     /* subscribed workers */
    uint64_t oldest_age_ms; /* of the ready ones; 0 if there are none */
} patio_counts;

/* What became of a wish to cancel. */
enum {
    PATIO_CANCEL_REMOVED  = 1, /* was queued, and is gone */
    PATIO_CANCEL_TOLD     = 2, /* is running, and has been told */
    PATIO_CANCEL_TOO_LATE = 3, /* is settled or was never here */
};

#ifdef __cplusplus
}
#endif
#endif
