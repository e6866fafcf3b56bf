/* What became of messages that were sent: confirmed, refused, or returned. */
#include "transport.h"

enum { REFUSALS_MOST = 3, REPLY_REFUSALS_MOST = 8 };

void confirm_uncount(patio_transport *t, const post *p)
{
    if (p->kind == POST_TASK) {
        t->posts--;
        t->post_bytes -= t->host->buf_view(t->host->self, p->body).size;
    }
}

void confirm_tell(patio_transport *t, const post *p, uint32_t outcome, patio_status status,
                  const char *why)
{
    patio_error   err     = PATIO_ERROR_INIT;
    patio_receipt receipt = {
        PATIO_SIZED(patio_receipt),
        .outcome = outcome,
        .id      = p->id,
        .level   = p->persistent ? PATIO_LEVEL_DISK : PATIO_LEVEL_PEER,
    };
    if (outcome != PATIO_ACCEPTED) {
        (void)patio_fail(&err, status, 0, "%s", why);
        receipt.error = &err;
    }
    t->events->published(t->events->self, &receipt);
}

/* The end of a post that the broker has taken. Without the lock. */
static void accepted_now(patio_transport *t, post *p)
{
    if (p->kind == POST_TASK && p->receipt && !p->told) {
        confirm_tell(t, p, PATIO_ACCEPTED, PATIO_OK, NULL);
    }
    post_free(t, p);
}

void confirm_failed(patio_transport *t, post *p, patio_status status, const char *why)
{
    if (p->kind == POST_TASK && !p->told) {
        confirm_tell(t, p,
                     p->sent && status != PATIO_NO_ROUTE && status != PATIO_FULL ? PATIO_UNKNOWN
                                                                                 : PATIO_REJECTED,
                     status, why);
    } else if (p->tag != 0 && !p->orphan && !p->quiet) {
        patio_error err = PATIO_ERROR_INIT;
        (void)patio_fail(&err, status, 0, "%s", why);
        t->events->settle_failed(t->events->self, p->tag, &err);
    }
    post_free(t, p);
}

/* Under the lock. Its queue was not there: a reply has lost its caller, which costs nothing, also
 * one whose queue takes no more; anything else has it declared again, if that is ours to do. True:
 * it is done. */
static bool was_refused(patio_transport *t, post *p, patio_status status)
{
    p->refusals = (uint8_t)(p->refusals + (p->refusals < UINT8_MAX));
    if (p->place == NULL && (p->returned || p->refusals >= REPLY_REFUSALS_MOST)) {
        t->replies_undeliverable += p->kind == POST_REPLY;
        return true;
    }
    if (status == PATIO_NO_ROUTE && p->place->state == PLACE_READY) {
        p->place->state = PLACE_UNKNOWN;
    }
    return false;
}

/* Somewhat before enqueue_ms: who waits just as long hears the reason, and not that there was no
 * answer. `now` may be a moment older than what has just been taken. */
static bool is_late(const patio_transport *t, const post *p, uint64_t now)
{
    enum { EARLY_MS = 400, SHARE = 5 };
    uint64_t ms    = t->set.enqueue_ms;
    uint64_t early = ms / SHARE < EARLY_MS ? ms / SHARE : EARLY_MS;
    return now > p->made_ns && now - p->made_ns >= (ms - early) * 1000000u;
}

bool confirm_is_hopeless(const patio_transport *t, const post *p, uint64_t now)
{
    return p->kind == POST_TASK && (t->fatal != PATIO_OK || is_late(t, p, now));
}

/* Under the lock: one that is off the ring; true: accepted_now or confirm_failed is
 * to follow. */
