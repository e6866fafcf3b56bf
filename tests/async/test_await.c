/* Waiting inside tasks, under the executor that argv names, or both: what patio/await.h promises
 * under all of them. */
#include "await_tasks.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *executor;

static void open_world(fixture *f, const patio_task_options *options)
{
    char chosen[64];
    (void)snprintf(chosen, sizeof(chosen), "executor=%s", executor);
    await_tasks_reset();
    fixture_init(f);
    add_common_tasks(f->registry);
    await_tasks_add(f->registry, options);
    bool threads = strcmp(executor, "thread") == 0;
    f->broker    = start_broker(f, f->registry,
                                SETTINGS("broker=memory://", chosen,
                                      threads ? "executor.workers=20" : "executor.max_workers=20"));
}

static patio_future *start(fixture *f, const char *task, const patio_payload *payload)
{
    patio_future *future = NULL;
    assert_ok(patio_start(f->broker, task, payload, NULL, &future, &f->err), f->err);
    return future;
}

/* The int64 that a call ends with. */
static int64_t result_of(fixture *f, patio_future *future)
{
    int64_t result = -1;
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    assert_ok(patio_future_status(future, &f->err), f->err);
    assert_status(patio_value_get_int64(patio_future_value(future), &result), PATIO_OK);
    patio_future_destroy(future);
    return result;
}

static patio_status end_of(patio_future *future)
{
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    patio_status st = patio_future_status(future, NULL);
    patio_future_destroy(future);
    return st;
}

/* Cancels a call whose task waits, and what the wait ended with. */
static patio_status cancel(patio_future *future)
{
    AWAIT(atomic_load(&began) > 0);
    patio_future_cancel(future);
    AWAIT(atomic_load(&ended) > 0);
    patio_future_destroy(future);
    return atomic_load(&waited);
}

/* A task that waits until its deadline ends the wait. On a busy machine it may be too late to begin
 * at all; then another is tried. */
static void run_into_deadline(fixture *f, const char *task, uint64_t arg)
{
    for (int i = 0; i < 100 && atomic_load(&began) == 0; i++) {
        patio_status st = end_of(start(f, task, PATIO_ARGS(arg)));
        assert_status(st, atomic_load(&began) != 0 ? PATIO_TASK_FAILED : PATIO_TIMEOUT);
    }
    assert_int_equal(atomic_load(&began), 1);
    assert_int_equal(atomic_load(&waited), PATIO_TIMEOUT);
}

static void a_sleep_lasts_as_long_as_it_should(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    uint64_t from = test_now_ms();
    assert_status(end_of(start(&f, "sleep", PATIO_ARGS(30u))), PATIO_OK);
    assert_true(test_now_ms() - from >= 30);
    assert_int_equal(atomic_load(&waited), PATIO_OK);
    assert_status(end_of(start(&f, "sleep", PATIO_ARGS(0u))), PATIO_OK);
    fixture_close(&f);
}

static void as_many_sleep_at_once_as_there_are_workers(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[20];
    open_world(&f, NULL);
    for (int i = 0; i < 20; i++) {
        futures[i] = start(&f, "sleep", PATIO_ARGS(600000u));
    }
    AWAIT(atomic_load(&began) == 20);
    assert_int_equal(atomic_load(&ended), 0);
    for (int i = 0; i < 20; i++) {
        patio_future_cancel(futures[i]);
        patio_future_destroy(futures[i]);
    }
    AWAIT(atomic_load(&ended) == 20);
    fixture_close(&f);
}

static void a_cancel_ends_a_sleep(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    assert_status(cancel(start(&f, "sleep", PATIO_ARGS(60000u))), PATIO_CANCELLED);
    fixture_close(&f);
}

static void the_deadline_ends_a_sleep(void **state)
{
    (void)state;
    fixture                  f;
    const patio_task_options options = {PATIO_SIZED(patio_task_options), .attempt_timeout_ms = 20,
                                        .max_attempts = 1};
    open_world(&f, &options);
    run_into_deadline(&f, "sleep", 60000);
    fixture_close(&f);
}

