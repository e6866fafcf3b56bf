/* liar_events.c: what the real transport says, and what becomes of it. */
#include "liar.h"

static patio_transport *of(void *self)
{
    return self;
}

/* Bytes that nobody has published. */
static patio_buf *other_body(const patio_transport *t, patio_buf *body)
{
    patio_bytes seen = t->host->buf_view(t->host->self, body);
    uint8_t    *data = NULL;
    patio_buf  *mine = t->host->buf_new(t->host->self, seen.size, &data);
    if (mine != NULL && seen.size > 0) {
        memcpy(data, seen.data, seen.size);
        data[seen.size - 1] ^= 1;
    }
    return mine;
}

static void change_message(patio_message *m)
{
    m->attempt = lies(LIE_attempt_lost) ? 1 : lies(LIE_attempt_zero) ? 0 : m->attempt;
    m->crashes = lies(LIE_crashes_lost) ? 0 : m->crashes;
    m->task    = lies(LIE_name_changed) ? "other" : m->task;
    m->ttl_ms  = lies(LIE_ttl_lost) ? 0 : m->ttl_ms;
    m->flags |= lies(LIE_redelivered_always) ? PATIO_MESSAGE_REDELIVERED : 0;
    m->flags &= ~(lies(LIE_redelivered_never)  ? (uint32_t)PATIO_MESSAGE_REDELIVERED
                  : lies(LIE_expired_unmarked) ? (uint32_t)PATIO_MESSAGE_EXPIRED
                  : lies(LIE_flags_lost)       ? (uint32_t)PATIO_MESSAGE_POLICY
                                               : 0u);
}

/* Within a second of the first delivery? */
static bool is_early(patio_transport *t)
{
    uint64_t now  = t->host->now_ns(t->host->self);
    uint64_t none = 0;
    (void)atomic_compare_exchange_strong(&t->first_ns, &none, now);
    return now - atomic_load(&t->first_ns) < 1000000000u;
}

static void delivered(void *self, const patio_delivery *d)
{
    patio_transport *t       = of(self);
    patio_message    message = *d->message;
    patio_delivery   mine    = *d;
    patio_buf       *body    = NULL;
    mine.message             = &message;
    mine.fence               = lies(LIE_same_fence) ? 1 : d->fence;
    change_message(&message);
    if (lies(LIE_body_changed)) {
        message.body = body = other_body(t, d->message->body);
    }
    t->last_id = message.id;
    atomic_store(&t->last, d->tag);
    if (lies(LIE_lost_before) || lies(LIE_lost_of_nobody)) {
        patio_error why = PATIO_ERROR_INIT;
        (void)patio_fail(&why, PATIO_STALE, 0, "the lease is gone");
        t->up->lease_lost(t->up->self, d->tag + (lies(LIE_lost_of_nobody) ? 1000000 : 0), &why);
    }
    if (!lies(LIE_subscription_lost) || is_early(t)) {
        t->up->delivered(t->up->self, &mine);
    }
    if (lies(LIE_same_tag)) {
        t->up->delivered(t->up->self, &mine);
    }
    t->host->buf_drop(t->host->self, body);
}

static void replied(void *self, const patio_reply *r)
{
    patio_transport *t    = of(self);
    patio_reply      mine = *r;
    mine.flags            = lies(LIE_part_is_last) ? 0 : r->flags;
    mine.body             = lies(LIE_reply_empty) ? NULL : r->body;
    mine.id.bytes[8] ^= lies(LIE_reply_of_other) ? 1 : 0;
    for (int n = lies(LIE_reply_lost) ? 0 : lies(LIE_reply_twice) ? 2 : 1; n > 0; n--) {
        t->up->replied(t->up->self, &mine);
    }
}

static void published(void *self, const patio_receipt *r)
{
    patio_transport *t    = of(self);
    patio_receipt    mine = *r;
    mine.level            = lies(LIE_level_lies) ? PATIO_LEVEL_DISK : r->level;
    mine.error            = lies(LIE_rejected_silently) ? NULL : r->error;
    if (lies(LIE_dedup_original_lost)) {
        mine.original = (patio_id){{0}};
    }
    bool told = !lies(LIE_no_receipt) &&
                (!lies(LIE_cancelled_caller_untold) || r->outcome != PATIO_UNKNOWN);
    for (int n = told ? 1 + lies(LIE_double_receipt) : 0; n > 0; n--) {
        t->up->published(t->up->self, &mine);
    }
}

static void lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    if (!lies(LIE_late_settle_ok)) {
        of(self)->up->lease_lost(of(self)->up->self, tag, why);
    }
}

static void settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    if (!lies(LIE_late_settle_ok)) {
        of(self)->up->settle_failed(of(self)->up->self, tag, why);
    }
}

static void cancel_wanted(void *self, patio_tag tag)
{
    for (int n = lies(LIE_cancel_untold) ? 0 : 1 + lies(LIE_cancel_wanted_twice); n > 0; n--) {
        of(self)->up->cancel_wanted(of(self)->up->self, tag);
    }
}

static void cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    outcome = lies(LIE_cancel_lies) ? PATIO_CANCEL_REMOVED : outcome;
    for (int n = lies(LIE_cancel_silent) ? 0 : 1 + lies(LIE_cancel_told_twice); n > 0; n--) {
        of(self)->up->cancelled(of(self)->up->self, id, outcome);
    }
}

static void link_changed(void *self, uint32_t state, const patio_error *why)
{
    patio_transport *t = of(self);
    t->up->link(t->up->self, state, why);
    if (lies(LIE_link_flaps) || lies(LIE_link_down_silently)) {
        t->up->link(t->up->self, lies(LIE_link_flaps) ? PATIO_LINK_CONNECTING : PATIO_LINK_BLOCKED,
                    NULL);
        t->up->link(t->up->self, state, why);
    }
}

void liar_listen(patio_transport *t)
{
    t->down = (patio_transport_events){
        PATIO_SIZED(patio_transport_events),
        .self          = t,
        .delivered     = delivered,
        .replied       = replied,
        .published     = published,
        .lease_lost    = lease_lost,
        .settle_failed = settle_failed,
        .cancel_wanted = cancel_wanted,
        .cancelled     = cancelled,
        .link          = link_changed,
    };
}
