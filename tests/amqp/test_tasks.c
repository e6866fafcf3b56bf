/* What every transport does, on RabbitMQ: calls, sends, retries, delays, priorities, dead letters.
 */
#include "world.h"

#include <string.h>

enum { ORDER_MOST = 32 };
static _Atomic int64_t  order[ORDER_MOST];
static _Atomic uint32_t ordered;

static patio_status task_order(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    uint32_t     at = atomic_fetch_add(&ordered, 1);
    if (at < ORDER_MOST) {
        order[at] = n;
    }
    return st;
}

static _Atomic uint32_t attempts[4];
static _Atomic uint64_t fences[4];
static _Atomic uint64_t started_ms[4];

static void reset_attempts(void)
{
    for (int i = 0; i < 4; i++) {
        atomic_store(&attempts[i], 0);
    }
}

static patio_status task_retry(patio_context *ctx)
{
    uint32_t n = patio_task_attempt(ctx);
    if (n <= 3) {
        atomic_fetch_add(&attempts[n], 1);
        atomic_store(&fences[n], patio_task_fence(ctx));
        atomic_store(&started_ms[n], test_now_ms());
    }
    return n < 3 ? patio_task_retry(ctx, 150, "again") : PATIO_RETURN(ctx, (int64_t)n);
}

static patio_status task_fail(patio_context *ctx)
{
    return patio_task_fail(ctx, 7, "Broken", "on purpose");
}

static patio_counts wait_settled(patio_broker *b)
{
    patio_counts c = {.ready = 1};
    AWAIT((c = counts_of(b, NULL)).ready == 0 && stats_of(b).tasks_running == 0);
    return c;
}

static void calls_are_answered(void **state)
{
    (void)state;
    world w;
    world_init(&w, "");
    w.f.broker           = world_worker(&w, NULL);
    patio_broker *caller = world_caller(&w);
    int64_t       got    = 0;
    for (int64_t i = 0; i < 100; i++) {
        assert_ok(call_mul(caller, i, 3, &got, &w.f.err), w.f.err);
        assert_int_equal(got, 3 * i);
    }
    /* both sides in one broker */
    assert_ok(call_mul(w.f.broker, 6, 7, &got, &w.f.err), w.f.err);
    assert_int_equal(got, 42);
    close_broker(caller);
    world_close(&w);
}

static void many_calls_at_once_are_answered(void **state)
{
    (void)state;
    enum { CALLS = 2000 };
    world w;
    world_init(&w, "");
    w.f.broker                  = world_worker(&w, NULL);
    patio_broker        *caller = world_caller(&w);
    static patio_future *f[CALLS];
    for (int64_t i = 0; i < CALLS; i++) {
        assert_ok(patio_start(caller, "echo", PATIO_ARGS(i), NULL, &f[i], &w.f.err), w.f.err);
    }
    for (int64_t i = 0; i < CALLS; i++) {
        assert_int_equal(patio_future_wait(f[i], 20000), PATIO_OK);
        assert_ok(patio_future_status(f[i], &w.f.err), w.f.err);
        assert_value(patio_future_value(f[i]), PATIO_VALUE(i));
        patio_future_destroy(f[i]);
    }
    assert_int_equal(stats_of(caller).calls_answered, CALLS);
    close_broker(caller);
    world_close(&w);
}

static void a_large_body_travels_both_ways(void **state)
{
    (void)state;
    enum { SIZE = 900000 };
    world w;
    world_init(&w, "");
    w.f.broker = world_worker(&w, NULL);
    static uint8_t data[SIZE];
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    patio_future *f = NULL;
    assert_ok(
        patio_call(w.f.broker, "echo", PATIO_ARGS(patio_blob(data, SIZE)), NULL, &f, &w.f.err),
        w.f.err);
    assert_value(patio_future_value(f), patio_blob(data, SIZE));
    patio_future_destroy(f);
    world_close(&w);
}

static void sends_are_on_disk_and_wait_for_a_worker(void **state)
{
    (void)state;
    world w;
    world_init(&w, "");
    patio_broker *caller = world_caller(&w);
    patio_future *f      = NULL;
    assert_ok(patio_send_start(caller, "count", PATIO_NO_ARGS, NULL, &f, &w.f.err), w.f.err);
    assert_int_equal(patio_future_wait(f, 5000), PATIO_OK);
    assert_ok(patio_future_status(f, &w.f.err), w.f.err);
    assert_int_equal(patio_future_level(f), PATIO_LEVEL_DISK);
    patio_future_destroy(f);
    for (int i = 0; i < 49; i++) {
        assert_ok(patio_send(caller, "count", PATIO_NO_ARGS, NULL, NULL, &w.f.err), w.f.err);
    }
    assert_int_equal(counts_of(caller, NULL).ready, 50);
    w.f.broker = world_worker(&w, NULL);
    AWAIT(atomic_load(&runs) == 50);
    patio_counts c = wait_settled(caller);
    assert_int_equal(c.consumers, 1);
    assert_int_equal(c.dead, 0);
    close_broker(caller);
    world_close(&w);
}