static void who_yields_sees_a_cancel_and_the_deadline(void **state)
{
    (void)state;
    fixture                  f;
    const patio_task_options options = {PATIO_SIZED(patio_task_options), .attempt_timeout_ms = 20,
                                        .max_attempts = 1};
    open_world(&f, NULL);
    assert_status(end_of(start(&f, "yield", PATIO_ARGS(1000u))), PATIO_OK);
    atomic_store(&began, 0);
    atomic_store(&ended, 0);
    assert_status(cancel(start(&f, "yield", PATIO_ARGS(UINT64_MAX))), PATIO_CANCELLED);
    fixture_close(&f);
    open_world(&f, &options);
    run_into_deadline(&f, "yield", UINT64_MAX);
    fixture_close(&f);
}

static void a_descriptor_is_awaited(void **state)
{
    (void)state;
    fixture f;
    int     fds[2];
    open_world(&f, NULL);
    assert_int_equal(pipe(fds), 0);
    the_fd               = fds[0];
    patio_future *future = start(&f, "read_fd", PATIO_ARGS(PATIO_FOREVER));
    AWAIT(atomic_load(&began) == 1);
    assert_false(patio_future_done(future));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(result_of(&f, future), PATIO_FD_READ);
    assert_int_equal(result_of(&f, start(&f, "read_fd", PATIO_ARGS(1000u))), PATIO_FD_READ);
    the_fd = fds[1];
    assert_int_equal(result_of(&f, start(&f, "read_fd", PATIO_ARGS(1000u))), PATIO_FD_WRITE);
    close(fds[0]);
    close(fds[1]);
    fixture_close(&f);
}

static void a_descriptor_that_is_closed_by_the_other_side_is_ready(void **state)
{
    (void)state;
    fixture f;
    int     fds[2];
    open_world(&f, NULL);
    assert_int_equal(pipe(fds), 0);
    the_fd               = fds[0];
    patio_future *future = start(&f, "read_fd", PATIO_ARGS(PATIO_FOREVER));
    AWAIT(atomic_load(&began) == 1);
    close(fds[1]);
    assert_true((result_of(&f, future) & PATIO_FD_READ) != 0);
    close(fds[0]);
    fixture_close(&f);
}

static void the_wait_for_a_descriptor_ends_by_time_and_by_cancel(void **state)
{
    (void)state;
    fixture f;
    int     fds[2];
    open_world(&f, NULL);
    assert_int_equal(pipe(fds), 0);
    the_fd = fds[0];
    assert_status(end_of(start(&f, "read_fd", PATIO_ARGS(10u))), PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&waited), PATIO_TIMEOUT);
    await_tasks_reset();
    the_fd = fds[0];
    assert_status(cancel(start(&f, "read_fd", PATIO_ARGS(PATIO_FOREVER))), PATIO_CANCELLED);
    close(fds[0]);
    close(fds[1]);
    fixture_close(&f);
}

static void what_cannot_be_awaited_is_refused(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    the_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* a regular file */
    assert_true(the_fd >= 0);
    assert_status(end_of(start(&f, "read_fd", PATIO_ARGS(1000u))), PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&waited), PATIO_INVALID);
    close(the_fd);
    assert_status(end_of(start(&f, "read_fd", PATIO_ARGS(1000u))), PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&waited), PATIO_INVALID);
    fixture_close(&f);
}

static void a_suspended_task_is_resumed_once(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    patio_future *future = start(&f, "suspend", PATIO_ARGS(PATIO_FOREVER));
    AWAIT(atomic_load(&began) == 1);
    assert_status(patio_resume(the_waker), PATIO_OK);
    assert_status(end_of(future), PATIO_OK);
    assert_status(patio_resume(the_waker), PATIO_STALE);
    assert_status(patio_resume((patio_waker){.target = NULL}), PATIO_STALE);
    fixture_close(&f);
}

