/* dead.c: patio.dead/1. */
#include "spool.h"

#include <patio/dead.h>
#include <patio/results.h>

enum { PAGE = 256 };

static patio_status not_found(const char *what, patio_error *err)
{
    return patio_fail(err, PATIO_NOT_FOUND, 0, "%s: no such dead letter", what);
}

static int64_t died_of(patio_transport *t, db *d, const char *queue, const patio_id *id)
{
    return spool_number(d, 0,
                        "SELECT died FROM tasks WHERE project=? AND queue=? AND id=? AND died<>0",
                        "ttd", t->project, queue, id);
}

static int32_t show(patio_transport *t, sqlite3_stmt *s, const char *queue, bool body,
                    patio_dead_visit_fn visit, void *arg)
{
    int64_t           ago  = spool_wall_ms() - sqlite3_column_int64(s, 5);
    const char       *task = (const char *)sqlite3_column_text(s, 1);
    patio_dead_letter l    = {
           PATIO_SIZED(patio_dead_letter),
           .attempts = (uint16_t)sqlite3_column_int64(s, 2),
           .crashes  = (uint16_t)sqlite3_column_int64(s, 3),
           .queue    = queue,
           .task     = task != NULL ? task : "",
           .dead_ms  = ago > 0 ? (uint64_t)ago : 0,
           .cause    = {sqlite3_column_blob(s, 4), (size_t)sqlite3_column_bytes(s, 4)},
    };
    spool_column_id(s, 0, &l.id);
    l.body         = body ? spool_column_buf(t, s, 6) : NULL;
    int32_t result = visit(arg, &l);
    t->host->buf_drop(t->host->self, l.body);
    return result;
}

static patio_status list(patio_transport *t, const char *queue, const patio_id *after,
                         uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                         patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "list dead letters", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    int64_t from = after != NULL ? died_of(t, d, queue, after) : 0;
    if (after != NULL && from == 0) {
        spool_asked(t);
        return not_found("list", err);
    }
    sqlite3_stmt *s = spool_sql(
        d,
        "SELECT id, task, attempt, crashes, cause, died_at FROM tasks WHERE project=? AND "
        "queue=? AND died>? AND died<>0 ORDER BY died LIMIT ?",
        "ttii", t->project, queue, from, (int64_t)limit);
    int rc = s != NULL ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (show(t, s, queue, false, visit, arg) != 0) {
            rc = SQLITE_DONE;
        }
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    patio_status st = rc == SQLITE_DONE ? PATIO_OK : spool_fail(d, "list dead letters", err);
    spool_asked(t);
    return st;
}

static patio_status get(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "show a dead letter", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    sqlite3_stmt *s =
        spool_sql(d,
                  "SELECT id, task, attempt, crashes, cause, died_at, body FROM tasks WHERE "
                  "project=? AND queue=? AND id=? AND died<>0",
                  "ttd", t->project, queue, id);
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;
    if (found) {
        (void)show(t, s, queue, true, visit, arg);
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    spool_asked(t);
    return found ? PATIO_OK : not_found("show", err);
}

/* One statement for one, another for all; the number of rows is the answer. */
static patio_status change(patio_transport *t, const char *queue, const patio_id *id,
                           uint64_t timeout_ms, const char *one, const char *all, const char *what,
                           uint64_t *count, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, what, err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    int64_t      changed = id != NULL ? spool_do(d, one, "ttd", t->project, queue, id)
                                      : spool_do(d, all, "tt", t->project, queue);
    patio_status st      = changed < 0                  ? spool_fail(d, what, err)
                           : id != NULL && changed == 0 ? not_found(what, err)
                                                        : PATIO_OK;
    spool_asked(t);
    if (st == PATIO_OK && count != NULL) {
        *count = (uint64_t)changed;
    }
    return st;
}

#define RETRY                                                                                      \
    "UPDATE tasks SET state=0, died=0, died_at=0, cause=NULL, attempt=1, crashes=0, fence=fence, " \
    "expires=0, flags=flags & ~1 WHERE project=? AND queue=? AND died<>0"
#define DROP "DELETE FROM tasks WHERE project=? AND queue=? AND died<>0"
#define GONE SPOOL_REMEMBER("project=? AND queue=? AND died<>0")

static patio_status retry(patio_transport *t, const char *queue, const patio_id *id,
                          uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    return change(t, queue, id, timeout_ms, RETRY " AND id=?", RETRY, "retry", count, err);
}

static patio_status drop(patio_transport *t, const char *queue, const patio_id *id,
                         uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "drop", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    int64_t until = spool_wall_ms() + SPOOL_GONE_MS;
    int64_t noted = id != NULL ? spool_do(d, GONE " AND id=?", "iiittd", (int64_t)PATIO_STATE_DEAD,
                                          until, (int64_t)1, t->project, queue, id)
                               : spool_do(d, GONE, "iiitt", (int64_t)PATIO_STATE_DEAD, until,
                                          (int64_t)0, t->project, queue);
    patio_status st = noted < 0 ? spool_fail(d, "drop", err) : PATIO_OK;
    spool_asked(t);
    return st != PATIO_OK
               ? st
               : change(t, queue, id, timeout_ms, DROP " AND id=?", DROP, "drop", count, err);
}

const void *spool_dead_ops(void)
{
    static const patio_dead_ops ops = {PATIO_SIZED(patio_dead_ops), .list = list, .get = get,
                                       .retry = retry, .drop = drop};
    return &ops;
}
