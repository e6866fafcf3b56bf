/* What can be said about children, and about single tasks. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void children_are_as_nice_as_they_are_told(void **state)
{
    (void)state;
    fixture f;
    int     own = getpriority(PRIO_PROCESS, 0);
    world_open(&f, WORLD("executor.nice=7"));
    assert_int_equal(number_of(call_it(&f, "niceness", PATIO_NO_ARGS, 0)), 7);
    world_close(&f, 5000);
    world_open(&f, WORLD("max_pending=100"));
    assert_int_equal(number_of(call_it(&f, "niceness", PATIO_NO_ARGS, 0)), own);
    world_close(&f, 5000);
}

static void core_dumps_are_left_where_they_are_asked_for(void **state)
{
    (void)state;
    fixture       f;
    struct rlimit own;
    assert_int_equal(getrlimit(RLIMIT_CORE, &own), 0);
    int64_t before = own.rlim_cur == RLIM_INFINITY ? -1 : (int64_t)own.rlim_cur;
    world_open(&f, WORLD("max_pending=100"));
    assert_int_equal(number_of(call_it(&f, "core_bytes", PATIO_NO_ARGS, 0)), 0);
    world_close(&f, 5000);
    world_open(&f, WORLD("executor.core_dumps=true"));
    assert_int_equal(number_of(call_it(&f, "core_bytes", PATIO_NO_ARGS, 0)), before);
    world_close(&f, 5000);
}

static void children_work_where_they_are_told(void **state)
{
    (void)state;
    fixture f;
    char    folder[] = "/tmp/patio-where-XXXXXX";
    char    setting[128];
    char   *real = NULL;
    assert_non_null(mkdtemp(folder));
    real = realpath(folder, NULL);
    assert_non_null(real);
    (void)snprintf(setting, sizeof(setting), "executor.directory=%s", folder);
    world_open(&f, WORLD(setting));
    patio_future *future = call_it(&f, "where", PATIO_NO_ARGS, 0);
    const char   *said   = NULL;
    assert_ok(patio_future_status(future, &f.err), f.err);
    assert_ok(patio_value_get_string(patio_future_value(future), &said), f.err);
    assert_string_equal(said, real);
    patio_future_destroy(future);
    world_close(&f, 5000);
    free(real);
    assert_int_equal(rmdir(folder), 0);
}

static void a_directory_that_is_not_there_is_named_at_the_start(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    patio_registry_destroy(f.registry);
    f.registry = NULL;
    assert_ok(make_registry(&f.registry, &f.err), f.err);
    patio_broker *broker =
        make_broker(&f, f.registry, WORLD("executor.directory=/no/such/directory"));
    assert_true(patio_broker_start(broker, &f.err) != PATIO_OK);
    assert_contains(f.err.message, "/no/such/directory");
    patio_broker_destroy(broker);
    assert_int_equal(count_children(), 0);
    fixture_close(&f);
}

/* Beyond it malloc says no, and nothing dies. */
static void the_address_space_of_children_ends_where_it_is_told(void **state)
{
    (void)state;
    fixture f;
    if (SANITIZED) {
        skip(); /* they reserve terabytes of it */
    }
    world_open(&f, WORLD("executor.address_space_bytes=1GiB", "executor.workers=1"));
    int64_t pid = number_of(call_it(&f, "who", PATIO_NO_ARGS, 0));
    assert_int_equal(number_of(call_it(&f, "grabs", PATIO_ARGS(INT64_C(64) << 20), 0)), 1);
    assert_int_equal(number_of(call_it(&f, "grabs", PATIO_ARGS(INT64_C(2) << 30), 0)), 0);
    assert_int_equal(number_of(call_it(&f, "who", PATIO_NO_ARGS, 0)), pid);
    world_close(&f, 5000);
}

/* ---- limits of all tasks, and of single ones ---- */

