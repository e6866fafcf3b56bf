/* Cases 190 to 209: links that are cut, hang, slice and crawl, through the proxy. It stands between
 * the server, or the first peer, which calls, and everybody who comes after it. */
#include "kit.h"

/* The one beside the proxy and the one behind it. */
static kit_pair open_through_proxy(kit *k)
{
    kit_proxy_install(k);
    k->uncertain = true;
    kit_pair p;
    p.caller               = kit_instance_open(k, &(kit_open){.direct = true});
    p.worker               = kit_instance_open(k, NULL);
    p.worker->loose_credit = true; /* what was delivered over the old link counts no more */
    return p;
}

/* A call is answered, whatever it takes: it is repeated with a new id when it is refused or lost.
 */
static void prove_path(kit *k, kit_pair p, uint32_t *number, uint64_t within_ms)
{
    uint64_t until = kit_now_ms() + within_ms;
    for (;;) {
        uint32_t     n  = ++*number;
        patio_status st = kit_publish(
            p.caller, n, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT);
        uint64_t wait = kit_now_ms() + 4000;
        while (st == PATIO_OK && kit_now_ms() < wait && kit_receipts_of(p.caller, n) == 0) {
            if (kit_replies_of(p.caller, n) > 0) {
                return;
            }
            kit_wait_change(k);
        }
        KIT_CHECK(k, kit_now_ms() < until, "no call is answered within %llu ms (last: %s)",
                  (unsigned long long)within_ms, kit_status_name(st));
        kit_sleep_ms(20);
    }
}

static uint64_t recovery_ms(kit *k)
{
    return k->redelivery_ms + KIT_SOON_MS;
}

static void after_each_of_fifty_cuts_work_goes_on(kit *k)
{
    kit_pair p      = open_through_proxy(k);
    uint32_t number = 0;
    kit_subscribe(p.worker, 4);
    kit_work(p.worker);
    prove_path(k, p, &number, KIT_SOON_MS);
    for (uint32_t cut = 0; cut < 50; cut++) {
        uint64_t before = kit_proxy_accepted(k->proxy);
        (void)kit_publish(p.caller, ++number, PATIO_MESSAGE_NO_RECEIPT);
        kit_proxy_cut(k->proxy, cut % 2 != 0);
        KIT_AWAIT(k, recovery_ms(k), kit_proxy_accepted(k->proxy) > before,
                  "after cut %u it does not connect again", cut);
        prove_path(k, p, &number, recovery_ms(k));
    }
    kit_note(k, "%u calls and sends", number);
}

static void a_cut_in_the_middle_of_a_frame_breaks_nothing(kit *k)
{
    kit_pair p      = open_through_proxy(k);
    uint32_t number = 0;
    kit_subscribe(p.worker, 4);
    kit_work(p.worker);
    prove_path(k, p, &number, KIT_SOON_MS);
    for (uint32_t cut = 0; cut < 24; cut++) {
        kit_proxy_cut_after(k->proxy, 1 + cut * 5, cut % 3 == 2);
        prove_path(k, p, &number, recovery_ms(k));
        kit_proxy_cut_after(k->proxy, 0, false);
    }
    kit_note(k, "%llu connections", (unsigned long long)kit_proxy_accepted(k->proxy));
}

static uint64_t fence_of(kit *k, uint32_t number)
{
    pthread_mutex_lock(&k->lock);
    uint64_t fence = kit_map_get(k->fences, number);
    pthread_mutex_unlock(&k->lock);
    return fence;
}

/* What was accepted before and while the link is cut is done, once the link is back. */
static void what_was_accepted_survives_cuts(kit *k)
{
    enum { TASKS = 300 };
    static bool accepted[TASKS];
    kit_pair    p = open_through_proxy(k);
    kit_subscribe(p.worker, 4);
    kit_work(p.worker);
    for (uint32_t n = 0; n < TASKS; n++) {
        patio_status st = kit_publish(p.caller, n, 0);
        if (n % 30 == 15) {
            kit_proxy_cut(k->proxy, n % 60 == 15);
        }
        accepted[n] = st == PATIO_OK;
    }
    for (uint32_t n = 0; n < TASKS; n++) {
        accepted[n] = accepted[n] && kit_outcome(p.caller, n) == PATIO_ACCEPTED;
    }
    uint64_t until = kit_now_ms() + recovery_ms(k) + 20000;
    for (uint32_t n = 0; n < TASKS; n++) {
        while (accepted[n] && fence_of(k, n) == 0) {
            KIT_CHECK(k, kit_now_ms() < until, "task %u was accepted and never delivered", n);
            kit_wait_change(k);
        }
    }
    KIT_AWAIT(k, recovery_ms(k) + 20000,
              kit_known(kit_counts(p.caller).ready) == 0 &&
                  kit_known(kit_counts(p.caller).leased) == 0,
              "ready %llu, leased %llu are left",
              (unsigned long long)kit_known(kit_counts(p.caller).ready),
              (unsigned long long)kit_known(kit_counts(p.caller).leased));
}

