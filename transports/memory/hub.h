/* hub.h: where the instances of the memory transport meet: queues of tasks, under one lock.
 *
 * Each queue has a lane per task name; a lane has a list per priority. A subscription is a set of
 * lanes, so a task that nobody here knows never stands before one that somebody does. Entries come
 * from a slab and are used again: in steady state a message costs no allocation here.
 */
#ifndef MEMORY_HUB_H
#define MEMORY_HUB_H

#include <patio/plugin_util.h>
#include <patio/queues.h>
#include <patio/results.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { PRIORITIES = PATIO_PRIORITY_MAX + 1, WORD_BITS = 64, CHUNK_ENTRIES = 128 };

typedef struct entry        entry;
typedef struct lane         lane;
typedef struct queue        queue;
typedef struct subscription subscription;
typedef struct hub          hub;
typedef struct keyed        keyed;
typedef struct kept         kept;

enum entry_state {
    ENTRY_FREE    = 0,
    ENTRY_READY   = 1,
    ENTRY_LEASED  = 2,
    ENTRY_DELAYED = 3,
    ENTRY_DEAD    = 4,
    ENTRY_GONE    = 5, /* out of every list; free once its timer cannot run any more */
};

/* One task. */
struct entry {
    entry           *next; /* in its lane, the free list, or the dead letters */
    uint64_t         tag;  /* generation << 32 | slot + 1; the generation moves with every lease */
    lane            *lane;
    patio_buf       *body;
    patio_buf       *cause;  /* of a dead letter */
    patio_transport *origin; /* who waits for the reply; NULL: nobody, or gone */
    subscription    *holder; /* whose credit it uses while leased */
    keyed           *key;    /* its dedup key; NULL: none, or no longer */
    uint64_t         order;  /* of arrival, for first in first out over lanes; of a dead letter,
                                that of its death */
    uint64_t accepted_ns;
    uint64_t deadline_ns; /* 0: none */
    uint64_t timer;       /* while delayed */
    uint64_t dead_ns;     /* when it died */
    patio_id id;
    uint32_t flags; /* PATIO_MESSAGE_… */
    uint32_t fence;
    uint16_t attempt;
    uint16_t crashes;
    uint8_t  priority;
    uint8_t  state; /* entry_state */
    bool     claimed;
    bool     told; /* its holder knows that it is cancelled */
    hub     *hub;
};

typedef struct list {
    entry *first;
    entry *last;
} list;

/* All ready tasks of one name in one queue. */
struct lane {
    queue   *queue;
    lane    *next; /* in its hash bucket */
    uint32_t index;
    uint32_t routes;   /* subscriptions that know this task */
    uint32_t nonempty; /* bit per priority */
    uint32_t reserved;
    list     ready[PRIORITIES];
    char     task[];
};

enum { LANE_BUCKETS = 64 };

struct queue {
    queue        *next;
    hub          *hub;
    lane         *buckets[LANE_BUCKETS];
    lane        **lanes;    /* by index */
    uint64_t     *nonempty; /* bit per lane */
    uint32_t      lane_count;
    uint32_t      lane_room; /* multiple of WORD_BITS */
    subscription *subscriptions;
    uint64_t      ready;
    uint64_t      leased;
    uint64_t      delayed;
    uint64_t      dead;
    list          dead_letters; /* oldest first */
    uint64_t      limit;        /* most leased at once; 0: none */
    uint32_t      state;        /* PATIO_QUEUE_… */
    bool          gated;        /* paused or limited: look before handing out */
    char          name[];
};

/* One instance's interest in one queue. */
struct subscription {
    subscription    *next; /* of the same queue */
    patio_transport *instance;
    queue           *queue;
    uint32_t         credit;
    uint32_t         unsettled;
    uint64_t        *lanes; /* bit per lane it can run */
    uint32_t         words;
    bool             closed; /* unsubscribed; kept while deliveries are unsettled */
};

/* A caller that waits for the result of a task that another one sent. */
typedef struct attached {
    struct attached *next;
    patio_transport *origin;
    patio_id         id;
    bool             quiet; /* it has had no receipt: it may be told of a failure */
} attached;

/* A dedup key, as long as its window is open or its task is not settled. */
struct keyed {
    keyed     *next;       /* in its bucket */
    entry     *entry;      /* NULL once it is settled */
    uint64_t   expires_ns; /* 0: with its task */
    attached  *waiting;
    patio_buf *reply; /* for those who attach later */
    queue     *queue;
    patio_id   original;
    uint32_t   waiting_count;
    uint32_t   size;
    uint8_t    key[];
};

/* A result kept for its time. */
struct kept {
    kept      *next;  /* in its bucket */
    kept      *newer; /* in the order of keeping */
    queue     *queue;
    patio_buf *reply;
    uint64_t   expires_ns;
    patio_id   id;
    uint32_t   state; /* PATIO_STATE_… */
    uint32_t   size;
};

enum { KEY_BUCKETS = 4096, ATTACHED_MAX = 1024 };

typedef struct kept_store {
    kept   **buckets; /* KEY_BUCKETS; made with the first */
    kept    *oldest;
    kept    *newest;
    uint64_t count;
    uint64_t bytes;
} kept_store;

