/* What a worker may hold of a queue changes while it holds tasks: RabbitMQ gives it no more than it
 * has room for, and no less. */
#include "world.h"

/* Tasks that run until they are let go, one after the other. */
static _Atomic(uint32_t) begun;
static _Atomic(uint32_t) let_go;
static _Atomic(uint32_t) ended;

static patio_status task_hold(patio_context *ctx)
{
    (void)ctx;
    atomic_fetch_add(&begun, 1);
    while (atomic_load(&ended) >= atomic_load(&let_go)) {
        test_pause();
    }
    atomic_fetch_add(&ended, 1);
    return PATIO_OK;
}

static void send_some(world *w, patio_broker *caller, const char *task, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_ok(patio_send(caller, task, PATIO_NO_ARGS, NULL, NULL, &w->f.err), w->f.err);
    }
}

/* What was fetched ahead has gone back: the credit is 2 instead of 6, and 2 are held. */
static patio_broker *start_full(world *w, const char *options)
{
    atomic_store(&begun, 0);
    atomic_store(&let_go, 0);
    atomic_store(&ended, 0);
    world_init(w, options);
    add_task(w->f.registry, "hold", task_hold, NULL);
    patio_broker *caller = world_caller(w);
    w->f.broker          = start_broker(&w->f, w->f.registry,
                                        SETTINGS(w->url, w->project_setting, "executor.workers=2",
                                                 "lookahead=4", "lookahead_wait_ms=50"));
    send_some(w, caller, "hold", 2);
    AWAIT(atomic_load(&begun) == 2);
    send_some(w, caller, "count", 4);
    AWAIT(counts_of(caller, NULL).ready == 4 && counts_of(caller, NULL).leased == 2);
    return caller;
}

static void finish(world *w, patio_broker *caller)
{
    atomic_store(&let_go, UINT32_MAX);
    AWAIT(counts_of(caller, NULL).ready + counts_of(caller, NULL).leased == 0);
    assert_int_equal(stats_of(w->f.broker).settlements_failed, 0);
    close_broker(caller);
    world_close(w);
}

static void what_is_held_counts(const char *options)
{
    world         w;
    patio_broker *caller = start_full(&w, options);
    assert_int_equal(counts_of(caller, NULL).consumers, 1); /* it is full, and works all the same */
    patio_broker *idle = world_worker(&w, "lookahead=0");
    AWAIT(stats_of(idle).tasks_ok == 4); /* none of them waits with the one that is full */
    assert_int_equal(atomic_load(&runs), 4);
    assert_int_equal(stats_of(w.f.broker).tasks_ok, 0);
    close_broker(idle);
    finish(&w, caller);
}

static void what_is_held_counts_with_a_new_credit(void **state)
{
    (void)state;
    what_is_held_counts("");
}

static void what_is_held_counts_on_quorum_queues_too(void **state)
{
    (void)state;
    what_is_held_counts("?queue_type=quorum");
}

/* No slot stays empty for what another task holds, and all are used again at the end. */
static void a_slot_that_is_free_is_used(void **state)
{
    (void)state;
    world         w;
    patio_broker *caller = start_full(&w, "");
    atomic_store(&let_go, 1);
    AWAIT(atomic_load(&runs) == 4); /* one after the other, beside the one that still holds */
    assert_int_equal(atomic_load(&ended), 1);
    for (uint32_t more = 1; more <= 3; more++) {
        send_some(&w, caller, "hold", 1);
        AWAIT(atomic_load(&begun) == 2 + more); /* two at once, each time */
        atomic_store(&let_go, 1 + more);
        AWAIT(atomic_load(&ended) == 1 + more);
    }
    send_some(&w, caller, "hold", 1);
    AWAIT(atomic_load(&begun) == 6 && atomic_load(&ended) == 4);
    finish(&w, caller);
}

/* RabbitMQ does not count it any more, and brings another one in its place. */
static void what_is_acknowledged_before_its_run_counts(void **state)
{
    (void)state;
    world              w;
    patio_task_options early = {PATIO_SIZED(patio_task_options), .ack = PATIO_ACK_ON_START};
    atomic_store(&begun, 0);
    atomic_store(&let_go, 0);
    atomic_store(&ended, 0);
    world_init(&w, "");
    add_task(w.f.registry, "hold", task_hold, &early);
    patio_broker *caller = world_caller(&w);
    w.f.broker =
        start_broker(&w.f, w.f.registry, SETTINGS(w.url, w.project_setting, "executor.workers=1"));
    send_some(&w, caller, "hold", 1);
    AWAIT(atomic_load(&begun) == 1);
    send_some(&w, caller, "count", 1);
    AWAIT(counts_of(caller, NULL).ready == 1 && counts_of(caller, NULL).leased == 1);
    patio_broker *idle = world_worker(&w, "lookahead=0");
    AWAIT(atomic_load(&runs) == 1);
    close_broker(idle);
    finish(&w, caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_counts_with_a_new_credit),
        cmocka_unit_test(what_is_held_counts_on_quorum_queues_too),
        cmocka_unit_test(a_slot_that_is_free_is_used),
        cmocka_unit_test(what_is_acknowledged_before_its_run_counts),
    };
    return RUN_TESTS("amqp: credit", tests);
}