static void half_open(kit *k, uint32_t flags)
{
    kit_pair p      = open_through_proxy(k);
    uint32_t number = 0;
    kit_subscribe(p.worker, 2);
    kit_work(p.worker);
    prove_path(k, p, &number, KIT_SOON_MS);
    uint32_t downs = KIT_GET(p.worker, downs);
    uint64_t from  = kit_now_ms();
    kit_proxy_set(k->proxy, flags);
    KIT_AWAIT(k, recovery_ms(k), KIT_GET(p.worker, downs) > downs || kit_meshes(k),
              "a dead link is still said to be up after %llu ms",
              (unsigned long long)recovery_ms(k));
    if (!kit_meshes(k)) {
        kit_note(k, "noticed after %llu ms", (unsigned long long)(kit_now_ms() - from));
    } else {
        uint64_t before = kit_proxy_accepted(k->proxy);
        KIT_AWAIT(k, recovery_ms(k), kit_proxy_accepted(k->proxy) > before,
                  "a dead link is not given up");
        kit_note(k, "given up after %llu ms", (unsigned long long)(kit_now_ms() - from));
    }
    kit_proxy_set(k->proxy, 0);
    kit_proxy_cut(k->proxy, true);
    prove_path(k, p, &number, recovery_ms(k));
}

static void a_link_that_swallows_both_ways_is_noticed(kit *k)
{
    half_open(k, KIT_PROXY_HOLD_UP | KIT_PROXY_HOLD_DOWN);
}

static void a_link_that_swallows_what_we_send_is_noticed(kit *k)
{
    half_open(k, KIT_PROXY_HOLD_UP);
}

static void a_link_that_swallows_what_we_should_hear_is_noticed(kit *k)
{
    half_open(k, KIT_PROXY_HOLD_DOWN);
}

static void shaped(kit *k, uint32_t slice, uint64_t delay_ms, uint64_t rate, uint32_t tasks,
                   size_t bytes)
{
    kit_pair p = open_through_proxy(k);
    kit_subscribe(p.worker, 4);
    kit_work(p.worker);
    uint32_t number = 1000;
    prove_path(k, p, &number, KIT_SOON_MS);
    uint32_t before = KIT_GET(p.caller, reply_count);
    uint32_t downs  = KIT_GET(p.worker, downs);
    kit_proxy_shape(k->proxy, slice, delay_ms, rate);
    for (uint32_t n = 0; n < tasks; n++) {
        patio_message m = kit_message(
            k, n, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT);
        KIT_STATUS(k, kit_publish_message(p.caller, &m, bytes, NULL), PATIO_OK, "publish");
    }
    KIT_AWAIT(k, 90000, KIT_GET(p.caller, reply_count) >= before + tasks,
              "%u of %u calls are answered", KIT_GET(p.caller, reply_count) - before, tasks);
    KIT_EQUAL(k, KIT_GET(p.worker, downs), downs, "times the link was given up");
}

static void bytes_may_come_one_by_one(kit *k)
{
    shaped(k, 1, 0, 0, 12, 60);
}

static void bytes_may_come_late(kit *k)
{
    shaped(k, 0, 40, 0, 40, 300);
}

static void a_thin_link_is_slow_and_not_dead(kit *k)
{
    shaped(k, 0, 0, 60000, 12, 40000);
}

