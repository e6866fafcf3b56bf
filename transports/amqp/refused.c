/* What the broker did not take: its queue is not there, or is full. A settlement keeps its lease
 * and is sent again, after a longer pause each time, until somebody has put that right.
 *
 * RabbitMQ 3 refuses everything for a quorum queue on a channel whose first message to it came
 * while the queue had no leader, or one on a node that is down, for as long as the channel lasts.
 * So what is refused by a queue that has taken nothing on this connection is tried again until the
 * enqueue deadline, and then on another connection, after a longer time each time. */
#include "transport.h"

enum {
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 10000,
    TASK_MOST_MS = 400,
    TELL_MS      = 60000,
    RELINK_MS    = 1000,
    RELINKS_MOST = 6
};

bool refused_by_channel(const place *p)
{
    return p != NULL && p->type == QUEUE_QUORUM && !p->taken && p->nacked_ns != 0;
}

void refused_note(patio_transport *t, place *p, bool accepted)
{
    if (p == NULL) {
        return;
    }
    if (accepted) {
        p->taken     = true;
        p->relinks   = 0;
        p->nacked_ns = 0;
    } else if (p->nacked_ns == 0) {
        p->nacked_ns = t->host->now_ns(t->host->self);
    }
}

void refused_forget(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            place *p = place_at(q, i);
            if (p != NULL) {
                p->relinks =
                    (uint8_t)(p->relinks + (refused_by_channel(p) && p->relinks < RELINKS_MOST));
                p->taken     = false;
                p->nacked_ns = 0;
            }
        }
    }
}

const place *refused_relink(patio_transport *t, uint64_t now)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            const place *p    = place_at(q, i);
            uint64_t     wait = p != NULL ? (uint64_t)RELINK_MS << p->relinks : 0;
            if (refused_by_channel(p) && now > p->nacked_ns + wait * 1000000u) {
                return p;
            }
        }
    }
    return NULL;
}

void refused_say(const patio_transport *t, const place *p, patio_status status, char *out,
                 size_t size)
{
    const char *name = p != NULL ? p->name : "of its caller";
    if (status != PATIO_NO_ROUTE) {
        (void)snprintf(out, size,
                       "the broker refused the message: queue %s is full (its max-length, with "
                       "overflow=reject-publish)",
                       name);
    } else if (t->set.topology == TOPOLOGY_DECLARE) {
        (void)snprintf(out, size,
                       "queue %s is gone each time it has been declared: who deletes it?", name);
    } else {
        (void)snprintf(out, size,
                       "queue %s is not there, and topology=%s makes none: import what `patio "
                       "topology print` says",
                       name, t->set.topology == TOPOLOGY_CHECK ? "check" : "none");
    }
}

void refused_add(patio_transport *t, post *p, patio_status status)
{
    uint64_t random = 0;
    (void)t->host->random(t->host->self, &random, sizeof(random));
    uint64_t pause = patio_backoff_ms(p->refusals, PAUSE_MIN_MS, PAUSE_MAX_MS, random);
    if (p->kind == POST_TASK && pause > TASK_MOST_MS) {
        pause = TASK_MOST_MS; /* its caller does not wait for long */
    }
    p->retry_ns = t->host->now_ns(t->host->self) + pause * 1000000u;
    if (p->place != NULL && p->tag != 0) {
        p->place->refused = status;
    }
    post_list_add(&t->refused, p);
}

void refused_step(patio_transport *t, uint64_t now)
{
    post_list all = t->refused;
    post     *p;
    if (all.first == NULL || t->links[PUBLISHING].state != LINK_READY) {
        return;
    }
    post_list_init(&t->refused);
    while ((p = all.first) != NULL) {
        all.first = p->next;
        if (p->orphan) {
            post_free(t, p);
        } else if (now >= p->retry_ns) {
            post_submit(t, p);
        } else {
            post_list_add(&t->refused, p);
        }
    }
}

static bool holds_settlement(const place *p)
{
    const post *waiting = p->state == PLACE_FAILED ? p->waiting.first : NULL;
    while (waiting != NULL && waiting->tag == 0) {
        waiting = waiting->next;
    }
    return waiting != NULL;
}

/* Under the lock: is there news of it, and has it not been told of late? */
static bool is_news(const patio_transport *t, place *p, uint64_t now, char *why, size_t size)
{
    patio_status refused = p->refused;
    p->refused           = PATIO_OK; /* the next refusal says it again */
    if (p->told_ns != 0 && now < p->told_ns + TELL_MS * UINT64_C(1000000)) {
        return false;
    }
    if (refused != PATIO_OK) {
        refused_say(t, p, refused, why, size);
    } else if (holds_settlement(p)) {
        (void)snprintf(why, size, "%s", p->why);
    } else {
        return false;
    }
    p->told_ns = now;
    return true;
}

static bool find_news(patio_transport *t, uint64_t now, char *why, size_t size)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            place *p = place_at(q, i);
            if (p != NULL && is_news(t, p, now, why, size)) {
                return true;
            }
        }
    }
    return false;
}

void refused_tell(patio_transport *t, uint64_t now)
{
    char why[WHY_BYTES];
    bool found = true;
    while (found) {
        pthread_mutex_lock(&t->lock);
        found = find_news(t, now, why, sizeof(why));
        pthread_mutex_unlock(&t->lock);
        if (found) {
            patio_host_log(t->host, PATIO_LOG_WARN,
                           "a task that was run cannot be settled, and is tried again: %s", why);
        }
    }
}
