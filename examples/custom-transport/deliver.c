/* deliver.c: out of the table to the host: tasks within the credit, replies, wishes to cancel. */
#include "spool.h"

#include <stdlib.h>

enum { CLAIM_MOST = 64 };

typedef struct row {
    int64_t    seq;
    int64_t    priority;
    int64_t    flags;
    int64_t    expires;
    int64_t    accepted;
    uint64_t   fence;
    uint16_t   attempt;
    uint16_t   crashes;
    patio_id   id;
    patio_buf *body;
    char       task[NAME_ROOM];
} row;

static int by_turn(const void *a, const void *b)
{
    const row *x = a;
    const row *y = b;
    if (x->priority != y->priority) {
        return x->priority > y->priority ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : 1;
}

static void read_row(patio_transport *t, sqlite3_stmt *s, row *r)
{
    *r = (row){.seq      = sqlite3_column_int64(s, 0),
               .priority = sqlite3_column_int64(s, 3),
               .attempt  = (uint16_t)sqlite3_column_int64(s, 4),
               .crashes  = (uint16_t)sqlite3_column_int64(s, 5),
               .fence    = (uint64_t)sqlite3_column_int64(s, 6),
               .flags    = sqlite3_column_int64(s, 7),
               .expires  = sqlite3_column_int64(s, 8),
               .accepted = sqlite3_column_int64(s, 9)};
    spool_column_id(s, 1, &r->id);
    const char *task = (const char *)sqlite3_column_text(s, 2);
    size_t      n    = task != NULL ? strnlen(task, sizeof(r->task) - 1) : 0;
    memcpy(r->task, task != NULL ? task : "", n);
    r->body = spool_column_buf(t, s, 10);
}

/* How many more this queue may give out: its state, its limit over all workers, and `want`. */
static int64_t allowed(patio_transport *t, const char *queue, int64_t want)
{
    int64_t state = spool_number(&t->io, 0, "SELECT state FROM queues WHERE project=? AND queue=?",
                                 "tt", t->project, queue);
    int64_t most  = spool_number(&t->io, 0, "SELECT most FROM queues WHERE project=? AND queue=?",
                                 "tt", t->project, queue);
    if (state == 1) {
        return 0;
    }
    if (most > 0) {
        int64_t out = spool_number(&t->io, 0,
                                   "SELECT count(*) FROM tasks WHERE project=? AND queue=? AND "
                                   "state IN (2,4)",
                                   "tt", t->project, queue);
        want        = most - out < want ? most - out : want;
    }
    return want < CLAIM_MOST ? want : CLAIM_MOST;
}

static size_t claim(patio_transport *t, const char *queue, const char *tasks, int64_t want,
                    row rows[CLAIM_MOST])
{
    size_t  count = 0;
    int64_t most  = allowed(t, queue, want);
    if (most <= 0) {
        return 0;
    }
    sqlite3_stmt *s =
        spool_sql(&t->io,
                  "UPDATE tasks SET state=2, owner=?1, fence=fence+1, started=0, told=0 WHERE seq "
                  "IN (SELECT seq FROM tasks WHERE project=?2 AND queue=?3 AND state=0 AND task IN "
                  "(SELECT value FROM json_each(?4)) ORDER BY priority DESC, seq LIMIT ?5) "
                  "RETURNING seq, id, task, priority, attempt, crashes, fence, flags, expires, "
                  "accepted, body",
                  "ittti", t->me, t->project, queue, tasks, most);
    while (s != NULL && count < CLAIM_MOST && sqlite3_step(s) == SQLITE_ROW) {
        read_row(t, s, &rows[count++]);
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    qsort(rows, count, sizeof(rows[0]), by_turn);
    return count;
}

/* It cannot be handed out after all: nobody has seen it. */
static void put_back(patio_transport *t, const row *r)
{
    (void)spool_do(&t->io, "UPDATE tasks SET state=0, owner=0 WHERE seq=? AND fence=? AND owner=?",
                   "iii", r->seq, (int64_t)r->fence, t->me);
}

static void raise_one(patio_transport *t, uint32_t sub, const char *queue, row *r)
{
    pthread_mutex_lock(&t->lock);
    subscription *s   = &t->subscriptions[sub];
    bool          may = s->open && s->unsettled < s->credit && r->body != NULL && !t->stopping;
    lease        *l   = may ? spool_lease_new(t) : NULL;
    patio_tag     tag = 0;
    if (l != NULL) {
        l->seq          = r->seq;
        l->fence        = r->fence;
        l->id           = r->id;
        l->subscription = sub;
        tag             = l->tag;
        t->subscriptions[sub].unsettled++;
    }
    pthread_mutex_unlock(&t->lock);
    if (tag == 0) {
        put_back(t, r);
        return;
    }
    int64_t       now  = spool_wall_ms();
    int64_t       left = r->expires - now;
    bool          late = r->expires != 0 && left <= 0;
    patio_message m    = {
           PATIO_SIZED(patio_message),
           .flags = ((uint32_t)r->flags & ~(uint32_t)PATIO_MESSAGE_NO_RECEIPT) |
                    (r->fence > 1 ? (uint32_t)PATIO_MESSAGE_REDELIVERED : 0) |
                    (late ? (uint32_t)PATIO_MESSAGE_EXPIRED : 0),
           .id       = r->id,
           .queue    = queue,
           .task     = r->task,
           .ttl_ms   = r->expires == 0 ? 0
                       : late          ? 1
                                       : (uint64_t)left,
           .priority = (uint16_t)r->priority,
           .attempt  = r->attempt,
           .crashes  = r->crashes,
           .level    = PATIO_LEVEL_DISK,
           .body     = r->body,
    };
    patio_delivery d = {PATIO_SIZED(patio_delivery), .tag = tag, .fence = r->fence,
                        .age_ms  = now > r->accepted ? (uint64_t)(now - r->accepted) : 0,
                        .message = &m};
    t->events->delivered(t->events->self, &d);
}

/* What a queue has free, its name and its tasks, copied so that no lock is held over the disk. */
static char *look_at(patio_transport *t, uint32_t sub, char queue[NAME_ROOM], int64_t *want)
{
    char *tasks = NULL;
    pthread_mutex_lock(&t->lock);
    subscription *s = &t->subscriptions[sub];
    *want           = s->open && s->credit > s->unsettled ? s->credit - s->unsettled : 0;
    if (*want > 0) {
        size_t size = strlen(s->tasks) + 1;
        tasks       = t->host->alloc(t->host->self, size);
        if (tasks != NULL) {
            memcpy(tasks, s->tasks, size);
            memcpy(queue, s->queue, NAME_ROOM);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return tasks;
}

static bool has_ready(patio_transport *t, const char *queue)
{
    return spool_number(&t->io, 0,
                        "SELECT EXISTS (SELECT 1 FROM tasks WHERE project=? AND queue=? AND "
                        "state=0)",
                        "tt", t->project, queue) != 0;
}

static bool deliver_from(patio_transport *t, uint32_t sub)
{
    char    queue[NAME_ROOM];
    int64_t want  = 0;
    row    *rows  = NULL;
    size_t  count = 0;
    char   *tasks = look_at(t, sub, queue, &want);
    if (tasks != NULL && has_ready(t, queue) &&
        (rows = t->host->alloc(t->host->self, CLAIM_MOST * sizeof(*rows))) != NULL &&
        spool_do(&t->io, "BEGIN IMMEDIATE", "") >= 0) {
        count = claim(t, queue, tasks, want, rows);
        if (spool_do(&t->io, "COMMIT", "") < 0) {
            (void)spool_do(&t->io, "ROLLBACK", "");
            for (size_t i = 0; i < count; i++) {
                t->host->buf_drop(t->host->self, rows[i].body);
            }
            count = 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        raise_one(t, sub, queue, &rows[i]);
        t->host->buf_drop(t->host->self, rows[i].body);
    }
    t->host->free(t->host->self, rows);
    t->host->free(t->host->self, tasks);
    return count > 0;
}

static void wake_due(patio_transport *t)
{
    int64_t now = spool_wall_ms();
    if (spool_number(&t->io, 0,
                     "SELECT EXISTS (SELECT 1 FROM tasks WHERE project=? AND state=1 AND due<=?)",
                     "ti", t->project, now) != 0) {
        (void)spool_do(&t->io, "UPDATE tasks SET state=0 WHERE project=? AND state=1 AND due<=?",
                       "ti", t->project, now);
    }
}

static void note_consumers(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    bool     needed = t->subs_changed;
    uint32_t count  = t->subscription_count;
    t->subs_changed = false;
    pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; needed && i < count; i++) {
        pthread_mutex_lock(&t->lock);
        bool open = t->subscriptions[i].open;
        pthread_mutex_unlock(&t->lock);
        const char *queue = t->subscriptions[i].queue; /* never changes */
        (void)(open ? spool_do(&t->io, "INSERT OR IGNORE INTO consumers VALUES (?,?,?)", "itt",
                               t->me, t->project, queue)
                    : spool_do(&t->io, "DELETE FROM consumers WHERE instance=? AND queue=?", "it",
                               t->me, queue));
    }
}

bool spool_deliver(patio_transport *t)
{
    bool some = false;
    note_consumers(t);
    wake_due(t);
    pthread_mutex_lock(&t->lock);
    uint32_t count = t->subscription_count;
    pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < count; i++) {
        some = deliver_from(t, i) || some;
    }
    return some;
}

/* The task was removed before it began, or died with its worker; its caller wanted no receipt of
 * success. */
static void tell_gone(patio_transport *t, const patio_reply *r)
{
    patio_bytes   text = t->host->buf_view(t->host->self, r->body);
    patio_error   why  = PATIO_ERROR_INIT;
    patio_receipt gone = {PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = r->id,
                          .error = &why};
    patio_status  st   = (r->flags & SPOOL_LOST) != 0 ? PATIO_PEER_LOST : PATIO_CANCELLED;
    (void)patio_fail(&why, st, 0, "%.*s", (int)text.size, (const char *)text.data);
    t->events->published(t->events->self, &gone);
}

/* One at a time: what was taken away is told before the next is read. */
bool spool_take_replies(patio_transport *t)
{
    sqlite3_stmt *s    = spool_sql(&t->io,
                                   "SELECT seq, id, flags, body FROM replies WHERE caller=? ORDER BY "
                                      "seq LIMIT 64",
                                   "i", (int64_t)t->incarnation);
    int64_t       last = 0;
    while (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        patio_reply r = {PATIO_SIZED(patio_reply), .flags = (uint32_t)sqlite3_column_int64(s, 2),
                         .body = spool_column_buf(t, s, 3)};
        spool_column_id(s, 1, &r.id);
        if (r.body == NULL) {
            break; /* no memory: later */
        }
        last = sqlite3_column_int64(s, 0);
        if ((r.flags & SPOOL_GONE) != 0) {
            tell_gone(t, &r);
        } else {
            t->events->replied(t->events->self, &r);
        }
        t->host->buf_drop(t->host->self, r.body);
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    int64_t gone = -1; /* a busy file: a reply must not be told twice */
    for (int tries = 0; last != 0 && gone < 0 && tries < 10; tries++) {
        gone = spool_do(&t->io, "DELETE FROM replies WHERE caller=? AND seq<=?", "ii",
                        (int64_t)t->incarnation, last);
    }
    return gone > 0;
}

void spool_take_signals(patio_transport *t)
{
    sqlite3_stmt *s    = spool_sql(&t->io,
                                   "SELECT seq, task, fence FROM signals WHERE owner=? ORDER BY seq "
                                      "LIMIT 64",
                                   "i", t->me);
    int64_t       last = 0;
    while (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        int64_t   task  = sqlite3_column_int64(s, 1);
        uint64_t  fence = (uint64_t)sqlite3_column_int64(s, 2);
        patio_tag tag   = 0;
        last            = sqlite3_column_int64(s, 0);
        pthread_mutex_lock(&t->lock);
        for (uint32_t i = 0; i < t->lease_room && tag == 0; i++) {
            lease *l = &t->leases[i];
            if (l->tag != 0 && l->seq == task && l->fence == fence && !l->told) {
                l->told = true;
                tag     = l->tag;
            }
        }
        pthread_mutex_unlock(&t->lock);
        if (tag != 0) {
            t->events->cancel_wanted(t->events->self, tag);
        }
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    if (last != 0) {
        (void)spool_do(&t->io, "DELETE FROM signals WHERE owner=? AND seq<=?", "ii", t->me, last);
    }
}