static bool settle_one(patio_transport *t, post *p, bool accepted, patio_status *status)
{
    *status = p->returned ? PATIO_NO_ROUTE : accepted ? PATIO_OK : PATIO_FULL;
    refused_note(t, p->place, accepted);
    if (*status == PATIO_OK || was_refused(t, p, *status)) {
        *status = PATIO_OK;
        if (p->tag != 0 && !p->orphan) {
            settle_confirmed(t, p->tag);
        }
        if (p->renews != 0 && !p->orphan) {
            renew_confirmed(t, p->renews);
        }
        if (p->browsed != 0) {
            browse_moved(t, p);
        }
        confirm_uncount(t, p);
        return true;
    }
    if (p->orphan) {
        *status = PATIO_OK;
        return true;
    }
    bool again = *status == PATIO_FULL && p->kind == POST_TASK && refused_by_channel(p->place) &&
                 !confirm_is_hopeless(t, p, t->host->now_ns(t->host->self));
    if (p->tag != 0 || again) {
        p->sent = p->tag != 0;
        refused_add(t, p, *status); /* a settlement keeps its lease until it has worked */
        return false;
    }
    if (*status == PATIO_NO_ROUTE && t->set.topology == TOPOLOGY_DECLARE &&
        p->refusals < REFUSALS_MOST && p->kind != POST_RENEW) {
        post_list_add(&t->resend, p);
        t->work = true;
        return false;
    }
    if (p->browsed != 0) {
        browse_refused(t, p, *status);
    }
    confirm_uncount(t, p);
    return true;
}

/* Some of those that one confirmation is about, off the ring. */
typedef struct settled {
    post        *posts[64];
    patio_status status[64];
    uint32_t     count;
} settled;

/* Under the lock: from `first` to `last`, as many as there is room for. */
static void take_settled(patio_transport *t, uint64_t first, uint64_t last, bool accepted,
                         settled *out)
{
    const uint32_t room = sizeof(out->posts) / sizeof(out->posts[0]);
    out->count          = 0;
    for (uint64_t n = first; n <= last && out->count < room; n++) {
        post *p = post_ring_take(t, n);
        if (p != NULL && settle_one(t, p, accepted, &out->status[out->count])) {
            out->posts[out->count++] = p;
        }
    }
}

static void end_settled(patio_transport *t, const settled *all)
{
    for (uint32_t i = 0; i < all->count; i++) {
        patio_status st = all->status[i];
        if (st == PATIO_OK) {
            accepted_now(t, all->posts[i]);
        } else {
            char why[WHY_BYTES];
            refused_say(t, all->posts[i]->place, st, why, sizeof(why));
            confirm_failed(t, all->posts[i], st, why);
        }
    }
}

void confirm_settled(patio_transport *t, uint64_t number, bool multiple, bool accepted)
{
    settled all;
    bool    more = true;
    while (more) {
        pthread_mutex_lock(&t->lock);
        uint64_t newest = t->ring_next - 1; /* a number beyond it is none of ours */
        uint64_t first  = multiple ? t->ring_first : number;
        uint64_t last   = (multiple && number == 0) || number > newest ? newest : number;
        take_settled(t, first, last, accepted, &all);
        more = multiple && t->ring_first <= last;
        if (t->stopping) {
            pthread_cond_broadcast(&t->calm);
        }
        pthread_mutex_unlock(&t->lock);
        end_settled(t, &all);
    }
}

/* Comes before the confirmation of the same message. */
void confirm_returned(patio_transport *t, const inbound *in)
{
    pthread_mutex_lock(&t->lock);
    for (uint64_t n = t->ring_first; n < t->ring_next; n++) {
        post *p = t->ring[n & (t->ring_size - 1)];
        if (p == NULL || p->returned) {
            continue;
        }
        bool same = p->kind == POST_PROBE ||
                    (in->props.has_id && memcmp(&p->id, &in->props.id, sizeof(p->id)) == 0 &&
                     (p->place == NULL || strcmp(p->place->name, in->key) == 0));
        if (same) {
            p->returned = true;
            break;
        }
    }
    pthread_mutex_unlock(&t->lock);
}
