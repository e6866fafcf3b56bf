/* spool.h: the spool transport: tasks in an SQLite file that the processes of one machine share.
 *
 * Each instance has one thread and one connection. publish, settle and the like only append a
 * command to a queue in memory; the thread takes all that is there, carries it out in one
 * transaction, and raises the events once that is committed. So a call never waits for the disk,
 * and a hundred of them cost one fsync.
 *
 * Processes wake each other through inotify on the write-ahead log; one that has nothing to do
 * wakes once a second, to see whether another has died.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { NAME_ROOM = 256, SUBSCRIPTIONS_MAX = 64, COMMANDS_MAX = 10000, BATCH_MAX = 512 };

/* Where a task is; a row of `tasks`. */
enum { READY = 0, DELAYED = 1, LEASED = 2, DEAD = 3, CLAIMED = 4 };

enum command_kind { CMD_PUBLISH, CMD_SETTLE, CMD_STARTED, CMD_NOTIFY, CMD_CANCEL, CMD_ANNOUNCE };

/* Something to be done in the next transaction, and what came of it. */
typedef struct command {
    struct command   *next;
    enum command_kind kind;
    patio_id          id;
    patio_buf        *body; /* of a publish, reply, part, description */
    patio_tag         tag;
    int64_t           seq; /* the row of a delivery */
    uint64_t          fence;
    patio_message     message; /* CMD_PUBLISH: names and key lie behind */
    uint32_t          verdict;
    uint64_t          delay_ms;
    uint64_t          result_ttl_ms;
    size_t            cause_bytes;
    /* outcome */
    uint32_t     outcome;
    patio_id     original;
    patio_status status;
    char         why[160];
    char         queue[NAME_ROOM];
    uint8_t      data[]; /* task name, dedup key; or the cause */
} command;

/* One delivery that the host has. Slots are used again under another tag. */
typedef struct lease {
    patio_tag tag; /* generation << 32 | slot + 1; 0: free */
    int64_t   seq;
    uint64_t  fence;
    patio_id  id;
    uint32_t  generation;
    uint32_t  subscription;
    bool      claimed;
    bool      told; /* cancel_wanted was raised */
} lease;

typedef struct subscription {
    char     queue[NAME_ROOM];
    char    *tasks; /* a JSON array for the statement */
    uint32_t credit;
    uint32_t unsettled;
    bool     open;
} subscription;

/* A connection with its prepared statements. */
enum { STATEMENTS_MAX = 96 };
typedef struct db {
    sqlite3      *handle;
    sqlite3_stmt *statements[STATEMENTS_MAX];
    const char   *texts[STATEMENTS_MAX];
} db;

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    char                         *path;
    char                         *project;
    uint64_t                      incarnation;
    uint64_t                      max_body_bytes;
    uint64_t                      lease_ms;
    uint64_t                      max_queued;
    uint64_t                      max_dead;
    uint64_t                      dead_ttl_ms;
    bool                          sync_full;

    pthread_mutex_t lock; /* commands, leases, subscriptions */
    command        *first;
    command       **last;
    uint32_t        command_count;
    lease          *leases;
    uint32_t        lease_room;
    uint32_t        lease_free; /* hint */
    subscription    subscriptions[SUBSCRIPTIONS_MAX];
    uint32_t        subscription_count;
    bool            stopping;
    uint64_t        stop_by_ns; /* what is not on the disk by then is given up */
    bool            gave_up;
    bool            look;         /* credit changed */
    bool            subs_changed; /* queues were added or given up */

    pthread_t thread;
    bool      running;
    int       wake_fd;
    int       inotify_fd;
    int       watch;
    int       live_fd; /* a byte of this file is locked as long as this process lives */
    db        io;      /* the thread's */
    int64_t   me;      /* row of `instances` */
    int64_t   data_version;
    uint64_t  next_beat_ns;
    uint64_t  next_tidy_ns;
    uint64_t  next_forget_ns;
    bool      up;

    pthread_mutex_t ask_lock; /* of `ask`: counts, dead letters … */
    db              ask;
};

/* ---- db.c ---- */
int64_t      spool_wall_ms(void);
uint64_t     spool_now_ms(const patio_transport *t);
patio_status spool_db_open(patio_transport *t, db *d, patio_error *err);
void         spool_db_close(db *d);
/* Prepare once and bind: i int64, t text, b blob (pointer, size_t), d patio_id; NULL on an error.
 */
