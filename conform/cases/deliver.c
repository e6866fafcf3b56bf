/* Cases 70 to 89: who gets what, and how much at once. */
#include "kit.h"

static void credit_is_never_exceeded(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 3);
    for (uint32_t n = 0; n < 60; n++) {
        kit_send(p.caller, n);
    }
    (void)kit_delivered(p.worker, 2);
    kit_quiet(p.worker, 3, 200);
    static const uint32_t verdicts[] = {PATIO_ACK, PATIO_RETURN, PATIO_ACK, PATIO_RETRY};
    for (uint32_t n = 0; n < 60; n++) {
        kit_settle_ok(p.worker, kit_delivered(p.worker, n).tag, verdicts[n % 4], 0, -1);
    }
    KIT_EQUAL(k, KIT_GET(p.worker, most_unsettled), 3, "most unsettled at once");
}

static void no_credit_pauses_and_new_credit_goes_on(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 0);
    for (uint32_t n = 0; n < 10; n++) {
        kit_send(p.caller, n);
    }
    kit_quiet(p.worker, 0, 200);
    kit_subscribe(p.worker, 2);
    (void)kit_delivered(p.worker, 1);
    kit_quiet(p.worker, 2, 100);
    kit_subscribe(p.worker, 5);
    (void)kit_delivered(p.worker, 4);
    kit_quiet(p.worker, 5, 100);
    kit_subscribe(p.worker, 1); /* less than is out: nothing new until it fits */
    for (uint32_t n = 0; n < 4; n++) {
        kit_ack(p.worker, kit_delivered(p.worker, n).tag);
    }
    kit_quiet(p.worker, 5, 200);
    kit_ack(p.worker, kit_delivered(p.worker, 4).tag);
    (void)kit_delivered(p.worker, 5);
    kit_quiet(p.worker, 6, 100);
}

static void nothing_new_comes_after_unsubscribe(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    for (uint32_t n = 0; n < 5; n++) {
        kit_send(p.caller, n);
    }
    kit_delivery d = kit_delivered(p.worker, 0);
    kit_unsubscribe(p.worker);
    kit_ack(p.worker, d.tag); /* what is delivered is still to be settled */
    kit_quiet(p.worker, 1, 300);
    KIT_STATUS(k, k->ops->unsubscribe(p.worker->t, "q", NULL), PATIO_NOT_FOUND, "unsubscribe");
    kit_await_counts(p.caller, 4, 0, 0, 0);
    kit_subscribe(p.worker, 10); /* and back */
    (void)kit_delivered(p.worker, 4);
}

static void only_tasks_that_are_known_are_delivered(kit *k)
{
    static const char *const tasks[] = {"a", "b"};
    kit_pair                 p       = kit_pair_open(k, NULL);
    KIT_STATUS(k, kit_try_subscribe(p.worker, "q", 20, tasks, 2), PATIO_OK, "subscribe");
    for (uint32_t n = 0; n < 9; n++) {
        patio_message m = kit_message(k, n, 0);
        m.task          = n % 3 == 0 ? "stranger" : tasks[n % 3 - 1];
        kit_send_message(p.caller, &m);
    }
    for (uint32_t n = 0; n < 6; n++) {
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_CHECK(k, d.number % 3 != 0, "task %s was delivered to a worker without it", d.task);
        kit_ack(p.worker, d.tag);
    }
    kit_quiet(p.worker, 6, 200);
    kit_await_counts(p.caller, 3, 0, 0, 0);
    static const char *const all[] = {"a", "b", "stranger"};
    KIT_STATUS(k, kit_try_subscribe(p.worker, "q", 20, all, 3), PATIO_OK, "subscribe");
    (void)kit_delivered(p.worker, 8);
}

/* Who of several idle workers is next is the transport's affair, and may always be the same. But
 * where the others hold what their credit allows, it is the one that has some left. */
static void a_task_goes_to_one_worker_only(kit *k)
{
    enum { TASKS = 200, CREDIT = 4, WORKERS = 3 };
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *w[WORKERS];
    for (uint32_t n = 0; n < WORKERS; n++) {
        w[n] = kit_instance_open(k, NULL);
        kit_subscribe(w[n], CREDIT);
    }
    for (uint32_t n = 0; n < WORKERS * CREDIT; n++) {
        kit_send(caller, n);
    }
    for (uint32_t n = 0; n < WORKERS; n++) {
        (void)kit_delivered(w[n], CREDIT - 1);
    }
    for (uint32_t n = 0; n < WORKERS; n++) {
        kit_work(w[n]);
    }
    for (uint32_t n = WORKERS * CREDIT; n < TASKS; n++) {
        kit_send(caller, n);
    }
    KIT_AWAIT(k, KIT_SOON_MS,
              kit_delivered_count(w[0]) + kit_delivered_count(w[1]) + kit_delivered_count(w[2]) >=
                  TASKS,
              "not all of %d tasks are delivered", TASKS);
    kit_await_counts(caller, 0, 0, 0, 0);
    KIT_EQUAL(k, kit_delivered_count(w[0]) + kit_delivered_count(w[1]) + kit_delivered_count(w[2]),
              TASKS, "deliveries");
}

