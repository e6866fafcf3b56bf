/* Tasks that are tried again, put off, given up, or lose their worker. */
#include "fixture.h"

#include <string.h>

static void send(patio_broker *broker, const char *task, const patio_payload *payload,
                 const patio_call_options *options)
{
    patio_error err = PATIO_ERROR_INIT;
    assert_ok(patio_send(broker, task, payload, options, NULL, &err), err);
}

static void await_empty(patio_broker *broker)
{
    AWAIT(counts_of(broker, NULL).ready + counts_of(broker, NULL).leased +
              counts_of(broker, NULL).delayed ==
          0);
}

/* ---- trying again ---- */

static _Atomic uint32_t last_attempt;
static _Atomic uint64_t last_fence;

static void note_attempt(const patio_context *ctx)
{
    atomic_fetch_add(&runs, 1);
    atomic_store(&last_attempt, patio_task_attempt(ctx));
    atomic_store(&last_fence, patio_task_fence(ctx));
}

static patio_status task_always_retry(patio_context *ctx)
{
    note_attempt(ctx);
    return patio_task_retry(ctx, 0, "attempt %u was not enough", patio_task_attempt(ctx));
}

static patio_status task_third_time_lucky(patio_context *ctx)
{
    note_attempt(ctx);
    if (patio_task_attempt(ctx) < 3) {
        return patio_task_retry(ctx, 1, "again");
    }
    return PATIO_RETURN(ctx, "lucky");
}

/* Runs five times, always as the first attempt. */
static patio_status task_snooze(patio_context *ctx)
{
    note_attempt(ctx);
    return atomic_load(&runs) < 5 ? patio_task_snooze(ctx, 1) : PATIO_RETURN(ctx, "awake");
}

static patio_status task_fail(patio_context *ctx)
{
    note_attempt(ctx);
    return patio_task_fail(ctx, 1, "Hopeless", "no");
}

static void open_with_retries(fixture *f)
{
    patio_task_options quick = {PATIO_SIZED(patio_task_options), .max_attempts = 4,
                                .backoff_base_ms = 1, .backoff_cap_ms = 4};
    fixture_init(f);
    add_task(f->registry, "retry", task_always_retry, &quick);
    add_task(f->registry, "lucky", task_third_time_lucky, &quick);
    add_task(f->registry, "snooze", task_snooze, &quick);
    add_task(f->registry, "fail", task_fail, &quick);
    f->broker = start_broker(f, f->registry, NULL);
}

static void a_send_is_tried_again_until_it_is_dead(void **state)
{
    (void)state;
    fixture f;
    open_with_retries(&f);
    send(f.broker, "retry", PATIO_NO_ARGS, NULL);
    AWAIT(counts_of(f.broker, NULL).dead == 1);
    assert_int_equal(atomic_load(&runs), 4);
    assert_int_equal(atomic_load(&last_attempt), 4);
    assert_int_equal(atomic_load(&last_fence), 4);
    await_empty(f.broker);
    AWAIT(stats_of(f.broker).tasks_rejected == 1);
    assert_int_equal(stats_of(f.broker).tasks_retried, 3);
    assert_int_equal(stats_of(f.broker).tasks_started, 4);
    fixture_close(&f);
}

