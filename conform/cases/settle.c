/* Cases 90 to 109: how a delivery ends. */
#include "kit.h"

static void ack_removes_the_task(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 1);
    kit_delivery d = kit_delivered(p.worker, 0);
    kit_await_counts(p.caller, 0, 1, 0, 0);
    kit_ack(p.worker, d.tag);
    kit_await_counts(p.caller, 0, 0, 0, 0);
    kit_quiet(p.worker, 1, 200);
}

static void retry_costs_an_attempt_and_return_does_not(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 1);
    static const uint32_t verdicts[] = {PATIO_RETRY, PATIO_RETURN, PATIO_RETRY, PATIO_RETURN};
    static const uint16_t attempts[] = {1, 2, 2, 3, 3};
    for (uint32_t n = 0; n < 5; n++) {
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_EQUAL(k, d.attempt, attempts[n], "attempt");
        KIT_EQUAL(k, d.crashes, 0, "crashes");
        KIT_CHECK(k, n == 0 || (d.flags & PATIO_MESSAGE_REDELIVERED) != 0,
                  "delivery %u is not marked REDELIVERED", n);
        if (n < 4) {
            kit_settle_ok(p.worker, d.tag, verdicts[n], 0, -1);
        } else {
            kit_ack(p.worker, d.tag);
        }
    }
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

static void a_retry_waits_for_its_delay(kit *k)
{
    static const uint32_t verdicts[] = {PATIO_RETRY, PATIO_RETURN};
    kit_pair              p          = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 1);
    for (uint32_t n = 0; n < 2; n++) {
        kit_delivery d    = kit_delivered(p.worker, n);
        uint64_t     from = kit_now_ms();
        /* long enough to be seen while it waits */
        kit_settle_ok(p.worker, d.tag, verdicts[n], 2000, -1);
        kit_await_counts(p.caller, 0, 0, 1, 0);
        d = kit_delivered(p.worker, n + 1);
        KIT_CHECK(k, d.at_ms - from >= 1990, "a delay of 2000 ms was over after %llu",
                  (unsigned long long)(d.at_ms - from));
    }
}

/* Bounded all the same where it is not known: then it costs an attempt. */
static void a_run_that_killed_its_process_counts_as_a_crash(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 1);
    kit_delivery     d = kit_delivered(p.worker, 0);
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETRY,
                          .flags = PATIO_SETTLE_CRASHED};
    for (uint32_t n = 1; n <= 2; n++) {
        kit_delivery before = d;
        KIT_STATUS(k, kit_settle_as(p.worker, d.tag, &s, NULL), PATIO_OK, "settle");
        d = kit_delivered(p.worker, n);
        KIT_EQUAL(k, d.attempt + d.crashes, before.attempt + before.crashes + 1u,
                  "attempts and crashes together");
    }
    if (d.crashes == 0) {
        kit_note(k, "it charges an attempt");
    } else {
        KIT_EQUAL(k, d.crashes, 2, "crashes");
        KIT_EQUAL(k, d.attempt, 1, "attempt");
    }
    uint32_t crashes = d.crashes;
    kit_settle_ok(p.worker, d.tag, PATIO_RETRY, 0, -1); /* and without the flag it is none */
    d = kit_delivered(p.worker, 3);
    KIT_EQUAL(k, d.crashes, crashes, "crashes after a plain retry");
    kit_ack(p.worker, d.tag);
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

static void reject_goes_to_the_dead_letters(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 2);
    kit_send(p.caller, 1);
    kit_call(p.caller, 2);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 0).tag, PATIO_REJECT, 0, -1);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 1).tag, PATIO_REJECT, 0, 25);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, 2) == 1,
              "who called has no reply to a rejected task");
    kit_await_counts(p.caller, 0, 0, 0, 2);
    kit_quiet(p.worker, 2, 200);
}