static void a_suspension_ends_by_time_and_its_waker_is_stale(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    assert_status(end_of(start(&f, "suspend", PATIO_ARGS(5u))), PATIO_TASK_FAILED);
    assert_int_equal(atomic_load(&waited), PATIO_TIMEOUT);
    assert_status(patio_resume(the_waker), PATIO_STALE);
    fixture_close(&f);
}

static void a_cancel_ends_a_suspension_but_not_a_shielded_one(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    assert_status(cancel(start(&f, "suspend", PATIO_ARGS(PATIO_FOREVER))), PATIO_CANCELLED);
    await_tasks_reset();
    patio_future *future = start(&f, "suspend", PATIO_ARGS(PATIO_FOREVER, PATIO_SUSPEND_SHIELDED));
    AWAIT(atomic_load(&began) == 1);
    patio_future_cancel(future);
    patio_future_destroy(future);
    assert_status(end_of(start(&f, "yield", PATIO_ARGS(100u))), PATIO_OK);
    assert_int_equal(atomic_load(&ended), 1); /* the yield */
    assert_status(patio_resume(the_waker), PATIO_OK);
    AWAIT(atomic_load(&ended) == 2);
    assert_int_equal(atomic_load(&waited), PATIO_OK);
    fixture_close(&f);
}

static void a_task_calls_others(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[10];
    open_world(&f, NULL);
    for (int i = 0; i < 10; i++) {
        futures[i] = start(&f, "call", PATIO_ARGS("mul", i));
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(result_of(&f, futures[i]), i);
    }
    fixture_close(&f);
}

static void a_cancel_gives_up_what_the_task_calls(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    patio_future *future = start(&f, "call", PATIO_ARGS("sleep", 60000u));
    AWAIT(atomic_load(&began) == 2);
    patio_future_cancel(future);
    patio_future_destroy(future);
    AWAIT(atomic_load(&ended) == 2);
    assert_int_equal(atomic_load(&waited), PATIO_CANCELLED);
    fixture_close(&f);
}

static void a_task_waits_for_any_and_for_all(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    assert_int_equal(result_of(&f, start(&f, "any", PATIO_ARGS(3u, 60000u))), 2);
    assert_int_equal(result_of(&f, start(&f, "any", PATIO_ARGS(10u, 60000u))), 9);
    assert_int_equal(result_of(&f, start(&f, "all", PATIO_ARGS(10u, 20u))), 10);
    fixture_close(&f);
}

static void a_deferred_task_ends_with_its_handle(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    patio_future *future = start(&f, "defer", PATIO_NO_ARGS);
    AWAIT(atomic_load(&began) == 1);
    assert_false(patio_future_done(future));
    assert_false(patio_deferred_ended(the_deferred));
    assert_status(patio_deferred_return(the_deferred, patio_int(42)), PATIO_OK);
    assert_int_equal(result_of(&f, future), 42);

    future = start(&f, "defer", PATIO_NO_ARGS);
    AWAIT(atomic_load(&began) == 2);
    assert_status(patio_deferred_fail(the_deferred, 3, "Later", "after %d", 1), PATIO_OK);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    const patio_task_error *error = patio_future_error(future);
    assert_non_null(error);
    assert_int_equal(error->code, 3);
    assert_string_equal(error->type, "Later");
    assert_string_equal(error->message, "after 1");
    patio_future_destroy(future);

    assert_int_equal(result_of(&f, start(&f, "defer_twice", PATIO_NO_ARGS)), 5);
    assert_int_equal(atomic_load(&waited), PATIO_EXISTS);
    fixture_close(&f);
}

