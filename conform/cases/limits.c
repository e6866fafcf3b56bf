/* Cases 50 to 69: time, order, bounds, dedup. */
#include "kit.h"

static void a_delayed_task_waits_for_its_time(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 5);
    patio_message m = kit_message(k, 1, 0);
    m.delay_ms      = 3000;
    uint64_t from   = kit_now_ms();
    kit_send_message(p.caller, &m);
    patio_counts c = kit_counts(p.caller);
    if (kit_now_ms() - from < 2500) {
        KIT_CHECK(k, c.delayed == 1 || c.delayed == PATIO_COUNT_UNKNOWN, "delayed tasks are %llu",
                  (unsigned long long)c.delayed);
        KIT_EQUAL(k, c.ready, 0, "ready tasks");
    }
    kit_send(p.caller, 2); /* is not held up by it */
    bool         soon  = kit_now_ms() - from < 2500;
    uint32_t     first = kit_delivered(p.worker, 0).number;
    kit_delivery d     = kit_delivered(p.worker, first == 1 ? 0 : 1);
    if (soon) {
        KIT_EQUAL(k, first, 2, "first task");
    }
    KIT_CHECK(k, d.at_ms - from >= 2990, "a delay of 3000 ms was over after %llu",
              (unsigned long long)(d.at_ms - from));
    kit_note(k, "%lld ms late", (long long)(d.at_ms - from) - 3000);
    kit_ack(p.worker, d.tag);
    kit_await_counts(p.caller, 0, 1, 0, 0);
}

static void delayed_tasks_come_in_the_order_of_their_time(kit *k)
{
    static const uint64_t delays[] = {2700, 900, 1800, 3600};
    uint64_t              earliest[4]; /* by when it was handed over */
    uint64_t              latest[4];   /* by when it was accepted */
    kit_pair              p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 4);
    for (uint32_t n = 0; n < 4; n++) {
        patio_message m = kit_message(k, n, 0);
        m.delay_ms      = delays[n];
        earliest[n]     = kit_now_ms() + delays[n];
        kit_send_message(p.caller, &m);
        latest[n] = kit_now_ms() + delays[n];
    }
    uint64_t last = 0;
    for (uint32_t n = 0; n < 4; n++) {
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_CHECK(k, d.at_ms + 10 >= earliest[d.number], "task %u came %llu ms before its time",
                  d.number, (unsigned long long)(earliest[d.number] - d.at_ms));
        KIT_CHECK(k, latest[d.number] >= last, "task %u came after one with a later time",
                  d.number);
        last = earliest[d.number];
    }
}

static void higher_priority_goes_first_then_first_in_first_out(kit *k)
{
    static const uint16_t priorities[] = {4, 9, 0, 4, 9, 0, 5, 4};
    static const uint32_t order[]      = {1, 4, 6, 0, 3, 7, 2, 5};
    kit_pair              p            = kit_pair_open(k, NULL);
    for (uint32_t n = 0; n < 8; n++) {
        patio_message m = kit_message(k, n, 0);
        m.priority      = priorities[n];
        kit_send_message(p.caller, &m);
    }
    kit_subscribe(p.worker, 1);
    for (uint32_t n = 0; n < 8; n++) {
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_EQUAL(k, d.number, order[n], "task");
        KIT_EQUAL(k, d.priority, priorities[order[n]], "priority");
        kit_ack(p.worker, d.tag);
    }
}

static void within_a_priority_it_is_first_in_first_out(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    for (uint32_t n = 0; n < 100; n++) {
        kit_send(p.caller, n);
    }
    kit_subscribe(p.worker, 1);
    for (uint32_t n = 0; n < 100; n++) {
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_EQUAL(k, d.number, n, "task");
        kit_ack(p.worker, d.tag);
    }
}

