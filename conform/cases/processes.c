/* Cases 170 to 189: processes that die, hang and come back. */
#include <signal.h>
#include <unistd.h>

#include <patio/presence.h>

#include "kit.h"

/* A worker with eight tasks is killed: all of them are done elsewhere, in time, and counted. */
static void a_killed_workers_tasks_are_done_elsewhere(kit *k)
{
    kit_process  *w[2]   = {kit_process_fork(k, kit_hold_process, 1),
                            kit_process_fork(k, kit_hold_process, 2)};
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_process_go(k, w[0]);
    kit_process_expect(k, w[0], "ready", KIT_SOON_MS);
    for (uint32_t n = 0; n < 8; n++) {
        kit_send(caller, n);
    }
    for (uint32_t n = 0; n < 8; n++) {
        kit_process_expect(k, w[0], "d ", KIT_SOON_MS);
    }
    kit_process_go(k, w[1]);
    kit_process_expect(k, w[1], "ready", KIT_SOON_MS);
    uint64_t from = kit_now_ms();
    kit_process_kill(k, w[0], SIGKILL);
    for (uint32_t n = 0; n < 8; n++) {
        kit_process_expect(k, w[1], "d ", k->redelivery_ms + KIT_SOON_MS);
        if (n == 0) {
            kit_note(k, "the first came back after %llu ms",
                     (unsigned long long)(kit_now_ms() - from));
        }
    }
    uint64_t took = kit_now_ms() - from;
    KIT_CHECK(k, took <= k->redelivery_ms + KIT_SOON_MS,
              "redelivery took %llu ms, the bound is %llu", (unsigned long long)took,
              (unsigned long long)k->redelivery_ms);
}

static void a_crash_is_counted_on_the_task_that_ran(kit *k)
{
    kit_process  *w      = kit_process_fork(k, kit_hold_process, 5);
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_process_go(k, w);
    kit_process_expect(k, w, "ready", KIT_SOON_MS);
    kit_send(caller, 7);
    kit_process_expect(k, w, "d 7 1 0", KIT_SOON_MS);
    kit_process_kill(k, w, SIGKILL);
    kit_instance *other = kit_instance_open(k, NULL);
    kit_subscribe(other, 1);
    kit_delivery d = kit_delivered_within(other, 0, k->redelivery_ms + KIT_SOON_MS);
    KIT_EQUAL(k, d.number, 7, "task");
    KIT_EQUAL(k, d.crashes, 1, "crashes");
    KIT_CHECK(k, (d.flags & PATIO_MESSAGE_REDELIVERED) != 0, "not marked REDELIVERED");
    kit_ack(other, d.tag);
    kit_await_counts(caller, 0, 0, 0, 0);
}

static void call_and_wait(kit *k, kit_process *self)
{
    kit_instance *i = kit_instance_open(k, NULL);
    for (uint32_t n = 0; n < 5; n++) {
        kit_call(i, n);
    }
    kit_process_say(self, "called");
    kit_sleep_ms(600000);
}

static void a_killed_caller_costs_nothing(kit *k)
{
    kit_process  *c      = kit_process_fork(k, call_and_wait, 2);
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *worker = kit_instance_open(k, NULL);
    kit_subscribe(worker, 5);
    kit_process_go(k, c);
    kit_process_expect(k, c, "called", KIT_SOON_MS);
    (void)kit_delivered(worker, 4);
    kit_process_kill(k, c, SIGKILL);
    kit_process_collect(k, c);
    kit_sleep_ms(200);
    k->uncertain = true; /* tasks that lived with their caller are gone */
    for (uint32_t n = 0; n < 5; n++) {
        kit_delivery d     = kit_delivered(worker, n);
        patio_buf   *reply = kit_buf(k, d.number, KIT_REPLY, 10);
        patio_status st    = kit_settle(worker, d.tag, PATIO_ACK, 0, reply, NULL);
        kit_buf_drop(k, reply);
        KIT_CHECK(k, st == PATIO_OK || st == PATIO_STALE, "settle returned %s",
                  kit_status_name(st));
    }
    kit_call(caller, 100);
    kit_delivery d = kit_delivered(worker, 5);
    KIT_EQUAL(k, d.number, 100, "task");
    kit_settle_ok(worker, d.tag, PATIO_ACK, 0, 10);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(caller, 100) == 1, "no reply");
    kit_await_counts(caller, 0, 0, 0, 0);
}