static void a_retry_waits_in_the_broker_and_counts(void **state)
{
    (void)state;
    world w;
    world_init(&w, "");
    reset_attempts();
    add_task(w.f.registry, "retry", task_retry, NULL);
    w.f.broker      = world_worker(&w, NULL);
    patio_future *f = NULL;
    assert_ok(patio_call(w.f.broker, "retry", PATIO_NO_ARGS, NULL, &f, &w.f.err), w.f.err);
    assert_value(patio_future_value(f), PATIO_VALUE((int64_t)3));
    patio_future_destroy(f);
    for (int n = 1; n <= 3; n++) {
        assert_int_equal(atomic_load(&attempts[n]), 1);
    }
    assert_true(atomic_load(&fences[1]) < atomic_load(&fences[2]));
    assert_true(atomic_load(&fences[2]) < atomic_load(&fences[3]));
    assert_true(atomic_load(&started_ms[2]) - atomic_load(&started_ms[1]) >= 149);
    world_close(&w);
}

static void a_delay_is_held_by_the_broker(void **state)
{
    (void)state;
    world w;
    world_init(&w, "");
    w.f.broker                 = world_worker(&w, NULL);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .delay_ms = 700};
    uint64_t           from    = test_now_ms();
    assert_ok(patio_send(w.f.broker, "count", PATIO_NO_ARGS, &options, NULL, &w.f.err), w.f.err);
    assert_int_equal(counts_of(w.f.broker, NULL).delayed, 1);
    AWAIT(atomic_load(&runs) == 1);
    assert_true(test_now_ms() - from >= 699);
    assert_true(test_now_ms() - from < 3000);
    assert_int_equal(wait_settled(w.f.broker).delayed, 0);
    world_close(&w);
}

static void higher_priorities_go_first(void **state)
{
    (void)state;
    world w;
    world_init(&w, "");
    atomic_store(&ordered, 0);
    add_task(w.f.registry, "order", task_order, NULL);
    patio_broker *caller = world_caller(&w);
    for (int64_t i = 0; i < 20; i++) {
        patio_call_options options = {PATIO_SIZED(patio_call_options),
                                      .priority = PATIO_PRIORITY((uint16_t)(i % 10))};
        assert_ok(patio_send(caller, "order", PATIO_ARGS(i), &options, NULL, &w.f.err), w.f.err);
    }
    w.f.broker =
        start_broker(&w.f, w.f.registry, SETTINGS(w.url, w.project_setting, "executor.workers=1"));
    AWAIT(atomic_load(&ordered) == 20 && stats_of(w.f.broker).tasks_ok == 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(order[i], 10 * (i % 2) + 9 - i / 2);
    }
    close_broker(caller);
    world_close(&w);
}

static void a_failed_send_is_a_dead_letter(void **state)
{
    (void)state;
    world w;
    world_init(&w, "");
    add_task(w.f.registry, "fail", task_fail, NULL);
    w.f.broker = world_worker(&w, NULL);
    assert_ok(patio_send(w.f.broker, "fail", PATIO_NO_ARGS, NULL, NULL, &w.f.err), w.f.err);
    AWAIT(counts_of(w.f.broker, NULL).dead == 1);
    amqp_connection_state_t c = plain_open(&w);
    amqp_message_t          m;
    assert_true(plain_get(c, queue_name(&w, ":dead"), &m) != 0);
    assert_true((m.properties._flags & AMQP_BASIC_TYPE_FLAG) != 0);
    assert_int_equal(m.properties.type.len, 4);
    assert_memory_equal(m.properties.type.bytes, "fail", 4);
    bool cause = false;
    for (int i = 0; i < m.properties.headers.num_entries; i++) {
        amqp_bytes_t key = m.properties.headers.entries[i].key;
        cause            = cause || (key.len == 11 && memcmp(key.bytes, "patio-cause", 11) == 0);
    }
    assert_true(cause);
    amqp_destroy_message(&m);
    plain_close(c);
    /* a failed call is done: its caller has the error */
    assert_status(patio_call(w.f.broker, "fail", PATIO_NO_ARGS, NULL, NULL, &w.f.err),
                  PATIO_TASK_FAILED);
    AWAIT(counts_of(w.f.broker, NULL).dead == 1);
    world_close(&w);
}

