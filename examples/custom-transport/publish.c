/* publish.c: a task into the table, or why not. */
#include "spool.h"

#include <patio/results.h>

#include <stdio.h>

static bool refuse(command *c, patio_status status, const char *why)
{
    c->outcome = PATIO_REJECTED;
    c->status  = status;
    (void)snprintf(c->why, sizeof(c->why), "%s", why);
    return true;
}

static bool is_full(patio_transport *t, const command *c)
{
    int64_t held = spool_number(&t->io, 0,
                                "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE project=? AND "
                                "queue=? AND state IN (0,1,2,4) LIMIT ?)",
                                "tti", t->project, c->queue, (int64_t)t->max_queued);
    return held >= (int64_t)t->max_queued;
}

/* An index-only count of a long queue for each task would be dear: it is exact where it matters,
 * near the bound, and looked at now and then elsewhere. */
static bool check_bound(patio_transport *t, const command *c)
{
    bool exact = t->max_queued <= 10000;
    return (exact || c->id.bytes[0] == 0) && is_full(t, c);
}

/* true: *kept says whether the task is to be inserted. */
static bool check_key(patio_transport *t, command *c, bool *insert)
{
    const patio_message *m   = &c->message;
    int64_t              now = spool_wall_ms();
    *insert                  = true;
    sqlite3_stmt *s =
        spool_sql(&t->io, "SELECT id FROM keys WHERE project=? AND queue=? AND key=? AND expires>?",
                  "ttbi", t->project, c->queue, m->dedup_key.data, m->dedup_key.size, now);
    if (s == NULL) {
        return false;
    }
    bool taken = sqlite3_step(s) == SQLITE_ROW;
    if (taken) {
        spool_column_id(s, 0, &c->original);
    }
    (void)sqlite3_reset(s);
    if (taken && memcmp(&c->original, &c->id, sizeof(c->id)) != 0 &&
        m->dedup_conflict != PATIO_DEDUP_REPLACE) {
        c->outcome = PATIO_DUPLICATE;
        *insert    = false;
        return true;
    }
    if (taken && m->dedup_conflict == PATIO_DEDUP_REPLACE &&
        (spool_do(&t->io, SPOOL_FAREWELL("project=? AND id=?"), "titd",
                  "another task with the same dedup key replaced it", (int64_t)0, t->project,
                  &c->original) < 0 ||
         spool_do(&t->io, SPOOL_REMEMBER("project=? AND id=? AND state IN (0,1)"), "iiitd",
                  (int64_t)PATIO_STATE_CANCELLED, now + SPOOL_GONE_MS, (int64_t)0, t->project,
                  &c->original) < 0 ||
         spool_do(&t->io, "DELETE FROM tasks WHERE project=? AND id=? AND state IN (0,1)", "td",
                  t->project, &c->original) < 0)) {
        return false;
    }
    return spool_do(&t->io, "INSERT OR REPLACE INTO keys VALUES (?,?,?,?,?)", "ttbdi", t->project,
                    c->queue, m->dedup_key.data, m->dedup_key.size, &c->id,
                    now + (int64_t)m->dedup_window_ms) >= 0;
}

bool spool_do_publish(patio_transport *t, command *c)
{
    const patio_message *m      = &c->message;
    int64_t              now    = spool_wall_ms();
    bool                 insert = true;
    if (spool_number(&t->io, 0, "SELECT state FROM queues WHERE project=? AND queue=?", "tt",
                     t->project, c->queue) == 2) {
        return refuse(c, PATIO_BLOCKED, "the queue is draining: it accepts nothing for now");
    }
    if (check_bound(t, c)) {
        return refuse(c, PATIO_FULL, "the queue is full (max_queued)");
    }
    if (m->dedup_key.size > 0 && !check_key(t, c, &insert)) {
        return false;
    }
    if (!insert) {
        return true;
    }
    uint32_t    once = PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_REDELIVERED | PATIO_MESSAGE_EXPIRED;
    patio_bytes body = t->host->buf_view(t->host->self, c->body);
    c->outcome       = PATIO_ACCEPTED;
    /* the same id again: it was accepted before */
    return spool_do(&t->io,
                    "INSERT OR IGNORE INTO tasks (project, queue, id, task, state, priority, "
                    "attempt, crashes, flags, due, expires, accepted, caller, body) VALUES "
                    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    "ttdtiiiiiiiiib", t->project, c->queue, &c->id, m->task,
                    (int64_t)(m->delay_ms > 0 ? DELAYED : READY), (int64_t)m->priority,
                    (int64_t)m->attempt, (int64_t)m->crashes, (int64_t)(m->flags & ~once),
                    m->delay_ms > 0 ? now + (int64_t)m->delay_ms : (int64_t)0,
                    m->ttl_ms > 0 ? now + (int64_t)m->ttl_ms : (int64_t)0, now,
                    (int64_t)t->incarnation, body.data, body.size) >= 0;
}

bool spool_do_cancel(patio_transport *t, command *c)
{
    sqlite3_stmt *s = spool_sql(&t->io,
                                "SELECT seq, state, owner, fence, told FROM tasks WHERE project=? "
                                "AND id=?",
                                "td", t->project, &c->id);
    if (s == NULL) {
        return false;
    }
    bool    found = sqlite3_step(s) == SQLITE_ROW;
    int64_t seq   = sqlite3_column_int64(s, 0);
    int64_t state = sqlite3_column_int64(s, 1);
    int64_t owner = sqlite3_column_int64(s, 2);
    int64_t fence = sqlite3_column_int64(s, 3);
    bool    told  = sqlite3_column_int64(s, 4) != 0;
    (void)sqlite3_reset(s);
    c->outcome = PATIO_CANCEL_TOO_LATE;
    if (!found || state == DEAD) {
        return true;
    }
    if (state == READY || state == DELAYED) {
        c->outcome = PATIO_CANCEL_REMOVED;
        return spool_do(&t->io, SPOOL_FAREWELL("seq=?"), "tii", "it was cancelled by somebody else",
                        (int64_t)t->incarnation, seq) >= 0 &&
               spool_do(&t->io, SPOOL_REMEMBER("seq=?"), "iiii", (int64_t)PATIO_STATE_CANCELLED,
                        spool_wall_ms() + SPOOL_GONE_MS, (int64_t)1, seq) >= 0 &&
               spool_do(&t->io, "DELETE FROM tasks WHERE seq=?", "i", seq) >= 0;
    }
    c->outcome = PATIO_CANCEL_TOLD;
    return told || (spool_do(&t->io, "UPDATE tasks SET told=1 WHERE seq=?", "i", seq) >= 0 &&
                    spool_do(&t->io, "INSERT INTO signals (owner, task, fence) VALUES (?,?,?)",
                             "iii", owner, seq, fence) >= 0);
}