static void what_is_stale_changes_nothing(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 1);
    patio_tag        tag     = kit_delivered(p.worker, 0).tag;
    const patio_tag  wrong[] = {0,         tag + 1, tag - 1, tag << 1, tag ^ (UINT64_C(1) << 63),
                                UINT64_MAX};
    patio_settlement s       = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK};
    for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
        patio_error err = PATIO_ERROR_INIT;
        KIT_CHECK(
            k, wrong[n] == tag || k->ops->settle(p.worker->t, wrong[n], &s, &err) == PATIO_STALE,
            "a tag that was never given out (%llu) was settled", (unsigned long long)wrong[n]);
        KIT_STATUS(k, k->ops->settle(p.caller->t, wrong[n], &s, NULL), PATIO_STALE,
                   "settle of a strange tag");
    }
    KIT_STATUS(k, k->ops->settle(p.caller->t, tag, &s, NULL), PATIO_STALE,
               "settle of another instance's tag");
    kit_await_counts(p.caller, 0, 1, 0, 0);
    kit_ack(p.worker, tag);
    for (int again = 0; again < 3; again++) {
        patio_error err = PATIO_ERROR_INIT;
        KIT_STATUS(k, k->ops->settle(p.worker->t, tag, &s, &err), PATIO_STALE, "a second settle");
        kit_check_error(k, &err, PATIO_STALE, "a second settle");
    }
    kit_send(p.caller, 2);
    KIT_CHECK(k, kit_delivered(p.worker, 1).tag != tag, "the tag was used again");
    KIT_STATUS(k, k->ops->settle(p.worker->t, tag, &s, NULL), PATIO_STALE, "an old tag");
}

static void an_unknown_verdict_is_invalid(kit *k)
{
    static const uint32_t wrong[] = {0, 6, 99, UINT32_MAX};
    kit_instance         *i       = kit_instance_open(k, NULL);
    kit_subscribe(i, 1);
    kit_send(i, 1);
    patio_tag tag = kit_delivered(i, 0).tag;
    for (size_t n = 0; n < 4; n++) {
        patio_settlement s   = {PATIO_SIZED(patio_settlement), .verdict = wrong[n]};
        patio_error      err = PATIO_ERROR_INIT;
        KIT_STATUS(k, k->ops->settle(i->t, tag, &s, &err), PATIO_INVALID, "an unknown verdict");
        kit_check_error(k, &err, PATIO_INVALID, "settle");
    }
    kit_ack(i, tag);
}

typedef struct racer {
    kit_instance *i;
    patio_tag     tag;
    _Atomic int  *won;
    pthread_t     thread;
} racer;

static void *race(void *arg)
{
    racer           *r  = arg;
    patio_settlement s  = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK};
    patio_status     st = r->i->k->ops->settle(r->i->t, r->tag, &s, NULL);
    if (st == PATIO_OK) {
        atomic_fetch_add(r->won, 1);
    } else if (st != PATIO_STALE) {
        kit_breach(r->i->k, "settle returned %s", kit_status_name(st));
    }
    return NULL;
}

static void of_many_who_settle_one_succeeds(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    i->loose_credit = true;
    kit_subscribe(i, 1);
    for (uint32_t n = 0; n < 20; n++) {
        racer       r[8];
        _Atomic int won = 0;
        kit_send(i, n);
        patio_tag tag = kit_delivered(i, n).tag;
        for (uint32_t t = 0; t < 8; t++) {
            r[t] = (racer){.i = i, .tag = tag, .won = &won};
            KIT_CHECK(k, pthread_create(&r[t].thread, NULL, race, &r[t]) == 0, "no thread");
        }
        for (uint32_t t = 0; t < 8; t++) {
            (void)pthread_join(r[t].thread, NULL);
        }
        KIT_EQUAL(k, atomic_load(&won), 1, "number of settlements that were taken");
    }
}

