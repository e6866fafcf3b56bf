/* What a task may use, and how long its child lives. */
#include "on_valgrind.h"
#include "world.h"

#include <string.h>

static void memory_beyond_the_limit_is_a_crash(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.eats.memory_limit_bytes=600MiB"));
    expect_crash(&f, "eats", "MemoryLimit", "memory_limit_bytes (629145600)");
    expect_good(&f);
    world_close(&f, 5000);
}

static void cpu_time_beyond_the_limit_is_a_crash(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.loops.cpu_limit_ms=100ms"));
    expect_crash(&f, "loops", "CpuLimit", "cpu_limit_ms (100)");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_run_beyond_its_time_is_told_and_then_killed(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.loops.attempt_timeout_ms=100ms", "executor.kill_grace_ms=50ms",
                         "tasks.slow.attempt_timeout_ms=100ms"));
    expect_crash(&f, "loops", "TimeLimit", "kill_grace_ms (50)");
    /* this one listens, and keeps its child */
    patio_future *future = call_it(&f, "slow", PATIO_ARGS(60000), 0);
    assert_status(patio_future_status(future, &f.err), PATIO_TASK_FAILED);
    patio_future_destroy(future);
    expect_good(&f);
    world_close(&f, 5000);
}

static void blocked_signals_do_not_save_it(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.deaf.attempt_timeout_ms=100ms", "executor.kill_grace_ms=50ms"));
    expect_crash(&f, "deaf", "TimeLimit", "kill_grace_ms (50)");
    expect_good(&f);
    world_close(&f, 5000);
}

static void output_beyond_the_limit_is_a_crash(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.floods.output_limit_bytes=64KiB"));
    expect_crash(&f, "floods", "OutputLimit", "output_limit_bytes (65536)");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_cancelled_task_that_does_not_listen_is_killed(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    world_open(&f, WORLD("executor.kill_grace_ms=50ms", "executor.workers=1"));
    assert_ok(patio_start(f.broker, "loops", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_started == 1);
    patio_future_cancel(future);
    patio_future_destroy(future);
    expect_good(&f);
    world_close(&f, 5000);
}

/* ---- ages ---- */

static void a_child_serves_so_many_tasks(void **state)
{
    (void)state;
    enum { N = 12 };
    fixture  f;
    int64_t  pids[N];
    unsigned different = 0;
    world_open(&f, WORLD("executor.workers=1", "executor.max_tasks_per_child=3"));
    for (int i = 0; i < N; i++) {
        pids[i] = number_of(call_it(&f, "who", PATIO_NO_ARGS, 0));
    }
    for (int i = 0; i < N; i++) {
        unsigned same = 0;
        for (int k = 0; k < N; k++) {
            same += pids[k] == pids[i] ? 1 : 0;
        }
        assert_true(same <= 3);
        different += i == 0 || pids[i] != pids[i - 1] ? 1 : 0;
    }
    assert_true(different >= 4);
    world_close(&f, 5000);
}

static void an_old_child_is_replaced(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("executor.workers=1", "executor.max_age_ms=50ms"));
    int64_t first = number_of(call_it(&f, "who", PATIO_NO_ARGS, 0));
    AWAIT(number_of(call_it(&f, "who", PATIO_NO_ARGS, 0)) != first);
    world_close(&f, 5000);
}

static void recycling_under_load_loses_nothing(void **state)
{
    (void)state;
    enum { MOST = 3000 };
    const int count = SANITIZED || ON_VALGRIND ? 400 : MOST; /* a start takes long there */
    static patio_future *futures[MOST];
    fixture              f;
    patio_call_options   options = {PATIO_SIZED(patio_call_options), .timeout_ms = 100000};
    world_open(
        &f, WORLD("executor.max_tasks_per_child=10", "executor.max_age_ms=200ms", "lookahead=64"));
    for (int i = 0; i < count; i++) {
        assert_ok(patio_start(f.broker, "add", PATIO_ARGS(i, 7), &options, &futures[i], &f.err),
                  f.err);
    }
    for (int i = 0; i < count; i++) {
        assert_status(patio_future_wait(futures[i], 100000), PATIO_OK);
        assert_int_equal(number_of(futures[i]), i + 7);
    }
    assert_int_equal(stats_of(f.broker).tasks_failed, 0);
    assert_int_equal(stats_of(f.broker).tasks_retried, 0);
    world_close(&f, 5000);
}

/* Small ones behind one that lasts do not wait for its end. */
static void a_long_one_does_not_hold_up_those_behind_it(void **state)
{
    (void)state;
    enum { N = 400 };
    static patio_future *futures[N];
    fixture              f;
    world_open(&f, WORLD("lookahead=500"));
    for (int round = 0; round < 2; round++) {
        /* the first round teaches the pool that tasks are short */
        patio_future *slow = NULL;
        for (int i = 0; i < N; i++) {
            assert_ok(patio_start(f.broker, "add", PATIO_ARGS(i, 1), NULL, &futures[i], &f.err),
                      f.err);
            if (round == 1 && i == N / 2) {
                assert_ok(patio_start(f.broker, "slow", PATIO_ARGS(20000), NULL, &slow, &f.err),
                          f.err);
            }
        }
        for (int i = 0; i < N; i++) {
            assert_status(patio_future_wait(futures[i], 10000), PATIO_OK);
            assert_int_equal(number_of(futures[i]), i + 1);
        }
        if (slow != NULL) {
            assert_false(patio_future_done(slow));
            patio_future_cancel(slow);
            patio_future_destroy(slow);
        }
    }
    world_close(&f, 5000);
}

/* ---- stops ---- */

static void stop_while(const char *task, int64_t argument, uint64_t grace_ms, uint64_t at_most_ms)
{
    fixture       f;
    patio_future *future = NULL;
    world_open(&f, WORLD("executor.kill_grace_ms=100ms"));
    assert_ok(patio_start(f.broker, task, PATIO_ARGS(argument), NULL, &future, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_started == 1);
    uint64_t from = test_now_ms();
    assert_ok(patio_broker_stop(f.broker, grace_ms, &f.err), f.err);
    assert_true(test_now_ms() - from <= at_most_ms);
    assert_true(patio_future_done(future));
    patio_future_destroy(future);
    world_close(&f, 0);
}

static void a_stop_lets_a_running_task_finish(void **state)
{
    (void)state;
    stop_while("slow", 200, 20000, 10000);
}

static void a_stop_ends_what_outlasts_the_grace(void **state)
{
    (void)state;
    stop_while("slow", 60000, 300, 10000);
    stop_while("loops", 0, 300, 10000);
    stop_while("deaf", 0, 300, 10000);
    stop_while("loops", 0, 0, 10000);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make_registry);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_beyond_the_limit_is_a_crash),
        cmocka_unit_test(cpu_time_beyond_the_limit_is_a_crash),
        cmocka_unit_test(a_run_beyond_its_time_is_told_and_then_killed),
        cmocka_unit_test(blocked_signals_do_not_save_it),
        cmocka_unit_test(output_beyond_the_limit_is_a_crash),
        cmocka_unit_test(a_cancelled_task_that_does_not_listen_is_killed),
        cmocka_unit_test(a_child_serves_so_many_tasks),
        cmocka_unit_test(an_old_child_is_replaced),
        cmocka_unit_test(recycling_under_load_loses_nothing),
        cmocka_unit_test(a_long_one_does_not_hold_up_those_behind_it),
        cmocka_unit_test(a_stop_lets_a_running_task_finish),
        cmocka_unit_test(a_stop_ends_what_outlasts_the_grace),
    };
    return RUN_TESTS("process: limits", tests);
}