static void a_handle_whose_task_has_ended_is_stale(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    patio_future *future = start(&f, "defer", PATIO_NO_ARGS);
    AWAIT(atomic_load(&began) == 1);
    patio_future_cancel(future);
    patio_future_destroy(future);
    AWAIT(patio_deferred_ended(the_deferred));
    assert_status(patio_deferred_return(the_deferred, patio_int(42)), PATIO_STALE);

    future = start(&f, "defer_and_fail", PATIO_NO_ARGS);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    assert_string_equal(patio_future_error(future)->message, "no, at once");
    patio_future_destroy(future);
    assert_status(patio_deferred_fail(the_deferred, 1, "Late", "never seen"), PATIO_STALE);
    fixture_close(&f);
}

static void a_stop_without_grace_ends_what_waits(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[4];
    open_world(&f, NULL);
    futures[0] = start(&f, "sleep", PATIO_ARGS(60000u));
    futures[1] = start(&f, "call", PATIO_ARGS("sleep", 60000u));
    futures[2] = start(&f, "defer", PATIO_NO_ARGS);
    futures[3] = start(&f, "suspend", PATIO_ARGS(PATIO_FOREVER));
    AWAIT(atomic_load(&began) == 5);
    patio_deferred *deferred = the_deferred;
    assert_status(patio_broker_stop(f.broker, 10, &f.err), PATIO_TIMEOUT);
    assert_contains(f.err.message, "still run");
    assert_status(patio_broker_stop(f.broker, 20000, &f.err), PATIO_OK);
    assert_int_equal(atomic_load(&ended), 4);
    assert_true(patio_deferred_ended(deferred));
    assert_status(patio_deferred_return(deferred, patio_int(1)), PATIO_STALE);
    assert_status(patio_resume(the_waker), PATIO_STALE);
    for (int i = 0; i < 4; i++) {
        assert_status(end_of(futures[i]), PATIO_CANCELLED);
    }
    fixture_close(&f);
}

static void a_stop_with_grace_lets_what_waits_end(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, NULL);
    patio_future *future = start(&f, "sleep", PATIO_ARGS(100u));
    AWAIT(atomic_load(&began) == 1);
    assert_ok(patio_broker_stop(f.broker, 20000, &f.err), f.err);
    assert_int_equal(atomic_load(&waited), PATIO_OK);
    assert_status(end_of(future), PATIO_OK);
    fixture_close(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleep_lasts_as_long_as_it_should),
        cmocka_unit_test(as_many_sleep_at_once_as_there_are_workers),
        cmocka_unit_test(a_cancel_ends_a_sleep),
        cmocka_unit_test(the_deadline_ends_a_sleep),
        cmocka_unit_test(who_yields_sees_a_cancel_and_the_deadline),
        cmocka_unit_test(a_descriptor_is_awaited),
        cmocka_unit_test(a_descriptor_that_is_closed_by_the_other_side_is_ready),
        cmocka_unit_test(the_wait_for_a_descriptor_ends_by_time_and_by_cancel),
        cmocka_unit_test(what_cannot_be_awaited_is_refused),
        cmocka_unit_test(a_suspended_task_is_resumed_once),
        cmocka_unit_test(a_suspension_ends_by_time_and_its_waker_is_stale),
        cmocka_unit_test(a_cancel_ends_a_suspension_but_not_a_shielded_one),
        cmocka_unit_test(a_task_calls_others),
        cmocka_unit_test(a_cancel_gives_up_what_the_task_calls),
        cmocka_unit_test(a_task_waits_for_any_and_for_all),
        cmocka_unit_test(a_deferred_task_ends_with_its_handle),
        cmocka_unit_test(a_handle_whose_task_has_ended_is_stale),
        cmocka_unit_test(a_stop_without_grace_ends_what_waits),
        cmocka_unit_test(a_stop_with_grace_lets_what_waits_end),
    };
    int failed = 0;
    if (argc > 1) {
        executor = argv[1];
        return RUN_TESTS(executor, tests);
    }
    executor = "thread";
    failed   = RUN_TESTS(executor, tests);
    executor = "async";
    return failed + RUN_TESTS(executor, tests);
}
