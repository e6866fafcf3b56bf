/* liar_work.c: publishing, settling and the rest that a host does all the time. */
#include "liar.h"

#include <time.h>

static patio_status quiet(patio_status st, patio_error *err)
{
    if (lies(LIE_silent_error) && err != NULL) {
        err->message[0] = '\0';
    }
    return st;
}

static void change_message(patio_message *m)
{
    uint32_t conflict = m->dedup_conflict;
    m->level          = lies(LIE_level_ignored) ? PATIO_LEVEL_PROCESS : m->level;
    m->delay_ms       = lies(LIE_delay_ignored) ? 0 : m->delay_ms;
    m->priority       = lies(LIE_priority_ignored) ? PATIO_PRIORITY_DEFAULT
                        : lies(LIE_order_broken)   ? (uint16_t)(m->id.bytes[8] % 2)
                                                   : m->priority;
    m->ttl_ms         = lies(LIE_ttl_ignored) ? 0 : m->ttl_ms;
    m->queue          = lies(LIE_queue_ignored) ? "q" : m->queue;
    m->flags |= lies(LIE_route_ignored) ? PATIO_MESSAGE_WAIT_ROUTE : 0;
    m->dedup_key.size = lies(LIE_dedup_ignored) ? 0 : m->dedup_key.size;
    m->dedup_window_ms *= lies(LIE_dedup_for_ever) ? 100 : 1;
    if ((lies(LIE_attach_ignored) && conflict == PATIO_DEDUP_ATTACH) ||
        (lies(LIE_replace_ignored) && conflict == PATIO_DEDUP_REPLACE)) {
        m->dedup_conflict = PATIO_DEDUP_DROP;
    }
}

/* What became of it, according to a liar. */
static void tell(patio_transport *t, const patio_id *id, patio_status st)
{
    patio_error   why = PATIO_ERROR_INIT;
    patio_receipt r   = {PATIO_SIZED(patio_receipt), .outcome = PATIO_ACCEPTED, .id = *id};
    if (st != PATIO_OK) {
        (void)patio_fail(&why, st, 0, "it failed at once, and here once more");
        r.outcome = PATIO_REJECTED;
        r.error   = &why;
    }
    t->up->published(t->up->self, &r);
}

patio_status liar_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    patio_message   mine = *m;
    struct timespec soon;
    (void)clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 2;
    change_message(&mine);
    if (lies(LIE_open_after_stop) && t->stopped) {
        return PATIO_OK;
    }
    if (lies(LIE_global_state) && atomic_load(&liar_one_is_closed)) {
        return patio_fail(err, PATIO_CLOSED, 0, "publish: closed, but another");
    }
    if (lies(LIE_accepts_and_forgets) && atomic_fetch_add(&t->published, 1) % 5 == 4) {
        tell(t, &m->id, PATIO_OK);
        return PATIO_OK;
    }
    if (lies(LIE_body_kept)) {
        (void)t->host->buf_ref(t->host->self, m->body);
    }
    /* it waits for itself; not for ever, for this is a test */
    if (lies(LIE_holds_lock) && pthread_mutex_timedlock(&t->lock, &soon) != 0) {
        return patio_fail(err, PATIO_BLOCKED, 0, "publish: a lock did not come free");
    }
    patio_status st = t->ops->publish(t->real, &mine, err);
    if (lies(LIE_holds_lock)) {
        pthread_mutex_unlock(&t->lock);
    }
    if (lies(LIE_body_dropped)) {
        t->host->buf_drop(t->host->self, m->body);
    }
    if ((lies(LIE_receipt_after_failure) && st != PATIO_OK) ||
        (lies(LIE_receipt_unasked) && (m->flags & PATIO_MESSAGE_NO_RECEIPT) != 0)) {
        tell(t, &m->id, st);
    }
    return quiet(st, err);
}