static void a_call_is_tried_again_and_its_last_error_reaches_the_caller(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    open_with_retries(&f);
    assert_ok(patio_call(f.broker, "lucky", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_string_equal(patio_future_value(future)->as.string, "lucky");
    assert_int_equal(atomic_load(&runs), 3);
    patio_future_destroy(future);

    assert_ok(patio_start(f.broker, "retry", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_future_status(future, &f.err), PATIO_TASK_FAILED);
    assert_string_equal(patio_future_error(future)->message, "attempt 4 was not enough");
    patio_future_destroy(future);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(counts_of(f.broker, NULL).dead, 0);
    fixture_close(&f);
}

static void a_snooze_costs_no_attempt(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    open_with_retries(&f);
    assert_ok(patio_call(f.broker, "snooze", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_string_equal(patio_future_value(future)->as.string, "awake");
    patio_future_destroy(future);
    assert_int_equal(atomic_load(&runs), 5);
    assert_int_equal(atomic_load(&last_attempt), 1);
    assert_int_equal(atomic_load(&last_fence), 5);
    assert_int_equal(stats_of(f.broker).tasks_returned, 4);
    fixture_close(&f);
}

static void a_send_that_fails_is_a_dead_letter_at_once(void **state)
{
    (void)state;
    fixture f;
    open_with_retries(&f);
    send(f.broker, "fail", PATIO_NO_ARGS, NULL);
    AWAIT(counts_of(f.broker, NULL).dead == 1);
    assert_int_equal(atomic_load(&runs), 1);
    AWAIT(stats_of(f.broker).tasks_failed == 1);
    fixture_close(&f);
}

/* ---- when it is acknowledged ---- */

/* A worker stops while it runs the task; does another one run it again? */
static uint32_t runs_after_the_worker_left(uint32_t ack)
{
    fixture            f;
    patio_task_options options = {PATIO_SIZED(patio_task_options), .ack = ack};
    fixture_init(&f);
    add_task(f.registry, "held", task_gate, &options);
    f.broker            = start_broker(&f, NULL, SETTINGS("broker=memory://meet"));
    patio_broker *first = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    send(f.broker, "held", PATIO_NO_ARGS, NULL);
    AWAIT_ARRIVED(&the_gate, 1);
    patio_broker *second = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    assert_status(patio_broker_stop(first, 0, NULL), PATIO_TIMEOUT);
    if (ack == PATIO_ACK_ON_DONE) {
        AWAIT_ARRIVED(&the_gate, 2);
    }
    gate_open(&the_gate);
    await_empty(f.broker);
    uint32_t arrived = gate_arrived(&the_gate);
    patio_broker_destroy(first);
    patio_broker_destroy(second);
    fixture_close(&f);
    return arrived;
}

static void a_task_acknowledged_when_done_survives_its_worker(void **state)
{
    (void)state;
    assert_int_equal(runs_after_the_worker_left(PATIO_ACK_ON_DONE), 2);
}

static void a_task_acknowledged_before_it_runs_is_never_run_twice(void **state)
{
    (void)state;
    assert_int_equal(runs_after_the_worker_left(PATIO_ACK_ON_START), 1);
    assert_int_equal(runs_after_the_worker_left(PATIO_ACK_ON_RECEIVE), 1);
}

static void a_call_acknowledged_before_it_runs_has_its_result(void **state)
{
    (void)state;
    for (uint32_t ack = PATIO_ACK_ON_START; ack <= PATIO_ACK_ON_RECEIVE; ack++) {
        fixture            f;
        patio_task_options options = {PATIO_SIZED(patio_task_options), .ack = ack};
        patio_future      *future  = NULL;
        fixture_init(&f);
        add_task(f.registry, "mul", task_mul, &options);
        f.broker = start_broker(&f, f.registry, NULL);
        assert_ok(patio_call(f.broker, "mul", PATIO_ARGS(6, 7), NULL, &future, &f.err), f.err);
        assert_value(patio_future_value(future), patio_int(42));
        patio_future_destroy(future);
        await_empty(f.broker);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_send_is_tried_again_until_it_is_dead),
        cmocka_unit_test(a_call_is_tried_again_and_its_last_error_reaches_the_caller),
        cmocka_unit_test(a_snooze_costs_no_attempt),
        cmocka_unit_test(a_send_that_fails_is_a_dead_letter_at_once),
        cmocka_unit_test(a_task_acknowledged_when_done_survives_its_worker),
        cmocka_unit_test(a_task_acknowledged_before_it_runs_is_never_run_twice),
        cmocka_unit_test(a_call_acknowledged_before_it_runs_has_its_result),
    };
    return RUN_TESTS("retry", tests);
}