static int32_t never_begun(void *arg, const patio_dead_info *info)
{
    assert_string_equal(info->cause, "expired");
    assert_contains(info->message, "its time to live ended in queue patio:");
    assert_int_equal(info->attempts, 0);
    assert_true(info->died_at_unix_ms > UINT64_C(1700000000000));
    *(int *)arg += 1;
    return 0;
}

static void two_projects_on_one_vhost_never_meet(void **state)
{
    (void)state;
    world w;
    world other;
    world_init(&w, "");
    w.f.broker = world_worker(&w, NULL);
    world_init(&other, "");
    other.f.broker             = world_caller(&other);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 300};
    assert_status(patio_call(other.f.broker, "mul", PATIO_ARGS(1, 2), &options, NULL, NULL),
                  PATIO_TIMEOUT);
    assert_int_equal(stats_of(w.f.broker).tasks_received, 0);
    /* what it left expired in the broker and is seen, though no worker wrote why */
    AWAIT(counts_of(other.f.broker, NULL).dead == 1);
    int seen = 0;
    assert_status(
        patio_dead_list(other.f.broker, NULL, NULL, 10, 0, never_begun, &seen, &other.f.err),
        PATIO_OK);
    assert_int_equal(seen, 1);
    world_close(&other);
    world_close(&w);
}

static void what_cannot_be_done_is_refused_by_name(void **state)
{
    (void)state;
    world w;
    world_init(&w, "?queue_type=quorum");
    w.f.broker                 = world_caller(&w);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .dedup_key = "k"};
    assert_status(patio_send(w.f.broker, "mul", PATIO_NO_ARGS, &options, NULL, &w.f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(w.f.err.message, "dedup");
    options =
        (patio_call_options){PATIO_SIZED(patio_call_options), .level = PATIO_LEVEL_REPLICATED};
    assert_status(patio_send(w.f.broker, "mul", PATIO_NO_ARGS, &options, NULL, &w.f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(w.f.err.message, "level 3");
    options = (patio_call_options){PATIO_SIZED(patio_call_options), .priority = PATIO_PRIORITY(9)};
    assert_status(patio_send(w.f.broker, "mul", PATIO_NO_ARGS, &options, NULL, &w.f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(w.f.err.message, "priority");
    options = (patio_call_options){PATIO_SIZED(patio_call_options), .delay_ms = 30 * 86400000ull};
    assert_status(patio_send(w.f.broker, "mul", PATIO_NO_ARGS, &options, NULL, &w.f.err),
                  PATIO_UNSUPPORTED);
    assert_contains(w.f.err.message, "delay");
    world_close(&w);
}

static void quorum_queues_carry_calls_and_retries(void **state)
{
    (void)state;
    world w;
    world_init(&w, "?queue_type=quorum");
    reset_attempts();
    add_task(w.f.registry, "retry", task_retry, NULL);
    w.f.broker      = world_worker(&w, NULL);
    patio_future *f = NULL;
    assert_ok(patio_call(w.f.broker, "retry", PATIO_NO_ARGS, NULL, &f, &w.f.err), w.f.err);
    assert_value(patio_future_value(f), PATIO_VALUE((int64_t)3));
    patio_future_destroy(f);
    world_close(&w);
}

static void a_broker_that_could_not_be_started_is_not_started_again(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    f.broker =
        make_broker(&f, NULL, SETTINGS("broker=amqp://127.0.0.1:1", "connect_timeout_ms=100"));
    assert_status(patio_broker_start(f.broker, &f.err), PATIO_UNREACHABLE);
    assert_status(patio_broker_start(f.broker, &f.err), PATIO_STATE);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered),
        cmocka_unit_test(many_calls_at_once_are_answered),
        cmocka_unit_test(a_large_body_travels_both_ways),
        cmocka_unit_test(sends_are_on_disk_and_wait_for_a_worker),
        cmocka_unit_test(a_retry_waits_in_the_broker_and_counts),
        cmocka_unit_test(a_delay_is_held_by_the_broker),
        cmocka_unit_test(higher_priorities_go_first),
        cmocka_unit_test(a_failed_send_is_a_dead_letter),
        cmocka_unit_test(two_projects_on_one_vhost_never_meet),
        cmocka_unit_test(what_cannot_be_done_is_refused_by_name),
        cmocka_unit_test(quorum_queues_carry_calls_and_retries),
        cmocka_unit_test(a_broker_that_could_not_be_started_is_not_started_again),
    };
    return RUN_TESTS("amqp: tasks", tests);
}
