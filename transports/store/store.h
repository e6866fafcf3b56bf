/* store.h: the room that holds tasks in memory, for the transports that keep them in a process.
 *
 * Each queue has a lane per task name; a lane has a list per priority. Who takes tasks has a set of
 * lanes, so a task that nobody knows never stands before one that somebody does. Entries come from
 * a slab and are used again: in steady state a task costs no allocation here. Beside them: dead
 * letters, dedup keys, kept results, each with its bounds.
 *
 * These files are compiled into each transport that uses them, with that transport's store_owner.h:
 * what it hangs at an entry, a lane and a queue lies in the same block and needs no second look-up.
 * Everything is under the owner's lock (`store.lock`) unless it says that it takes it itself.
 */
#ifndef STORE_H
#define STORE_H

#include <patio/ops.h>
#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

typedef struct entry      entry;
typedef struct lane       lane;
typedef struct queue      queue;
typedef struct keyed      keyed;
typedef struct kept       kept;
typedef struct store_room store_room;

/* Defines STORE_ENTRY_OWN, STORE_LANE_OWN and STORE_QUEUE_OWN: members of the owner's, zero at
 * first. */
#include "store_owner.h"

enum {
    PRIORITIES       = PATIO_PRIORITY_MAX + 1,
    WORD_BITS        = 64,
    CHUNK_ENTRIES    = 128,
    LANE_BUCKETS_MIN = 64, /* they double with the lanes */
    KEY_BUCKETS      = 4096,
    LANES_MAX        = 65536, /* names of tasks at once, in all queues */
    QUEUES_MAX       = 4096,
    DEDUP_KEY_MAX    = 1024,    /* bytes */
    DEDUP_CALLER_MAX = 1024,    /* callers attached to one task */
    GONE_TTL_MS      = 3600000, /* what became of a task that was removed is known so long */
};

enum entry_state {
    ENTRY_FREE    = 0,
    ENTRY_READY   = 1, /* in its lane */
    ENTRY_LEASED  = 2, /* a worker has it */
    ENTRY_DELAYED = 3, /* waits for its time */
    ENTRY_DEAD    = 4,
    ENTRY_GONE    = 5, /* out of every list; free once its timer cannot run any more */
    ENTRY_OWN     = 6, /* from here on the owner's: not a task that is held here */
};

/* One task. */
struct entry {
    entry     *next; /* in its lane, the free list, or the dead letters */
    entry     *prev;
    uint64_t   tag; /* generation << 32 | slot + 1; the generation moves with every lease */
    lane      *lane;
    patio_buf *body;
    patio_buf *cause; /* of a dead letter */
    keyed     *key;   /* its dedup key; NULL: none, or no longer */
    uint64_t   order; /* of arrival, for first in first out over lanes; of a dead letter, that of
                         its death */
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
    uint8_t  state; /* entry_state, and the owner's */
    bool     claimed;
    bool     indexed;
    entry   *same; /* in its bucket of the index, while indexed */
    STORE_ENTRY_OWN
};

typedef struct list {
    entry *first;
    entry *last;
} list;

/* All ready tasks of one name in one queue. */
struct lane {
    queue   *queue;
    lane    *next; /* in its hash bucket */
    uint32_t hash;
    uint32_t index;
    uint32_t held;     /* entries that are of it, wherever they are */
    uint32_t nonempty; /* bit per priority */
    STORE_LANE_OWN
    list ready[PRIORITIES];
    char task[];
};

struct queue {
    queue      *next;
    store_room *store;
    lane      **buckets;
    uint32_t    bucket_count; /* a power of two; 0 before the first lane */
    lane      **lanes;        /* by index */
    lane       *last_lane;    /* that was asked for: most ask for it again */
    uint64_t   *nonempty;     /* bit per lane */
    uint32_t    lane_count;
    uint32_t    lane_room; /* multiple of WORD_BITS */
    uint64_t    ready;
    uint64_t    leased;
    uint64_t    delayed;
    uint64_t    dead;
    uint32_t    named;        /* results and dedup keys that are of it */
    list        dead_letters; /* oldest first */
    uint32_t    state;        /* PATIO_QUEUE_… */
    STORE_QUEUE_OWN
    char name[];
};

/* A caller that waits for the result of a task that was sent before. */
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

/* ids.c: who has which id; only while somebody asks. */
typedef struct id_index {
    entry  **buckets; /* NULL: there is none */
    uint32_t shift;
    uint32_t chunks;  /* of entries that there were when it was made */
    uint64_t unasked; /* tasks that came since somebody asked */
} id_index;

struct store_room {
    const patio_host *host;
    pthread_mutex_t  *lock;
    queue            *queues;
    uint32_t          queue_count;
    uint32_t          chunk_count;
    uint64_t          lanes;
    uint64_t          seed; /* of the hash of their names */
    entry           **chunks;
    entry            *free;
    uint64_t          order;
    uint64_t          held; /* tasks, dead letters among them */
    uint64_t          held_bytes;
    uint64_t          dead; /* of them: dead letters, which have bounds of their own */
    uint64_t          dead_bytes;
    kept_store        results;
    keyed_store       keys;
    id_index          ids;
};

/* From the options of who asks. */
typedef struct store_bounds {
    uint64_t max_queued;
    uint64_t max_queued_bytes;
    uint64_t max_dead; /* per queue */
    uint64_t dead_ttl_ns;
    uint64_t max_results;
    uint64_t max_result_bytes;
    uint64_t max_dedup_keys;
} store_bounds;

