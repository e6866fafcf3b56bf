/* Cases 30 to 49: handing tasks over. */
#include <stdlib.h>

#include "kit.h"

static void each_publish_has_exactly_one_outcome(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    for (uint32_t n = 0; n < 50; n++) {
        kit_send(i, n);
    }
    kit_sleep_ms(100);
    for (uint32_t n = 0; n < 50; n++) {
        KIT_EQUAL(k, kit_receipts_of(i, n), 1, "outcomes of one publish");
    }
    kit_await_counts(i, 50, 0, 0, 0);
}

static void without_receipt_success_is_silent(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_subscribe(i, 20);
    for (uint32_t n = 0; n < 20; n++) {
        KIT_STATUS(k, kit_publish(i, n, PATIO_MESSAGE_NO_RECEIPT), PATIO_OK, "publish");
    }
    (void)kit_delivered(i, 19);
    kit_sleep_ms(100);
    KIT_EQUAL(k, KIT_GET(i, receipt_count), 0, "receipts that nobody asked for");
}

static void the_level_reached_is_told_and_can_be_demanded(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_send(i, 1);
    pthread_mutex_lock(&k->lock);
    uint32_t level = i->receipts[0].level;
    pthread_mutex_unlock(&k->lock);
    kit_note(k, "level %u", level);
    KIT_CHECK(k, level <= PATIO_LEVEL_REPLICATED, "level %u does not exist", level);
    KIT_CHECK(k, (k->ops->caps & PATIO_CAP_PERSIST) == 0 || level >= PATIO_LEVEL_DISK,
              "\"persist\" is declared, and what is accepted has level %u", level);
    patio_message m = kit_message(k, 2, 0);
    m.level         = (uint16_t)level;
    kit_send_message(i, &m);
    if (level == PATIO_LEVEL_REPLICATED) {
        return;
    }
    patio_error err = PATIO_ERROR_INIT;
    m               = kit_message(k, 3, 0);
    m.level         = PATIO_LEVEL_REPLICATED;
    patio_status st = kit_publish_message(i, &m, 10, &err);
    if (st == PATIO_OK) {
        /* a server's answer decides; it must not be less than was demanded */
        uint32_t outcome = kit_outcome(i, 3);
        KIT_CHECK(k, outcome != PATIO_ACCEPTED || i->receipts[2].level >= PATIO_LEVEL_REPLICATED,
                  "level 3 was demanded, less was accepted");
    } else {
        KIT_STATUS(k, st, PATIO_UNSUPPORTED, "publish with a level that cannot be reached");
        KIT_CHECK(k, strstr(err.message, "level") != NULL, "the refusal names no level: %s",
                  err.message);
    }
}

static void bodies_of_all_sizes_arrive_as_they_were(kit *k)
{
    static const size_t sizes[] = {0,    1,     2,     127,   128,    255,    256,     4095,
                                   4096, 65535, 65536, 65537, 131072, 300000, 1048575, 1048576};
    kit_pair            p       = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    for (uint32_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        patio_message m = kit_message(
            k, n, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT);
        KIT_STATUS(k, kit_publish_message(p.caller, &m, sizes[n], NULL), PATIO_OK, "publish");
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_EQUAL(k, d.size, sizes[n], "size of the body");
        kit_settle_ok(p.worker, d.tag, PATIO_ACK, 0, (int64_t)sizes[n]);
        KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, n) == 1, "no reply of %zu bytes",
                  sizes[n]);
    }
}

static void a_large_body_arrives_as_it_was(kit *k)
{
    kit_pair p = kit_pair_open(k, &(kit_open){.max_body_bytes = 9000000});
    k->uncertain =
        true; /* where a machine is slow this takes longer than a lease, and comes again */
    kit_subscribe(p.worker, 1);
    kit_work(p.worker);
    patio_message m   = kit_message(k, 1, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE);
    patio_error   err = PATIO_ERROR_INIT;
    patio_status  st  = kit_publish_message(p.caller, &m, 8 << 20, &err);
    if (st == PATIO_TOO_LARGE) {
        kit_check_error(k, &err, st, "publish");
        kit_note(k, "a limit of its own is below 8 MiB");
        return;
    }
    KIT_STATUS(k, st, PATIO_OK, "publish of 8 MiB");
    KIT_AWAIT(k, 3 * KIT_SOON_MS, kit_replies_of(p.caller, 1) >= 1, "no reply");
    KIT_EQUAL(k, kit_delivered(p.worker, 0).size, 8 << 20, "size of the body");
}

static void the_size_limit_is_exact(kit *k)
{
    kit_instance *i   = kit_instance_open(k, &(kit_open){.max_body_bytes = 5000});
    patio_error   err = PATIO_ERROR_INIT;
    patio_message m   = kit_message(k, 1, 0);
    KIT_STATUS(k, kit_publish_message(i, &m, 5001, &err), PATIO_TOO_LARGE, "publish of 1 too many");
    kit_check_error(k, &err, PATIO_TOO_LARGE, "publish");
    KIT_STATUS(k, kit_publish_message(i, &m, 5000, &err), PATIO_OK, "publish of the most");
    KIT_EQUAL(k, kit_outcome(i, 1), PATIO_ACCEPTED, "outcome");
    kit_await_counts(i, 1, 0, 0, 0);
}

