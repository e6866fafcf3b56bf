/* Deliveries that are lost, late or overtaken, and the link that is cut. */
#include <string.h>

#include "layer/fault_inside.h"

/* Show a delivery; what became of it before and meanwhile is told right after. */
void pt_fault_raise(pt_fault *f, const patio_delivery *d)
{
    pthread_mutex_lock(&f->lock);
    uint64_t *state = pt_idmap_find(&f->tags, d->tag);
    bool      gone  = state == NULL || (*state & TAG_LOST) != 0;
    if (gone) {
        (void)pt_idmap_remove(&f->tags, d->tag);
    } else {
        *state = (*state & ~(uint64_t)TAG_HELD) | TAG_RAISING;
    }
    pthread_mutex_unlock(&f->lock);
    if (gone) {
        return;
    }
    pt_fault_up(f)->delivered(pt_fault_up(f)->self, d);
    pthread_mutex_lock(&f->lock);
    state        = pt_idmap_find(&f->tags, d->tag);
    uint64_t now = state != NULL ? *state : 0;
    if ((now & TAG_LOST) != 0) {
        (void)pt_idmap_remove(&f->tags, d->tag);
    } else if (state != NULL) {
        *state &= ~(uint64_t)(TAG_RAISING | TAG_WANTED);
    }
    pthread_mutex_unlock(&f->lock);
    if ((now & TAG_LOST) != 0) {
        patio_error why = PATIO_ERROR_INIT;
        pt_fault_say(&why, "the lease was lost while the task was on its way");
        pt_fault_up(f)->lease_lost(pt_fault_up(f)->self, d->tag, &why);
    } else if ((now & TAG_WANTED) != 0) {
        pt_fault_up(f)->cancel_wanted(pt_fault_up(f)->self, d->tag);
    }
}

void pt_fault_give_back(pt_fault *f, patio_tag tag)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETURN};
    (void)f->layer.real->ops.settle(f->layer.t, tag, &s, NULL);
}

static bool hold_delivery(pt_fault *f, const patio_delivery *d, uint64_t late_ns)
{
    const patio_message *m     = d->message;
    size_t               queue = strlen(m->queue) + 1;
    size_t               task  = strlen(m->task) + 1;
    pt_held             *h     = pt_held_new(f, HELD_DELIVERY, queue + task + m->dedup_key.size);
    if (h == NULL) {
        return false;
    }
    h->delivery         = *d;
    h->message          = *m;
    h->delivery.message = &h->message;
    memcpy(h->names, m->queue, queue);
    memcpy(h->names + queue, m->task, task);
    if (m->dedup_key.size > 0) {
        memcpy(h->names + queue + task, m->dedup_key.data, m->dedup_key.size);
        h->message.dedup_key.data = (const uint8_t *)h->names + queue + task;
    }
    h->message.queue = h->names;
    h->message.task  = h->names + queue;
    h->message.body  = f->layer.host->buf_ref(f->layer.host->self, m->body);
    if (!pt_held_later(f, h, late_ns)) {
        pt_held_free(h);
        return false;
    }
    return true;
}

/* It is lost on its way: the transport has to give it out once more. */
static bool lose_delivery(pt_fault *f, patio_tag tag)
{
    pt_held *h = pt_held_new(f, HELD_RETURN, 0);
    if (h == NULL) {
        return false;
    }
    h->tag = tag;
    if (!pt_held_later(f, h, 1000000)) {
        pt_held_free(h);
        return false;
    }
    return true;
}

static void fault_delivered(void *self, const patio_delivery *d)
{
    pt_fault *f = self;
    pthread_mutex_lock(&f->lock);
    bool      lost  = pt_fault_happens(f, f->set.drop);
    uint64_t  late  = pt_fault_lateness_ns(f, pt_fault_happens(f, f->set.reorder));
    uint64_t *state = pt_idmap_put(&f->tags, d->tag);
    if (state != NULL) {
        *state = TAG_LIVE | TAG_HELD;
    }
    pthread_mutex_unlock(&f->lock);
    if (state == NULL || (lost && lose_delivery(f, d->tag)) ||
        (late > 0 && hold_delivery(f, d, late))) {
        return; /* without memory it cannot be looked after: its lease ends with the instance */
    }
    pt_fault_raise(f, d);
}

/* true: to be told now. Else it is noted, or of a delivery that nobody has seen. */
static bool tell_now(pt_fault *f, patio_tag tag, uint64_t bit)
{
    pthread_mutex_lock(&f->lock);
    uint64_t *state = pt_idmap_find(&f->tags, tag);
    bool      now   = state != NULL && (*state & (TAG_HELD | TAG_RAISING)) == 0;
    if (state != NULL && !now) {
        *state |= bit;
    } else if (now && bit == TAG_LOST) {
        (void)pt_idmap_remove(&f->tags, tag);
    }
    pthread_mutex_unlock(&f->lock);
    return now;
}

static void fault_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    pt_fault *f = self;
    if (tell_now(f, tag, TAG_LOST)) {
        pt_fault_up(f)->lease_lost(pt_fault_up(f)->self, tag, why);
    }
}

static void fault_cancel_wanted(void *self, patio_tag tag)
{
    pt_fault *f = self;
    if (tell_now(f, tag, TAG_WANTED)) {
        pt_fault_up(f)->cancel_wanted(pt_fault_up(f)->self, tag);
    }
}

/* ---- cutting the link ---- */

enum { CUT_MOST = 256 };

/* Under the lock: the tags that a cut takes, up to a bound. Claimed ones are spared: nobody may run
 * them again. */
static size_t take_leases(pt_fault *f, patio_tag tags[CUT_MOST])
{
    size_t count = 0;
    for (size_t i = 0; i < f->tags.room && count < CUT_MOST; i++) {
        uint64_t key = f->tags.keys[i];
        if (key != 0 && key != UINT64_MAX && f->tags.values[i] == TAG_LIVE) {
            tags[count++] = key;
        }
    }
    for (size_t i = 0; i < count; i++) {
        (void)pt_idmap_remove(&f->tags, tags[i]);
    }
    return count;
}

/* The link goes down and up again; whatever was held under a lease is somebody else's now. */
void pt_fault_cut(pt_fault *f)
{
    patio_tag   tags[CUT_MOST];
    patio_error why = PATIO_ERROR_INIT;
    pthread_mutex_lock(&f->lock);
    size_t count = f->stopping ? 0 : take_leases(f, tags);
    pthread_mutex_unlock(&f->lock);
    pt_fault_say(&why, "the link was cut (fault_cut)");
    pt_fault_up(f)->link(pt_fault_up(f)->self, PATIO_LINK_CONNECTING, &why);
    for (size_t i = 0; i < count; i++) {
        pt_fault_up(f)->lease_lost(pt_fault_up(f)->self, tags[i], &why);
        pt_fault_give_back(f, tags[i]);
    }
    pt_fault_up(f)->link(pt_fault_up(f)->self, PATIO_LINK_UP, NULL);
}

void pt_fault_deliver(pt_fault *f)
{
    f->layer.down.delivered     = fault_delivered;
    f->layer.down.lease_lost    = fault_lease_lost;
    f->layer.down.cancel_wanted = fault_cancel_wanted;
}
