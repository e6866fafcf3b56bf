/* Sends: accepted, delayed, ordered, tried again, dead, refused; and who may run a task. */
#include "fixture.h"

#include <string.h>

/* ---- tasks that write down who ran ---- */

enum { ORDER_MAX = 256 };
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t         order[ORDER_MAX];
static unsigned        ordered;

static unsigned count_ordered(void)
{
    pthread_mutex_lock(&order_lock);
    unsigned n = ordered;
    pthread_mutex_unlock(&order_lock);
    return n;
}

static patio_status task_note(patio_context *ctx)
{
    int64_t x = 0;
    if (patio_arg_int64(ctx, 0, &x) != PATIO_OK) {
        return PATIO_INVALID;
    }
    pthread_mutex_lock(&order_lock);
    order[ordered++ % ORDER_MAX] = x;
    pthread_mutex_unlock(&order_lock);
    return PATIO_OK;
}

static void open_with_note(fixture *f, const char *const *settings)
{
    fixture_init(f);
    ordered = 0;
    add_common_tasks(f->registry);
    add_task(f->registry, "note", task_note, NULL);
    f->broker = start_broker(f, f->registry, settings);
}

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

/* ---- accepted ---- */

static void a_send_is_accepted_under_an_id_and_runs(void **state)
{
    (void)state;
    fixture       f;
    patio_id      id     = {{0}};
    patio_id      none   = {{0}};
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, &id, &f.err), f.err);
    assert_memory_not_equal(&id, &none, sizeof(id));
    AWAIT(atomic_load(&runs) == 1);
    assert_ok(patio_send_start(f.broker, "count", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_OK);
    assert_int_equal(patio_future_level(future), 0);
    assert_null(patio_future_value(future)); /* accepted; a send has no result */
    assert_int_equal(patio_future_kind(future), 0);
    patio_future_destroy(future);
    AWAIT(atomic_load(&runs) == 2);
    assert_int_equal(stats_of(f.broker).sends_accepted, 2);
    assert_int_equal(stats_of(f.broker).calls_started, 0);
    fixture_close(&f);
}

static void a_send_waits_for_a_worker_that_knows_its_task(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, NULL, SETTINGS("broker=memory://meet"));
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    send(f.broker, "nobody.knows", PATIO_NO_ARGS, NULL);
    assert_int_equal(counts_of(f.broker, NULL).ready, 2);
    patio_broker *worker = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    AWAIT(atomic_load(&runs) == 1);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(counts_of(f.broker, NULL).ready, 1); /* the other waits on */
    patio_broker_destroy(worker);
    fixture_close(&f);
}

static void a_delayed_send_is_held_by_the_transport(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_call_options soon  = {PATIO_SIZED(patio_call_options), .delay_ms = 30};
    patio_call_options never = {PATIO_SIZED(patio_call_options), .delay_ms = 86400000};
    send(f.broker, "count", PATIO_NO_ARGS, &soon);
    send(f.broker, "count", PATIO_NO_ARGS, &never);
    assert_in_range(counts_of(f.broker, NULL).delayed, 1, 2);
    AWAIT(atomic_load(&runs) == 1);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    fixture_close(&f);
}

static void a_queue_of_ones_own_keeps_its_own_counts(void **state)
{
    (void)state;
    fixture            f;
    patio_task_options mine = {PATIO_SIZED(patio_task_options), .queue = "mine"};
    fixture_init(&f);
    add_common_tasks(f.registry);
    add_task(f.registry, "in_mine", task_gate, &mine);
    f.broker = start_broker(&f, f.registry, NULL);
    send(f.broker, "in_mine", PATIO_NO_ARGS, NULL);
    AWAIT_ARRIVED(&the_gate, 1);
    assert_int_equal(counts_of(f.broker, "mine").leased, 1);
    assert_int_equal(counts_of(f.broker, "mine").consumers, 1);
    assert_int_equal(counts_of(f.broker, NULL).leased, 0);
    assert_int_equal(counts_of(f.broker, "nowhere").consumers, 0);
    /* this broker takes "in_mine" from its own queue only */
    patio_call_options elsewhere = {PATIO_SIZED(patio_call_options), .queue = "elsewhere"};
    assert_status(patio_call(f.broker, "in_mine", PATIO_NO_ARGS, &elsewhere, NULL, NULL),
                  PATIO_NO_ROUTE);
    fixture_close(&f);
}

/* ---- order ---- */

static void higher_priorities_run_sooner(void **state)
{
    (void)state;
    fixture f;
    open_with_note(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < 20; i++) { /* each level twice, mixed */
        int                level   = i * 7 % 10;
        patio_call_options options = {PATIO_SIZED(patio_call_options),
                                      .priority = PATIO_PRIORITY(level)};
        send(f.broker, "note", PATIO_ARGS(level), &options);
    }
    send(f.broker, "note", PATIO_ARGS(4), NULL); /* the default lies in the middle */
    gate_open(&the_gate);
    AWAIT(count_ordered() == 21);
    for (unsigned i = 1; i < 21; i++) {
        assert_true(order[i] <= order[i - 1]);
    }
    patio_future_destroy(held);
    fixture_close(&f);
}