typedef struct keyed_store {
    keyed  **buckets; /* KEY_BUCKETS; made with the first */
    uint64_t count;
} keyed_store;

struct hub {
    const patio_host *host;
    pthread_mutex_t   lock;
    queue            *queues;
    entry           **chunks;
    uint32_t          chunk_count;
    entry            *free;
    uint64_t          order;
    uint64_t          held; /* entries in use */
    uint64_t          held_bytes;
    uint64_t          dead; /* of them: dead letters, which have bounds of their own */
    uint64_t          dead_bytes;
    kept_store        results;
    keyed_store       keys;
    patio_transport  *instances;
    uint64_t          lanes;
    bool              closing; /* timers find nothing to do any more */
};

/* The plugin's instance. */
struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    hub                          *hub;
    uint64_t                      max_queued;
    uint64_t                      max_queued_bytes;
    uint64_t                      max_body_bytes;
    uint64_t                      max_dead;
    uint64_t                      dead_ttl_ns;
    uint64_t                      max_results;
    uint64_t                      max_result_bytes;
    uint64_t                      max_dedup_keys;
    uint64_t                      incarnation;
    patio_transport              *next;    /* in the hub */
    patio_buf                    *info;    /* what its host announced; NULL: nothing */
    bool                          running; /* under the hub's lock */
    _Atomic uint32_t              calls;   /* events being raised on this instance, and STOPPING */
    pthread_mutex_t               idle_lock;
    pthread_cond_t                idle;
    bool                          idled; /* under idle_lock: the last event has returned */
};
enum { STOPPING = 1 << 30 };

/* What is to be raised once the lock is open: at most one delivery, and whether to look again. */
typedef struct handout {
    patio_transport *instance;
    patio_delivery   delivery;
    patio_message    message;
    bool             more;
} handout;

/* A caller whose task will not be answered, once the lock is open. */
typedef struct farewell {
    patio_transport *origin; /* held */
    patio_id         id;
} farewell;

/* hub.c; all but make and free under the lock */
void  *hub_make(void *arg);
void   hub_free(void *arg);
queue *hub_queue(hub *h, const char *name, bool make);
lane  *hub_lane(queue *q, const char *task, bool make);
entry *hub_entry_new(hub *h);
entry *hub_entry_find(hub *h, uint64_t tag);
/* The body and cause are the caller's to drop, outside of the lock. */
void   hub_entry_free(hub *h, entry *e);
void   hub_push_ready(entry *e);
entry *hub_take(subscription *s);
/* Remove a ready entry from the middle of its lane. */
void hub_unlink_ready(entry *e);
void hub_append(list *l, entry *e);
/* Live or dead, by id. Looks at every entry: for rare questions; publishing stays free of an index.
 */
entry *hub_entry_by_id(queue *q, const patio_id *id, bool dead);
/* Free entries that are out of every list, chained by next. Not under the lock. */
void hub_bury(hub *h, entry *e);

/* dead.c; under the lock */
/* Into the dead letters of its queue, and out with what is too much: *lost entries, chained. */
void dead_keep(patio_transport *t, entry *e, entry **lost, uint64_t *count);
/* Those that are too old, chained. */
entry *dead_expire(patio_transport *t, queue *q);

/* results.c; under the lock. What falls out of the store is dropped by the caller. */
void result_keep(patio_transport *t, const entry *e, const patio_settlement *s, kept **out);
void result_free(const patio_host *host, kept *k);
void results_fini(hub *h);

/* dedup.c; under the lock */
/* What a key says of a message that has one. */
enum { KEY_NEW = 1, KEY_DUPLICATE = 2, KEY_ATTACHED = 3, KEY_ANSWERED = 4, KEY_REPLACES = 5 };
/* *found is the key with its task or its reply. FULL: too many keys, or too many attached. */
patio_status dedup_look(patio_transport *t, queue *q, const patio_message *m, uint32_t *verdict,
                        keyed **found, patio_error *err);
/* A new task has this key from now on. false: out of memory. */
bool dedup_set(patio_transport *t, queue *q, const patio_message *m, entry *e);
/* Its task is settled or gone: who was attached (chained) is the caller's to tell and free. */
attached *dedup_end(entry *e, patio_buf *reply);
void      dedup_forget_origin(hub *h, const patio_transport *t);
void      dedup_fini(hub *h);
/* Tell all attached: with a reply, or that there is none. Not under the lock. Their origins were
 * held by dedup_end. */
void dedup_tell(const patio_host *host, attached *list, patio_buf *reply, patio_status status,
                const char *why);
/* Raise that a task is gone without an answer. Not under the lock; releases the origin. */
void say_gone(const farewell *f, patio_status status, const char *why);

/* dispatch.c */
/* Lease the next task that somebody can run now; out->instance is held until raise() is over. */
bool dispatch_next(queue *q, subscription *prefer, handout *out);
/* Raise one delivery, and go on as long as there is more. Not under the lock. */
void dispatch_raise(queue *q, handout *out);
/* Hold an instance so that it is not stopped under an event; under the lock, while it is running.
 * Once released it may be gone. */
void instance_hold(patio_transport *t);
void instance_release(patio_transport *t);
void dispatch_delay(entry *e, uint64_t delay_ms);

#endif
