/* Messages that are given up: they have waited too long, or all ends. */
#include "transport.h"

/* Taken before it was known that its queue has no priorities. */
static bool is_refused(const post *p)
{
    return p->kind == POST_TASK && p->prioritized && !p->sent && p->place != NULL &&
           kinds_no_priorities(p->place->owner);
}

/* Under the lock: take what has waited too long out of a list. */
static void sweep_list(patio_transport *t, post_list *list, uint64_t now, post_list *ended)
{
    post_list kept;
    post     *p;
    post_list_init(&kept);
    while ((p = post_list_take(list)) != NULL) {
        bool late   = p->end_ns != 0 && now >= p->end_ns;
        late        = late || (!p->sent && confirm_is_hopeless(t, p, now));
        bool failed = p->place != NULL && p->place->state == PLACE_FAILED && p->tag == 0;
        failed      = failed || is_refused(p);
        if (late || failed || p->orphan) {
            confirm_uncount(t, p);
            post_list_add(ended, p);
        } else {
            post_list_add(&kept, p);
        }
    }
    *list = kept;
    if (kept.first == NULL) {
        list->end = &list->first;
    }
}

static patio_status why_not(const patio_transport *t)
{
    return t->fatal != PATIO_OK           ? t->fatal
           : t->links[PUBLISHING].blocked ? PATIO_BLOCKED
                                          : PATIO_UNREACHABLE;
}

/* Those that were sent and have not been answered: their callers hear that it
 * is not known. A call outlives a lost link, for it is sent again and its reply may still come; an
 * alarm may last. */
static void tell_unknown(patio_transport *t, uint64_t now)
{
    for (;;) {
        post copy;
        bool found = false;
        char why[WHY_BYTES];
        pthread_mutex_lock(&t->lock);
        (void)snprintf(why, sizeof(why), "%s", t->why);
        patio_status status  = why_not(t);
        bool         blocked = status == PATIO_BLOCKED;
        for (uint64_t n = t->ring_first; n < t->ring_next && !found; n++) {
            post *p = t->ring[n & (t->ring_size - 1)];
            found =
                p != NULL && (p->receipt || blocked) && !p->told && confirm_is_hopeless(t, p, now);
            if (found) {
                p->told = true;
                copy    = *p;
            }
        }
        for (post *p = t->resend.first; p != NULL && !found; p = p->next) {
            found = p->receipt && !p->told && p->sent && confirm_is_hopeless(t, p, now);
            if (found) {
                p->told = true;
                copy    = *p;
            }
        }
        pthread_mutex_unlock(&t->lock);
        if (!found) {
            return;
        }
        confirm_tell(t, &copy, PATIO_UNKNOWN, status, why);
    }
}

/* What is known of its place is changed by all who want something of it: a copy of that. */
static void fail_one(patio_transport *t, post *p, patio_status status, const char *why)
{
    char of_place[WHY_BYTES] = "";
    pthread_mutex_lock(&t->lock);
    bool refused = is_refused(p);
    bool failed  = p->place != NULL && p->place->state == PLACE_FAILED;
    if (failed) {
        status = p->place->status;
        (void)snprintf(of_place, sizeof(of_place), "%s", p->place->why);
    }
    pthread_mutex_unlock(&t->lock);
    if (refused) {
        confirm_failed(t, p, PATIO_UNSUPPORTED,
                       "a priority is asked for, and the queue is a quorum queue, which has none "
                       "(capability \"priority\"; a classic queue has it)");
    } else {
        confirm_failed(t, p, status, failed ? of_place : why);
    }
}

void sweep_late(patio_transport *t, uint64_t now)
{
    post_list ended;
    post     *p;
    char      why[WHY_BYTES];
    post_list_init(&ended);
    pthread_mutex_lock(&t->lock);
    sweep_list(t, &t->resend, now, &ended);
    if (t->links[PUBLISHING].state != LINK_READY) {
        sweep_list(t, &t->refused, now, &ended);
    }
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            if (place_at(q, i) != NULL) {
                sweep_list(t, &place_at(q, i)->waiting, now, &ended);
            }
        }
    }
    const place *closed = refused_relink(t, now);
    bool         up     = t->raised == PATIO_LINK_UP;
    patio_status status = why_not(t);
    (void)snprintf(why, sizeof(why), "%s",
                   t->why[0] != '\0' ? t->why : "the broker did not answer");
    pthread_mutex_unlock(&t->lock);
    while ((p = post_list_take(&ended)) != NULL) {
        fail_one(t, p, status, why);
    }
    if (!up) {
        tell_unknown(t, now);
    }
    if (closed != NULL) {
        link_fail(&t->links[PUBLISHING], PATIO_PEER_LOST,
                  "queue %s takes nothing on this connection: another one is tried", closed->name);
    }
}

/* The I/O thread ends: everything still has exactly one outcome. */
void sweep_all(patio_transport *t)
{
    post_list ended;
    post     *p;
    post_list_init(&ended);
    pthread_mutex_lock(&t->lock);
    post_link_lost(t);
    while ((p = post_list_take(&t->resend)) != NULL || (p = post_list_take(&t->refused)) != NULL) {
        post_list_add(&ended, p);
    }
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            place *at = place_at(q, i);
            while (at != NULL && (p = post_list_take(&at->waiting)) != NULL) {
                post_list_add(&ended, p);
            }
        }
    }
    pthread_mutex_unlock(&t->lock);
    while ((p = post_list_take(&ended)) != NULL) {
        confirm_failed(t, p, PATIO_CLOSED,
                       "the transport was stopped before the broker had confirmed");
    }
}
