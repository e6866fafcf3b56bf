/* What keeps a pool of threads going: lent slots, given up threads, a full queue, turns. */
#include "fixture.h"

#include <string.h>

/* "nest": calls itself as deep as its argument says; gives the depth. */
static patio_status task_nest(patio_context *ctx)
{
    int64_t      depth = 0;
    patio_status st    = patio_arg_int64(ctx, 0, &depth);
    if (st != PATIO_OK || depth == 0) {
        return st == PATIO_OK ? PATIO_RETURN(ctx, 0) : st;
    }
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_future      *inner   = NULL;
    int64_t            below   = 0;
    st = patio_call(patio_task_broker(ctx), "nest", PATIO_ARGS(depth - 1), &options, &inner, NULL);
    if (st == PATIO_OK) {
        st = patio_value_get_int64(patio_future_value(inner), &below);
        patio_future_destroy(inner);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, below + 1) : st;
}

static void calls_inside_tasks_do_not_wait_for_their_own_slots(void **state)
{
    (void)state;
    enum { CALLS = 4, DEPTH = 8 };
    fixture       f;
    patio_future *futures[CALLS] = {NULL};
    fixture_init(&f);
    add_task(f.registry, "nest", task_nest, NULL);
    f.broker = start_broker(&f, f.registry, SETTINGS("executor.workers=2"));
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < CALLS; i++) {
            assert_ok(patio_start(f.broker, "nest", PATIO_ARGS(DEPTH), NULL, &futures[i], &f.err),
                      f.err);
        }
        for (int i = 0; i < CALLS; i++) {
            assert_status(patio_future_wait(futures[i], 20000), PATIO_OK);
            assert_ok(patio_future_status(futures[i], &f.err), f.err);
            assert_value(patio_future_value(futures[i]), patio_int(DEPTH));
            patio_future_destroy(futures[i]);
        }
    }
    fixture_close(&f);
}

static void lent_slots_are_bounded_and_then_calls_wait_for_their_deadline(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_task(f.registry, "nest", task_nest, NULL);
    f.broker =
        start_broker(&f, f.registry, SETTINGS("executor.workers=1", "executor.extra_workers=2"));
    patio_future *future = NULL;
    assert_ok(patio_call(f.broker, "nest", PATIO_ARGS(2), NULL, &future, &f.err), f.err);
    patio_future_destroy(future);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 300};
    /* the innermost hears of the common deadline as its caller does, and may be first */
    patio_status st = patio_call(f.broker, "nest", PATIO_ARGS(5), &options, NULL, &f.err);
    assert_true(st == PATIO_TIMEOUT || st == PATIO_TASK_FAILED);
    /* which leaves nothing behind */
    assert_ok(patio_call(f.broker, "nest", PATIO_ARGS(2), NULL, &future, &f.err), f.err);
    patio_future_destroy(future);
    fixture_close(&f);
}

/* "side": how many of it run at once. */
static gate side_gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static patio_status task_side(patio_context *ctx)
{
    (void)ctx;
    gate_pass(&side_gate);
    return PATIO_OK;
}

static patio_status task_waits(patio_context *ctx)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    return patio_call(patio_task_broker(ctx), "gate", PATIO_ARGS(1), &options, NULL, NULL);
}

static void no_more_tasks_run_than_there_are_slots_and_lent_ones(void **state)
{
    (void)state;
    enum { SIDES = 12 };
    fixture       f;
    patio_future *waits        = NULL;
    patio_future *sides[SIDES] = {NULL};
    fixture_init(&f);
    gate_reset(&side_gate);
    add_common_tasks(f.registry);
    add_task(f.registry, "side", task_side, NULL);
    add_task(f.registry, "waits", task_waits, NULL);
    f.broker = start_broker(&f, f.registry, SETTINGS("executor.workers=2", "lookahead=16"));
    assert_ok(patio_start(f.broker, "waits", PATIO_NO_ARGS, NULL, &waits, &f.err), f.err);
    AWAIT_ARRIVED(&the_gate, 1); /* one waits, one runs in its place: one slot is left */
    for (int i = 0; i < SIDES; i++) {
        assert_ok(patio_start(f.broker, "side", PATIO_NO_ARGS, NULL, &sides[i], &f.err), f.err);
    }
    AWAIT_ARRIVED(&side_gate, 1);
    gate_open(&the_gate);
    assert_status(patio_future_wait(waits, 10000), PATIO_OK);
    AWAIT_ARRIVED(&side_gate, 2);
    gate_open(&side_gate);
    for (int i = 0; i < SIDES; i++) {
        assert_status(patio_future_wait(sides[i], 10000), PATIO_OK);
        patio_future_destroy(sides[i]);
    }
    assert_in_range(side_gate.most, 2, 2);
    patio_future_destroy(waits);
    fixture_close(&f);
}

