/* Calls as an application makes them: on each executor, from several threads, inside tasks, and how
 * they fail. */
#include "fixture.h"

#include <string.h>

enum { CALLS = 100, CALLERS = 4 };

static void expect_int(patio_future *future, int64_t expected)
{
    int64_t got = 0;
    assert_status(patio_value_get_int64(patio_future_value(future), &got), PATIO_OK);
    assert_int_equal(got, expected);
}

/* ---- calls that work ---- */

static void a_call_gives_the_result_of_the_task(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    assert_string_equal(patio_broker_transport(f.broker), "memory");
    assert_string_equal(patio_broker_executor(f.broker), "thread");
    assert_string_equal(patio_broker_project(f.broker), "default");
    assert_ptr_equal(patio_broker_runtime(f.broker), f.runtime);
    assert_ok(patio_call(f.broker, "mul", PATIO_ARGS(2, 3, 7), NULL, &future, &f.err), f.err);
    expect_int(future, 42);
    patio_future_destroy(future);
    assert_status(patio_call(f.broker, "mul", PATIO_ARGS(2, 3), NULL, NULL, NULL), PATIO_OK);

    patio_broker_stats stats = stats_of(f.broker);
    assert_int_equal(stats.link, 2); /* up */
    assert_int_equal(stats.calls_started, 2);
    assert_int_equal(stats.calls_answered, 2);
    assert_int_equal(stats.calls_failed, 0);
    assert_int_equal(stats.calls_in_flight, 0);
    assert_int_equal(stats.tasks_received, 2);
    fixture_close(&f);
}

static void a_broker_opened_by_url_has_a_runtime_of_its_own(void **state)
{
    (void)state;
    fixture       f;
    patio_broker *broker = NULL;
    patio_future *future = NULL;
    fixture_init(&f);
    add_common_tasks(f.registry);
    assert_ok(patio_broker_open(f.registry, "memory://", &broker, &f.err), f.err);
    assert_ptr_not_equal(patio_broker_runtime(broker), f.runtime);
    assert_ok(patio_broker_start(broker, &f.err), f.err);
    assert_ok(patio_call(broker, "mul", PATIO_ARGS(6, 7), NULL, &future, &f.err), f.err);
    expect_int(future, 42);
    patio_future_destroy(future);
    patio_broker_destroy(broker);
    fixture_close(&f);
}

