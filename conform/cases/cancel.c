/* Cases 120 to 129: cancelling. */
#include "kit.h"

static void cancel(kit *k, kit_instance *i, uint32_t number, uint32_t outcome)
{
    uint32_t    before = KIT_GET(i, cancel_count);
    patio_id    id     = kit_id(k, number);
    patio_error err    = PATIO_ERROR_INIT;
    KIT_STATUS(k, k->ops->cancel(i->t, "q", &id, &err), PATIO_OK, "cancel");
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(i, cancel_count) > before, "cancel has no outcome");
    KIT_EQUAL(k, KIT_GET(i, cancel_count), before + 1, "outcomes of one cancel");
    KIT_EQUAL(k, KIT_GET(i, cancel_outcome), outcome, "outcome of the cancel");
    KIT_CHECK(k, memcmp(&i->cancel_id, &id, sizeof(id)) == 0, "the outcome is of another id");
}

static void what_waits_is_removed(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    for (uint32_t n = 1; n <= 3; n++) {
        kit_send(p.caller, n);
    }
    cancel(k, p.caller, 2, PATIO_CANCEL_REMOVED);
    kit_await_counts(p.caller, 2, 0, 0, 0);
    kit_subscribe(p.worker, 5);
    KIT_EQUAL(k, kit_delivered(p.worker, 0).number, 1, "task");
    KIT_EQUAL(k, kit_delivered(p.worker, 1).number, 3, "task");
    kit_quiet(p.worker, 2, 200);
}

static void what_is_delayed_is_removed(kit *k)
{
    kit_pair      p = kit_pair_open(k, NULL);
    patio_message m = kit_message(k, 1, 0);
    m.delay_ms      = 700;
    kit_send_message(p.caller, &m);
    cancel(k, p.caller, 1, PATIO_CANCEL_REMOVED);
    kit_await_counts(p.caller, 0, 0, 0, 0);
    kit_subscribe(p.worker, 5);
    kit_quiet(p.worker, 0, 1200);
}

static void what_runs_is_told_once(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 5);
    kit_call(p.caller, 1);
    kit_delivery d = kit_delivered(p.worker, 0);
    cancel(k, p.caller, 1, PATIO_CANCEL_TOLD);
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(p.worker, wanted) == 1, "the worker is not told");
    cancel(k, p.caller, 1, PATIO_CANCEL_TOLD);
    kit_sleep_ms(100);
    KIT_EQUAL(k, KIT_GET(p.worker, wanted), 1, "times the worker was told");
    kit_settle_ok(p.worker, d.tag, PATIO_ACK, 0, 10);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, 1) == 1, "no reply");
}

static void keyed(patio_message *m, uint32_t conflict)
{
    m->dedup_key       = (patio_bytes){(const uint8_t *)"key", 3};
    m->dedup_window_ms = 60000;
    m->dedup_conflict  = conflict;
}

static void who_waits_for_what_is_removed_hears_so(kit *k)
{
    kit_pair      p = kit_pair_open(k, NULL);
    patio_message m = kit_quiet_call(k, 1);
    kit_send_message(p.caller, &m);
    m          = kit_quiet_call(k, 2);
    m.delay_ms = 60000;
    kit_send_message(p.caller, &m);
    kit_call(p.caller, 3);
    kit_await_counts(p.caller, 2, 0, 1, 0);
    for (uint32_t n = 1; n <= 3; n++) {
        cancel(k, p.worker, n, PATIO_CANCEL_REMOVED);
    }
    kit_await_cancelled(p.caller, 1);
    kit_await_cancelled(p.caller, 2);
    kit_await_counts(p.caller, 0, 0, 0, 0);
    KIT_EQUAL(k, kit_receipts_of(p.caller, 3), 1, "receipts of one publish");
}

static void who_attached_to_what_is_removed_hears_so(kit *k)
{
    kit_pair      p = kit_pair_open(k, NULL);
    patio_message m = kit_quiet_call(k, 1);
    keyed(&m, PATIO_DEDUP_DROP);
    kit_send_message(p.caller, &m);
    kit_await_counts(p.caller, 1, 0, 0, 0);
    m = kit_quiet_call(k, 2);
    keyed(&m, PATIO_DEDUP_ATTACH);
    if (kit_conflict_is_refused(p.caller, &m, "attach")) {
        return;
    }
    cancel(k, p.caller, 1, PATIO_CANCEL_REMOVED);
    kit_await_cancelled(p.caller, 2);
    /* nobody will answer these, either */
    for (uint32_t n = 3; n <= 4; n++) {
        m = kit_quiet_call(k, n);
        keyed(&m, n == 3 ? PATIO_DEDUP_ATTACH : PATIO_DEDUP_DROP);
        kit_send_message(p.caller, &m);
        KIT_EQUAL(k, kit_outcome(p.caller, n), PATIO_DUPLICATE, "outcome");
    }
}

static void what_is_over_or_unknown_is_too_late(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 5);
    kit_send(p.caller, 1);
    kit_ack(p.worker, kit_delivered(p.worker, 0).tag);
    kit_await_counts(p.caller, 0, 0, 0, 0);
    cancel(k, p.caller, 1, PATIO_CANCEL_TOO_LATE);
    cancel(k, p.caller, 99, PATIO_CANCEL_TOO_LATE);
}

static void a_worker_that_drains_still_hears_of_a_cancel(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 5);
    kit_call(p.caller, 1);
    kit_delivery d = kit_delivered(p.worker, 0);
    kit_unsubscribe(p.worker);
    cancel(k, p.caller, 1, PATIO_CANCEL_TOLD);
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(p.worker, wanted) == 1, "the worker is not told");
    kit_settle_ok(p.worker, d.tag, PATIO_ACK, 0, 10);
}

const kit_case kit_cancel_cases[] = {
    {120, 0, "what_waits_is_removed", "delivery 7", PATIO_CAP_CANCEL, 0, NULL,
     what_waits_is_removed},
    {121, 0, "what_is_delayed_is_removed", "delivery 7", PATIO_CAP_CANCEL | PATIO_CAP_DELAY, 0,
     NULL, what_is_delayed_is_removed},
    {122, 0, "what_runs_is_told_once", "delivery 7", PATIO_CAP_CANCEL, 0, NULL,
     what_runs_is_told_once},
    {123, 0, "what_is_over_or_unknown_is_too_late", "delivery 7", PATIO_CAP_CANCEL, 0, NULL,
     what_is_over_or_unknown_is_too_late},
    {124, 0, "a_worker_that_drains_still_hears_of_a_cancel", "delivery 7", PATIO_CAP_CANCEL, 0,
     NULL, a_worker_that_drains_still_hears_of_a_cancel},
    /* without RESULTS a task is not found by its id, nor is who waits for it */
    {125, 0, "who_waits_for_what_is_removed_hears_so", "transport.h published",
     PATIO_CAP_CANCEL | PATIO_CAP_DELAY | PATIO_CAP_RESULTS, 0, NULL,
     who_waits_for_what_is_removed_hears_so},
    {126, 0, "who_attached_to_what_is_removed_hears_so", "transport.h published",
     PATIO_CAP_CANCEL | PATIO_CAP_DEDUP, 0, NULL, who_attached_to_what_is_removed_hears_so},
    {0},
};