static void a_task_that_does_not_return_loses_its_thread_and_not_the_others(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, f.registry,
                            SETTINGS("executor.workers=1", "executor.stuck_after_ms=100",
                                     "executor.stuck_max=3", "tasks.gate.attempt_timeout_ms=500",
                                     "tasks.gate.max_attempts=2", "tasks.gate.backoff_base_ms=1",
                                     "log.level=off"));
    assert_ok(patio_start(f.broker, "gate", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    /* both of its attempts */
    assert_status(patio_future_status(future, &f.err), PATIO_TASK_FAILED);
    assert_contains(f.err.message, "Stuck (203)");
    patio_future_destroy(future);
    assert_int_equal(gate_arrived(&the_gate), 2);
    assert_int_equal(counts_of(f.broker, NULL).leased, 0);
    assert_ok(patio_call(f.broker, "mul", PATIO_ARGS(6, 7), NULL, &future, &f.err), f.err);
    assert_value(patio_future_value(future), patio_int(42));
    patio_future_destroy(future);
    assert_true(patio_broker_ready(f.broker, &f.err));
    /* they come back after all, and are not heard */
    gate_open(&the_gate);
    AWAIT(stats_of(f.broker).tasks_running == 0);
    assert_int_equal(stats_of(f.broker).settlements_failed, 0);
    assert_ok(patio_call(f.broker, "mul", PATIO_ARGS(6, 7), NULL, NULL, &f.err), f.err);
    fixture_close(&f);
}

static void too_many_lost_threads_wear_the_process_out(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, f.registry,
                            SETTINGS("executor.workers=2", "executor.stuck_after_ms=100",
                                     "executor.stuck_max=1", "tasks.gate.attempt_timeout_ms=500",
                                     "tasks.gate.max_attempts=1", "log.level=off"));
    assert_true(patio_broker_ready(f.broker, &f.err));
    assert_ok(patio_start(f.broker, "gate", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    AWAIT(!patio_broker_ready(f.broker, &f.err));
    assert_status(f.err.status, PATIO_TASK_CRASHED);
    assert_contains(f.err.message, "1 threads are held by tasks that do not return");
    patio_future_destroy(future);
    /* a drain lets the others finish, and does not wait for the lost one */
    assert_ok(patio_call(f.broker, "mul", PATIO_ARGS(6, 7), NULL, NULL, &f.err), f.err);
    uint64_t from = test_now_ms();
    assert_status(patio_broker_stop(f.broker, 20000, &f.err), PATIO_TIMEOUT);
    assert_in_range(test_now_ms() - from, 0, 15000);
    gate_open(&the_gate);
    assert_ok(patio_broker_stop(f.broker, 20000, &f.err), f.err);
    assert_false(patio_broker_ready(f.broker, NULL));
    fixture_close(&f);
}

static void a_full_queue_withholds_credit_and_gives_nothing_back(void **state)
{
    (void)state;
    enum { TASKS = 200 };
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker           = start_broker(&f, f.registry,
                                      SETTINGS("executor.workers=1", "executor.queue_max=1", "lookahead=32"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < TASKS; i++) {
        assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    }
    assert_int_equal(counts_of(f.broker, NULL).leased, 33); /* and no more */
    gate_open(&the_gate);
    AWAIT(atomic_load(&runs) == TASKS);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(stats_of(f.broker).tasks_returned, 0);
    patio_future_destroy(held);
    fixture_close(&f);
}

static _Atomic uint32_t a_before_b;
static _Atomic uint32_t b_runs;

static patio_status task_a(patio_context *ctx)
{
    (void)ctx;
    atomic_fetch_add(&a_before_b, atomic_load(&b_runs) == 0);
    return PATIO_OK;
}

static patio_status task_b(patio_context *ctx)
{
    (void)ctx;
    atomic_fetch_add(&b_runs, 1);
    return PATIO_OK;
}

static void names_take_turns_in_the_queue(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    atomic_store(&a_before_b, 0);
    atomic_store(&b_runs, 0);
    add_common_tasks(f.registry);
    add_task(f.registry, "a", task_a, NULL);
    add_task(f.registry, "b", task_b, NULL);
    f.broker = start_broker(
        &f, f.registry, SETTINGS("executor.workers=1", "executor.queue_max=64", "lookahead=64"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < 30; i++) {
        assert_ok(patio_send(f.broker, "a", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    }
    assert_ok(patio_send(f.broker, "b", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    gate_open(&the_gate);
    AWAIT(stats_of(f.broker).tasks_ok == 32);
    assert_int_equal(atomic_load(&a_before_b), 1);
    patio_future_destroy(held);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_inside_tasks_do_not_wait_for_their_own_slots),
        cmocka_unit_test(lent_slots_are_bounded_and_then_calls_wait_for_their_deadline),
        cmocka_unit_test(no_more_tasks_run_than_there_are_slots_and_lent_ones),
        cmocka_unit_test(a_task_that_does_not_return_loses_its_thread_and_not_the_others),
        cmocka_unit_test(too_many_lost_threads_wear_the_process_out),
        cmocka_unit_test(a_full_queue_withholds_credit_and_gives_nothing_back),
        cmocka_unit_test(names_take_turns_in_the_queue),
    };
    return RUN_TESTS("thread limits", tests);
}