static void hold_and_settle_late(kit *k, kit_process *self)
{
    char          word = 0;
    kit_instance *i    = kit_instance_open(k, NULL);
    k->twice_allowed   = true;
    kit_subscribe(i, 1);
    kit_process_say(self, "ready");
    kit_delivery d = kit_delivered_within(i, 0, 600000);
    kit_process_say(self, "d %u", d.number);
    if (read(self->go, &word, 1) != 1) { /* what happens meanwhile: it is stopped for long */
        return;
    }
    kit_sleep_ms(1500); /* time to notice */
    patio_buf   *reply = kit_buf(k, d.number, KIT_REPLY, 10);
    patio_status st    = kit_settle(i, d.tag, PATIO_ACK, 0, reply, NULL);
    kit_buf_drop(k, reply);
    kit_sleep_ms(1000);
    kit_process_say(self, "settled %s lost %u failed %u", kit_status_name(st),
                    KIT_GET(i, leases_lost), KIT_GET(i, settles_failed));
    kit_sleep_ms(600000);
}

/* SIGSTOP past the lease, then SIGCONT: done elsewhere, and the late one is refused. */
static void a_worker_that_slept_too_long_is_refused(kit *k)
{
    kit_process  *w      = kit_process_fork(k, hold_and_settle_late, 2);
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *other  = kit_instance_open(k, NULL);
    kit_process_go(k, w);
    kit_process_expect(k, w, "ready", KIT_SOON_MS);
    kit_call(caller, 1);
    kit_process_expect(k, w, "d 1", KIT_SOON_MS);
    kit_process_kill(k, w, SIGSTOP);
    kit_subscribe(other, 1);
    uint64_t from = kit_now_ms();
    bool     call = true;
    /* a call may end by PEER_LOST instead of a second run */
    KIT_AWAIT(k, k->redelivery_ms + KIT_SOON_MS,
              kit_delivered_count(other) > 0 || kit_receipts_of(caller, 1) > 1,
              "a hung worker's task has neither come back nor been given up");
    kit_note(k, "noticed after %llu ms", (unsigned long long)(kit_now_ms() - from));
    if (kit_delivered_count(other) > 0) {
        kit_settle_ok(other, kit_delivered(other, 0).tag, PATIO_ACK, 0, 10);
        KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(caller, 1) == 1, "no reply");
    } else {
        call = false;
    }
    kit_process_kill(k, w, SIGCONT);
    kit_process_go(k, w);
    kit_process_expect(k, w, "settled ", KIT_SOON_MS);
    KIT_CHECK(k, strcmp(w->said, "settled OK lost 0 failed 0") != 0,
              "its late settlement was taken, and nothing says that it had no effect");
    kit_sleep_ms(300);
    KIT_EQUAL(k, kit_replies_of(caller, 1), call ? 1 : 0, "replies to the caller");
}

static void claim_and_hold(kit *k, kit_process *self)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_subscribe(i, 1);
    kit_process_say(self, "ready");
    kit_delivery d = kit_delivered_within(i, 0, 600000);
    kit_settle_ok(i, d.tag, PATIO_CLAIM, 0, -1);
    kit_sleep_ms(1500); /* the claim is on its way, and nothing says that it has arrived */
    kit_process_say(self, "claimed");
    kit_sleep_ms(600000);
}

static void a_claimed_task_of_a_killed_worker_is_not_run_again(kit *k)
{
    kit_process  *w      = kit_process_fork(k, claim_and_hold, 2);
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *other  = kit_instance_open(k, NULL);
    kit_process_go(k, w);
    kit_process_expect(k, w, "ready", KIT_SOON_MS);
    kit_send(caller, 1);
    kit_process_expect(k, w, "claimed", KIT_SOON_MS);
    kit_subscribe(other, 1);
    kit_process_kill(k, w, SIGKILL);
    kit_quiet(other, 0, k->redelivery_ms + 1000);
}

