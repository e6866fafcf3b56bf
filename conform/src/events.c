/* events.c: all that an instance of the transport says. Every event is checked on the spot: after
 * stop, tags used twice, fences that do not grow, credit, patterns of bodies. */
#include <stdlib.h>

#include "kit.h"

/* What may overtake the delivery of its tag; each at most once. */
enum { EARLY_LOST = 1, EARLY_WANTED = 2 };

static void *more(void *array, uint32_t used, uint32_t *room, size_t each)
{
    if (used < *room) {
        return array;
    }
    *room   = *room != 0 ? *room * 2 : 64;
    void *p = realloc(array, *room * each);
    if (p == NULL) {
        abort();
    }
    return p;
}

_Thread_local const char *kit_silent_slot;

/* Returns with the case's lock held. */
static kit_instance *enter(void *self, const char *event)
{
    kit_instance *i = self;
    if (kit_silent_slot != NULL) {
        kit_breach(i->k, "%s was raised inside %s", event, kit_silent_slot);
    }
    if (atomic_load(&i->stopped)) {
        kit_breach(i->k, "%s was raised after stop had returned", event);
    }
    pthread_mutex_lock(&i->k->lock);
    return i;
}

static void leave(kit_instance *i)
{
    pthread_cond_broadcast(&i->k->changed);
    pthread_mutex_unlock(&i->k->lock);
}

static void check_error(kit *k, const char *event, const patio_error *err)
{
    if (err == NULL || err->status == PATIO_OK || err->message[0] == '\0') {
        kit_breach(k, "%s without an error that says why", event);
    } else if (kit_holds_secret(k, err->message)) {
        kit_breach(k, "the error of %s holds a secret", event);
    }
}

static void copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

static void check_delivery(kit_instance *i, const patio_delivery *d)
{
    kit                 *k = i->k;
    const patio_message *m = d->message;
    if (d->tag == 0) {
        kit_breach(k, "delivered with tag 0");
    }
    uint64_t *seen = kit_map_at(i->tags, d->tag);
    if (*seen != 0) {
        kit_breach(k, "tag %llu was delivered twice", (unsigned long long)d->tag);
    }
    *seen           = i->delivered + 1;
    uint32_t number = kit_number(&m->id);
    if (!i->foreign_bodies && !kit_buf_matches(m->body, number, KIT_REQUEST)) {
        kit_breach(k, "the body of task %u is not what was published", number);
    }
    uint64_t *fence = kit_map_at(k->fences, number);
    if (d->fence <= *fence && !i->foreign_bodies) {
        kit_breach(k, "fence of task %u is %llu after %llu: it must grow with every delivery",
                   number, (unsigned long long)d->fence, (unsigned long long)*fence);
    }
    *fence = d->fence;
    if (m->attempt == 0) {
        kit_breach(k, "task %u is delivered with attempt 0: it counts from 1", number);
    }
}

static void take_credit(kit_instance *i, const char *queue)
{
    for (uint32_t s = 0; s < KIT_QUEUE_MAX; s++) {
        kit_sub *sub = &i->subs[s];
        if (strcmp(sub->queue, queue) == 0) {
            sub->unsettled++;
            i->most_unsettled =
                sub->unsettled > i->most_unsettled ? sub->unsettled : i->most_unsettled;
            if (sub->unsettled > sub->credit && !i->loose_credit) {
                kit_breach(i->k, "%u deliveries of queue %s are unsettled, the credit is %u",
                           sub->unsettled, queue, sub->credit);
            }
            return;
        }
    }
    kit_breach(i->k, "a task of queue %.40s was delivered, which is not subscribed", queue);
}

