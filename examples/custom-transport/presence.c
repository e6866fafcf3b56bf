/* presence.c: patio.presence/1: a column of the instances' rows. */
#include "spool.h"

#include <patio/presence.h>

#include <time.h>

static patio_status announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    if (info.size > PATIO_PRESENCE_MAX_BYTES) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "a description of %zu bytes, the limit is %d",
                          info.size, PATIO_PRESENCE_MAX_BYTES);
    }
    uint8_t *data = NULL;
    command *c    = spool_command(t, CMD_ANNOUNCE, 0);
    if (c != NULL) {
        c->body = t->host->buf_new(t->host->self, info.size, &data);
        if (c->body == NULL) {
            spool_command_free(t, c);
            c = NULL;
        } else if (info.size > 0) {
            memcpy(data, info.data, info.size);
        }
    }
    return spool_append(t, c, err);
}

bool spool_do_announce(patio_transport *t, command *c)
{
    patio_bytes info = t->host->buf_view(t->host->self, c->body);
    return spool_do(&t->io, "UPDATE instances SET info=? WHERE id=?", "bi", info.data, info.size,
                    t->me) >= 0;
}

static patio_status list(patio_transport *t, uint64_t timeout_ms, patio_presence_visit_fn visit,
                         void *arg, patio_error *err)
{
    db *d = spool_ask(t, timeout_ms, "list who is there", err);
    if (d == NULL) {
        return PATIO_UNREACHABLE;
    }
    struct timespec boot;
    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    int64_t       now = (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000;
    sqlite3_stmt *s   = spool_sql(d,
                                  "SELECT incarnation, seen, info FROM instances WHERE project=? AND "
                                    "length(info)>0 ORDER BY id",
                                  "t", t->project);
    int           rc  = s != NULL ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t        seen = now - sqlite3_column_int64(s, 1);
        patio_presence p    = {
               PATIO_SIZED(patio_presence),
               .incarnation = (uint64_t)sqlite3_column_int64(s, 0),
               .seen_ms     = seen > 0 ? (uint64_t)seen : 0,
               .info        = {sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2)},
        };
        rc = visit(arg, &p) == 0 ? SQLITE_ROW : SQLITE_DONE;
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    patio_status st = rc == SQLITE_DONE ? PATIO_OK : spool_fail(d, "list who is there", err);
    spool_asked(t);
    return st;
}

const void *spool_presence_ops(void)
{
    static const patio_presence_ops ops = {PATIO_SIZED(patio_presence_ops), .announce = announce,
                                           .list = list};
    return &ops;
}
