/* Tasks that do what no task should: each costs itself, and is reported by its cause. */
#include "world.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers take signals for themselves and end the process with a code of their own. */
static void expect_signal(fixture *f, const char *task, const char *type, const char *part)
{
    if (!SANITIZED) {
        expect_crash(f, task, type, part);
        return;
    }
    patio_future *future = call_it(f, task, PATIO_NO_ARGS, 30000);
    assert_status(patio_future_status(future, &f->err), PATIO_TASK_CRASHED);
    patio_future_destroy(future);
}

static void a_segmentation_fault_costs_its_task(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    expect_signal(&f, "segv", "SIGSEGV", "address 0x0");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_signal_leaves_a_backtrace(void **state)
{
    (void)state;
    fixture f;
    if (SANITIZED) {
        skip();
    }
    world_open(&f, WORLD("max_pending=100"));
    expect_crash(&f, "segv", "SIGSEGV", "backtrace: ");
    expect_crash(&f, "abort", "SIGABRT", "backtrace: ");
    world_close(&f, 5000);
}

static void abort_exit_and_kill_are_told_apart(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    expect_crash(&f, "abort", "SIGABRT", "signal 6");
    expect_crash(&f, "exit", "Exit", "exited with code 3");
    expect_crash(&f, "kill", "SIGKILL", "signal 9");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_stack_overflow_is_a_signal(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    expect_signal(&f, "overflows", "SIGSEGV", "signal 11");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_fork_answers_once(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(number_of(call_it(&f, "forks", PATIO_NO_ARGS, 0)), 5);
    }
    assert_int_equal(stats_of(f.broker).replies_late, 0);
    world_close(&f, 5000);
}

static void what_a_task_leaves_running_ends_with_its_child(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    pid_t left = (pid_t)number_of(call_it(&f, "leaves", PATIO_NO_ARGS, 0));
    assert_true(left > 0);
    world_close(&f, 5000);
    AWAIT(!lives(left));
}

/* Whoever forks this process holds all of its descriptors; what has been said of a child through
 * them is of no other. */
static void a_copy_of_the_worker_keeps_nothing_of_a_child_that_is_gone(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("executor.workers=1"));
    pid_t copy = fork();
    if (copy == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
    assert_true(copy > 0);
    for (int i = 0; i < 5; i++) {
        expect_crash(&f, "exit", "Exit", "exited with code 3");
        expect_good(&f);
    }
    assert_int_equal(stats_of(f.broker).tasks_failed, 5);
    assert_int_equal(kill(copy, SIGKILL), 0);
    assert_int_equal(waitpid(copy, NULL, 0), copy);
    world_close(&f, 5000);
}

static void closing_all_descriptors_is_a_crash(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    expect_crash(&f, "closes", "Disconnected", "connection");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_task_that_closes_all_and_returns_costs_at_most_itself(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("executor.workers=1"));
    for (int i = 0; i < 5; i++) {
        patio_future *future = call_it(&f, "closes_and_returns", PATIO_NO_ARGS, 30000);
        patio_status  st     = patio_future_status(future, &f.err);
        /* its result may have been there before its child could not speak any more */
        assert_true(st == PATIO_OK || st == PATIO_TASK_CRASHED);
        patio_future_destroy(future);
        expect_good(&f);
    }
    world_close(&f, 5000);
}

/* The worker believes nothing of what a child can write to. */
static void writing_over_shared_memory_hurts_nobody_else(void **state)
{
    (void)state;
    fixture f;
    world_open(&f,
               WORLD("tasks.scribbles.attempt_timeout_ms=2000", "executor.kill_grace_ms=100ms"));
    for (int64_t seed = 0; seed < 16; seed++) {
        patio_future *future = call_it(&f, "scribbles", PATIO_ARGS(seed), 30000);
        patio_status  st     = patio_future_status(future, &f.err);
        /* its result may have come through all the same */
        if (st != PATIO_TASK_CRASHED && st != PATIO_OK) {
            fail_msg("seed %d: %s: %s", (int)seed, patio_status_name(st), f.err.message);
        }
        patio_future_destroy(future);
        expect_good(&f);
    }
    world_close(&f, 5000);
}

/* Its child has no other task after it, which would pay for it. */
static void a_task_that_spoils_its_child_and_ends_well_hurts_nobody_else(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *soils   = NULL;
    patio_future      *add     = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 30000};
    world_open(&f, WORLD("executor.workers=1"));
    for (int i = 0; i < 50; i++) {
        /* the second one waits, and is handed out as soon as the first has ended */
        assert_ok(patio_start(f.broker, "soils", PATIO_NO_ARGS, &options, &soils, &f.err), f.err);
        assert_ok(patio_start(f.broker, "add", PATIO_ARGS(40, 2), &options, &add, &f.err), f.err);
        assert_status(patio_future_wait(soils, 30000), PATIO_OK);
        assert_status(patio_future_wait(add, 30000), PATIO_OK);
        assert_int_equal(number_of(soils), 1);
        assert_int_equal(number_of(add), 42);
    }
    world_close(&f, 5000);
}

static void a_task_that_says_it_has_not_begun_is_killed_in_time(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.pretends.attempt_timeout_ms=100ms", "executor.kill_grace_ms=50ms"));
    expect_crash(&f, "pretends", "TimeLimit", "kill_grace_ms (50)");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_stopped_child_is_killed_when_its_time_is_over(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.stops.attempt_timeout_ms=100ms", "executor.kill_grace_ms=50ms"));
    expect_crash(&f, "stops", "TimeLimit", "kill_grace_ms (50)");
    expect_good(&f);
    world_close(&f, 5000);
}

/* ---- counted apart ---- */

static void crashes_are_not_attempts(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options)};
    world_open(&f, WORLD("tasks.exit.max_crashes=4", "tasks.exit.max_attempts=1",
                         "tasks.exit.backoff_base_ms=1ms", "tasks.exit.backoff_cap_ms=1ms"));
    assert_ok(patio_start(f.broker, "exit", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, 30000), PATIO_OK);
    assert_status(patio_future_status(future, &f.err), PATIO_TASK_CRASHED);
    patio_future_destroy(future);
    assert_int_equal(stats_of(f.broker).tasks_started, 4);
    assert_int_equal(stats_of(f.broker).tasks_retried, 3);
    assert_int_equal(stats_of(f.broker).tasks_failed, 1);
    world_close(&f, 5000);
}

