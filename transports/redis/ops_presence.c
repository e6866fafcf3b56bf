/* Presence lies beside the queues, at the one without a name, so that a project has one place. */
#include "ops.h"
#include "redis.h"

#include <stdlib.h>

static const uint64_t ms_ns = 1000000;

void presence_encode(queue *q)
{
    patio_transport *t   = q->t;
    uint64_t         now = now_ns(t);
    conn            *c   = &q->node->w;
    bool             bye = t->stopping && !q->left;
    if (q->beating || q->left || (!bye && now < q->beat_ns) || (!bye && !q->calls)) {
        return;
    }
    bool set = !t->stopping && t->presence.size > 0;
    if (command_eval(c, CMD_PRESENCE, SCRIPT_PRESENCE, q, 4) == NULL) {
        return;
    }
    arg_text(c, set ? "set" : "del");
    arg_text(c, t->owner);
    arg_number(c, t->set.lease_ms);
    arg_bytes(c, t->presence.data, set ? t->presence.size : 0);
    q->beating = true;
    q->left    = t->stopping;
    q->calls   = set;
    q->beat_ns = now + t->set.lease_ms / 4 * ms_ns;
}

static patio_status announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    if (info.size > PATIO_PRESENCE_MAX_BYTES) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "announce: %zu bytes, at most %u are allowed",
                          info.size, (unsigned)PATIO_PRESENCE_MAX_BYTES);
    }
    patio_status st = PATIO_OK;
    pthread_mutex_lock(&t->lock);
    bool running = t->running && !t->stopping;
    if (running && t->lobby == NULL) {
        t->lobby = queue_find(t, "", true);
    }
    size_t was       = t->presence.size;
    t->presence.size = 0;
    if (!running) {
        st = patio_fail(err, PATIO_CLOSED, 0, "announce: the transport is stopped");
    } else if (t->lobby == NULL || !bytes_add(t->host, &t->presence, info.data, info.size)) {
        t->presence.size = was;
        st               = patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    } else {
        t->lobby->calls   = true;
        t->lobby->beat_ns = 0;
        queue_touch(t->lobby);
    }
    pthread_mutex_unlock(&t->lock);
    return st;
}

static patio_status list(patio_transport *t, uint64_t timeout_ms, patio_presence_visit_fn visit,
                         void *arg, patio_error *err)
{
    patio_bytes  args[] = {ops_text("list")};
    resp_reader *holder = NULL;
    const resp  *r      = NULL;
    patio_status st     = ops_ask(t, "", SCRIPT_PRESENCE, args, 1, timeout_ms, &holder, &r, err);
    for (size_t i = 0; st == PATIO_OK && i < r->count; i++) {
        const resp    *owner = resp_at(resp_at(r, i), 0);
        const resp    *info  = resp_at(resp_at(r, i), 2);
        patio_presence p     = {
                PATIO_SIZED(patio_presence),
                .seen_ms = (uint64_t)resp_number(resp_at(resp_at(r, i), 1), 0),
        };
        if (owner == NULL || owner->text == NULL || info == NULL) {
            continue;
        }
        p.incarnation = strtoull(owner->text, NULL, 16);
        p.info        = (patio_bytes){(const uint8_t *)info->text, info->size};
        if (visit(arg, &p) != 0) {
            break;
        }
    }
    resp_reader_free(holder);
    return st;
}

const patio_presence_ops redis_presence_ops = {PATIO_SIZED(patio_presence_ops),
                                               .announce = announce, .list = list};
