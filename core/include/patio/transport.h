/* patio/transport.h: the contract of a transport plugin.
 *
 * A transport takes tasks from callers, keeps them, hands each to one worker under a lease, and
 * carries the reply back. It never looks into a body. docs/delivery.md has the meaning of every
 * word; docs/abi.md the rules; transports/memory is the plugin to read first.
 *
 * Life:  create -> start -> work -> stop -> destroy.
 *
 * Threads. [control]: the host makes these calls one at a time per instance. [any]: any thread,
 * also several at once, also from inside an event, except inside `delivered` (see there).
 * Non-blocking calls may take a short lock; they never wait for the network or for another thread's
 * work.
 *
 * Failure. A call that returns something else than PATIO_OK had no effect, raised no event and left
 * its outputs untouched; `err` (may be NULL) says why.
 */
#ifndef PATIO_TRANSPORT_H
#define PATIO_TRANSPORT_H

#include <patio/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_TRANSPORT_ID "patio.transport/1"

typedef struct patio_transport patio_transport; /* the plugin's own struct */

/* What a transport can do. A configuration or a call that needs a missing one is refused by the
 * capability's name; nothing degrades silently. */
#define PATIO_TRANSPORT_CAP_MAP(X)                                                                 \
    X(PERSIST, 0, "persist", "accepted tasks survive a restart of what holds them")                \
    X(PRIORITY, 1, "priority", "orders by priority within a queue")                                \
    X(DELAY, 2, "delay", "holds a task until its time")                                            \
    X(DEDUP, 3, "dedup", "drops, attaches or replaces by dedup key")                               \
    X(CANCEL, 4, "cancel", "removes a queued task, tells a running one")                           \
    X(RESULTS, 5, "results", "keeps results to be fetched by id")                                  \
    X(DEAD_LETTERS, 6, "dead_letters", "keeps rejected tasks")                                     \
    X(ROUTES, 7, "routes", "knows at once whether any worker can run a task")                      \
    X(QUEUE, 8, "queue", "keeps tasks while no worker is there")                                   \
    X(LIMITS, 9, "limits", "bounds the tasks in flight of a queue over all workers")               \
    X(STARTED, 10, "started", "tells a delivered task from a started one (the `started` slot)")
enum {
#define PATIO_X(name, bit, word, text) PATIO_CAP_##name = 1u << (bit),
    PATIO_TRANSPORT_CAP_MAP(PATIO_X)
#undef PATIO_X
};

/* State of the link to the peer or broker; memory is always UP. */
enum {
    PATIO_LINK_CONNECTING = 1, /* not yet, or not any more; retrying by itself */
    PATIO_LINK_UP         = 2, /* proven: subscriptions restored, messages can pass */
    PATIO_LINK_BLOCKED    = 3, /* up, but nothing new is accepted for now (`error` says why) */
    PATIO_LINK_DOWN       = 4, /* given up: wrong password, refused topology; needs a person */
};

/* Where the host wants to hear. Every slot is set. The plugin calls them on any of its threads, or
 * inside `publish`, `subscribe`, `settle` and `cancel`, or inside `poll` of patio/poll.h, never
 * with a lock of its own held, and never after `stop` has returned. Arguments are borrowed for the
 * call. The host does not block in an event. */
typedef struct patio_transport_events {
    uint32_t struct_size;
    uint32_t reserved;
    void    *self; /* first argument of every slot */

    /* A task for a subscription of this instance, under a lease from now on. Inside this call the
     * host calls nothing of the transport, so an in-process transport may raise it in a loop.
     * The host settles the tag exactly once, later, unless lease_lost says otherwise. */
    void (*delivered)(void *self, const patio_delivery *delivery);
    /* The reply to a CALL of this instance. Without PATIO_REPLY_PARTIAL at most one per id; a late
     * one, or one for an unknown id, is the host's to count and drop. */
    void (*replied)(void *self, const patio_reply *reply);
    /* The outcome of a publish that returned OK: exactly once, or with NO_RECEIPT only a failure
     * or a duplicate, at any time until the reply (a link that died with a call in flight: UNKNOWN,
     * PEER_LOST). A failure for an unknown id is the host's to drop. */
    void (*published)(void *self, const patio_receipt *receipt);
    /* The lease of an unsettled delivery is gone and another worker may run it. The host tells the
     * task; its settlement will be refused as STALE. At most once per tag. It may overtake the
     * `delivered` of its tag by a moment where two threads raise them: the host looks for the tag
     * again for a second. */
    void (*lease_lost)(void *self, patio_tag tag, const patio_error *why);
    /* A settlement that returned OK did not take effect later (STALE, link lost). The task will be
     * delivered again or has been already. At most once per tag. */
    void (*settle_failed)(void *self, patio_tag tag, const patio_error *why);
    /* Somebody cancelled a task that is delivered here. At most once per tag; it may overtake
     * `delivered` as lease_lost may. */
    void (*cancel_wanted)(void *self, patio_tag tag);
    /* The outcome of a cancel that returned OK, exactly once. */
    void (*cancelled)(void *self, const patio_id *id, uint32_t outcome);
    /* The link changed; `why` may be NULL. Raised in order. */
    void (*link)(void *self, uint32_t state, const patio_error *why);
} patio_transport_events;