static void on_delivered(void *self, const patio_delivery *d)
{
    kit_instance        *i = enter(self, "delivered");
    const patio_message *m = d->message;
    check_delivery(i, d);
    i->deliveries = more(i->deliveries, i->delivered, &i->delivery_room, sizeof(*i->deliveries));
    kit_delivery *seen = &i->deliveries[i->delivered++];
    *seen              = (kit_delivery){
                     .tag      = d->tag,
                     .fence    = d->fence,
                     .age_ms   = d->age_ms,
                     .ttl_ms   = m->ttl_ms,
                     .at_ms    = kit_now_ms(),
                     .id       = m->id,
                     .number   = kit_number(&m->id),
                     .flags    = m->flags,
                     .size     = (uint32_t)kit_buf_size(m->body),
                     .attempt  = m->attempt,
                     .crashes  = m->crashes,
                     .priority = m->priority,
    };
    copy(seen->task, sizeof(seen->task), m->task);
    copy(seen->queue, sizeof(seen->queue), m->queue);
    uint64_t early = kit_map_get(i->early, d->tag);
    if (early != 0) {
        i->early_count--;
        *kit_map_at(i->early, d->tag) = 0;
    }
    seen->lost   = (early & EARLY_LOST) != 0;
    seen->wanted = (early & EARLY_WANTED) != 0;
    if (!seen->lost) {
        take_credit(i, m->queue);
    }
    leave(i);
}

static void on_replied(void *self, const patio_reply *r)
{
    kit_instance *i      = enter(self, "replied");
    uint32_t      number = kit_number(&r->id);
    bool          part   = (r->flags & PATIO_REPLY_PARTIAL) != 0;
    if (r->body == NULL) {
        kit_breach(i->k, "replied without a body");
        leave(i);
        return;
    }
    if (!i->foreign_bodies && !kit_buf_matches(r->body, number, part ? KIT_PARTIAL : KIT_REPLY)) {
        kit_breach(i->k, "the reply to task %u is not the one that was given", number);
    }
    /* after a cut a task may run twice, and its late reply is the host's to drop */
    if (!part && ++*kit_map_at(i->replies_by, number) > 1 && !i->foreign_bodies &&
        !i->k->uncertain) {
        kit_breach(i->k, "task %u was replied to twice", number);
    }
    i->replies = more(i->replies, i->reply_count, &i->reply_room, sizeof(*i->replies));
    i->replies[i->reply_count++] =
        (kit_reply){.number = number, .flags = r->flags, .size = (uint32_t)kit_buf_size(r->body)};
    leave(i);
    void (*hook)(kit_instance *, const patio_reply *) = i->on_replied;
    if (hook != NULL) {
        hook(i, r);
    }
}

static void on_published(void *self, const patio_receipt *r)
{
    kit_instance *i      = enter(self, "published");
    uint32_t      number = kit_number(&r->id);
    bool          bad    = r->outcome == PATIO_REJECTED || r->outcome == PATIO_UNKNOWN;
    if (r->outcome < PATIO_ACCEPTED || r->outcome > PATIO_UNKNOWN) {
        kit_breach(i->k, "published with outcome %u", r->outcome);
    } else if (bad) {
        check_error(i->k, "published", r->error);
    } else if (r->error != NULL) {
        kit_breach(i->k, "published with success and an error");
    }
    i->receipts       = more(i->receipts, i->receipt_count, &i->receipt_room, sizeof(*i->receipts));
    kit_receipt *seen = &i->receipts[i->receipt_count++];
    *seen             = (kit_receipt){.id       = r->id,
                                      .original = r->original,
                                      .number   = number,
                                      .outcome  = r->outcome,
                                      .level    = r->level};
    if (r->error != NULL) {
        seen->status = r->error->status;
        (void)snprintf(seen->text, sizeof(seen->text), "%.190s", r->error->message);
    }
    ++*kit_map_at(i->receipts_by, number);
    leave(i);
    void (*hook)(kit_instance *, const patio_receipt *) = i->on_published;
    if (hook != NULL) {
        hook(i, r);
    }
}