static void a_full_queue_says_so_and_recovers(kit *k)
{
    if (kit_option(k->ops->options, "max_queued") < 0) {
        kit_skip(k, "it has no option max_queued");
    }
    static const char *const settings[] = {"max_queued=5", NULL};
    kit_instance            *i          = kit_instance_open(k, &(kit_open){.settings = settings});
    for (uint32_t n = 0; n < 5; n++) {
        kit_send(i, n);
    }
    patio_error   err = PATIO_ERROR_INIT;
    patio_message m   = kit_message(k, 5, 0);
    patio_status  st  = kit_publish_message(i, &m, 10, &err);
    if (st == PATIO_OK) {
        KIT_EQUAL(k, kit_outcome(i, 5), PATIO_REJECTED, "outcome of one too many");
        st = i->receipts[5].status;
    } else {
        kit_check_error(k, &err, st, "publish");
    }
    KIT_STATUS(k, st, PATIO_FULL, "one too many");
    kit_await_counts(i, 5, 0, 0, 0);
    kit_subscribe(i, 1);
    kit_ack(i, kit_delivered(i, 0).tag);
    kit_send(i, 6);
}

static void what_is_left_of_the_time_travels(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 2);
    patio_message m = kit_message(k, 1, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE);
    m.ttl_ms        = 60000;
    kit_send_message(p.caller, &m);
    kit_delivery d = kit_delivered(p.worker, 0);
    KIT_CHECK(k, d.ttl_ms > 0 && d.ttl_ms <= 60000, "%llu ms are left of 60000",
              (unsigned long long)d.ttl_ms);
    KIT_EQUAL(k, d.flags & PATIO_MESSAGE_EXPIRED, 0, "EXPIRED");
    kit_send(p.caller, 2);
    KIT_EQUAL(k, kit_delivered(p.worker, 1).ttl_ms, 0, "time left of a task without deadline");
}

static bool ended_or_delivered(kit_instance *caller, kit_instance *worker, uint64_t *dead)
{
    patio_counts c = kit_counts(caller);
    *dead          = kit_known(c.dead);
    return kit_delivered_count(worker) > 0 || kit_known(c.ready) + kit_known(c.leased) == 0;
}

/* Its time is short, but not over before it is accepted: a server may need a moment for that. */
static uint64_t send_for_a_moment(kit_instance *caller, uint32_t flags)
{
    uint64_t ttl_ms  = 200;
    uint32_t number  = 1;
    uint32_t outcome = PATIO_REJECTED;
    for (; ttl_ms <= 200 * 16; ttl_ms *= 4, number++) {
        patio_message m = kit_message(caller->k, number, flags);
        m.ttl_ms        = ttl_ms;
        KIT_STATUS(caller->k, kit_publish_message(caller, &m, 10, NULL), PATIO_OK, "publish");
        outcome = kit_outcome(caller, number);
        if (outcome == PATIO_ACCEPTED) {
            return ttl_ms;
        }
    }
    KIT_EQUAL(caller->k, outcome, PATIO_ACCEPTED, "outcome of a task that has a moment");
    return ttl_ms;
}

/* What was sent ends as a dead letter, a call need not. A worker may be asked first. */
static void what_is_too_late_is_not_lost(kit *k, uint32_t flags)
{
    uint64_t dead = 0;
    kit_pair p    = kit_pair_open(k, NULL);
    kit_sleep_ms(send_for_a_moment(p.caller, flags) + 300);
    kit_subscribe(p.worker, 1);
    KIT_AWAIT(k, KIT_SOON_MS, ended_or_delivered(p.caller, p.worker, &dead),
              "a task whose deadline passed is neither delivered as EXPIRED nor ended");
    if (kit_delivered_count(p.worker) > 0) {
        kit_delivery d = kit_delivered(p.worker, 0);
        KIT_CHECK(k, (d.flags & PATIO_MESSAGE_EXPIRED) != 0, "delivered too late without EXPIRED");
        kit_ack(p.worker, d.tag);
    } else if (flags == 0) {
        KIT_AWAIT(k, KIT_SOON_MS, kit_counts(p.caller).dead > 0, "it ended as no dead letter");
    } else {
        kit_note(k, dead > 0 ? "it goes to the dead letters" : "it ends without a worker");
    }
}

