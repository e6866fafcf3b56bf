/* Several brokers in one process, and those that cannot be made or started. */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { BROKERS = 20 };

static patio_future *start_call(patio_broker *broker, const char *task,
                                const patio_payload *payload)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    assert_ok(patio_start(broker, task, payload, NULL, &future, &err), err);
    return future;
}

static patio_broker *_Atomic last_runner;

static patio_status task_where(patio_context *ctx)
{
    atomic_store(&last_runner, patio_task_broker(ctx));
    return PATIO_OK;
}

static void expect_not_running(fixture *f)
{
    assert_status(patio_call(f->broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_STATE);
}

/* ---- several brokers ---- */

static void one_broker_calls_and_another_executes(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_task(f.registry, "where", task_where, NULL);
    add_task(f.registry, "mul", task_mul, NULL);
    f.broker             = start_broker(&f, NULL, SETTINGS("broker=memory://meet"));
    patio_broker *worker = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    assert_ok(patio_call(f.broker, "where", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    assert_ptr_equal(atomic_load(&last_runner), worker);
    assert_ok(patio_call(f.broker, "mul", PATIO_ARGS(6, 7), NULL, &future, &f.err), f.err);
    assert_value(patio_future_value(future), patio_int(42));
    patio_future_destroy(future);
    assert_int_equal(stats_of(worker).calls_started, 0);
    assert_int_equal(stats_of(f.broker).tasks_received, 0);
    patio_broker_destroy(worker);
    assert_status(patio_call(f.broker, "mul", PATIO_ARGS(1), NULL, NULL, NULL), PATIO_NO_ROUTE);
    fixture_close(&f);
}

static void two_brokers_that_call_and_execute_share_the_work(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[4];
    fixture_open(&f, SETTINGS("broker=memory://meet", "executor.workers=2"));
    patio_broker *other =
        start_broker(&f, f.registry, SETTINGS("broker=memory://meet", "executor.workers=2"));
    for (int i = 0; i < 4; i++) {
        futures[i] = start_call(i % 2 != 0 ? other : f.broker, "gate", PATIO_ARGS(i));
    }
    AWAIT_ARRIVED(&the_gate, 4); /* on both, all at once */
    assert_int_equal(stats_of(other).tasks_received, 2);
    gate_open(&the_gate);
    assert_status(patio_future_wait_all(futures, 4, 20000), PATIO_OK);
    for (int i = 0; i < 4; i++) {
        assert_value(patio_future_value(futures[i]), patio_int(i));
        patio_future_destroy(futures[i]);
    }
    patio_broker_destroy(other);
    fixture_close(&f);
}

static void different_projects_never_meet(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry); /* its project is "default" */
    f.broker = start_broker(&f, f.registry, SETTINGS("broker=memory://meet"));
    patio_broker *stranger =
        start_broker(&f, NULL, SETTINGS("broker=memory://meet", "project=other"));
    patio_broker *alone = start_broker(&f, NULL, SETTINGS("broker=memory://elsewhere"));
    assert_string_equal(patio_broker_project(stranger), "other");
    assert_status(patio_call(stranger, "mul", PATIO_ARGS(1), NULL, NULL, NULL), PATIO_NO_ROUTE);
    assert_status(patio_call(alone, "mul", PATIO_ARGS(1), NULL, NULL, NULL), PATIO_NO_ROUTE);
    assert_status(patio_send(stranger, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    assert_int_equal(counts_of(stranger, NULL).ready, 1);
    assert_int_equal(counts_of(f.broker, NULL).ready, 0);
    patio_broker *clash = NULL;
    assert_status(try_broker(&f, f.registry, SETTINGS("project=other"), &clash), PATIO_CONFIG);
    assert_contains(f.err.message, "\"other\"");
    patio_broker_destroy(stranger);
    patio_broker_destroy(alone);
    fixture_close(&f);
}

static void twenty_brokers_live_in_one_process(void **state)
{
    (void)state;
    fixture       f;
    patio_broker *brokers[BROKERS];
    patio_future *futures[BROKERS];
    fixture_init(&f);
    add_common_tasks(f.registry);
    for (int i = 0; i < BROKERS; i++) { /* half of them alone, half at one place */
        brokers[i] = start_broker(&f, f.registry,
                                  SETTINGS(i % 2 != 0 ? "broker=memory://" : "broker=memory://meet",
                                           "executor.workers=1"));
    }
    for (int i = 0; i < BROKERS; i++) {
        futures[i] = start_call(brokers[i], "gate", PATIO_ARGS(i));
    }
    AWAIT_ARRIVED(&the_gate, BROKERS);
    gate_open(&the_gate);
    assert_status(patio_future_wait_all(futures, BROKERS, 20000), PATIO_OK);
    for (int i = 0; i < BROKERS; i++) {
        assert_value(patio_future_value(futures[i]), patio_int(i));
        patio_future_destroy(futures[i]);
    }
    for (int i = 0; i < BROKERS; i++) {
        patio_broker_destroy(brokers[(i * 7) % BROKERS]);
    }
    fixture_close(&f);
}

/* ---- failing half way ---- */

static int count_threads(void)
{
    int  count = 0;
    DIR *dir   = opendir("/proc/self/task");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count - 2;
}

/* Bytes of address space in use. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE         *f     = fopen("/proc/self/statm", "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu", &pages), 1);
    (void)fclose(f);
    return (rlim_t)pages * 4096;
}

static void a_start_that_fails_half_way_leaves_nothing_behind(void **state)
{
    (void)state;
    fixture       f;
    struct rlimit before;
    struct rlimit tight;
    fixture_init(&f);
    add_common_tasks(f.registry);
    int threads = count_threads();
    f.broker =
        make_broker(&f, f.registry, SETTINGS("executor.workers=4", "executor.stack_bytes=256MiB"));
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight          = before;
    tight.rlim_cur = address_space() + ((rlim_t)600 << 20); /* for two of the four stacks */
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    patio_status st = patio_broker_start(f.broker, &f.err);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_status(st, PATIO_NO_MEMORY);
    assert_string_equal(f.err.origin, "executor.thread");
    expect_not_running(&f);
    AWAIT(count_threads() <= threads + 1); /* the timers' may have begun */
    patio_broker_destroy(f.broker);
    f.broker = start_broker(&f, f.registry, NULL);
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    fixture_close(&f);
}

static void a_broker_that_cannot_be_made_leaves_nothing_behind(void **state)
{
    (void)state;
    fixture       f;
    patio_broker *broker  = NULL;
    int           threads = count_threads();
    fixture_init(&f);
    add_common_tasks(f.registry);
    assert_status(try_broker(&f, f.registry, SETTINGS("executor.workers=none"), &broker),
                  PATIO_CONFIG);
    assert_contains(f.err.message, "workers");
    assert_status(try_broker(&f, f.registry, SETTINGS("executor.workers=0"), &broker),
                  PATIO_CONFIG);
    assert_status(try_broker(&f, f.registry, SETTINGS("transport.max_dead=-1"), &broker),
                  PATIO_CONFIG);
    assert_null(broker);
    assert_false(patio_registry_is_locked(f.registry));
    assert_in_range(count_threads(), 1, threads);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_broker_calls_and_another_executes),
        cmocka_unit_test(two_brokers_that_call_and_execute_share_the_work),
        cmocka_unit_test(different_projects_never_meet),
        cmocka_unit_test(twenty_brokers_live_in_one_process),
        cmocka_unit_test(a_start_that_fails_half_way_leaves_nothing_behind),
        cmocka_unit_test(a_broker_that_cannot_be_made_leaves_nothing_behind),
    };
    return RUN_TESTS("brokers", tests);
}