/* `early`: which of the events that may come before the delivery; 0: none of them. */
static kit_delivery *by_tag(kit_instance *i, patio_tag tag, const char *event, uint64_t early)
{
    uint64_t at = kit_map_get(i->tags, tag);
    if (at == 0 && early != 0) {
        uint64_t *seen = kit_map_at(i->early, tag);
        if ((*seen & early) != 0) {
            kit_breach(i->k, "%s came twice for a tag", event);
        }
        i->early_count += *seen == 0;
        *seen |= early;
        return NULL;
    }
    if (at == 0) {
        kit_breach(i->k, "%s for tag %llu, which was never delivered", event,
                   (unsigned long long)tag);
        return NULL;
    }
    return &i->deliveries[at - 1];
}

static void give_credit(kit_instance *i, const char *queue, uint32_t add, uint32_t take)
{
    for (uint32_t s = 0; s < KIT_QUEUE_MAX; s++) {
        if (strcmp(i->subs[s].queue, queue) == 0) {
            i->subs[s].unsettled += add;
            i->subs[s].unsettled -= take < i->subs[s].unsettled ? take : i->subs[s].unsettled;
        }
    }
}

static void on_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    kit_instance *i = enter(self, "lease_lost");
    check_error(i->k, "lease_lost", why);
    kit_delivery *d = by_tag(i, tag, "lease_lost", EARLY_LOST);
    if (d != NULL) {
        if (d->lost) {
            kit_breach(i->k, "lease_lost came twice for a tag");
        }
        if (!d->settled) {
            give_credit(i, d->queue, 0, 1);
        }
        d->lost = true;
    }
    i->leases_lost++;
    leave(i);
}

static void on_settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    kit_instance *i = enter(self, "settle_failed");
    check_error(i->k, "settle_failed", why);
    kit_delivery *d = by_tag(i, tag, "settle_failed", 0);
    if (d != NULL) {
        if (d->failed) {
            kit_breach(i->k, "settle_failed came twice for a tag");
        }
        d->failed = true;
    }
    i->settles_failed++;
    leave(i);
}

static void on_cancel_wanted(void *self, patio_tag tag)
{
    kit_instance *i = enter(self, "cancel_wanted");
    kit_delivery *d = by_tag(i, tag, "cancel_wanted", EARLY_WANTED);
    if (d != NULL) {
        if (d->wanted) {
            kit_breach(i->k, "cancel_wanted came twice for a tag");
        }
        d->wanted = true;
    }
    i->wanted++;
    leave(i);
}

static void on_cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    kit_instance *i = enter(self, "cancelled");
    if (outcome < PATIO_CANCEL_REMOVED || outcome > PATIO_CANCEL_TOO_LATE) {
        kit_breach(i->k, "cancelled with outcome %u", outcome);
    }
    i->cancel_count++;
    i->cancel_outcome = outcome;
    i->cancel_id      = *id;
    leave(i);
}

static void on_link(void *self, uint32_t state, const patio_error *why)
{
    kit_instance *i = enter(self, "link");
    if (state < PATIO_LINK_CONNECTING || state > PATIO_LINK_DOWN) {
        kit_breach(i->k, "link state %u", state);
    }
    if (why != NULL) {
        check_error(i->k, "link", why);
        i->link_status = why->status;
        (void)snprintf(i->link_text, sizeof(i->link_text), "%.290s", why->message);
    } else if (state == PATIO_LINK_DOWN || state == PATIO_LINK_BLOCKED) {
        kit_breach(i->k, "link went %s without saying why",
                   state == PATIO_LINK_DOWN ? "down" : "blocked");
    }
    i->ups += state == PATIO_LINK_UP && i->link != PATIO_LINK_UP;
    i->downs += state != PATIO_LINK_UP && i->link == PATIO_LINK_UP;
    i->link = state;
    leave(i);
}

void kit_instance_events(kit_instance *i)
{
    i->events = (patio_transport_events){
        PATIO_SIZED(patio_transport_events), .self = i,
        .delivered = on_delivered,           .replied = on_replied,
        .published = on_published,           .lease_lost = on_lease_lost,
        .settle_failed = on_settle_failed,   .cancel_wanted = on_cancel_wanted,
        .cancelled = on_cancelled,           .link = on_link,
    };
}
