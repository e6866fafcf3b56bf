/* Brokers from create to destroy: states, stopping with work in hand, and several of them. */
#include "fixture.h"

#include <string.h>

static patio_future *start_call(patio_broker *broker, const char *task,
                                const patio_payload *payload)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    assert_ok(patio_start(broker, task, payload, NULL, &future, &err), err);
    return future;
}

/* Stops f.broker on a thread of its own. */
static void *stop_broker(void *arg)
{
    return (void *)(uintptr_t)patio_broker_stop(arg, 20000, NULL);
}

static void join_stop(pthread_t thread, patio_status expected)
{
    void *status = NULL;
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_status((patio_status)(uintptr_t)status, expected);
}

/* ---- states ---- */

static void expect_not_running(fixture *f)
{
    patio_future *future = NULL;
    patio_counts  counts = {PATIO_SIZED(patio_counts)};
    assert_status(patio_start(f->broker, "count", PATIO_NO_ARGS, NULL, &future, &f->err),
                  PATIO_STATE);
    assert_contains(f->err.message, "not running");
    assert_status(patio_call(f->broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_STATE);
    assert_status(patio_send(f->broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_STATE);
    assert_status(patio_broker_counts(f->broker, NULL, 0, &counts, NULL), PATIO_STATE);
    assert_null(future);
}

static void a_broker_takes_calls_between_start_and_stop_only(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = make_broker(&f, f.registry, NULL);
    expect_not_running(&f);
    assert_ok(patio_broker_start(f.broker, &f.err), f.err);
    assert_status(patio_broker_start(f.broker, &f.err), PATIO_STATE);
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    assert_status(patio_broker_stop(f.broker, 1000, NULL), PATIO_OK);
    expect_not_running(&f);
    assert_status(patio_broker_start(f.broker, &f.err), PATIO_STATE);
    fixture_close(&f);
}

static void stopping_twice_or_before_the_start_is_harmless(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = make_broker(&f, f.registry, NULL);
    assert_status(patio_broker_stop(f.broker, 0, NULL), PATIO_OK);
    patio_broker_join(f.broker); /* not started: nothing to wait for */
    assert_ok(patio_broker_start(f.broker, &f.err), f.err);
    assert_status(patio_broker_stop(f.broker, PATIO_FOREVER, NULL), PATIO_OK);
    assert_status(patio_broker_stop(f.broker, 0, NULL), PATIO_OK);
    patio_broker_join(f.broker);
    fixture_close(&f);
}

static void destroy_needs_no_stop_and_no_start(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    patio_future_destroy(start_call(f.broker, "count", PATIO_NO_ARGS));
    patio_broker_destroy(f.broker);
    patio_broker_destroy(NULL);
    f.broker = make_broker(&f, f.registry, NULL);
    fixture_close(&f);
}

static void the_registry_is_locked_by_the_start(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = make_broker(&f, f.registry, NULL);
    assert_false(patio_registry_is_locked(f.registry));
    add_task(f.registry, "one_more", task_count, NULL);
    /* the broker was made from fewer tasks */
    assert_status(patio_broker_start(f.broker, &f.err), PATIO_STATE);
    assert_contains(f.err.message, "registry changed");
    assert_true(patio_registry_is_locked(f.registry));
    assert_status(patio_registry_add(f.registry, "x", task_count, NULL, NULL, NULL, &f.err),
                  PATIO_STATE);
    assert_status(patio_registry_remove(f.registry, "mul", &f.err), PATIO_STATE);
    patio_broker_destroy(f.broker);
    f.broker = start_broker(&f, f.registry, NULL);
    assert_status(patio_call(f.broker, "one_more", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    fixture_close(&f);
}

/* ---- stopping with work in hand ---- */

static void a_stop_lets_the_running_finish_and_cancels_the_queued(void **state)
{
    (void)state;
    fixture       f;
    patio_future *queued[4];
    fixture_open(&f, SETTINGS("executor.workers=1"));
    patio_future *running = start_call(f.broker, "gate", PATIO_ARGS("finished"));
    AWAIT_ARRIVED(&the_gate, 1);
    for (int i = 0; i < 4; i++) {
        queued[i] = start_call(f.broker, "count", PATIO_NO_ARGS);
    }
    pthread_t    stopper = run_thread(stop_broker, f.broker);
    patio_counts counts  = {PATIO_SIZED(patio_counts), .consumers = 1};
    AWAIT(patio_broker_counts(f.broker, NULL, 0, &counts, NULL) != PATIO_OK ||
          counts.consumers == 0); /* it takes nothing new */
    assert_false(patio_future_done(running));
    gate_open(&the_gate);
    join_stop(stopper, PATIO_OK);
    assert_status(patio_future_status(running, NULL), PATIO_OK);
    assert_value(patio_future_value(running), patio_string("finished"));
    for (int i = 0; i < 4; i++) {
        assert_status(patio_future_status(queued[i], &f.err), PATIO_CANCELLED);
        assert_contains(f.err.message, "stopped");
        patio_future_destroy(queued[i]);
    }
    assert_int_equal(atomic_load(&runs), 0);
    patio_future_destroy(running);
    fixture_close(&f);
}

static void a_stop_with_a_stuck_task_times_out_and_can_be_called_again(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_future *stuck = hold_worker(f.broker);
    assert_status(patio_broker_stop(f.broker, 10, &f.err), PATIO_TIMEOUT);
    assert_contains(f.err.message, "still run");
    assert_string_equal(f.err.origin, "executor.thread");
    assert_status(patio_future_status(stuck, NULL), PATIO_CANCELLED);
    assert_status(patio_broker_stop(f.broker, 0, NULL), PATIO_TIMEOUT);
    gate_open(&the_gate);
    assert_status(patio_broker_stop(f.broker, 20000, NULL), PATIO_OK);
    assert_int_equal(stats_of(f.broker).replies_late, 0); /* its result was refused before */
    assert_int_equal(stats_of(f.broker).tasks_running, 0);
    patio_future_destroy(stuck);
    fixture_close(&f);
}

static void a_task_learns_that_the_grace_is_over(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_future *future = start_call(f.broker, "until_cancelled", PATIO_NO_ARGS);
    AWAIT_ARRIVED(&the_gate, 1);
    assert_status(patio_broker_stop(f.broker, 0, NULL), PATIO_TIMEOUT);
    AWAIT(atomic_load(&runs) == 1);
    assert_status(patio_broker_stop(f.broker, 20000, NULL), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_CANCELLED);
    patio_future_destroy(future);
    fixture_close(&f);
}

static void *call_until_refused(void *arg)
{
    patio_broker *broker = arg;
    patio_status  st     = PATIO_OK;
    while (st == PATIO_OK || st == PATIO_CANCELLED || st == PATIO_NO_ROUTE) {
        st = patio_call(broker, "mul", PATIO_ARGS(2, 3), NULL, NULL, NULL);
        atomic_fetch_add(&runs, 1);
    }
    return (void *)(uintptr_t)st;
}

static void every_call_in_flight_ends_when_the_broker_stops(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        fixture   f;
        pthread_t callers[4];
        fixture_open(&f, NULL);
        for (int i = 0; i < 4; i++) {
            callers[i] = run_thread(call_until_refused, f.broker);
        }
        AWAIT(atomic_load(&runs) > 20);
        assert_status(patio_broker_stop(f.broker, 20000, NULL), PATIO_OK);
        for (int i = 0; i < 4; i++) {
            join_stop(callers[i], PATIO_STATE);
        }
        assert_int_equal(stats_of(f.broker).calls_in_flight, 0);
        fixture_close(&f);
    }
}

static void *join_broker(void *arg)
{
    patio_broker_join(arg);
    atomic_fetch_add(&runs, 1);
    return NULL;
}

static void join_returns_after_a_stop_from_another_thread(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    pthread_t joiners[2] = {run_thread(join_broker, f.broker), run_thread(join_broker, f.broker)};
    assert_status(patio_call(f.broker, "mul", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    assert_int_equal(atomic_load(&runs), 0);
    assert_status(patio_broker_stop(f.broker, 1000, NULL), PATIO_OK);
    join_thread(joiners[0]);
    join_thread(joiners[1]);
    patio_broker_join(f.broker); /* stopped already */
    fixture_close(&f);
}

static patio_broker *_Atomic last_runner;

static patio_status task_where(patio_context *ctx)
{
    atomic_store(&last_runner, patio_task_broker(ctx));
    if (patio_task_attempt(ctx) == 1 && patio_task_fence(ctx) == 2) {
        atomic_fetch_add(&runs, 1);
    }
    return PATIO_OK;
}

static void a_drain_hands_what_has_not_started_to_another_worker(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    add_task(f.registry, "where", task_where, NULL);
    f.broker            = start_broker(&f, f.registry,
                                       SETTINGS("broker=memory://meet", "executor.workers=1",
                                                "executor.queue_max=10", "lookahead=4"));
    patio_broker *other = make_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    patio_future *held  = hold_worker(f.broker);
    for (int i = 0; i < 4; i++) {
        assert_status(patio_send(f.broker, "where", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    }
    assert_int_equal(counts_of(f.broker, NULL).leased, 5); /* all are with the first one */
    assert_ok(patio_broker_start(other, &f.err), f.err);
    pthread_t stopper = run_thread(stop_broker, f.broker);
    AWAIT(atomic_load(&runs) == 4); /* while the first still runs its task */
    assert_ptr_equal(atomic_load(&last_runner), other);
    assert_false(patio_future_done(held));
    gate_open(&the_gate);
    join_stop(stopper, PATIO_OK);
    assert_status(patio_future_status(held, NULL), PATIO_OK);
    assert_int_equal(stats_of(f.broker).tasks_returned, 4);
    patio_future_destroy(held);
    patio_broker_destroy(other);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_takes_calls_between_start_and_stop_only),
        cmocka_unit_test(stopping_twice_or_before_the_start_is_harmless),
        cmocka_unit_test(destroy_needs_no_stop_and_no_start),
        cmocka_unit_test(the_registry_is_locked_by_the_start),
        cmocka_unit_test(a_stop_lets_the_running_finish_and_cancels_the_queued),
        cmocka_unit_test(a_stop_with_a_stuck_task_times_out_and_can_be_called_again),
        cmocka_unit_test(a_task_learns_that_the_grace_is_over),
        cmocka_unit_test(every_call_in_flight_ends_when_the_broker_stops),
        cmocka_unit_test(join_returns_after_a_stop_from_another_thread),
        cmocka_unit_test(a_drain_hands_what_has_not_started_to_another_worker),
    };
    return RUN_TESTS("lifecycle", tests);
}