typedef struct load {
    kit_instance *i;
    uint32_t      first;
    uint32_t      count;
    uint32_t      flags;
    uint32_t      full;
    pthread_t     thread;
} load;

static void *publish_many(void *arg)
{
    load *l = arg;
    for (uint32_t n = 0; n < l->count;) {
        patio_status st = kit_publish(l->i, l->first + n, l->flags);
        if (st == PATIO_FULL || st == PATIO_BLOCKED) {
            l->full++;
            kit_sleep_ms(5);
            continue;
        }
        if (st != PATIO_OK) {
            kit_breach(l->i->k, "publish returned %s", kit_status_name(st));
        }
        n++;
    }
    return NULL;
}

enum { PUBLISHERS = 200, EACH = 20 };

static void hundreds_publish_at_once(kit *k)
{
    static load all[PUBLISHERS];
    kit_pair    p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 16);
    kit_work(p.worker);
    for (uint32_t n = 0; n < PUBLISHERS; n++) {
        all[n] = (load){.i = p.caller, .first = n * EACH, .count = EACH};
        KIT_CHECK(k, pthread_create(&all[n].thread, NULL, publish_many, &all[n]) == 0, "no thread");
    }
    for (uint32_t n = 0; n < PUBLISHERS; n++) {
        (void)pthread_join(all[n].thread, NULL);
    }
    (void)kit_delivered_within(p.worker, PUBLISHERS * EACH - 1, 60000);
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(p.caller, receipt_count) >= PUBLISHERS * EACH,
              "%u of %u publishes have an outcome", KIT_GET(p.caller, receipt_count),
              PUBLISHERS * EACH);
    for (uint32_t n = 0; n < PUBLISHERS * EACH; n++) {
        KIT_EQUAL(k, kit_receipts_of(p.caller, n), 1, "outcomes of one publish");
    }
    KIT_EQUAL(k, kit_delivered_count(p.worker), PUBLISHERS * EACH, "number of deliveries");
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

static void many_calls_are_each_answered_once(kit *k)
{
    enum { CALLS = 3000 };
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 32);
    kit_work(p.worker);
    load l = {.i     = p.caller,
              .count = CALLS,
              .flags = PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT};
    (void)publish_many(&l);
    KIT_AWAIT(k, 60000, KIT_GET(p.caller, reply_count) >= CALLS, "%u of %u calls have a reply",
              KIT_GET(p.caller, reply_count), CALLS);
    kit_await_counts(p.caller, 0, 0, 0, 0);
    KIT_EQUAL(k, KIT_GET(p.caller, reply_count), CALLS, "replies");
    KIT_EQUAL(k, KIT_GET(p.caller, receipt_count), 0, "failures");
}

static void the_same_id_may_be_published_again(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_send(i, 1);
    KIT_STATUS(k, kit_publish(i, 1, 0), PATIO_OK, "publish of the same id");
    KIT_AWAIT(k, KIT_SOON_MS, kit_receipts_of(i, 1) == 2, "the second publish has no outcome");
    i->foreign_bodies = true; /* two fences of one number */
    kit_subscribe(i, 2);
    kit_delivery d = kit_delivered(i, 0);
    kit_ack(i, d.tag);
}

static void a_call_nobody_can_run_is_refused_at_once(kit *k)
{
    kit_instance *i   = kit_instance_open(k, NULL);
    patio_error   err = PATIO_ERROR_INIT;
    patio_message m   = kit_message(k, 1, PATIO_MESSAGE_CALL);
    patio_status  st  = kit_publish_message(i, &m, 10, &err);
    if (st == PATIO_OK) {
        KIT_EQUAL(k, kit_outcome(i, 1), PATIO_REJECTED, "outcome");
        st = i->receipts[0].status;
    } else {
        kit_check_error(k, &err, st, "publish");
    }
    KIT_STATUS(k, st, PATIO_NO_ROUTE, "a call nobody can run");
    kit_await_counts(i, 0, 0, 0, 0);
}

static void a_call_that_waits_for_a_route_finds_it(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_call(p.caller, 1);
    kit_subscribe(p.worker, 1);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 0).tag, PATIO_ACK, 0, 10);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, 1) == 1, "no reply");
}

static void a_send_waits_for_a_worker(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    for (uint32_t n = 0; n < 5; n++) {
        kit_send(p.caller, n);
    }
    kit_await_counts(p.caller, 5, 0, 0, 0);
    kit_subscribe(p.worker, 5);
    for (uint32_t n = 0; n < 5; n++) {
        kit_ack(p.worker, kit_delivered(p.worker, n).tag);
    }
    kit_await_counts(p.caller, 0, 0, 0, 0);
}