sqlite3_stmt *spool_sql(db *d, const char *text, const char *types, ...);
/* Bind, step to the end, reset. The number of rows changed, or -1. */
int64_t spool_do(db *d, const char *text, const char *types, ...);
/* In place of a reply, for callers that wanted no receipt (flags 1 and 4), of what waits and is
 * about to be removed: why ("t"), a caller who is not told ("i"; 0: none), then what `which` asks
 * for. */
enum { SPOOL_GONE = 1 << 8, SPOOL_LOST = 1 << 9 };
#define SPOOL_FAREWELL(which)                                                                      \
    "INSERT INTO replies (caller, id, flags, body) SELECT caller, id, 256, CAST(? AS BLOB) FROM "  \
    "tasks WHERE (flags & 5) = 5 AND caller <> ? AND state IN (0,1) AND " which
/* The same for what was claimed by a worker that is gone: why, then what `which` asks for. */
#define SPOOL_WORKER_LOST(which)                                                                   \
    "INSERT INTO replies (caller, id, flags, body) SELECT caller, id, 768, CAST(? AS BLOB) FROM "  \
    "tasks WHERE (flags & 5) = 5 AND state=4 AND " which
/* What became of a task that is about to be removed: its state, until when that is known, and 1 if
 * somebody named it, else only for those whose result was to be kept ("iii"). */
#define SPOOL_REMEMBER(which)                                                                      \
    "INSERT OR REPLACE INTO gone SELECT project, id, ?, ? FROM tasks WHERE (? OR (flags & 128) "   \
    "<> 0) AND " which
enum { SPOOL_GONE_MS = 3600000 };
/* The first column of the first row, or `none`. */
int64_t      spool_number(db *d, int64_t none, const char *text, const char *types, ...);
patio_status spool_fail(const db *d, const char *what, patio_error *err);
void         spool_column_id(sqlite3_stmt *s, int column, patio_id *out);
patio_buf   *spool_column_buf(const patio_transport *t, sqlite3_stmt *s, int column);

/* ---- queue.c: what the host calls; nothing here touches the disk ---- */
patio_status spool_publish(patio_transport *t, const patio_message *m, patio_error *err);
patio_status spool_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err);
patio_status spool_unsubscribe(patio_transport *t, const char *queue, patio_error *err);
patio_status spool_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                          patio_error *err);
patio_status spool_started(patio_transport *t, patio_tag tag, patio_error *err);
patio_status spool_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
patio_status spool_cancel(patio_transport *t, const char *queue, const patio_id *id,
                          patio_error *err);
command     *spool_command(patio_transport *t, enum command_kind kind, size_t bytes);
patio_status spool_append(patio_transport *t, command *c, patio_error *err);
void         spool_command_free(patio_transport *t, command *c);
void         spool_wake(patio_transport *t);
lease       *spool_lease_find(patio_transport *t, patio_tag tag); /* under the lock */
lease       *spool_lease_new(patio_transport *t);                 /* under the lock */
void         spool_lease_end(patio_transport *t, lease *l);       /* under the lock */

/* ---- loop.c ---- */
void *spool_loop(void *arg);

/* ---- inside a transaction, on the thread: false on an error of SQLite ---- */
bool spool_do_publish(patio_transport *t, command *c);
bool spool_do_settle(patio_transport *t, command *c);
bool spool_do_started(patio_transport *t, command *c);
bool spool_do_notify(patio_transport *t, command *c);
bool spool_do_cancel(patio_transport *t, command *c);
bool spool_do_announce(patio_transport *t, command *c);
/* deliver.c: claim what the credit allows and raise it; true if anything was found. */
bool spool_deliver(patio_transport *t);
bool spool_take_replies(patio_transport *t);
void spool_take_signals(patio_transport *t);
/* live.c */
bool spool_register(patio_transport *t);
void spool_leave(patio_transport *t);
void spool_beat(patio_transport *t);
void spool_tidy(patio_transport *t);

/* ---- interfaces by id ---- */
const void  *spool_dead_ops(void);
const void  *spool_results_ops(void);
const void  *spool_queues_ops(void);
const void  *spool_presence_ops(void);
patio_status spool_counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                          patio_counts *out, patio_error *err);
/* The connection for questions, locked; NULL with an error. */
db  *spool_ask(patio_transport *t, uint64_t timeout_ms, const char *what, patio_error *err);
void spool_asked(patio_transport *t);

#endif