static void a_claimed_task_is_settled_once_more(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 4);
    kit_call(p.caller, 1);
    patio_tag tag = kit_delivered(p.worker, 0).tag;
    kit_settle_ok(p.worker, tag, PATIO_CLAIM, 0, -1);
    kit_settle_ok(p.worker, tag, PATIO_ACK, 0, 20);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, 1) == 1, "no reply after a claim");
    kit_send(p.caller, 2);
    tag = kit_delivered(p.worker, 1).tag;
    kit_settle_ok(p.worker, tag, PATIO_CLAIM, 0, -1);
    kit_settle_ok(p.worker, tag, PATIO_REJECT, 0, -1);
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK};
    KIT_STATUS(k, k->ops->settle(p.worker->t, tag, &s, NULL), PATIO_STALE, "settle once more");
    kit_await_counts(p.caller, 0, 0, 0, (k->ops->caps & PATIO_CAP_DEAD_LETTERS) != 0 ? 1 : 0);
}

static void a_claimed_task_of_a_leaving_worker_is_not_run_again(kit *k)
{
    kit_pair      p     = kit_pair_open(k, NULL);
    kit_instance *other = kit_instance_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 1);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 0).tag, PATIO_CLAIM, 0, -1);
    kit_subscribe(other, 1);
    kit_sleep_ms(100); /* a claim that is on its way */
    kit_instance_stop(p.worker);
    kit_quiet(other, 0, 1500);
}

static void what_a_leaving_worker_held_goes_to_another(kit *k)
{
    kit_pair      p     = kit_pair_open(k, NULL);
    kit_instance *other = kit_instance_open(k, NULL);
    kit_subscribe(p.worker, 4);
    for (uint32_t n = 0; n < 4; n++) {
        kit_send(p.caller, n);
    }
    (void)kit_delivered(p.worker, 3);
    kit_subscribe(other, 8);
    kit_instance_stop(p.worker); /* in good order: at once, and nothing is charged */
    for (uint32_t n = 0; n < 4; n++) {
        kit_delivery d = kit_delivered(other, n);
        KIT_EQUAL(k, d.attempt, 1, "attempt");
        KIT_EQUAL(k, d.crashes, 0, "crashes");
        kit_ack(other, d.tag);
    }
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

static void started_is_for_deliveries_only(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_subscribe(i, 1);
    kit_send(i, 1);
    patio_tag   tag = kit_delivered(i, 0).tag;
    patio_error err = PATIO_ERROR_INIT;
    KIT_STATUS(k, k->ops->started(i->t, tag, &err), PATIO_OK, "started");
    KIT_STATUS(k, k->ops->started(i->t, tag + 1, &err), PATIO_STALE, "started of a strange tag");
    kit_check_error(k, &err, PATIO_STALE, "started");
    kit_ack(i, tag);
    KIT_STATUS(k, k->ops->started(i->t, tag, &err), PATIO_STALE, "started after the settlement");
}

/* What is delivered side by side has no order: events of two threads may pass each other. But what
 * is leased at once are the oldest, so whenever the credit is used up and nothing moves, no task
 * has come that is more than a window too early. */
static void thousands_pass_in_order_and_once(kit *k)
{
    enum { TASKS = 5000, CREDIT = 64 };
    kit_pair p    = kit_pair_open(k, NULL);
    uint32_t most = 0;
    for (uint32_t n = 0; n < TASKS; n++) {
        KIT_STATUS(k, kit_publish(p.caller, n, 0), PATIO_OK, "publish");
        if (n % 500 == 499) {
            KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(p.caller, receipt_count) == n + 1, "no receipts");
        }
    }
    kit_subscribe(p.worker, CREDIT);
    for (uint32_t settled = 0; settled < TASKS;) {
        uint32_t out = TASKS - settled < CREDIT ? TASKS - settled : CREDIT;
        (void)kit_delivered_within(p.worker, settled + out - 1, 60000);
        for (uint32_t n = settled; n < settled + out; n++) {
            uint32_t number = kit_delivered(p.worker, n).number;
            uint32_t early  = number >= settled + out ? number - (settled + out) + 1 : 0;
            most            = early > most ? early : most;
        }
        for (uint32_t n = settled; n < settled + out; n++) {
            kit_ack(p.worker, kit_delivered(p.worker, n).tag);
        }
        settled += out;
    }
    kit_await_counts(p.caller, 0, 0, 0, 0);
    KIT_EQUAL(k, kit_delivered_count(p.worker), TASKS, "deliveries");
    kit_note(k, "at most %u places too early", most);
    KIT_CHECK(k, most <= CREDIT, "a task came %u places before one that is older", most);
}

