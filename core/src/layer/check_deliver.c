/* Deliveries: their tags, their credit, and their one settlement. */
#include <inttypes.h>
#include <string.h>

#include "layer/check_inside.h"

enum { LIVE = 1, SETTLED = 2, LOST = 4, FAILED = 8, WANTED = 16, EARLY = 32 };

static pt_check_queue *queue_of(pt_check *c, const char *name)
{
    for (size_t i = 0; i < c->queue_count; i++) {
        if (strcmp(c->queues[i].name, name) == 0) {
            return &c->queues[i];
        }
    }
    if (c->queue_count == PT_CHECK_QUEUES) {
        return NULL; /* more are not watched */
    }
    pt_check_queue *q = &c->queues[c->queue_count++];
    size_t          n = strnlen(name, sizeof(q->name) - 1);
    memcpy(q->name, name, n);
    q->name[n] = '\0';
    return q;
}

static patio_status check_subscribe(patio_transport *t, const patio_subscription *s,
                                    patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter_control(c, "subscribe");
    pthread_mutex_lock(&c->lock);
    pt_check_queue *q = queue_of(c, s->queue);
    if (q != NULL && s->credit > q->credit) {
        q->credit = s->credit;
    }
    pthread_mutex_unlock(&c->lock);
    return pt_check_leave_control(c, "subscribe", BELOW(c).subscribe(c->layer.t, s, err), err);
}

static patio_status check_unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter_control(c, "unsubscribe");
    return pt_check_leave_control(c, "unsubscribe", BELOW(c).unsubscribe(c->layer.t, queue, err),
                                  err);
}

/* Under the lock: it is closed, but remembered for a while. */
static void retire(pt_check *c, patio_tag tag)
{
    if (c->old_tags[c->old_at] != 0) {
        (void)pt_idmap_remove(&c->tags, c->old_tags[c->old_at]);
    }
    c->old_tags[c->old_at] = tag;
    c->old_at              = (c->old_at + 1) % PT_CHECK_RECENT;
}

/* Under the lock; what is wrong with it, or NULL. */
static const char *note_delivery(pt_check *c, const patio_delivery *d)
{
    uint64_t *state = d->tag != 0 ? pt_idmap_put(&c->tags, d->tag) : NULL;
    if (d->tag == 0) {
        return "a delivery with tag 0";
    }
    if (state == NULL) {
        atomic_store(&c->unwatched, true); /* out of memory */
        return NULL;
    }
    uint64_t before = *state;
    if ((before & ~(uint64_t)(EARLY | LOST | WANTED)) != 0) {
        return "a delivery with a tag that was used before";
    }
    pt_check_queue *q = queue_of(c, d->message->queue);
    c->early -= (before & EARLY) != 0;
    *state =
        LIVE | (before & (LOST | WANTED)) | (q != NULL ? (uint64_t)(q - c->queues + 1) << 8 : 0);
    if ((before & LOST) != 0) {
        retire(c, d->tag);
        return NULL;
    }
    if (q == NULL) {
        return NULL;
    }
    q->unsettled++;
    return q->unsettled > q->credit ? "more deliveries than credit" : NULL;
}

static void check_delivered(void *self, const patio_delivery *d)
{
    pt_check *c = self;
    pt_check_event(c, "delivered");
    if (d->message == NULL || d->message->body == NULL || d->message->queue == NULL ||
        d->message->task == NULL || d->message->attempt == 0 || d->fence == 0) {
        REPORT(c, "a delivery without message, body, queue, task, attempt or fence");
        return;
    }
    pthread_mutex_lock(&c->lock);
    const char *wrong = note_delivery(c, d);
    pthread_mutex_unlock(&c->lock);
    if (wrong != NULL) {
        REPORT(c, "%s", wrong);
    }
    const pt_check *outer = pt_check_delivering(c);
    c->layer.up->delivered(c->layer.up->self, d);
    (void)pt_check_delivering(outer);
}

static void give_back(pt_check *c, uint64_t state)
{
    size_t q = (size_t)(state >> 8);
    if (q > 0 && c->queues[q - 1].unsettled > 0) {
        c->queues[q - 1].unsettled--;
    }
}

