/* Cases 210 to 219: leaving while work is in flight. */
#include "kit.h"

enum { WORK_TASKS = 400, WORK_BEGUN = 20, WORK_CREDIT = 8 };

static uint32_t missing(kit *k)
{
    uint32_t count = 0;
    pthread_mutex_lock(&k->lock);
    for (uint32_t n = 0; n < WORK_TASKS; n++) {
        count += kit_map_get(k->fences, n) == 0;
    }
    pthread_mutex_unlock(&k->lock);
    return count;
}

static void a_worker_drains_and_nothing_is_lost(kit *k)
{
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *a      = kit_instance_open(k, NULL);
    kit_instance *b      = kit_instance_open(k, NULL);
    kit_subscribe(a, WORK_CREDIT);
    for (uint32_t n = 0; n < WORK_TASKS; n++) {
        KIT_STATUS(k, kit_publish(caller, n, 0), PATIO_OK, "publish");
    }
    for (uint32_t n = 0; n < WORK_BEGUN; n++) {
        kit_settle_ok(a, kit_delivered(a, n).tag, PATIO_ACK, 0, 20);
    }
    /* It holds all that it may: no thread is raising another, and after this none may. */
    uint32_t full = WORK_BEGUN + WORK_CREDIT;
    (void)kit_delivered(a, full - 1);
    kit_unsubscribe(a); /* quiet, finish, leave */
    for (uint32_t n = WORK_BEGUN; n < WORK_BEGUN + WORK_CREDIT / 2; n++) {
        kit_settle_ok(a, kit_delivered(a, n).tag, PATIO_ACK, 0, 20);
    }
    kit_quiet(a, full, 100);
    kit_subscribe(b, WORK_CREDIT);
    kit_work(b);
    kit_instance_stop(a); /* what it still held goes back */
    KIT_AWAIT(k, 40000,
              kit_known(kit_counts(caller).ready) == 0 &&
                  kit_known(kit_counts(caller).leased) == 0 &&
                  kit_known(kit_counts(caller).delayed) == 0,
              "something is left");
    /* one that went back between two of these counts is seen by none of them, and is on its way */
    KIT_AWAIT(k, KIT_SOON_MS, missing(k) == 0, "tasks never delivered: %u", missing(k));
    KIT_CHECK(k, kit_delivered_count(a) + kit_delivered_count(b) >= WORK_TASKS,
              "too few deliveries");
}

static void what_was_settled_before_stop_is_settled(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 50);
    for (uint32_t n = 0; n < 50; n++) {
        kit_call(p.caller, n);
    }
    for (uint32_t n = 0; n < 50; n++) {
        kit_settle_ok(p.worker, kit_delivered(p.worker, n).tag, PATIO_ACK, 0, 20);
    }
    patio_error err = PATIO_ERROR_INIT;
    KIT_STATUS(k, k->ops->stop(p.worker->t, 5000, &err), PATIO_OK, "stop");
    atomic_store(&p.worker->stopped, true);
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(p.caller, reply_count) == 50,
              "%u of 50 replies that were settled before stop came",
              KIT_GET(p.caller, reply_count));
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

static void what_was_published_before_stop_has_its_outcome(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    for (uint32_t n = 0; n < 200; n++) {
        KIT_STATUS(k, kit_publish(i, n, 0), PATIO_OK, "publish");
    }
    patio_error err = PATIO_ERROR_INIT;
    (void)k->ops->stop(i->t, 5000, &err);
    atomic_store(&i->stopped, true);
    for (uint32_t n = 0; n < 200; n++) {
        KIT_EQUAL(k, kit_receipts_of(i, n), 1, "outcomes of a publish once stop has returned");
    }
}

static void workers_of_two_versions_share_a_queue(kit *k)
{
    enum { TASKS = 120 };
    static const char *const old_tasks[] = {"a", "b"};
    static const char *const new_tasks[] = {"b", "c"};
    kit_instance            *caller      = kit_instance_open(k, NULL);
    kit_instance            *old         = kit_instance_open(k, NULL);
    kit_instance            *young       = kit_instance_open(k, NULL);
    KIT_STATUS(k, kit_try_subscribe(old, "q", 4, old_tasks, 2), PATIO_OK, "subscribe");
    for (uint32_t n = 0; n < TASKS; n++) {
        static const char *const names[] = {"a", "b", "c"};
        patio_message            m       = kit_message(k, n, 0);
        m.task                           = names[n % 3];
        kit_send_message(caller, &m);
        if (n == TASKS / 2) {
            KIT_STATUS(k, kit_try_subscribe(young, "q", 4, new_tasks, 2), PATIO_OK, "subscribe");
        }
        kit_instance *each[] = {old, young};
        for (uint32_t w = 0; w < 2; w++) {
            while (each[w]->worked < kit_delivered_count(each[w])) {
                kit_delivery d    = kit_delivered(each[w], each[w]->worked++);
                const char  *none = w == 0 ? "c" : "a"; /* not in its registry: it gives it back */
                bool         has  = strcmp(d.task, none) != 0;
                kit_settle_ok(each[w], d.tag, has ? PATIO_ACK : PATIO_RETURN, 0, -1);
            }
        }
    }
    uint64_t until = kit_now_ms() + 40000;
    while (kit_known(kit_counts(caller).ready) + kit_known(kit_counts(caller).leased) > 0) {
        KIT_CHECK(k, kit_now_ms() < until, "tasks are left: nobody who has them gets them");
        kit_instance *each[] = {old, young};
        for (uint32_t w = 0; w < 2; w++) {
            while (each[w]->worked < kit_delivered_count(each[w])) {
                kit_delivery d    = kit_delivered(each[w], each[w]->worked++);
                const char  *none = w == 0 ? "c" : "a";
                bool         has  = strcmp(d.task, none) != 0;
                kit_settle_ok(each[w], d.tag, has ? PATIO_ACK : PATIO_RETURN, 0, -1);
            }
        }
        kit_wait_change(k);
    }
    kit_await_counts(caller, 0, 0, 0, 0); /* nothing was discarded or killed */
}

const kit_case kit_drain_cases[] = {
    {210, 90, "a_worker_drains_and_nothing_is_lost", "delivery 16", 0, 0, NULL,
     a_worker_drains_and_nothing_is_lost},
    {211, 0, "what_was_settled_before_stop_is_settled", "transport.h stop", 0, 0, NULL,
     what_was_settled_before_stop_is_settled},
    {212, 0, "what_was_published_before_stop_has_its_outcome", "abi: exactly one completion", 0, 0,
     NULL, what_was_published_before_stop_has_its_outcome},
    {213, 90, "workers_of_two_versions_share_a_queue", "delivery 17", 0, 0, NULL,
     workers_of_two_versions_share_a_queue},
    {0},
};