/* A transport may give a quick worker more than it has credit for, and take it back from one that
 * has become slow: what comes back has its old place, whatever was on its way meanwhile. */
static void a_worker_that_pauses_changes_no_order(kit *k)
{
    enum { TASKS = 600, FIRST = 400, PAUSE_AT = 200, PAUSE_MS = 700 };
    kit_pair p    = kit_pair_open(k, NULL);
    uint32_t sent = 0;
    for (; sent < FIRST; sent++) {
        KIT_STATUS(k, kit_publish(p.caller, sent, 0), PATIO_OK, "publish");
    }
    kit_subscribe(p.worker, 1);
    for (uint32_t n = 0; n < TASKS; n++) {
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_EQUAL(k, d.number, n, "task");
        uint64_t until = kit_now_ms() + (n == PAUSE_AT ? PAUSE_MS : 0);
        for (; sent < TASKS && n >= PAUSE_AT; sent++) {
            KIT_STATUS(k, kit_publish(p.caller, sent, 0), PATIO_OK, "publish");
            kit_sleep_ms(kit_now_ms() < until ? 2 : 0);
        }
        while (kit_now_ms() < until) {
            kit_sleep_ms(5);
        }
        kit_ack(p.worker, d.tag);
    }
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

const kit_case kit_settle_cases[] = {
    {90, 0, "ack_removes_the_task", "delivery: settlement", 0, 0, NULL, ack_removes_the_task},
    {91, 0, "retry_costs_an_attempt_and_return_does_not", "delivery 3", 0, 0, NULL,
     retry_costs_an_attempt_and_return_does_not},
    {92, 0, "a_retry_waits_for_its_delay", "delivery 3", PATIO_CAP_DELAY, 0, NULL,
     a_retry_waits_for_its_delay},
    {93, 0, "reject_goes_to_the_dead_letters", "delivery 5", PATIO_CAP_DEAD_LETTERS, 0, NULL,
     reject_goes_to_the_dead_letters},
    {94, 0, "what_is_stale_changes_nothing", "transport.h settle", 0, 0, NULL,
     what_is_stale_changes_nothing},
    {95, 0, "an_unknown_verdict_is_invalid", "transport.h settle", 0, 0, NULL,
     an_unknown_verdict_is_invalid},
    {96, 0, "of_many_who_settle_one_succeeds", "delivery: settlement", 0, 0, NULL,
     of_many_who_settle_one_succeeds},
    {97, 0, "a_claimed_task_is_settled_once_more", "message.h CLAIM", 0, 0, NULL,
     a_claimed_task_is_settled_once_more},
    {98, 0, "a_claimed_task_of_a_leaving_worker_is_not_run_again", "message.h CLAIM", 0, 0, NULL,
     a_claimed_task_of_a_leaving_worker_is_not_run_again},
    {99, 0, "what_a_leaving_worker_held_goes_to_another", "delivery 16", 0, 0, NULL,
     what_a_leaving_worker_held_goes_to_another},
    {100, 0, "started_is_for_deliveries_only", "transport.h started", PATIO_CAP_STARTED, 0, NULL,
     started_is_for_deliveries_only},
    {101, 90, "thousands_pass_in_order_and_once", "delivery 18", 0, 0, NULL,
     thousands_pass_in_order_and_once},
    {102, 60, "a_worker_that_pauses_changes_no_order", "delivery 18", 0, 0, NULL,
     a_worker_that_pauses_changes_no_order},
    {103, 0, "a_run_that_killed_its_process_counts_as_a_crash", "delivery 4", 0, 0, NULL,
     a_run_that_killed_its_process_counts_as_a_crash},
    {0},
};
