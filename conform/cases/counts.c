/* Cases 130 to 139: the numbers of a queue. */
#include "kit.h"

static void a_queue_that_does_not_exist_is_empty(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    patio_counts  c = {PATIO_SIZED(patio_counts), .ready = 77, .oldest_age_ms = 77};
    KIT_STATUS(k, kit_instance_counts(i, "nowhere", &c, NULL), PATIO_OK, "counts");
    KIT_EQUAL(k,
              kit_known(c.ready) + kit_known(c.leased) + kit_known(c.delayed) +
                  kit_known(c.consumers) + kit_known(c.oldest_age_ms),
              0, "numbers of no queue");
    KIT_EQUAL(k, c.struct_size, sizeof(c), "struct_size");
}

static void counts_follow_what_happens(kit *k)
{
    bool     dead = (k->ops->caps & PATIO_CAP_DEAD_LETTERS) != 0;
    kit_pair p    = kit_pair_open(k, NULL);
    for (uint32_t n = 0; n < 6; n++) {
        kit_send(p.caller, n);
    }
    kit_await_counts(p.caller, 6, 0, 0, 0);
    kit_subscribe(p.worker, 3);
    kit_await_counts(p.caller, 3, 3, 0, 0);
    kit_ack(p.worker, kit_delivered(p.worker, 0).tag);
    kit_await_counts(p.caller, 2, 3, 0, 0);
    if (dead) {
        kit_settle_ok(p.worker, kit_delivered(p.worker, 1).tag, PATIO_REJECT, 0, -1);
        kit_await_counts(p.caller, 1, 3, 0, 1);
    }
    /* what the counts call leased may still be on its way, and would go back */
    (void)kit_delivered(p.worker, dead ? 4 : 3);
    kit_unsubscribe(p.worker);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 2).tag, PATIO_RETURN, 0, -1);
    kit_await_counts(p.caller, dead ? 2 : 3, 2, 0, dead ? 1 : 0);
}

static void consumers_are_the_workers_that_are_subscribed(kit *k)
{
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *a      = kit_instance_open(k, NULL);
    kit_instance *b      = kit_instance_open(k, NULL);
    if (kit_counts(caller).consumers == PATIO_COUNT_UNKNOWN) {
        kit_skip(k, "it cannot know them, and says so");
    }
    KIT_EQUAL(k, kit_counts(caller).consumers, 0, "consumers");
    kit_subscribe(a, 1);
    KIT_AWAIT(k, KIT_SOON_MS, kit_counts(caller).consumers == 1, "consumers are %llu, expected 1",
              (unsigned long long)kit_counts(caller).consumers);
    kit_subscribe(b, 1);
    KIT_AWAIT(k, KIT_SOON_MS, kit_counts(caller).consumers == 2, "consumers are %llu, expected 2",
              (unsigned long long)kit_counts(caller).consumers);
    kit_unsubscribe(a);
    kit_instance_stop(b);
    KIT_AWAIT(k, KIT_SOON_MS, kit_counts(caller).consumers == 0, "consumers are %llu, expected 0",
              (unsigned long long)kit_counts(caller).consumers);
}

static void the_age_is_that_of_the_oldest_that_is_ready(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    if (kit_counts(i).oldest_age_ms == PATIO_COUNT_UNKNOWN) {
        kit_skip(k, "it cannot know it, and says so");
    }
    KIT_EQUAL(k, kit_counts(i).oldest_age_ms, 0, "age of nothing");
    kit_send(i, 1);
    kit_sleep_ms(400);
    kit_send(i, 2);
    patio_counts c = kit_counts(i);
    if (c.oldest_age_ms == PATIO_COUNT_UNKNOWN) {
        kit_skip(k, "it cannot know it, and says so");
    }
    KIT_CHECK(k, c.oldest_age_ms >= 390 && c.oldest_age_ms < 20000, "the oldest is %llu ms old",
              (unsigned long long)c.oldest_age_ms);
    kit_subscribe(i, 2);
    (void)kit_delivered(i, 1);
    KIT_AWAIT(k, KIT_SOON_MS, kit_counts(i).oldest_age_ms == 0,
              "nothing is ready, yet aged %llu ms",
              (unsigned long long)kit_counts(i).oldest_age_ms);
}

static void a_caller_of_an_older_abi_gets_what_it_knows(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_send(i, 1);
    patio_counts c   = {.struct_size = offsetof(patio_counts, delayed), .delayed = 77, .dead = 77};
    patio_error  err = PATIO_ERROR_INIT;
    KIT_STATUS(k, kit_instance_counts(i, "q", &c, &err), PATIO_OK, "counts");
    KIT_EQUAL(k, c.ready, 1, "ready");
    KIT_EQUAL(k, c.delayed, 77, "a member beyond struct_size");
    KIT_EQUAL(k, c.dead, 77, "a member beyond struct_size");
}

const kit_case kit_counts_cases[] = {
    {130, 0, "a_queue_that_does_not_exist_is_empty", "transport.h counts", 0, 0, NULL,
     a_queue_that_does_not_exist_is_empty},
    {131, 0, "counts_follow_what_happens", "delivery 21", 0, 0, NULL, counts_follow_what_happens},
    {132, 0, "consumers_are_the_workers_that_are_subscribed", "delivery 21", 0, 0, NULL,
     consumers_are_the_workers_that_are_subscribed},
    {133, 0, "the_age_is_that_of_the_oldest_that_is_ready", "delivery 21", 0, 0, NULL,
     the_age_is_that_of_the_oldest_that_is_ready},
    {134, 0, "a_caller_of_an_older_abi_gets_what_it_knows", "abi: struct_size", 0, 0, NULL,
     a_caller_of_an_older_abi_gets_what_it_knows},
    {0},
};