static void sends_of_one_priority_run_in_their_order(void **state)
{
    (void)state;
    fixture f;
    open_with_note(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < 100; i++) {
        send(f.broker, "note", PATIO_ARGS(i), NULL);
    }
    gate_open(&the_gate);
    AWAIT(count_ordered() == 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(order[i], i);
    }
    patio_future_destroy(held);
    fixture_close(&f);
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

/* ---- refused ---- */

static void a_full_transport_refuses_until_there_is_room(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, SETTINGS("executor.workers=1", "transport.max_queued=3"));
    patio_future *held = hold_worker(f.broker);
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    assert_status(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, &f.err), PATIO_FULL);
    assert_contains(f.err.message, "max_queued");
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_FULL);
    assert_int_equal(stats_of(f.broker).sends_refused, 1);
    gate_open(&the_gate);
    AWAIT(atomic_load(&runs) == 2);
    await_empty(f.broker);
    send(f.broker, "count", PATIO_NO_ARGS, NULL);
    AWAIT(atomic_load(&runs) == 3);
    patio_future_destroy(held);
    fixture_close(&f);
}

static void the_body_limit_is_exact(void **state)
{
    (void)state;
    fixture f;
    char    body[1001] = {0};
    fixture_open(&f, SETTINGS("max_body_bytes=1000"));
    send(f.broker, "count", PATIO_RAW("x/y", body, 1000), NULL);
    assert_status(patio_send(f.broker, "count", PATIO_RAW("x/y", body, 1001), NULL, NULL, &f.err),
                  PATIO_TOO_LARGE);
    assert_contains(f.err.message, "max_body_bytes");
    assert_contains(f.err.message, "1001");
    AWAIT(atomic_load(&runs) == 1);
    fixture_close(&f);
}

static void what_the_transport_cannot_do_is_refused_by_name(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_call_options dedup = {PATIO_SIZED(patio_call_options), .dedup_key = "order 7"};
    patio_call_options level = {PATIO_SIZED(patio_call_options), .level = 2};
    assert_status(patio_send(f.broker, "count", PATIO_NO_ARGS, &dedup, NULL, &f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(f.err.message, "\"dedup\"");
    assert_string_equal(f.err.origin, "transport.memory");
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, &level, NULL, &f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(f.err.message, "level");
    fixture_close(&f);
}

/* ---- routes ---- */

static void a_call_of_an_unknown_task_fails_at_once(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    assert_status(patio_start(f.broker, "nobody.knows", PATIO_NO_ARGS, NULL, &future, &f.err),
                  PATIO_NO_ROUTE);
    assert_contains(f.err.message, "nobody.knows");
    assert_null(future);
    fixture_close(&f);
}

static void with_wait_route_it_waits_for_a_worker_that_knows_it(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options wait   = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE};
    patio_future      *future = NULL;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, NULL, SETTINGS("broker=memory://meet"));
    assert_string_equal(patio_broker_executor(f.broker), "");
    assert_ok(patio_start(f.broker, "mul", PATIO_ARGS(6, 7), &wait, &future, &f.err), f.err);
    assert_int_equal(counts_of(f.broker, NULL).ready, 1);
    assert_false(patio_future_done(future));
    patio_broker *worker = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    assert_value(patio_future_value(future), patio_int(42));
    patio_future_destroy(future);

    wait.timeout_ms = 20; /* up to the deadline */
    assert_status(patio_call(f.broker, "never", PATIO_NO_ARGS, &wait, NULL, NULL), PATIO_TIMEOUT);
    patio_broker_destroy(worker);
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
        cmocka_unit_test(a_send_is_accepted_under_an_id_and_runs),
        cmocka_unit_test(a_send_waits_for_a_worker_that_knows_its_task),
        cmocka_unit_test(a_delayed_send_is_held_by_the_transport),
        cmocka_unit_test(a_queue_of_ones_own_keeps_its_own_counts),
        cmocka_unit_test(higher_priorities_run_sooner),
        cmocka_unit_test(sends_of_one_priority_run_in_their_order),
        cmocka_unit_test(a_send_is_tried_again_until_it_is_dead),
        cmocka_unit_test(a_call_is_tried_again_and_its_last_error_reaches_the_caller),
        cmocka_unit_test(a_snooze_costs_no_attempt),
        cmocka_unit_test(a_send_that_fails_is_a_dead_letter_at_once),
        cmocka_unit_test(a_full_transport_refuses_until_there_is_room),
        cmocka_unit_test(the_body_limit_is_exact),
        cmocka_unit_test(what_the_transport_cannot_do_is_refused_by_name),
        cmocka_unit_test(a_call_of_an_unknown_task_fails_at_once),
        cmocka_unit_test(with_wait_route_it_waits_for_a_worker_that_knows_it),
        cmocka_unit_test(a_task_acknowledged_when_done_survives_its_worker),
        cmocka_unit_test(a_task_acknowledged_before_it_runs_is_never_run_twice),
        cmocka_unit_test(a_call_acknowledged_before_it_runs_has_its_result),
    };
    return RUN_TESTS("send", tests);
}