static void a_limit_for_all_tasks_holds_for_each(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("executor.memory_limit_bytes=600MiB"));
    expect_crash(&f, "eats", "MemoryLimit", "memory_limit_bytes (629145600)");
    expect_good(&f);
    world_close(&f, 5000);
    world_open(&f, WORLD("executor.cpu_limit_ms=300ms"));
    expect_crash(&f, "loops", "CpuLimit", "cpu_limit_ms (300)");
    expect_good(&f);
    world_close(&f, 5000);
}

static void a_limit_of_one_task_is_none_of_the_others(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.loops.cpu_limit_ms=50ms", "executor.workers=1"));
    expect_crash(&f, "loops", "CpuLimit", "cpu_limit_ms (50)");
    assert_int_equal(number_of(call_it(&f, "burns", PATIO_ARGS(200), 0)), 200);
    world_close(&f, 5000);
}

/* What the runs before it used is not charged to a run. */
static void cpu_time_is_counted_from_the_start_of_each_run(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("tasks.burns.cpu_limit_ms=400ms", "executor.workers=1"));
    int64_t pid = number_of(call_it(&f, "who", PATIO_NO_ARGS, 0));
    for (int i = 0; i < 6; i++) {
        assert_int_equal(number_of(call_it(&f, "burns", PATIO_ARGS(120), 0)), 120);
    }
    assert_int_equal(number_of(call_it(&f, "who", PATIO_NO_ARGS, 0)), pid);
    world_close(&f, 5000);
}

/* Children are this program as it was started, and would be again. */
static void a_program_with_tasks_of_its_own_is_not_reloaded(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    assert_status(patio_broker_reload(f.broker, &f.err), PATIO_UNSUPPORTED);
    assert_contains(f.err.message, "executors.process.program");
    assert_int_equal(patio_broker_reload_state(f.broker), PATIO_RELOAD_NONE);
    expect_good(&f);
    assert_ok(patio_broker_stop(f.broker, 5000, &f.err), f.err);
    assert_status(patio_broker_reload(f.broker, &f.err), PATIO_STATE);
    world_close(&f, 5000);
}

static void a_named_program_is_reloaded_while_its_tasks_finish(void **state)
{
    (void)state;
    fixture       f;
    char          self[4096];
    char          setting[4200];
    patio_future *slow = NULL;
    ssize_t       size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(size > 0);
    self[size] = '\0';
    (void)snprintf(setting, sizeof(setting), "executor.program=%s", self);
    world_open(&f, WORLD(setting, "executor.workers=1"));
    int64_t before = number_of(call_it(&f, "who", PATIO_NO_ARGS, 0));
    assert_ok(patio_start(f.broker, "slow", PATIO_ARGS(300), NULL, &slow, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_running == 1);
    assert_ok(patio_broker_reload(f.broker, &f.err), f.err);
    AWAIT(patio_broker_reload_state(f.broker) == PATIO_RELOAD_DONE);
    assert_true(number_of(call_it(&f, "who", PATIO_NO_ARGS, 0)) != before);
    assert_status(patio_future_wait(slow, 20000), PATIO_OK);
    assert_ok(patio_future_status(slow, &f.err), f.err);
    patio_future_destroy(slow);
    AWAIT(count_children() == 1);
    world_close(&f, 5000);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make_registry);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_are_as_nice_as_they_are_told),
        cmocka_unit_test(core_dumps_are_left_where_they_are_asked_for),
        cmocka_unit_test(children_work_where_they_are_told),
        cmocka_unit_test(a_directory_that_is_not_there_is_named_at_the_start),
        cmocka_unit_test(the_address_space_of_children_ends_where_it_is_told),
        cmocka_unit_test(a_limit_for_all_tasks_holds_for_each),
        cmocka_unit_test(a_limit_of_one_task_is_none_of_the_others),
        cmocka_unit_test(cpu_time_is_counted_from_the_start_of_each_run),
        cmocka_unit_test(a_program_with_tasks_of_its_own_is_not_reloaded),
        cmocka_unit_test(a_named_program_is_reloaded_while_its_tasks_finish),
    };
    return RUN_TESTS("process: options", tests);
}