/* store.c */
void store_init(store_room *s, const patio_host *host, pthread_mutex_t *lock);
/* Nothing runs any more; takes no lock. Cancels timers. */
void store_fini(store_room *s, void (*forget)(const patio_host *host, queue *q));
/* A new entry, in no list; not counted before store_fill. NULL: out of memory. */
entry *store_entry_new(store_room *s);
entry *store_entry_find(store_room *s, uint64_t tag, uint8_t state);
/* As it was published; held from now on. `keep`: flags that stay. Takes a reference to the body. */
void store_fill(entry *e, lane *l, const patio_message *m, size_t size, uint64_t now,
                uint32_t keep);
/* Back into the slab. The body and cause are the caller's to drop, best outside of the lock. */
void store_entry_free(store_room *s, entry *e);
/* Free entries that are out of every list, chained by next. Takes the lock: not under it. */
void store_bury(store_room *s, entry *e);
/* Milliseconds to its deadline, 0 if it has none or is too late: then *flags gets EXPIRED. */
uint64_t store_time_left(const entry *e, uint64_t now, uint32_t *flags);
/* All numbers but consumers. */
void   store_counts(const queue *q, uint64_t now, patio_counts *out);
size_t store_body_size(const entry *e);
/* One more task of that size, as far as the bounds go. */
bool store_has_room(const store_room *s, const store_bounds *b, size_t size);

/* names.c */
queue *store_queue(store_room *s, const char *name, bool make);
lane  *store_lane(queue *q, const char *task, bool make);
/* Why one that was to be made was not: FULL, and of what, or memory is out. `q`: NULL if it was the
 * queue. */
patio_status store_no_name(const store_room *s, const queue *q, const char *what, const char *name,
                           patio_error *err);
/* It holds nothing, and is in nobody's set of lanes. The lane that has its index from now on, if
 * there is one, had the index lane_count: the owner's sets have to follow. */
lane *store_lane_drop(lane *l);
/* It has no lanes, and nothing of the owner's. */
void store_queue_drop(queue *q);
/* For store.c: the room goes. */
void names_fini(store_room *s, void (*forget)(const patio_host *host, queue *q));

/* ids.c */
/* Live or dead, by id. */
entry *store_entry_by_id(queue *q, const patio_id *id, bool dead);
/* For store.c: one comes while there is an index; one that is in it goes; the room goes. */
void ids_insert(store_room *s, entry *e);
void ids_remove(store_room *s, entry *e);
void ids_fini(store_room *s);

/* ready.c */
void list_append(list *l, entry *e);
void list_unlink(list *l, entry *e);
/* Into its lane, at the place that its order gives it. */
void store_push_ready(entry *e);
void store_unlink_ready(entry *e);
/* The next one of a set of lanes: highest priority first, then the oldest. It stays in its lane. */
entry *store_next(const queue *q, const uint64_t *lanes, uint32_t words);
/* The next ready or delayed one of a queue from this slot on, out of its list and GONE. NULL: no
 * more. */
entry *store_take_waiting(queue *q, uint32_t *slot);
/* Out of its lane or of the delayed, and GONE. */
void store_take_out(entry *e);

/* dead.c */
/* Into the dead letters of its queue, and out with what is too much: *lost entries, chained;
 * *count of them for the bound of their number. */
void store_dead_keep(store_room *s, const store_bounds *b, entry *e, entry **lost, uint64_t *count);
/* Those that are too old, chained. */
entry *store_dead_expire(store_room *s, const store_bounds *b, queue *q);
/* As in patio/dead.h. These take the lock. `ready` places one that comes back, under the lock. */
patio_status store_dead_list(store_room *s, const store_bounds *b, const char *name,
                             const patio_id *after, uint32_t limit, patio_dead_visit_fn visit,
                             void *arg, patio_error *err);
patio_status store_dead_get(store_room *s, const char *name, const patio_id *id,
                            patio_dead_visit_fn visit, void *arg, patio_error *err);
patio_status store_dead_drop(store_room *s, const store_bounds *b, const char *name,
                             const patio_id *id, uint64_t *count, patio_error *err);
patio_status store_dead_retry(store_room *s, const store_bounds *b, const char *name,
                              const patio_id *id, void (*ready)(entry *e), uint64_t *count,
                              patio_error *err);

/* results.c */
/* What falls out of the store is the caller's to free. */
void store_result_keep(store_room *s, const store_bounds *b, const entry *e, uint32_t state,
                       uint64_t ttl_ms, patio_buf *reply, kept **out);
/* A task that is removed, not run to its end: what became of it, if somebody named it, or if its
 * result was to be kept. */
void store_result_gone(store_room *s, const store_bounds *b, const entry *e, uint32_t state,
                       bool named, kept **out);
void store_result_free(const patio_host *host, kept *k);
/* Takes the lock. */
void store_result_get(store_room *s, const char *name, const patio_id *id, patio_result *out);
void store_results_fini(store_room *s);

/* dedup.c */
/* What a key says of a message that has one. */
enum { KEY_NEW = 1, KEY_DUPLICATE = 2, KEY_ATTACHED = 3, KEY_ANSWERED = 4, KEY_REPLACES = 5 };
/* *found is the key with its task or its reply. FULL: too many keys, or too many attached. */
patio_status dedup_look(store_room *s, const store_bounds *b, queue *q, patio_transport *origin,
                        const patio_message *m, uint32_t *verdict, keyed **found, patio_error *err);
/* A new task has this key from now on. false: out of memory. */
bool dedup_set(store_room *s, queue *q, const patio_message *m, entry *e);
/* Its task is settled or gone: who was attached, chained, is the caller's to tell and free. */
attached *dedup_end(entry *e, patio_buf *reply);
/* Who was attached from there does not wait any more. */
void dedup_forget_origin(store_room *s, const patio_transport *t);
void dedup_fini(store_room *s);

#endif