static void a_call_by_function_uses_its_first_name(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    assert_ok(patio_call_fn(f.broker, task_mul, PATIO_ARGS(6, 7), NULL, &future, &f.err), f.err);
    expect_int(future, 42);
    patio_future_destroy(future);
    assert_ok(patio_start_fn(f.broker, task_mul, PATIO_ARGS(2, 2), NULL, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    expect_int(future, 4);
    patio_future_destroy(future);
    fixture_close(&f);
}

static patio_status task_name(patio_context *ctx)
{
    return PATIO_RETURN(ctx, patio_task_name(ctx));
}

static void a_function_that_has_no_name_cannot_be_called(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    assert_status(patio_call_fn(f.broker, task_name, PATIO_NO_ARGS, NULL, &future, &f.err),
                  PATIO_NOT_FOUND);
    assert_contains(f.err.message, "registry");
    assert_null(future);
    fixture_close(&f);
}

static void a_function_answers_under_each_of_its_names(void **state)
{
    (void)state;
    static const char *const names[] = {"eins", "zwei", "drei.vier", "größe"};
    fixture                  f;
    fixture_init(&f);
    for (size_t i = 0; i < 4; i++) {
        add_task(f.registry, names[i], task_name, NULL);
    }
    f.broker = start_broker(&f, f.registry, NULL);
    for (size_t i = 0; i < 4; i++) {
        patio_future *future = NULL;
        const char   *text   = NULL;
        assert_ok(patio_call(f.broker, names[i], PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
        assert_status(patio_value_get_string(patio_future_value(future), &text), PATIO_OK);
        assert_string_equal(text, names[i]);
        patio_future_destroy(future);
    }
    fixture_close(&f);
}

/* ---- many at once ---- */

typedef struct caller {
    patio_broker *broker;
    patio_status  status;
    int64_t       sum;
} caller;

static void *call_hundred_times(void *arg)
{
    caller       *c = arg;
    patio_future *futures[CALLS];
    int           started = 0;
    while (started < CALLS && c->status == PATIO_OK) {
        c->status =
            patio_start(c->broker, "mul", PATIO_ARGS(1, 2, 3), NULL, &futures[started], NULL);
        started += c->status == PATIO_OK;
    }
    if (patio_future_wait_all(futures, (size_t)started, 20000) != PATIO_OK) {
        c->status = PATIO_TIMEOUT;
    }
    for (int i = 0; i < started; i++) {
        int64_t x = 0;
        if (patio_value_get_int64(patio_future_value(futures[i]), &x) == PATIO_OK) {
            c->sum += x;
        }
        patio_future_destroy(futures[i]);
    }
    return NULL;
}

static void call_from(unsigned callers, const char *workers)
{
    fixture   f;
    caller    c[CALLERS] = {{.broker = NULL}};
    pthread_t threads[CALLERS];
    fixture_open(&f, SETTINGS(workers));
    for (unsigned i = 0; i < callers; i++) {
        c[i].broker = f.broker;
        threads[i]  = run_thread(call_hundred_times, &c[i]);
    }
    for (unsigned i = 0; i < callers; i++) {
        join_thread(threads[i]);
        assert_status(c[i].status, PATIO_OK);
        assert_int_equal(c[i].sum, 6 * CALLS);
    }
    patio_broker_stats stats = stats_of(f.broker);
    assert_int_equal(stats.calls_answered, (uint64_t)CALLS * callers);
    assert_int_equal(stats.replies_late, 0);
    fixture_close(&f);
}

static void hundred_concurrent_calls_succeed_on_one_worker(void **state)
{
    (void)state;
    call_from(1, "executor.workers=1");
}

static void hundred_concurrent_calls_succeed_on_four_workers(void **state)
{
    (void)state;
    call_from(1, "executor.workers=4");
}

static void hundred_concurrent_calls_succeed_on_sixteen_workers(void **state)
{
    (void)state;
    call_from(1, "executor.workers=16");
}

static void four_threads_make_hundred_concurrent_calls_each(void **state)
{
    (void)state;
    call_from(CALLERS, "executor.workers=1");
    call_from(CALLERS, "executor.workers=4");
    call_from(CALLERS, "executor.workers=16");
}

/* ---- calls that do not ---- */

static void the_null_executor_refuses_calls_and_says_so(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_open(&f, SETTINGS("executor=null"));
    assert_string_equal(patio_broker_executor(f.broker), "null");
    assert_status(patio_call(f.broker, "mul", PATIO_ARGS(1), NULL, &future, &f.err),
                  PATIO_NO_ROUTE);
    assert_contains(f.err.message, "\"mul\"");
    assert_contains(f.err.message, "\"null\"");
    assert_string_equal(f.err.origin, "transport.memory");
    assert_int_equal(counts_of(f.broker, NULL).consumers, 0);
    fixture_close(&f);
}

static patio_status task_divide(patio_context *ctx)
{
    return patio_task_fail_with(ctx, 33, "ZeroDivision", "cannot divide 5 by 0",
                                PATIO_ARGS(PATIO_MAP("dividend", 5, "divisor", 0)));
}

static patio_status task_fail_without_details(patio_context *ctx)
{
    return patio_task_fail(ctx, -7, "Plain", "value %d is odd", 3);
}

static patio_status task_bare_status(patio_context *ctx)
{
    (void)ctx;
    return PATIO_NOT_FOUND;
}

static const patio_task_error *expect_error(fixture *f, const char *task, patio_future **future)
{
    patio_status st = patio_start(f->broker, task, PATIO_NO_ARGS, NULL, future, &f->err);
    assert_ok(st, f->err);
    assert_status(patio_future_wait(*future, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_future_status(*future, &f->err), PATIO_TASK_FAILED);
    assert_null(patio_future_value(*future));
    assert_int_equal(patio_future_kind(*future), 0);
    const patio_task_error *error = patio_future_error(*future);
    assert_non_null(error);
    return error;
}

static void a_tasks_error_reaches_the_caller_with_all_its_parts(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    int64_t       number = 0;
    fixture_init(&f);
    add_task(f.registry, "divide", task_divide, NULL);
    add_task(f.registry, "plain", task_fail_without_details, NULL);
    add_task(f.registry, "bare", task_bare_status, NULL);
    f.broker = start_broker(&f, f.registry, NULL);

    const patio_task_error *error = expect_error(&f, "divide", &future);
    assert_int_equal(error->code, 33);
    assert_string_equal(error->type, "ZeroDivision");
    assert_string_equal(error->message, "cannot divide 5 by 0");
    assert_status(patio_value_get_int64(patio_value_key(error->details, "dividend"), &number),
                  PATIO_OK);
    assert_int_equal(number, 5);
    assert_string_equal(f.err.origin, "task");
    assert_contains(f.err.message, "ZeroDivision (33): cannot divide 5 by 0");
    patio_future_destroy(future);

    error = expect_error(&f, "plain", &future);
    assert_int_equal(error->code, -7);
    assert_string_equal(error->message, "value 3 is odd");
    assert_null(error->details);
    patio_future_destroy(future);

    error = expect_error(&f, "bare", &future);
    assert_int_equal(error->code, PATIO_NOT_FOUND);
    assert_string_equal(error->type, patio_status_name(PATIO_NOT_FOUND));
    patio_future_destroy(future);

    /* somebody heard of each: none is a dead letter */
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(counts_of(f.broker, NULL).dead, 0);
    assert_int_equal(stats_of(f.broker).tasks_failed, 3);
    fixture_close(&f);
}

static patio_status task_keyword_details(patio_context *ctx)
{
    return patio_task_fail_with(ctx, 1, "Keyworded", "", PATIO_KW("field", "age"));
}

static void details_given_as_keywords_reach_the_caller_as_a_map(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    const char   *field  = NULL;
    fixture_init(&f);
    add_task(f.registry, "keyworded", task_keyword_details, NULL);
    f.broker                      = start_broker(&f, f.registry, NULL);
    const patio_task_error *error = expect_error(&f, "keyworded", &future);
    assert_status(patio_value_get_string(patio_value_key(error->details, "field"), &field),
                  PATIO_OK);
    assert_string_equal(field, "age");
    patio_future_destroy(future);
    fixture_close(&f);
}

static void a_call_times_out_while_its_task_runs_on(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    patio_call_options soon = {PATIO_SIZED(patio_call_options), .timeout_ms = 20};
    assert_status(patio_call(f.broker, "gate", PATIO_NO_ARGS, &soon, &future, &f.err),
                  PATIO_TIMEOUT);
    assert_null(future);
    assert_contains(f.err.message, "deadline");
    assert_int_equal(stats_of(f.broker).calls_failed, 1);
    gate_open(&the_gate);
    AWAIT(counts_of(f.broker, NULL).leased == 0 && counts_of(f.broker, NULL).ready == 0);
    fixture_close(&f);
}

static void a_tasks_own_call_timeout_counts_when_the_caller_names_none(void **state)
{
    (void)state;
    fixture            f;
    patio_task_options brief = {PATIO_SIZED(patio_task_options), .call_timeout_ms = 20};
    fixture_init(&f);
    add_task(f.registry, "brief", task_gate, &brief);
    f.broker = start_broker(&f, f.registry, NULL);
    assert_status(patio_call(f.broker, "brief", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_TIMEOUT);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_gives_the_result_of_the_task),
        cmocka_unit_test(a_broker_opened_by_url_has_a_runtime_of_its_own),
        cmocka_unit_test(a_call_by_function_uses_its_first_name),
        cmocka_unit_test(a_function_that_has_no_name_cannot_be_called),
        cmocka_unit_test(a_function_answers_under_each_of_its_names),
        cmocka_unit_test(hundred_concurrent_calls_succeed_on_one_worker),
        cmocka_unit_test(hundred_concurrent_calls_succeed_on_four_workers),
        cmocka_unit_test(hundred_concurrent_calls_succeed_on_sixteen_workers),
        cmocka_unit_test(four_threads_make_hundred_concurrent_calls_each),
        cmocka_unit_test(the_null_executor_refuses_calls_and_says_so),
        cmocka_unit_test(a_tasks_error_reaches_the_caller_with_all_its_parts),
        cmocka_unit_test(details_given_as_keywords_reach_the_caller_as_a_map),
        cmocka_unit_test(a_call_times_out_while_its_task_runs_on),
        cmocka_unit_test(a_tasks_own_call_timeout_counts_when_the_caller_names_none),
    };
    return RUN_TESTS("calls", tests);
}