static void a_call_that_is_too_late_is_not_lost(kit *k)
{
    what_is_too_late_is_not_lost(k, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE);
}

static void a_send_that_is_too_late_is_not_lost(kit *k)
{
    what_is_too_late_is_not_lost(k, 0);
}

static patio_message keyed(kit *k, uint32_t number, const char *key, uint32_t conflict)
{
    patio_message m   = kit_message(k, number, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE);
    m.dedup_key       = (patio_bytes){(const uint8_t *)key, strlen(key)};
    m.dedup_window_ms = 60000;
    m.dedup_conflict  = conflict;
    return m;
}

static void a_duplicate_is_dropped_within_its_window(kit *k)
{
    enum { WINDOW_MS = 4000 };
    kit_pair      p   = kit_pair_open(k, NULL);
    patio_message m   = keyed(k, 1, "key", PATIO_DEDUP_DROP);
    m.dedup_window_ms = WINDOW_MS;
    kit_send_message(p.caller, &m);
    m                 = keyed(k, 2, "key", PATIO_DEDUP_DROP);
    m.dedup_window_ms = WINDOW_MS;
    KIT_STATUS(k, kit_publish_message(p.caller, &m, 10, NULL), PATIO_OK, "publish");
    KIT_EQUAL(k, kit_outcome(p.caller, 2), PATIO_DUPLICATE, "outcome of a duplicate");
    KIT_EQUAL(k, kit_number(&p.caller->receipts[1].original), 1, "the original");
    m = keyed(k, 3, "other", PATIO_DEDUP_DROP);
    kit_send_message(p.caller, &m);
    kit_await_counts(p.caller, 2, 0, 0, 0);
    kit_subscribe(p.worker, 5);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 0).tag, PATIO_ACK, 0, 10);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 1).tag, PATIO_ACK, 0, 10);
    kit_sleep_ms(WINDOW_MS + 300);
    m = keyed(k, 4, "key", PATIO_DEDUP_DROP); /* the window is over */
    kit_send_message(p.caller, &m);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 2).tag, PATIO_ACK, 0, 10);
}

static void an_attached_caller_gets_the_one_result(kit *k)
{
    kit_pair      p = kit_pair_open(k, NULL);
    patio_message m = keyed(k, 1, "key", PATIO_DEDUP_ATTACH);
    if (kit_conflict_is_refused(p.caller, &m, "attach")) {
        return;
    }
    p.caller->foreign_bodies = true; /* the reply's pattern is the original's */
    KIT_EQUAL(k, kit_outcome(p.caller, 1), PATIO_ACCEPTED, "outcome");
    m = keyed(k, 2, "key", PATIO_DEDUP_ATTACH);
    KIT_STATUS(k, kit_publish_message(p.caller, &m, 10, NULL), PATIO_OK, "publish");
    KIT_EQUAL(k, kit_outcome(p.caller, 2), PATIO_DUPLICATE, "outcome");
    kit_subscribe(p.worker, 5);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 0).tag, PATIO_ACK, 0, 10);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, 1) == 1 && kit_replies_of(p.caller, 2) == 1,
              "replies: %llu to the original, %llu to the attached",
              (unsigned long long)kit_replies_of(p.caller, 1),
              (unsigned long long)kit_replies_of(p.caller, 2));
    kit_quiet(p.worker, 1, 200);
}