/* What an instance is made from. Borrowed for `create`, but `events` and what it points to stay
 * valid until `destroy` has returned. */
typedef struct patio_transport_params {
    uint32_t              struct_size;
    uint32_t              endpoint_count; /* at least 1 */
    const char           *project;        /* part of every address: projects never meet */
    uint64_t              incarnation;    /* random number of this instance, fit for names */
    uint64_t              max_body_bytes; /* a larger body is refused by `publish` */
    const patio_endpoint *endpoints;
    size_t                endpoint_bytes; /* sizeof(patio_endpoint) of the host: step by it */
    const patio_transport_events *events;
} patio_transport_params;

/* Take what this worker can run from one queue. Borrowed for the call. */
typedef struct patio_subscription {
    uint32_t           struct_size;
    uint32_t           credit; /* most deliveries unsettled at once; 0 pauses */
    const char        *queue;
    const char *const *tasks; /* names this worker has; others are never delivered here by a
                                 transport with the ROUTES capability */
    size_t task_count;
} patio_subscription;

typedef struct patio_transport_ops {
    uint32_t struct_size;
    uint32_t caps; /* PATIO_CAP_… */
    /* NULL-terminated; pointers, so that patio_option may grow. NULL: no options. */
    const patio_option *const *options;
    const char *const         *schemes; /* NULL-terminated: URL schemes it serves; NULL: its name */

    /* [control] Make an instance. No I/O, no thread, no event yet. INVALID or CONFIG for endpoints
     * that make no sense together. */
    patio_status (*create)(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err);
    /* [control] Begin to work: connect or listen in the background and say so through `link`. Fails
     * only for what waiting cannot heal (address in use, unreadable certificate). */
    patio_status (*start)(patio_transport *t, patio_error *err);
    /* [control] Blocks up to about grace_ms: flush settlements, replies and publishes, give back
     * what is unsettled, close. TIMEOUT if something could not be flushed; it is stopped all the
     * same. No event runs once this has returned. */
    patio_status (*stop)(patio_transport *t, uint64_t grace_ms, patio_error *err);
    /* [control] Free everything. Only after stop, or if start was never called or failed, and with
     * no other call in progress. NULL is allowed. */
    void (*destroy)(patio_transport *t);

    /* [any] [non-blocking] Hand over one task. OK: an outcome follows through `published`.
     * FULL: the queue's bound is reached. BLOCKED, UNREACHABLE: not now. NO_ROUTE: nobody can run
     * it (a CALL without WAIT_ROUTE). TOO_LARGE: above max_body_bytes. UNSUPPORTED: needs what this
     * transport does not have (delay, level, dedup …), named in `err`. CLOSED: after stop. */
    patio_status (*publish)(patio_transport *t, const patio_message *message, patio_error *err);

    /* [control] [non-blocking] Subscribe, or replace the subscription of the same queue (new
     * credit, new tasks). It is kept over reconnects. Deliveries may come before it returns. */
    patio_status (*subscribe)(patio_transport *t, const patio_subscription *s, patio_error *err);
    /* [control] [non-blocking] No new delivery from that queue once this has returned, but for what
     * another thread had taken before and is raising, within the credit; what is delivered is still
     * to be settled.
     * NOT_FOUND: no such subscription. */
    patio_status (*unsubscribe)(patio_transport *t, const char *queue, patio_error *err);

    /* [any] [non-blocking] Settle one delivery. OK: taken (a failure may follow by settle_failed).
     * STALE: the lease is gone, or the tag was never given out or is settled: nothing changed.
     * CLOSED: after stop. */
    patio_status (*settle)(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err);
    /* [any] [non-blocking] [optional: STARTED] The task function is about to be called; from here a
     * lost lease counts as a crash of this task. STALE as in settle. */
    patio_status (*started)(patio_transport *t, patio_tag tag, patio_error *err);
    /* [any] [non-blocking] [optional: PARTIAL replies] Bring something to the waiting caller while
     * the task runs on. STALE as in settle; FULL when the caller does not keep up. */
    patio_status (*notify)(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
    /* [any] [non-blocking] [optional: CANCEL] Cancel by id, wherever the task is now. OK: the
     * outcome follows through `cancelled`, maybe before this returns. */
    patio_status (*cancel)(patio_transport *t, const char *queue, const patio_id *id,
                           patio_error *err);

    /* [any] [may block up to timeout_ms] The true numbers of one queue. A queue that does not exist
     * is empty. UNREACHABLE or TIMEOUT when they cannot be had now. out->struct_size is set by the
     * caller; numbers beyond it are not asked for, which may save questions to a server. */
    patio_status (*counts)(patio_transport *t, const char *queue, uint64_t timeout_ms,
                           patio_counts *out, patio_error *err);

    /* [any] [non-blocking] [optional] Interfaces beyond this table, by id ("patio.dead/1"). */
    const void *(*query)(patio_transport *t, const char *interface_id);
} patio_transport_ops;

#ifdef __cplusplus
}
#endif
#endif