/* By a receipt that says so: there will be no reply. */
static void who_called_what_died_with_its_worker_hears_so(kit *k)
{
    kit_process  *w      = kit_process_fork(k, claim_and_hold, 2);
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *other  = kit_instance_open(k, NULL);
    kit_process_go(k, w);
    kit_process_expect(k, w, "ready", KIT_SOON_MS);
    patio_message m = kit_quiet_call(k, 1);
    m.ttl_ms        = 600000;
    kit_send_message(caller, &m);
    kit_process_expect(k, w, "claimed", KIT_SOON_MS);
    kit_subscribe(other, 1);
    uint64_t from = kit_now_ms();
    kit_process_kill(k, w, SIGKILL);
    KIT_AWAIT(k, k->redelivery_ms + KIT_SOON_MS, kit_receipts_of(caller, 1) == 1,
              "a claimed task died with its worker, and its caller does not hear so");
    KIT_EQUAL(k, kit_outcome(caller, 1), PATIO_UNKNOWN, "outcome of what died");
    KIT_STATUS(k, caller->receipts[0].status, PATIO_PEER_LOST, "the receipt of what died");
    KIT_EQUAL(k, kit_delivered_count(other), 0, "deliveries to another worker");
    kit_note(k, "it heard so after %llu ms", (unsigned long long)(kit_now_ms() - from));
}

/* The next worker's reply; or, of a call that may not run twice, that its worker was lost. */
static void who_called_a_killed_worker_has_an_answer(kit *k)
{
    kit_process  *w      = kit_process_fork(k, kit_hold_process, 2);
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *other  = kit_instance_open(k, NULL);
    kit_process_go(k, w);
    kit_process_expect(k, w, "ready", KIT_SOON_MS);
    patio_message m = kit_quiet_call(k, 1);
    m.ttl_ms        = 600000;
    kit_send_message(caller, &m);
    kit_process_expect(k, w, "d 1", KIT_SOON_MS);
    kit_subscribe(other, 1);
    kit_work(other);
    kit_process_kill(k, w, SIGKILL);
    KIT_AWAIT(k, k->redelivery_ms + KIT_SOON_MS,
              kit_replies_of(caller, 1) + kit_receipts_of(caller, 1) == 1,
              "a worker was killed, and who called it has no answer");
    kit_note(k, kit_replies_of(caller, 1) != 0 ? "by another worker" : "that it was lost");
}

static void all_workers_die_and_the_work_is_done_by_the_next(kit *k)
{
    enum { ROUNDS = 4, TASKS = 12 };
    kit_process *w[ROUNDS];
    for (uint32_t r = 0; r < ROUNDS; r++) {
        w[r] = kit_process_fork(k, r + 1 < ROUNDS ? kit_hold_process : kit_work_process, 1 + r);
    }
    kit_instance *caller = kit_instance_open(k, NULL);
    for (uint32_t n = 0; n < TASKS; n++) {
        kit_send(caller, n);
    }
    for (uint32_t r = 0; r < 2; r++) {
        kit_process_go(k, w[r]);
        kit_process_expect(k, w[r], "d ", k->redelivery_ms + KIT_SOON_MS);
        kit_process_kill(k, w[r], SIGKILL);
        kit_process_collect(k, w[r]);
    }
    kit_process_go(k, w[ROUNDS - 1]);
    for (uint32_t n = 0; n < TASKS; n++) {
        kit_process_expect(k, w[ROUNDS - 1], "d ", k->redelivery_ms + KIT_SOON_MS);
    }
    kit_await_counts(caller, 0, 0, 0, 0);
}

static int32_t count_presence(void *arg, const patio_presence *p)
{
    (void)p;
    uint32_t *count = arg;
    (*count)++;
    return 0;
}

static void announce_and_wait(kit *k, kit_process *self)
{
    kit_instance             *i = kit_instance_open(k, NULL);
    const patio_presence_ops *p = kit_query(i, PATIO_PRESENCE_ID);
    KIT_STATUS(k, p->announce(i->t, (patio_bytes){(const uint8_t *)"me", 2}, NULL), PATIO_OK,
               "announce");
    kit_process_say(self, "announced");
    kit_sleep_ms(600000);
}

