/* settle.c: how a delivery ends. Reply, result and removal are one transaction. */
#include "spool.h"

#include <stdio.h>

/* What identifies a delivery: its row, its fence, and that it is still ours. */
#define MINE " WHERE seq=? AND fence=? AND owner=? AND state IN (2,4)"

static bool lost(command *c)
{
    c->status = PATIO_STALE;
    (void)snprintf(c->why, sizeof(c->why), "the lease of this delivery is gone");
    return true;
}

static bool reply(patio_transport *t, const command *c, uint32_t flags)
{
    patio_bytes body = t->host->buf_view(t->host->self, c->body);
    /* only to a caller that is there: nobody else would take it away */
    return spool_do(&t->io,
                    "INSERT INTO replies (caller, id, flags, body) SELECT caller, id, ?, ? FROM "
                    "tasks WHERE seq=? AND flags & 1 AND EXISTS (SELECT 1 FROM instances WHERE "
                    "incarnation = tasks.caller)",
                    "ibi", (int64_t)flags, body.data, body.size, c->seq) >= 0;
}

static bool keep_result(patio_transport *t, const command *c)
{
    patio_bytes body = t->host->buf_view(t->host->self, c->body);
    return spool_do(&t->io, "INSERT OR REPLACE INTO results VALUES (?,?,?,?)", "tdib", t->project,
                    &c->id, spool_wall_ms() + (int64_t)c->result_ttl_ms, body.data, body.size) >= 0;
}

static bool again(patio_transport *t, const command *c)
{
    int64_t due = c->delay_ms > 0 ? spool_wall_ms() + (int64_t)c->delay_ms : 0;
    return spool_do(&t->io,
                    "UPDATE tasks SET state=?, due=?, attempt=attempt+?, owner=0, started=0" MINE,
                    "iiiiii", (int64_t)(c->delay_ms > 0 ? DELAYED : READY), due,
                    (int64_t)(c->verdict == PATIO_RETRY), c->seq, (int64_t)c->fence, t->me) >= 0;
}

static bool bury(patio_transport *t, const command *c)
{
    int64_t died = spool_number(&t->io, 0,
                                "SELECT max(died) FROM tasks WHERE project=? AND queue=(SELECT "
                                "queue FROM tasks WHERE seq=?) AND died<>0",
                                "ti", t->project, c->seq);
    if (spool_do(&t->io, "UPDATE tasks SET state=3, owner=0, died=?, died_at=?, cause=?" MINE,
                 "iibiii", died + 1, spool_wall_ms(), c->data, c->cause_bytes, c->seq,
                 (int64_t)c->fence, t->me) < 0) {
        return false;
    }
    int64_t over =
        spool_do(&t->io,
                 "DELETE FROM tasks WHERE seq IN (SELECT seq FROM tasks WHERE project=?1 "
                 "AND queue=(SELECT queue FROM tasks WHERE seq=?2) AND died<>0 ORDER BY "
                 "died DESC LIMIT -1 OFFSET ?3)",
                 "tii", t->project, c->seq, (int64_t)t->max_dead);
    if (over > 0) {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "spool: %lld dead letters were dropped: max_dead (%llu) are kept",
                       (long long)over, (unsigned long long)t->max_dead);
    }
    return over >= 0;
}

bool spool_do_settle(patio_transport *t, command *c)
{
    bool ours = spool_number(&t->io, 0, "SELECT 1 FROM tasks" MINE, "iii", c->seq,
                             (int64_t)c->fence, t->me) == 1;
    if (!ours) {
        return lost(c);
    }
    bool final = c->verdict == PATIO_ACK || c->verdict == PATIO_REJECT;
    if (final && c->body != NULL &&
        (!reply(t, c, 0) || (c->result_ttl_ms > 0 && !keep_result(t, c)))) {
        return false;
    }
    switch (c->verdict) {
    case PATIO_ACK:
        return spool_do(&t->io, "DELETE FROM tasks WHERE seq=?", "i", c->seq) >= 0;
    case PATIO_REJECT:
        return bury(t, c);
    case PATIO_CLAIM:
        return spool_do(&t->io, "UPDATE tasks SET state=4" MINE, "iii", c->seq, (int64_t)c->fence,
                        t->me) >= 0;
    default:
        return again(t, c);
    }
}

bool spool_do_started(patio_transport *t, command *c)
{
    return spool_do(&t->io, "UPDATE tasks SET started=1" MINE, "iii", c->seq, (int64_t)c->fence,
                    t->me) >= 0;
}

bool spool_do_notify(patio_transport *t, command *c)
{
    return reply(t, c, PATIO_REPLY_PARTIAL);
}