static void a_replacing_task_takes_the_queued_one_away(kit *k)
{
    kit_pair      p = kit_pair_open(k, NULL);
    patio_message m = keyed(k, 1, "key", PATIO_DEDUP_REPLACE);
    m.flags         = 0;
    if (kit_conflict_is_refused(p.caller, &m, "replace")) {
        return;
    }
    KIT_EQUAL(k, kit_outcome(p.caller, 1), PATIO_ACCEPTED, "outcome");
    m       = keyed(k, 2, "key", PATIO_DEDUP_REPLACE);
    m.flags = 0;
    kit_send_message(p.caller, &m);
    kit_await_counts(p.caller, 1, 0, 0, 0);
    kit_subscribe(p.worker, 5);
    KIT_EQUAL(k, kit_delivered(p.worker, 0).number, 2, "task");
    kit_quiet(p.worker, 1, 200);
}

static void a_call_that_is_dropped_hears_so_though_it_wants_no_receipt(kit *k)
{
    kit_pair      p = kit_pair_open(k, NULL);
    patio_message m = keyed(k, 1, "key", PATIO_DEDUP_DROP);
    m.flags |= PATIO_MESSAGE_NO_RECEIPT;
    kit_send_message(p.caller, &m);
    kit_await_counts(p.caller, 1, 0, 0, 0);
    m = keyed(k, 2, "key", PATIO_DEDUP_DROP);
    m.flags |= PATIO_MESSAGE_NO_RECEIPT;
    kit_send_message(p.caller, &m);
    KIT_EQUAL(k, kit_outcome(p.caller, 2), PATIO_DUPLICATE, "outcome of a duplicate");
    KIT_EQUAL(k, kit_number(&p.caller->receipts[0].original), 1, "the original");
    KIT_EQUAL(k, kit_receipts_of(p.caller, 1), 0, "receipts of the original");
}

static void who_waits_for_what_is_replaced_hears_so(kit *k)
{
    kit_pair      p = kit_pair_open(k, NULL);
    patio_message m = keyed(k, 1, "key", PATIO_DEDUP_REPLACE);
    m.flags |= PATIO_MESSAGE_NO_RECEIPT;
    if (kit_conflict_is_refused(p.caller, &m, "replace")) {
        return;
    }
    kit_await_counts(p.caller, 1, 0, 0, 0);
    m = keyed(k, 2, "key", PATIO_DEDUP_ATTACH);
    m.flags |= PATIO_MESSAGE_NO_RECEIPT;
    if (kit_conflict_is_refused(p.caller, &m, "attach")) {
        return;
    }
    m       = keyed(k, 3, "key", PATIO_DEDUP_REPLACE);
    m.flags = 0;
    kit_send_message(p.caller, &m);
    kit_await_cancelled(p.caller, 1);
    kit_await_cancelled(p.caller, 2);
}

static void one_key_of_many_publishers_runs_once(kit *k)
{
    kit_pair      p     = kit_pair_open(k, NULL);
    kit_instance *more  = kit_instance_open(k, NULL);
    uint32_t      taken = 0;
    for (uint32_t n = 0; n < 40; n++) {
        kit_instance *from = n % 2 != 0 ? p.caller : more;
        patio_message m    = keyed(k, n, "same", PATIO_DEDUP_DROP);
        m.flags            = 0;
        KIT_STATUS(k, kit_publish_message(from, &m, 10, NULL), PATIO_OK, "publish");
        taken += kit_outcome(from, n) == PATIO_ACCEPTED;
    }
    if (kit_meshes(k)) {
        kit_note(k, "each process has its own window");
        KIT_EQUAL(k, taken, 2, "accepted");
        return;
    }
    KIT_EQUAL(k, taken, 1, "accepted of forty");
}

static void two_projects_never_meet(kit *k)
{
    kit_instance *a = kit_instance_open(k, NULL);
    kit_instance *b = kit_instance_open(k, &(kit_open){.project = "conform-stranger"});
    kit_subscribe(b, 10);
    for (uint32_t n = 0; n < 5; n++) {
        kit_send(a, n);
    }
    kit_quiet(b, 0, 300);
    kit_await_counts(a, 5, 0, 0, 0);
    KIT_EQUAL(k, kit_counts(b).ready, 0, "tasks of a stranger");
    KIT_EQUAL(k, kit_counts(a).consumers, 0, "workers of a stranger");
    kit_subscribe(a, 5);
    (void)kit_delivered(a, 4);
}