static uint32_t present(kit *k, kit_instance *i)
{
    const patio_presence_ops *p     = kit_query(i, PATIO_PRESENCE_ID);
    uint32_t                  count = 0;
    KIT_STATUS(k, p->list(i->t, 1000, count_presence, &count, NULL), PATIO_OK, "list");
    return count;
}

static void a_killed_process_is_not_seen_for_long(kit *k)
{
    kit_process  *w = kit_process_fork(k, announce_and_wait, 1);
    kit_instance *i = kit_instance_open(k, NULL);
    kit_process_go(k, w);
    kit_process_expect(k, w, "announced", KIT_SOON_MS);
    KIT_AWAIT(k, KIT_SOON_MS, present(k, i) == 1, "it is not seen");
    kit_process_kill(k, w, SIGKILL);
    KIT_AWAIT(k, k->redelivery_ms + KIT_SOON_MS, present(k, i) == 0,
              "a dead process is still seen after %llu ms",
              (unsigned long long)(k->redelivery_ms + KIT_SOON_MS));
}

/* Longer than it takes until a dead worker is given up, by whatever time: leases, heartbeats,
 * pings. */
static void a_lease_lasts_as_long_as_the_task(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_call(p.caller, 1);
    kit_delivery  d     = kit_delivered(p.worker, 0);
    kit_instance *other = kit_instance_open(k, NULL);
    kit_subscribe(other, 1);
    uint64_t for_ms = k->redelivery_ms * 3 / 2;
    kit_quiet(other, 0, for_ms < 30000 ? for_ms : 30000);
    KIT_EQUAL(k, KIT_GET(p.worker, leases_lost), 0, "leases lost");
    kit_settle_ok(p.worker, d.tag, PATIO_ACK, 0, 10);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, 1) == 1, "no reply");
}

const kit_case kit_process_cases[] = {
    {170, 0, "a_killed_workers_tasks_are_done_elsewhere", "delivery 1", 0, KIT_FORKS, NULL,
     a_killed_workers_tasks_are_done_elsewhere},
    {171, 0, "a_crash_is_counted_on_the_task_that_ran", "delivery 4", 0, KIT_FORKS, NULL,
     a_crash_is_counted_on_the_task_that_ran},
    {172, 0, "a_killed_caller_costs_nothing", "delivery 12", 0, KIT_FORKS, NULL,
     a_killed_caller_costs_nothing},
    {173, 0, "a_worker_that_slept_too_long_is_refused", "delivery 2", 0, KIT_FORKS, NULL,
     a_worker_that_slept_too_long_is_refused},
    {174, 0, "a_claimed_task_of_a_killed_worker_is_not_run_again", "message.h CLAIM", 0, KIT_FORKS,
     NULL, a_claimed_task_of_a_killed_worker_is_not_run_again},
    /* without RESULTS a task is not found by its id, nor is who waits for it */
    {178, 0, "who_called_what_died_with_its_worker_hears_so", "delivery 14", PATIO_CAP_RESULTS,
     KIT_FORKS, NULL, who_called_what_died_with_its_worker_hears_so},
    {179, 0, "who_called_a_killed_worker_has_an_answer", "delivery 14", 0, KIT_FORKS, NULL,
     who_called_a_killed_worker_has_an_answer},
    {175, 0, "all_workers_die_and_the_work_is_done_by_the_next", "delivery 1", 0, KIT_FORKS, NULL,
     all_workers_die_and_the_work_is_done_by_the_next},
    {176, 0, "a_killed_process_is_not_seen_for_long", "presence.h", 0, KIT_FORKS | KIT_QUERY,
     PATIO_PRESENCE_ID, a_killed_process_is_not_seen_for_long},
    {177, 0, "a_lease_lasts_as_long_as_the_task", "delivery 2", 0, KIT_FORKS, NULL,
     a_lease_lasts_as_long_as_the_task},
    {0},
};