static void a_publish_into_a_dead_link_has_an_outcome(kit *k)
{
    kit_proxy_install(k);
    k->uncertain    = true;
    kit_instance *a = kit_instance_open(k, &(kit_open){.direct = true});
    kit_instance *b = kit_instance_open(k, NULL);
    (void)a;
    kit_proxy_set(k->proxy, KIT_PROXY_HOLD_UP | KIT_PROXY_HOLD_DOWN);
    uint32_t taken = 0;
    for (uint32_t n = 0; n < 10; n++) {
        patio_error   err  = PATIO_ERROR_INIT;
        patio_message m    = kit_message(k, n, 0);
        uint64_t      from = kit_now_ms();
        patio_status  st   = kit_publish_message(b, &m, 100, &err);
        KIT_CHECK(k, kit_now_ms() - from < 4000, "publish blocked for %llu ms",
                  (unsigned long long)(kit_now_ms() - from));
        taken += st == PATIO_OK;
    }
    KIT_AWAIT(k, recovery_ms(k), KIT_GET(b, receipt_count) >= taken,
              "%u of %u publishes have an outcome", KIT_GET(b, receipt_count), taken);
    kit_note(k, "%u taken", taken);
}

static void stop_ends_on_a_dead_link(kit *k)
{
    kit_pair p = open_through_proxy(k);
    kit_subscribe(p.worker, 2);
    kit_send(p.caller, 1);
    (void)kit_delivered(p.worker, 0);
    kit_proxy_set(k->proxy, KIT_PROXY_HOLD_UP | KIT_PROXY_HOLD_DOWN);
    (void)kit_settle(p.worker, kit_delivered(p.worker, 0).tag, PATIO_ACK, 0, NULL, NULL);
    uint64_t    from = kit_now_ms();
    patio_error err  = PATIO_ERROR_INIT;
    (void)k->ops->stop(p.worker->t, 1000, &err);
    atomic_store(&p.worker->stopped, true);
    KIT_CHECK(k, kit_now_ms() - from < 1000 + KIT_SOON_MS / 2,
              "stop with a grace of 1 s took %llu ms", (unsigned long long)(kit_now_ms() - from));
}

static void a_subscription_is_kept_over_a_cut(kit *k)
{
    kit_pair p = open_through_proxy(k);
    kit_subscribe(p.worker, 2);
    kit_sleep_ms(100);
    kit_proxy_cut(k->proxy, false);
    kit_send(p.caller, 1);
    (void)kit_delivered_within(p.worker, 0, recovery_ms(k));
}

const kit_case kit_link_cases[] = {
    {190, 120, "after_each_of_fifty_cuts_work_goes_on", "delivery 15", 0, KIT_LINK, NULL,
     after_each_of_fifty_cuts_work_goes_on},
    {191, 120, "a_cut_in_the_middle_of_a_frame_breaks_nothing", "delivery 15", 0, KIT_LINK, NULL,
     a_cut_in_the_middle_of_a_frame_breaks_nothing},
    {192, 120, "what_was_accepted_survives_cuts", "delivery: submitting", 0, KIT_LINK, NULL,
     what_was_accepted_survives_cuts},
    {193, 90, "a_link_that_swallows_both_ways_is_noticed", "delivery 15", 0, KIT_LINK, NULL,
     a_link_that_swallows_both_ways_is_noticed},
    {194, 90, "a_link_that_swallows_what_we_send_is_noticed", "delivery 15", 0, KIT_LINK, NULL,
     a_link_that_swallows_what_we_send_is_noticed},
    {195, 90, "a_link_that_swallows_what_we_should_hear_is_noticed", "delivery 15", 0, KIT_LINK,
     NULL, a_link_that_swallows_what_we_should_hear_is_noticed},
    {196, 120, "bytes_may_come_one_by_one", "delivery 15", 0, KIT_LINK, NULL,
     bytes_may_come_one_by_one},
    {197, 120, "bytes_may_come_late", "delivery 15", 0, KIT_LINK, NULL, bytes_may_come_late},
    {198, 120, "a_thin_link_is_slow_and_not_dead", "delivery 15", 0, KIT_LINK, NULL,
     a_thin_link_is_slow_and_not_dead},
    {199, 90, "a_publish_into_a_dead_link_has_an_outcome", "delivery: submitting", 0, KIT_LINK,
     NULL, a_publish_into_a_dead_link_has_an_outcome},
    {200, 0, "stop_ends_on_a_dead_link", "transport.h stop", 0, KIT_LINK, NULL,
     stop_ends_on_a_dead_link},
    {201, 0, "a_subscription_is_kept_over_a_cut", "delivery 15", 0, KIT_LINK, NULL,
     a_subscription_is_kept_over_a_cut},
    {0},
};
