/* How a task is to be treated: said by its options, by the configuration, by the call. */
#include "fixture.h"

#include <patio/transport.h>
#include <string.h>
#include <time.h>

static patio_status task_again(patio_context *ctx)
{
    atomic_fetch_add(&runs, 1);
    return patio_task_retry(ctx, 0, "not yet");
}

static patio_status task_wait(patio_context *ctx)
{
    atomic_fetch_add(&runs, 1);
    while (!patio_task_cancelled(ctx)) {
        test_pause();
    }
    return PATIO_CANCELLED;
}

static void open_with(fixture *f, const char *const *settings)
{
    fixture_init(f);
    add_common_tasks(f->registry);
    add_task(f->registry, "again", task_again, NULL);
    add_task(f->registry, "wait", task_wait, NULL);
    f->broker = start_broker(f, f->registry, settings);
}

static void a_call_overrides_attempts_and_back_off(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .max_attempts = 3,
                                  .backoff = PATIO_BACKOFF_FIXED + 1, .backoff_base_ms = 1};
    open_with(&f, NULL);
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, &options, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&runs), 3);
    fixture_close(&f);
}

static void a_call_names_its_waits_one_by_one(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options listed = {PATIO_SIZED(patio_call_options), .max_attempts = 4,
                                 .backoff_list = "1ms,2ms,0"};
    patio_call_options bad    = {PATIO_SIZED(patio_call_options), .backoff_list = "1s,soon"};
    open_with(&f, SETTINGS("tasks.again.backoff_list=1h"));
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, &listed, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&runs), 4);
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, &bad, NULL, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "1s,10s,5min");
    fixture_close(&f);
}

/* What is settled before its run is never run again. */
static void a_call_overrides_when_it_is_settled(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options before = {PATIO_SIZED(patio_call_options), .backoff_list = "0",
                                 .ack = PATIO_ACK_ON_START + 1};
    patio_call_options after  = {PATIO_SIZED(patio_call_options), .backoff_list = "0",
                                 .max_attempts = 3, .ack = PATIO_ACK_ON_DONE + 1};
    patio_call_options wrong  = {PATIO_SIZED(patio_call_options), .ack = 4};
    open_with(&f, NULL);
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, &before, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&runs), 1);
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, &wrong, NULL, &f.err),
                  PATIO_INVALID);
    fixture_close(&f);
    atomic_store(&runs, 0);
    open_with(&f, SETTINGS("tasks.again.ack=on_receive"));
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, &after, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&runs), 3);
    fixture_close(&f);
}

static void a_task_has_a_delay_of_its_own(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options now = {PATIO_SIZED(patio_call_options), .at_unix_ms = 1};
    open_with(&f, SETTINGS("tasks.count.delay_ms=1h"));
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &now, NULL, &f.err), f.err);
    AWAIT(atomic_load(&runs) == 1);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    fixture_close(&f);
}

static void the_same_arguments_are_a_duplicate_where_the_task_says_so(void **state)
{
    (void)state;
    fixture            f;
    patio_broker      *broker = NULL;
    patio_id           first;
    patio_id           id;
    patio_call_options none = {PATIO_SIZED(patio_call_options), .dedup_key = ""};
    open_with(&f, SETTINGS("tasks.count.dedup=args", "tasks.count.dedup_window_ms=1h"));
    assert_ok(patio_send(f.broker, "count", PATIO_ARGS(1, "a"), NULL, &first, &f.err), f.err);
    assert_ok(patio_send(f.broker, "count", PATIO_ARGS(1, "a"), NULL, &id, &f.err), f.err);
    assert_memory_equal(&first, &id, sizeof(id));
    assert_ok(patio_send(f.broker, "count", PATIO_ARGS(1, "b"), NULL, &id, &f.err), f.err);
    assert_memory_not_equal(&first, &id, sizeof(id));
    assert_ok(patio_send(f.broker, "count", PATIO_ARGS(1, "a"), &none, &id, &f.err), f.err);
    assert_memory_not_equal(&first, &id, sizeof(id));
    AWAIT(atomic_load(&runs) == 3);
    fixture_close(&f);
    fixture_init(&f);
    assert_status(try_broker(&f, NULL, SETTINGS("tasks.count.dedup=args"), &broker), PATIO_CONFIG);
    assert_contains(f.err.message, "dedup_window_ms");
    fixture_close(&f);
}

/* A key of the call's own, with what the task says of keys. */
static void a_key_is_remembered_as_the_task_says(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *other = NULL;
    patio_call_options keyed = {PATIO_SIZED(patio_call_options), .dedup_key = "k"};
    open_with(&f, SETTINGS("tasks.gate.dedup_window_ms=1h", "tasks.gate.dedup_conflict=attach"));
    patio_future *first = NULL;
    assert_ok(patio_start(f.broker, "gate", PATIO_ARGS(5), &keyed, &first, &f.err), f.err);
    assert_ok(patio_start(f.broker, "gate", PATIO_ARGS(6), &keyed, &other, &f.err), f.err);
    gate_open(&the_gate);
    assert_status(patio_future_wait(other, 20000), PATIO_OK);
    assert_status(patio_future_status(other, NULL), PATIO_OK);
    assert_value(patio_future_value(other), PATIO_VALUE(5));
    patio_future_destroy(first);
    patio_future_destroy(other);
    fixture_close(&f);
}