/* Credit 1 each: behind a task that does not end nothing waits while another worker is idle. */
static void a_slow_task_holds_nobody_back(kit *k)
{
    kit_instance *caller = kit_instance_open(k, NULL);
    kit_instance *slow   = kit_instance_open(k, NULL);
    kit_subscribe(slow, 1);
    kit_send(caller, 0);
    (void)kit_delivered(slow, 0); /* and holds it */
    kit_instance *fast = kit_instance_open(k, NULL);
    kit_subscribe(fast, 1);
    for (uint32_t n = 1; n <= 20; n++) {
        kit_send(caller, n);
    }
    for (uint32_t n = 0; n < 20; n++) {
        kit_ack(fast, kit_delivered(fast, n).tag);
    }
    KIT_EQUAL(k, kit_delivered_count(slow), 1, "deliveries to the busy worker");
}

static void several_queues_share_an_instance(kit *k)
{
    static const char *const tasks[]  = {"t"};
    static const char *const queues[] = {"q1", "q2", "q3"};
    kit_pair                 p        = kit_pair_open(k, NULL);
    for (uint32_t q = 0; q < 3; q++) {
        KIT_STATUS(k, kit_try_subscribe(p.worker, queues[q], 2, tasks, 1), PATIO_OK, "subscribe");
    }
    for (uint32_t n = 0; n < 30; n++) {
        patio_message m = kit_message(k, n, 0);
        m.queue         = queues[n % 3];
        kit_send_message(p.caller, &m);
    }
    kit_work(p.worker);
    (void)kit_delivered(p.worker, 29);
    KIT_CHECK(k, KIT_GET(p.worker, most_unsettled) <= 2, "credit is per queue");
}

static void a_first_delivery_looks_like_one(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    patio_message m =
        kit_message(k, 1, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_IDEMPOTENT);
    kit_send_message(p.caller, &m);
    kit_delivery d = kit_delivered(p.worker, 0);
    KIT_EQUAL(k, d.attempt, 1, "attempt");
    KIT_EQUAL(k, d.crashes, 0, "crashes");
    KIT_EQUAL(k, d.flags & PATIO_MESSAGE_REDELIVERED, 0, "REDELIVERED");
    KIT_EQUAL(k, d.flags & PATIO_MESSAGE_CALL, PATIO_MESSAGE_CALL, "CALL");
    KIT_EQUAL(k, d.flags & PATIO_MESSAGE_IDEMPOTENT, PATIO_MESSAGE_IDEMPOTENT, "IDEMPOTENT");
    KIT_CHECK(k, memcmp(&d.id, &m.id, sizeof(m.id)) == 0, "the id is another one");
    KIT_CHECK(k, strcmp(d.task, "t") == 0 && strcmp(d.queue, "q") == 0, "task %s of queue %s",
              d.task, d.queue);
}

/* What the host says of a task travels with it, whatever the transport makes of it. */
static void what_the_host_marks_is_carried(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    uint32_t keep   = (k->ops->caps & PATIO_CAP_RESULTS) != 0 ? PATIO_MESSAGE_KEEP_RESULT : 0;
    uint32_t want   = PATIO_MESSAGE_CALL | PATIO_MESSAGE_IDEMPOTENT | PATIO_MESSAGE_POLICY | keep;
    patio_message m = kit_message(k, 1, want | PATIO_MESSAGE_WAIT_ROUTE);
    kit_send_message(p.caller, &m);
    for (uint32_t n = 0; n < 2; n++) { /* also when it comes again */
        kit_delivery d = kit_delivered(p.worker, n);
        KIT_EQUAL(k, d.flags & PATIO_MESSAGE_CARRIED, want, "flags that came along");
        kit_settle_ok(p.worker, d.tag, n == 0 ? PATIO_RETRY : PATIO_ACK, 0, n == 0 ? -1 : 10);
    }
}

const kit_case kit_deliver_cases[] = {
    {70, 0, "credit_is_never_exceeded", "delivery 11", 0, 0, NULL, credit_is_never_exceeded},
    {71, 0, "no_credit_pauses_and_new_credit_goes_on", "transport.h subscribe", 0, 0, NULL,
     no_credit_pauses_and_new_credit_goes_on},
    {72, 0, "nothing_new_comes_after_unsubscribe", "transport.h unsubscribe", 0, 0, NULL,
     nothing_new_comes_after_unsubscribe},
    {73, 0, "only_tasks_that_are_known_are_delivered", "delivery 17", PATIO_CAP_ROUTES, 0, NULL,
     only_tasks_that_are_known_are_delivered},
    {74, 0, "a_task_goes_to_one_worker_only", "delivery: lease", 0, 0, NULL,
     a_task_goes_to_one_worker_only},
    {75, 0, "a_slow_task_holds_nobody_back", "delivery 11", 0, 0, NULL,
     a_slow_task_holds_nobody_back},
    {76, 0, "several_queues_share_an_instance", "transport.h subscription", 0, 0, NULL,
     several_queues_share_an_instance},
    {77, 0, "a_first_delivery_looks_like_one", "message.h patio_message", 0, 0, NULL,
     a_first_delivery_looks_like_one},
    {78, 0, "what_the_host_marks_is_carried", "message.h PATIO_MESSAGE_CARRIED", 0, 0, NULL,
     what_the_host_marks_is_carried},
    {0},
};
