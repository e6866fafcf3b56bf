/* queues.c: counts, patio.queues/1 and patio.results/1: questions on a connection of their own. */
#include "spool.h"

#include <patio/queues.h>
#include <patio/results.h>

db *spool_ask(patio_transport *t, uint64_t timeout_ms, const char *what, patio_error *err)
{
    pthread_mutex_lock(&t->ask_lock);
    if (t->ask.handle == NULL && spool_db_open(t, &t->ask, err) != PATIO_OK) {
        pthread_mutex_unlock(&t->ask_lock);
        return NULL;
    }
    (void)what;
    (void)sqlite3_busy_timeout(t->ask.handle, timeout_ms < 60000 ? (int)timeout_ms : 60000);
    return &t->ask;
}

void spool_asked(patio_transport *t)
{
    pthread_mutex_unlock(&t->ask_lock);
}

patio_status spool_counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                          patio_counts *out, patio_error *err)
{
    patio_counts c = {.struct_size = out->struct_size};
    db          *d = spool_ask(t, timeout_ms, "count", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    int64_t       now = spool_wall_ms();
    sqlite3_stmt *s =
        spool_sql(d,
                  "SELECT total(state=0 OR (state=1 AND due<=?1)), total(state IN (2,4)), "
                  "total(state=1 AND due>?1), total(state=3), "
                  "min(CASE WHEN state=0 OR (state=1 AND due<=?1) THEN accepted END) "
                  "FROM tasks WHERE project=?2 AND queue=?3",
                  "itt", now, t->project, queue);
    bool ok = s != NULL && sqlite3_step(s) == SQLITE_ROW;
    if (ok) {
        c.ready         = (uint64_t)sqlite3_column_int64(s, 0);
        c.leased        = (uint64_t)sqlite3_column_int64(s, 1);
        c.delayed       = (uint64_t)sqlite3_column_int64(s, 2);
        c.dead          = (uint64_t)sqlite3_column_int64(s, 3);
        int64_t oldest  = sqlite3_column_int64(s, 4);
        c.oldest_age_ms = c.ready > 0 && now > oldest ? (uint64_t)(now - oldest) : 0;
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    c.consumers =
        (uint64_t)spool_number(d, 0, "SELECT count(*) FROM consumers WHERE project=? AND queue=?",
                               "tt", t->project, queue);
    patio_status st = ok ? PATIO_OK : spool_fail(d, "count", err);
    spool_asked(t);
    if (ok) {
        memcpy(out, &c, out->struct_size < sizeof(c) ? out->struct_size : sizeof(c));
    }
    return st;
}

/* ---- patio.queues/1 ---- */

static patio_status list(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                         void *arg, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "list queues", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    sqlite3_stmt *s = spool_sql(
        d,
        "SELECT queue FROM tasks WHERE project=?1 UNION SELECT queue FROM consumers WHERE "
        "project=?1 UNION SELECT queue FROM queues WHERE project=?1 AND state<>0",
        "t", t->project);
    int rc = s != NULL ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        rc = visit(arg, (const char *)sqlite3_column_text(s, 0)) == 0 ? SQLITE_ROW : SQLITE_DONE;
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    patio_status st = rc == SQLITE_DONE ? PATIO_OK : spool_fail(d, "list queues", err);
    spool_asked(t);
    return st;
}

/* A statement with (project, queue) or (number, project, queue). */
static patio_status purge(patio_transport *t, const char *queue, uint64_t timeout_ms,
                          uint64_t *count, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "purge", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    int64_t gone  = -1;
    bool    begun = spool_do(d, "BEGIN IMMEDIATE", "") >= 0;
    if (begun &&
        spool_do(d, SPOOL_FAREWELL("project=? AND queue=?"), "titt", "the queue was purged",
                 (int64_t)0, t->project, queue) >= 0 &&
        spool_do(d, SPOOL_REMEMBER("project=? AND queue=? AND state IN (0,1)"), "iiitt",
                 (int64_t)PATIO_STATE_CANCELLED, spool_wall_ms() + SPOOL_GONE_MS, (int64_t)0,
                 t->project, queue) >= 0) {
        gone = spool_do(d, "DELETE FROM tasks WHERE project=? AND queue=? AND state IN (0,1)", "tt",
                        t->project, queue);
    }
    patio_status st = gone >= 0 ? PATIO_OK : spool_fail(d, "purge", err);
    if (begun) {
        (void)spool_do(d, gone >= 0 ? "COMMIT" : "ROLLBACK", "");
    }
    spool_asked(t);
    if (st == PATIO_OK && count != NULL) {
        *count = (uint64_t)gone;
    }
    return st;
}

static patio_status set(patio_transport *t, const char *text, const char *queue, uint64_t number,
                        uint64_t timeout_ms, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "set", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    patio_status st = spool_do(d, text, "tti", t->project, queue, (int64_t)number) >= 0
                          ? PATIO_OK
                          : spool_fail(d, "set the state of a queue", err);
    spool_asked(t);
    return st;
}

static patio_status set_state(patio_transport *t, const char *queue, uint32_t state,
                              uint64_t timeout_ms, patio_error *err)
{
    if (state > PATIO_QUEUE_DRAINING) {
        return patio_fail(err, PATIO_INVALID, 0, "a queue has no state %u", state);
    }
    return set(
        t,
        "INSERT INTO queues (project, queue, state) VALUES (?,?,?) ON CONFLICT DO UPDATE SET "
        "state=excluded.state",
        queue, state, timeout_ms, err);
}

static patio_status set_limit(patio_transport *t, const char *queue, uint64_t most,
                              uint64_t timeout_ms, patio_error *err)
{
    return set(t,
               "INSERT INTO queues (project, queue, most) VALUES (?,?,?) ON CONFLICT DO UPDATE SET "
               "most=excluded.most",
               queue, most < INT64_MAX ? most : INT64_MAX, timeout_ms, err);
}

static patio_status get_state(patio_transport *t, const char *queue, uint64_t timeout_ms,
                              uint32_t *state, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "ask", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    *state = (uint32_t)spool_number(d, 0, "SELECT state FROM queues WHERE project=? AND queue=?",
                                    "tt", t->project, queue);
    spool_asked(t);
    return PATIO_OK;
}

const void *spool_queues_ops(void)
{
    static const patio_queues_ops ops = {
        PATIO_SIZED(patio_queues_ops), .list = list,           .purge = purge,
        .set_state = set_state,        .get_state = get_state, .set_limit = set_limit};
    return &ops;
}

/* ---- patio.results/1 ---- */

static uint32_t state_of(int64_t row)
{
    switch (row) {
    case READY:
    case DELAYED:
        return PATIO_STATE_QUEUED;
    case LEASED:
    case CLAIMED:
        return PATIO_STATE_RUNNING;
    case DEAD:
        return PATIO_STATE_DEAD;
    default:
        return PATIO_STATE_UNKNOWN;
    }
}

static patio_status get(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, patio_result *out, patio_error *err)
{
    patio_result r = {.struct_size = out->struct_size};
    db          *d = spool_ask(t, timeout_ms, "ask for a result", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    (void)queue; /* an id is unique in a project */
    int64_t       now = spool_wall_ms();
    sqlite3_stmt *s   = spool_sql(d,
                                  "SELECT expires, body FROM results WHERE project=? AND id=? AND "
                                    "expires>?",
                                  "tdi", t->project, id, now);
    if (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        r.state  = PATIO_STATE_DONE;
        r.ttl_ms = (uint64_t)(sqlite3_column_int64(s, 0) - now);
        r.reply  = spool_column_buf(t, s, 1);
    } else {
        r.state = state_of(spool_number(d, -1, "SELECT state FROM tasks WHERE project=? AND id=?",
                                        "td", t->project, id));
        int64_t until =
            r.state == PATIO_STATE_UNKNOWN
                ? spool_number(d, 0, "SELECT expires FROM gone WHERE project=? AND id=?", "td",
                               t->project, id)
                : 0;
        if (until > now) {
            r.ttl_ms = (uint64_t)(until - now);
            r.state  = (uint32_t)spool_number(
                 d, 0, "SELECT state FROM gone WHERE project=? AND id=?", "td", t->project, id);
        }
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    spool_asked(t);
    memcpy(out, &r, out->struct_size < sizeof(r) ? out->struct_size : sizeof(r));
    return PATIO_OK;
}

const void *spool_results_ops(void)
{
    static const patio_results_ops ops = {PATIO_SIZED(patio_results_ops), .get = get};
    return &ops;
}