static void a_list_of_waits_comes_from_the_configuration(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, SETTINGS("tasks.again.backoff_list=1ms,2ms,0", "tasks.again.max_attempts=6"));
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, NULL, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&runs), 6);
    fixture_close(&f);
}

static void a_list_that_is_none_is_a_mistake(void **state)
{
    (void)state;
    fixture       f;
    patio_broker *broker = NULL;
    fixture_init(&f);
    add_task(f.registry, "again", task_again, NULL);
    assert_status(try_broker(&f, f.registry, SETTINGS("tasks.again.backoff_list=1s,soon"), &broker),
                  PATIO_CONFIG);
    assert_contains(f.err.message, "backoff_list");
    assert_contains(f.err.message, "1s,10s,5min");
    fixture_close(&f);
}

/* Its part of the treatment: queue, level, times. The worker has its own configuration. */
static void a_caller_honours_what_is_said_of_tasks_that_it_does_not_have(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options waits = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE};
    fixture_init(&f);
    add_task(f.registry, "count", task_count, NULL);
    patio_registry *const registries[] = {NULL, f.registry};
    for (size_t i = 0; i < 2; i++) {
        patio_broker *caller =
            start_broker(&f, registries[i],
                         SETTINGS("broker=memory://elsewhere", "tasks.a.b.queue=side",
                                  "tasks.safe.level=disk", "tasks.slow.call_timeout_ms=5ms",
                                  "tasks.slow.executor=command", "tasks.slow.command=true"));
        assert_ok(patio_send(caller, "a.b", PATIO_NO_ARGS, &waits, NULL, &f.err), f.err);
        assert_int_equal(counts_of(caller, "side").ready, 1);
        assert_status(patio_send(caller, "safe", PATIO_NO_ARGS, &waits, NULL, &f.err),
                      PATIO_UNSUPPORTED);
        uint64_t began = test_now_ms();
        assert_status(patio_call(caller, "slow", PATIO_NO_ARGS, &waits, NULL, &f.err),
                      PATIO_TIMEOUT);
        assert_in_range(test_now_ms() - began, 4, 20000); /* 30 s is what it would be */
        patio_broker_destroy(caller);
    }
    fixture_close(&f);
}

static void what_cannot_be_said_of_a_task_is_a_mistake_for_its_callers(void **state)
{
    (void)state;
    fixture       f;
    patio_broker *broker = NULL;
    fixture_init(&f);
    assert_status(try_broker(&f, NULL, SETTINGS("tasks.safe.level=dusk"), &broker), PATIO_CONFIG);
    assert_contains(f.err.message, "task \"safe\"");
    fixture_close(&f);
}

static void a_send_not_started_in_time_is_a_dead_letter(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .queue_ttl_ms = 1};
    open_with(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &options, NULL, &f.err), f.err);
    uint64_t until = test_now_ms() + 3;
    AWAIT(test_now_ms() > until);
    gate_open(&the_gate);
    AWAIT(counts_of(f.broker, NULL).dead == 1);
    assert_int_equal(atomic_load(&runs), 0);
    patio_future_destroy(held);
    fixture_close(&f);
}

static void a_call_not_started_in_time_ends_before_its_deadline(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .queue_ttl_ms = 1,
                                  .timeout_ms = PATIO_FOREVER};
    open_with(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    assert_ok(patio_start(f.broker, "count", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    uint64_t until = test_now_ms() + 3;
    AWAIT(test_now_ms() > until);
    gate_open(&the_gate);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_TIMEOUT);
    assert_int_equal(atomic_load(&runs), 0);
    patio_future_destroy(future);
    patio_future_destroy(held);
    fixture_close(&f);
}

/* The time to be started in is not the time to run in. */
static void a_start_in_time_leaves_the_whole_deadline(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .queue_ttl_ms = 10000,
                                  .timeout_ms = 600000};
    open_with(&f, NULL);
    assert_ok(patio_start(f.broker, "gate", PATIO_ARGS(5), &options, &future, &f.err), f.err);
    AWAIT_ARRIVED(&the_gate, 1);
    gate_open(&the_gate);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_OK);
    patio_future_destroy(future);
    fixture_close(&f);
}

static void a_call_bounds_one_run(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .attempt_timeout_ms = 500,
                                  .timeout_ms = 60000};
    open_with(&f, NULL);
    assert_status(patio_call(f.broker, "wait", PATIO_NO_ARGS, &options, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&runs), 1);
    fixture_close(&f);
}