static void two_queues_never_meet(kit *k)
{
    static const char *const tasks[] = {"t"};
    kit_instance            *i       = kit_instance_open(k, NULL);
    KIT_STATUS(k, kit_try_subscribe(i, "q2", 10, tasks, 1), PATIO_OK, "subscribe");
    kit_send(i, 1);
    kit_quiet(i, 0, 200);
    patio_message m = kit_message(k, 2, 0);
    m.queue         = "q2";
    kit_send_message(i, &m);
    kit_delivery d = kit_delivered(i, 0);
    KIT_EQUAL(k, d.number, 2, "task");
    KIT_CHECK(k, strcmp(d.queue, "q2") == 0, "it says that it is of queue %s", d.queue);
}

const kit_case kit_limit_cases[] = {
    {50, 0, "a_delayed_task_waits_for_its_time", "delivery 8", PATIO_CAP_DELAY, 0, NULL,
     a_delayed_task_waits_for_its_time},
    {51, 0, "delayed_tasks_come_in_the_order_of_their_time", "delivery 8", PATIO_CAP_DELAY, 0, NULL,
     delayed_tasks_come_in_the_order_of_their_time},
    {52, 0, "higher_priority_goes_first_then_first_in_first_out", "delivery 9", PATIO_CAP_PRIORITY,
     0, NULL, higher_priority_goes_first_then_first_in_first_out},
    {53, 0, "within_a_priority_it_is_first_in_first_out", "delivery 18", 0, 0, NULL,
     within_a_priority_it_is_first_in_first_out},
    {54, 0, "a_full_queue_says_so_and_recovers", "transport.h FULL", 0, 0, NULL,
     a_full_queue_says_so_and_recovers},
    {55, 0, "what_is_left_of_the_time_travels", "delivery 6", 0, 0, NULL,
     what_is_left_of_the_time_travels},
    {56, 0, "a_call_that_is_too_late_is_not_lost", "delivery 6", 0, 0, NULL,
     a_call_that_is_too_late_is_not_lost},
    {57, 0, "a_duplicate_is_dropped_within_its_window", "delivery 10", PATIO_CAP_DEDUP, 0, NULL,
     a_duplicate_is_dropped_within_its_window},
    {58, 0, "an_attached_caller_gets_the_one_result", "delivery 10", PATIO_CAP_DEDUP, 0, NULL,
     an_attached_caller_gets_the_one_result},
    {59, 0, "a_replacing_task_takes_the_queued_one_away", "delivery 10", PATIO_CAP_DEDUP, 0, NULL,
     a_replacing_task_takes_the_queued_one_away},
    {60, 0, "one_key_of_many_publishers_runs_once", "delivery 10", PATIO_CAP_DEDUP, 0, NULL,
     one_key_of_many_publishers_runs_once},
    {61, 0, "two_projects_never_meet", "delivery 22", 0, 0, NULL, two_projects_never_meet},
    {62, 0, "two_queues_never_meet", "transport.h subscription", 0, 0, NULL, two_queues_never_meet},
    {63, 0, "a_send_that_is_too_late_is_not_lost", "delivery 6", 0, 0, NULL,
     a_send_that_is_too_late_is_not_lost},
    {64, 0, "a_call_that_is_dropped_hears_so_though_it_wants_no_receipt", "delivery 10",
     PATIO_CAP_DEDUP, 0, NULL, a_call_that_is_dropped_hears_so_though_it_wants_no_receipt},
    {65, 0, "who_waits_for_what_is_replaced_hears_so", "delivery 10", PATIO_CAP_DEDUP, 0, NULL,
     who_waits_for_what_is_replaced_hears_so},
    {0},
};