static void publishing_from_inside(kit_instance *i, const patio_receipt *r)
{
    (void)r;
    uint64_t n = atomic_fetch_add(&i->counter, 1) + 1;
    if (n < 100) {
        if (kit_publish(i, (uint32_t)n, 0) != PATIO_OK) {
            kit_breach(i->k, "publish from inside published failed");
        }
    }
}

static void publish_may_be_called_from_inside_an_event(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    i->on_published = publishing_from_inside;
    KIT_STATUS(k, kit_publish(i, 0, 0), PATIO_OK, "publish");
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(i, receipt_count) >= 100, "%u of 100 outcomes",
              KIT_GET(i, receipt_count));
}

static void names_may_be_long_and_of_any_letters(kit *k)
{
    static char task[256];
    static char queue[256];
    memset(task, 'x', 255);
    memset(queue, 'q', 255);
    static const char *const tasks[] = {"zażółć ✓", "a b/c%d", task};
    kit_instance            *i       = kit_instance_open(k, NULL);
    KIT_STATUS(k, kit_try_subscribe(i, "Q.1_a-b", 3, tasks, 3), PATIO_OK, "subscribe");
    for (uint32_t n = 0; n < 3; n++) {
        patio_message m = kit_message(k, n, 0);
        m.task          = tasks[n];
        m.queue         = "Q.1_a-b";
        kit_send_message(i, &m);
        kit_delivery d = kit_delivered(i, n);
        KIT_CHECK(k, strncmp(d.task, tasks[n], sizeof(d.task) - 1) == 0, "task \"%s\"", d.task);
        kit_ack(i, d.tag);
    }
    patio_message m  = kit_message(k, 4, 0);
    m.queue          = queue;
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = kit_publish_message(i, &m, 10, &err);
    if (st == PATIO_INVALID || st == PATIO_UNSUPPORTED) { /* its server has a bound of its own */
        kit_check_error(k, &err, st, "publish");
        kit_note(k, "a queue of 255 bytes is refused");
        return;
    }
    KIT_STATUS(k, st, PATIO_OK, "publish to a queue with a long name");
    KIT_EQUAL(k, kit_outcome(i, 4), PATIO_ACCEPTED, "outcome");
    patio_counts c = {PATIO_SIZED(patio_counts)};
    KIT_STATUS(k, k->ops->counts(i->t, queue, 5000, &c, NULL), PATIO_OK, "counts");
    KIT_EQUAL(k, c.ready, 1, "tasks in a queue with a long name");
}

const kit_case kit_publish_cases[] = {
    {30, 0, "each_publish_has_exactly_one_outcome", "abi: exactly one completion", 0, 0, NULL,
     each_publish_has_exactly_one_outcome},
    {31, 0, "without_receipt_success_is_silent", "message.h NO_RECEIPT", 0, 0, NULL,
     without_receipt_success_is_silent},
    {32, 0, "the_level_reached_is_told_and_can_be_demanded", "delivery: level", 0, 0, NULL,
     the_level_reached_is_told_and_can_be_demanded},
    {33, 0, "bodies_of_all_sizes_arrive_as_they_were", "transport.h: never looks into a body", 0, 0,
     NULL, bodies_of_all_sizes_arrive_as_they_were},
    {34, 90, "a_large_body_arrives_as_it_was", "delivery 19", 0, 0, NULL,
     a_large_body_arrives_as_it_was},
    {35, 0, "the_size_limit_is_exact", "delivery 19", 0, 0, NULL, the_size_limit_is_exact},
    {36, 120, "hundreds_publish_at_once", "abi: threads", 0, 0, NULL, hundreds_publish_at_once},
    {37, 120, "many_calls_are_each_answered_once", "delivery 12", 0, 0, NULL,
     many_calls_are_each_answered_once},
    {38, 0, "the_same_id_may_be_published_again", "delivery: submitting", 0, 0, NULL,
     the_same_id_may_be_published_again},
    {39, 0, "a_call_nobody_can_run_is_refused_at_once", "delivery 14", PATIO_CAP_ROUTES, 0, NULL,
     a_call_nobody_can_run_is_refused_at_once},
    {40, 0, "a_call_that_waits_for_a_route_finds_it", "message.h WAIT_ROUTE", 0, 0, NULL,
     a_call_that_waits_for_a_route_finds_it},
    {41, 0, "a_send_waits_for_a_worker", "transport.h QUEUE", PATIO_CAP_QUEUE, 0, NULL,
     a_send_waits_for_a_worker},
    {42, 0, "publish_may_be_called_from_inside_an_event", "abi: threads", 0, 0, NULL,
     publish_may_be_called_from_inside_an_event},
    {43, 0, "names_may_be_long_and_of_any_letters", "message.h queue, task", 0, 0, NULL,
     names_may_be_long_and_of_any_letters},
    {0},
};