static void a_time_of_the_wall_clock_is_waited_for(void **state)
{
    (void)state;
    fixture         f;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    patio_call_options past  = {PATIO_SIZED(patio_call_options), .at_unix_ms = 1};
    patio_call_options later = {PATIO_SIZED(patio_call_options),
                                .at_unix_ms = ((int64_t)now.tv_sec + 3600) * 1000};
    patio_call_options both  = {PATIO_SIZED(patio_call_options), .at_unix_ms = 1, .delay_ms = 1};
    open_with(&f, NULL);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &past, NULL, &f.err), f.err);
    AWAIT(atomic_load(&runs) == 1);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &later, NULL, &f.err), f.err);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    assert_status(patio_send(f.broker, "count", PATIO_NO_ARGS, &both, NULL, &f.err), PATIO_INVALID);
    fixture_close(&f);
}

/* Said by the code alone, in the options that a program or a module registers a task with. */
static void a_task_says_all_of_it_in_code(void **state)
{
    (void)state;
    fixture            f;
    patio_task_options again = {PATIO_SIZED(patio_task_options), .backoff_list = "1ms,0",
                                .max_attempts = 3};
    patio_task_options late  = {PATIO_SIZED(patio_task_options), .delay_ms = 3600000};
    patio_task_options once  = {PATIO_SIZED(patio_task_options), .dedup_by = PATIO_DEDUP_BY_ARGS,
                                .dedup_window_ms = 3600000};
    patio_task_options wrong = {PATIO_SIZED(patio_task_options), .dedup_by = 2};
    patio_id           first;
    patio_id           second;
    fixture_init(&f);
    add_task(f.registry, "again", task_again, &again);
    add_task(f.registry, "late", task_count, &late);
    add_task(f.registry, "once", task_count, &once);
    assert_status(patio_registry_add(f.registry, "wrong", task_count, NULL, NULL, &wrong, &f.err),
                  PATIO_INVALID);
    assert_contains(f.err.message, "dedup_by");
    f.broker = start_broker(&f, f.registry, NULL);
    assert_status(patio_call(f.broker, "again", PATIO_NO_ARGS, NULL, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&runs), 3);
    assert_ok(patio_send(f.broker, "once", PATIO_ARGS(7), NULL, &first, &f.err), f.err);
    assert_ok(patio_send(f.broker, "once", PATIO_ARGS(7), NULL, &second, &f.err), f.err);
    assert_memory_equal(&first, &second, sizeof(first));
    AWAIT(atomic_load(&runs) == 4);
    assert_ok(patio_send(f.broker, "late", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    fixture_close(&f);
}

static void what_a_transport_lacks_is_refused_by_name(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options kept = {PATIO_SIZED(patio_call_options), .result_ttl_ms = 1000};
    patio_call_options safe = {PATIO_SIZED(patio_call_options), .level = PATIO_LEVEL_DISK};
    open_with(&f, NULL);
    if ((patio_broker_caps(f.broker) & PATIO_CAP_RESULTS) == 0) {
        assert_status(patio_send(f.broker, "count", PATIO_NO_ARGS, &kept, NULL, &f.err),
                      PATIO_UNSUPPORTED);
        assert_contains(f.err.message, "\"results\"");
    } else {
        assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &kept, NULL, &f.err), f.err);
    }
    assert_status(patio_send(f.broker, "count", PATIO_NO_ARGS, &safe, NULL, &f.err),
                  PATIO_UNSUPPORTED);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_overrides_attempts_and_back_off),
        cmocka_unit_test(a_call_names_its_waits_one_by_one),
        cmocka_unit_test(a_call_overrides_when_it_is_settled),
        cmocka_unit_test(a_task_has_a_delay_of_its_own),
        cmocka_unit_test(the_same_arguments_are_a_duplicate_where_the_task_says_so),
        cmocka_unit_test(a_key_is_remembered_as_the_task_says),
        cmocka_unit_test(a_list_of_waits_comes_from_the_configuration),
        cmocka_unit_test(a_list_that_is_none_is_a_mistake),
        cmocka_unit_test(a_caller_honours_what_is_said_of_tasks_that_it_does_not_have),
        cmocka_unit_test(what_cannot_be_said_of_a_task_is_a_mistake_for_its_callers),
        cmocka_unit_test(a_send_not_started_in_time_is_a_dead_letter),
        cmocka_unit_test(a_call_not_started_in_time_ends_before_its_deadline),
        cmocka_unit_test(a_start_in_time_leaves_the_whole_deadline),
        cmocka_unit_test(a_call_bounds_one_run),
        cmocka_unit_test(a_time_of_the_wall_clock_is_waited_for),
        cmocka_unit_test(a_task_says_all_of_it_in_code),
        cmocka_unit_test(what_a_transport_lacks_is_refused_by_name),
    };
    return RUN_TESTS("policy", tests);
}