/* The credit counts as given before the call, for the next delivery may come inside of it. */
static uint64_t open_settle(pt_check *c, patio_tag tag, bool final)
{
    pthread_mutex_lock(&c->lock);
    uint64_t *state  = pt_idmap_find(&c->tags, tag);
    uint64_t  before = state != NULL ? *state : 0;
    if (final && (before & (LIVE | SETTLED | LOST)) == LIVE) {
        *state |= SETTLED;
        give_back(c, before);
    }
    pthread_mutex_unlock(&c->lock);
    return before;
}

static void close_settle(pt_check *c, patio_tag tag, bool final, uint64_t before, patio_status st)
{
    bool opened = final && (before & (LIVE | SETTLED | LOST)) == LIVE;
    pthread_mutex_lock(&c->lock);
    uint64_t *state = pt_idmap_find(&c->tags, tag);
    if (opened && st == PATIO_OK) {
        retire(c, tag);
    } else if (opened && state != NULL) {
        *state &= ~(uint64_t)SETTLED;
        size_t q = (size_t)(before >> 8);
        if (q > 0 && (*state & LOST) == 0) {
            c->queues[q - 1].unsettled++;
        }
    }
    pthread_mutex_unlock(&c->lock);
}

static patio_status check_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                                 patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter(c, "settle");
    bool         final  = s->verdict != PATIO_CLAIM;
    uint64_t     before = open_settle(c, tag, final);
    patio_status st     = BELOW(c).settle(c->layer.t, tag, s, err);
    close_settle(c, tag, final, before, st);
    if (st == PATIO_OK && before == 0 && !atomic_load(&c->unwatched)) {
        REPORT(c, "a settlement of tag %" PRIu64 " was taken, which was never delivered", tag);
    } else if (st == PATIO_OK && (before & (SETTLED | LOST)) != 0) {
        REPORT(c, "a settlement of tag %" PRIu64 " was taken, which is %s", tag,
               (before & SETTLED) != 0 ? "settled" : "lost");
    }
    return pt_check_leave(c, "settle", st, err);
}

/* Set a bit of a tag; what it was before, or 0 for one that was never delivered. One that may
 * overtake its delivery opens the tag; the end tells if none came. */
static uint64_t mark(pt_check *c, patio_tag tag, uint64_t bit)
{
    pthread_mutex_lock(&c->lock);
    uint64_t *state = pt_idmap_find(&c->tags, tag);
    if (state == NULL && bit != FAILED && tag != 0 && c->early < PT_CHECK_RECENT) {
        state = pt_idmap_put(&c->tags, tag);
        if (state != NULL) {
            *state = EARLY;
            c->early++;
        }
    }
    uint64_t before = state != NULL ? *state : 0;
    if (state != NULL) {
        *state |= bit;
        if (bit == LOST && (before & (LIVE | SETTLED | LOST)) == LIVE) {
            give_back(c, before);
            retire(c, tag);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return before;
}

static void check_once(pt_check *c, const char *name, patio_tag tag, uint64_t bit)
{
    uint64_t before = mark(c, tag, bit);
    if ((before & bit) != 0) {
        REPORT(c, "\"%s\" twice for one tag", name);
    }
    if (before == 0 && bit != FAILED && !atomic_load(&c->unwatched)) {
        REPORT(c, "\"%s\" for a tag that was never delivered", name);
    }
}

static void check_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    pt_check *c = self;
    pt_check_event(c, "lease_lost");
    pt_check_why(c, "lease_lost", why);
    check_once(c, "lease_lost", tag, LOST);
    c->layer.up->lease_lost(c->layer.up->self, tag, why);
}

static void check_settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    pt_check *c = self;
    pt_check_event(c, "settle_failed");
    pt_check_why(c, "settle_failed", why);
    check_once(c, "settle_failed", tag, FAILED);
    c->layer.up->settle_failed(c->layer.up->self, tag, why);
}

static void check_cancel_wanted(void *self, patio_tag tag)
{
    pt_check *c = self;
    pt_check_event(c, "cancel_wanted");
    check_once(c, "cancel_wanted", tag, WANTED);
    c->layer.up->cancel_wanted(c->layer.up->self, tag);
}

void pt_check_watch_deliver(pt_check *c)
{
    patio_transport_ops    *ops  = &c->layer.plugin.ops;
    patio_transport_events *down = &c->layer.down;
    ops->subscribe               = check_subscribe;
    ops->unsubscribe             = check_unsubscribe;
    ops->settle                  = check_settle;
    down->delivered              = check_delivered;
    down->lease_lost             = check_lease_lost;
    down->settle_failed          = check_settle_failed;
    down->cancel_wanted          = check_cancel_wanted;
}
