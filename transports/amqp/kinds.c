/* Which type each queue has, classic or quorum, and why: told once in the log and by `patio
 * doctor`. */
#include "transport.h"

/* Without arguments of ours the broker does not say what a queue is. */
static bool is_seen(const patio_transport *t)
{
    return t->set.topology == TOPOLOGY_DECLARE;
}

static bool is_known(const patio_transport *t, const queue *q)
{
    return q->work.state == PLACE_READY || t->set.topology == TOPOLOGY_NONE;
}

bool kinds_no_priorities(const queue *q)
{
    return q->work.type == QUEUE_QUORUM && q->work.state == PLACE_READY && is_seen(q->t);
}

void kinds_say(const patio_transport *t, const queue *q, char *out, size_t size)
{
    bool quorum = q->work.type == QUEUE_QUORUM;
    if (t->set.queue_type != QUEUE_AUTO) {
        (void)snprintf(out, size, "%s, as queue_type says%s", quorum ? "quorum" : "classic",
                       quorum ? "; it has no priorities" : "");
    } else if (!is_seen(t)) {
        (void)snprintf(
            out, size,
            "taken to be classic: topology=%s cannot see its type; set queue_type=quorum "
            "if that is what it is",
            t->set.topology == TOPOLOGY_CHECK ? "check" : "none");
    } else if (quorum) {
        (void)snprintf(out, size,
                       "quorum, because it was made so before, and queue_type=auto takes it as it "
                       "is; it has no priorities");
    } else {
        (void)snprintf(out, size,
                       "classic, because queue_type=auto prefers priorities and the shorter way; "
                       "queue_type=quorum makes replicated ones");
    }
}

void kinds_tell(patio_transport *t)
{
    for (;;) {
        char text[WHY_BYTES];
        char name[NAME_MAX_BYTES];
        bool found = false;
        pthread_mutex_lock(&t->lock);
        for (queue *q = t->queues; q != NULL && !found; q = q->next) {
            found = is_known(t, q) && !q->type_told;
            if (found) {
                q->type_told = true;
                kinds_say(t, q, text, sizeof(text));
                (void)snprintf(name, sizeof(name), "%s", q->work.name);
            }
        }
        pthread_mutex_unlock(&t->lock);
        if (!found) {
            return;
        }
        patio_host_log(t->host, PATIO_LOG_INFO, "queue %s: %s", name, text);
    }
}

void kinds_look(patio_transport *t, const char *name, uint64_t timeout_ms)
{
    enum { LOOK_NS = 20000000 };
    uint64_t until = t->host->now_ns(t->host->self) + timeout_ms * 1000000u;
    pthread_mutex_lock(&t->lock);
    queue *q = place_queue(t, name, true);
    pthread_mutex_unlock(&t->lock);
    rpc *r = q != NULL && is_seen(t) ? rpc_new(t, RPC_PASSIVE, q->work.name) : NULL;
    if (r == NULL) {
        return;
    }
    bool there = rpc_wait(t, r, timeout_ms, NULL) == PATIO_OK;
    t->host->free(t->host->self, r);
    pthread_mutex_lock(&t->lock);
    while (there && t->started && !t->stopping && !place_ensure(t, &q->work) &&
           q->work.state != PLACE_FAILED && t->host->now_ns(t->host->self) < until) {
        state_sleep(t, LOOK_NS);
    }
    pthread_mutex_unlock(&t->lock);
}