static void a_sent_task_that_crashes_becomes_a_dead_letter(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.exit.max_crashes=2", "tasks.exit.backoff_base_ms=1ms",
                         "tasks.exit.backoff_cap_ms=1ms"));
    assert_ok(patio_send(f.broker, "exit", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    AWAIT(counts_of(f.broker, NULL).dead == 1);
    assert_int_equal(stats_of(f.broker).tasks_started, 2);
    world_close(&f, 5000);
}

/* Jobs in the hands of a child that dies, behind the one that kills it, lose nothing. */
static void those_behind_a_crash_go_on_elsewhere(void **state)
{
    (void)state;
    enum { N = 600 };
    static patio_future *futures[N];
    fixture              f;
    patio_call_options   options = {PATIO_SIZED(patio_call_options), .max_crashes = 1};
    world_open(&f, WORLD("lookahead=200"));
    for (int i = 0; i < N; i++) {
        assert_ok(patio_start(f.broker, i % 60 == 30 ? "exit" : "add", PATIO_ARGS(i, i), &options,
                              &futures[i], &f.err),
                  f.err);
    }
    for (int i = 0; i < N; i++) {
        assert_status(patio_future_wait(futures[i], 30000), PATIO_OK);
        if (i % 60 == 30) {
            assert_status(patio_future_status(futures[i], &f.err), PATIO_TASK_CRASHED);
            patio_future_destroy(futures[i]);
        } else {
            assert_int_equal(number_of(futures[i]), 2 * i);
        }
    }
    world_close(&f, 5000);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make_registry);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segmentation_fault_costs_its_task),
        cmocka_unit_test(a_signal_leaves_a_backtrace),
        cmocka_unit_test(abort_exit_and_kill_are_told_apart),
        cmocka_unit_test(a_stack_overflow_is_a_signal),
        cmocka_unit_test(a_fork_answers_once),
        cmocka_unit_test(what_a_task_leaves_running_ends_with_its_child),
        cmocka_unit_test(a_copy_of_the_worker_keeps_nothing_of_a_child_that_is_gone),
        cmocka_unit_test(closing_all_descriptors_is_a_crash),
        cmocka_unit_test(a_task_that_closes_all_and_returns_costs_at_most_itself),
        cmocka_unit_test(writing_over_shared_memory_hurts_nobody_else),
        cmocka_unit_test(a_task_that_spoils_its_child_and_ends_well_hurts_nobody_else),
        cmocka_unit_test(a_task_that_says_it_has_not_begun_is_killed_in_time),
        cmocka_unit_test(a_stopped_child_is_killed_when_its_time_is_over),
        cmocka_unit_test(crashes_are_not_attempts),
        cmocka_unit_test(a_sent_task_that_crashes_becomes_a_dead_letter),
        cmocka_unit_test(those_behind_a_crash_go_on_elsewhere),
    };
    return RUN_TESTS("process: crashes", tests);
}