patio_status liar_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    static const char *const every[] = {"t", "a", "b", "stranger"};
    patio_subscription       mine    = *s;
    mine.credit += lies(LIE_credit) || (lies(LIE_pause_ignored) && s->credit == 0) ? 1 : 0;
    if (lies(LIE_knows_every_task)) {
        mine.tasks      = every;
        mine.task_count = sizeof(every) / sizeof(every[0]);
    }
    return t->ops->subscribe(t->real, &mine, err);
}

patio_status liar_unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    return lies(LIE_unsubscribe_ignored) ? PATIO_OK
                                         : quiet(t->ops->unsubscribe(t->real, queue, err), err);
}

/* Another verdict than the one that was given. */
static uint32_t verdict_of(const patio_settlement *s)
{
    return lies(LIE_retry_acks) && s->verdict == PATIO_RETRY        ? PATIO_ACK
           : lies(LIE_return_charged) && s->verdict == PATIO_RETURN ? PATIO_RETRY
           : lies(LIE_reject_acks) && s->verdict == PATIO_REJECT    ? PATIO_ACK
                                                                    : s->verdict;
}

patio_status liar_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                         patio_error *err)
{
    patio_settlement mine = *s;
    mine.verdict          = verdict_of(s);
    mine.delay_ms         = lies(LIE_retry_at_once) ? 0 : s->delay_ms;
    mine.result_ttl_ms    = lies(LIE_result_lost)       ? 0
                            : lies(LIE_result_for_ever) ? s->result_ttl_ms * 1000
                                                        : s->result_ttl_ms;
    if ((lies(LIE_ack_ignored) && s->verdict == PATIO_ACK) ||
        (lies(LIE_claim_ignored) && s->verdict == PATIO_CLAIM)) {
        return PATIO_OK;
    }
    patio_status st = t->ops->settle(t->real, tag, &mine, err);
    if (lies(LIE_reply_to_send) && s->reply != NULL) {
        patio_reply r = {PATIO_SIZED(patio_reply), .id = t->last_id, .body = s->reply};
        t->up->replied(t->up->self, &r);
    }
    bool taken = ((lies(LIE_stale_ok) || lies(LIE_late_settle_ok)) && st == PATIO_STALE) ||
                 (lies(LIE_verdict_ok) && st == PATIO_INVALID);
    return taken ? PATIO_OK : quiet(st, err);
}

patio_status liar_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    return lies(LIE_claims_started) ? PATIO_OK : t->ops->started(t->real, tag, err);
}

patio_status liar_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    patio_status st = lies(LIE_part_lost) ? PATIO_OK : t->ops->notify(t->real, tag, body, err);
    return lies(LIE_part_stale_ok) ? PATIO_OK : st;
}

patio_status liar_cancel(patio_transport *t, const char *queue, const patio_id *id,
                         patio_error *err)
{
    if (lies(LIE_cancel_ignored)) {
        t->up->cancelled(t->up->self, id, PATIO_CANCEL_REMOVED);
        return PATIO_OK;
    }
    return t->ops->cancel(t->real, queue, id, err);
}

patio_status liar_counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                         patio_counts *out, patio_error *err)
{
    patio_counts c  = {PATIO_SIZED(patio_counts)};
    patio_status st = t->ops->counts(t->real, queue, timeout_ms, &c, err);
    c.ready += lies(LIE_counts_ready) || lies(LIE_counts_of_nothing);
    c.leased        = lies(LIE_counts_leased) ? 0 : c.leased;
    c.delayed       = lies(LIE_counts_delayed) ? 0 : c.delayed;
    c.dead          = lies(LIE_counts_dead) ? 0 : c.dead;
    c.consumers     = lies(LIE_counts_consumers) ? 1 : c.consumers;
    c.oldest_age_ms = lies(LIE_counts_age) ? 0 : c.oldest_age_ms;
    if (lies(LIE_event_in_counts)) {
        t->up->link(t->up->self, PATIO_LINK_UP, NULL);
    }
    if (st == PATIO_OK) {
        c.struct_size = out->struct_size;
        memcpy(out, &c, lies(LIE_counts_overrun) ? sizeof(c) : out->struct_size);
    }
    return st;
}
