/* What stands in the way of a broker's work is said by name; a worker that looks idle is not taken
 * at its word. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include <patio/transport.h>

static patio_health health_of(patio_broker *broker)
{
    patio_health health = {PATIO_SIZED(patio_health)};
    patio_broker_health(broker, &health);
    return health;
}

#define AWAIT_STATE(broker, wanted)                                                                \
    AWAIT(health_of(broker).state == (uint32_t)PATIO_HEALTH_##wanted)

static void open_deaf(fixture *f, const char *url, const char *watchdog)
{
    fixture_init(f);
    add_common_tasks(f->registry);
    assert_ok(patio_runtime_add_plugin_dir(f->runtime, TEST_DEAF, &f->err), f->err);
    f->broker = start_broker(f, f->registry,
                             SETTINGS(url, watchdog, "executor.workers=2", "log.level=off"));
}

static void send_count(fixture *f)
{
    assert_ok(patio_send(f->broker, "count", PATIO_NO_ARGS, NULL, NULL, &f->err), f->err);
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(patio_health_name(PATIO_HEALTH_READY), "ready");
    assert_string_equal(patio_health_name(PATIO_HEALTH_WORN_OUT), "worn_out");
    assert_string_equal(patio_health_name(PATIO_HEALTH_STOPPED), "stopped");
    assert_string_equal(patio_health_name(PATIO_HEALTH_STOPPED + 1), "?");
}

static void a_broker_goes_from_new_to_ready_to_stopped(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = make_broker(&f, f.registry, SETTINGS("broker=memory://"));
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_NEW);
    assert_false(patio_broker_ready(f.broker, &f.err));
    assert_status(f.err.status, PATIO_STATE);
    assert_ok(patio_broker_start(f.broker, &f.err), f.err);
    patio_health health = health_of(f.broker);
    assert_int_equal(health.state, PATIO_HEALTH_READY);
    assert_int_equal(health.ready, 1);
    assert_string_equal(health.reason, "");
    assert_true(patio_broker_ready(f.broker, &f.err));
    assert_ok(patio_broker_stop(f.broker, 10000, &f.err), f.err);
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_STOPPED);
    fixture_close(&f);
}

static void *stop_it(void *arg)
{
    fixture *f = arg;
    assert_ok(patio_broker_stop(f->broker, 60000, &f->err), f->err);
    return NULL;
}

static void a_broker_that_waits_for_its_tasks_is_draining(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_future *held   = hold_worker(f.broker);
    pthread_t     thread = run_thread(stop_it, &f);
    AWAIT_STATE(f.broker, DRAINING);
    assert_int_equal(health_of(f.broker).ready, 0);
    gate_open(&the_gate);
    join_thread(thread);
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_STOPPED);
    patio_future_destroy(held);
    fixture_close(&f);
}

static void lost_threads_degrade_and_then_wear_out(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, f.registry,
                            SETTINGS("executor.workers=2", "executor.stuck_after_ms=100",
                                     "executor.stuck_max=2", "tasks.gate.attempt_timeout_ms=500",
                                     "tasks.gate.max_attempts=1", "log.level=off"));
    assert_ok(patio_send(f.broker, "gate", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    AWAIT_STATE(f.broker, DEGRADED);
    patio_health health = health_of(f.broker);
    assert_int_equal(health.ready, 1);
    assert_int_equal(health.stuck, 1);
    assert_contains(health.reason, "1 tasks do not return");
    assert_ok(patio_send(f.broker, "gate", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    AWAIT_STATE(f.broker, WORN_OUT);
    health = health_of(f.broker);
    assert_int_equal(health.ready, 0);
    assert_contains(health.reason, "2 threads are held by tasks that do not return");
    gate_open(&the_gate);
    /* they come back after all; what is worn out stays so */
    AWAIT(health_of(f.broker).stuck == 0);
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_WORN_OUT);
    fixture_close(&f);
}

static void degraded_ends_when_the_task_returns(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, f.registry,
                            SETTINGS("executor.workers=2", "executor.stuck_after_ms=100",
                                     "tasks.gate.attempt_timeout_ms=500",
                                     "tasks.gate.max_attempts=1", "log.level=off"));
    assert_ok(patio_send(f.broker, "gate", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    AWAIT_STATE(f.broker, DEGRADED);
    gate_open(&the_gate);
    AWAIT_STATE(f.broker, READY);
    fixture_close(&f);
}

static void set_link(fixture *f, const char *task)
{
    assert_status(patio_send(f->broker, task, PATIO_NO_ARGS, NULL, NULL, &f->err), PATIO_FULL);
}

static void the_link_is_told_with_its_reason(void **state)
{
    (void)state;
    fixture f;
    open_deaf(&f, "broker=deaf://?deaf=0", "watchdog_ms=0");
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_READY);
    set_link(&f, "link.3");
    patio_health health = health_of(f.broker);
    assert_int_equal(health.state, PATIO_HEALTH_BLOCKED);
    assert_string_equal(health.reason, "transport deaf: as the test asked");
    assert_false(patio_broker_ready(f.broker, &f.err));
    assert_status(f.err.status, PATIO_BLOCKED);
    set_link(&f, "link.1");
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_CONNECTING);
    assert_false(patio_broker_ready(f.broker, &f.err));
    assert_status(f.err.status, PATIO_UNREACHABLE);
    set_link(&f, "link.2");
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_READY);
    set_link(&f, "link.4");
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_DOWN);
    fixture_close(&f);
}

static void what_a_transport_forgot_is_subscribed_anew(void **state)
{
    (void)state;
    fixture f;
    open_deaf(&f, "broker=deaf://?deaf=1", "watchdog_ms=50");
    send_count(&f);
    send_count(&f);
    AWAIT(atomic_load(&runs) == 2);
    AWAIT_STATE(f.broker, READY);
    fixture_close(&f);
}

static void a_worker_to_whom_nothing_comes_is_stalled(void **state)
{
    (void)state;
    fixture f;
    open_deaf(&f, "broker=deaf://?deaf=4", "watchdog_ms=50");
    send_count(&f);
    AWAIT_STATE(f.broker, STALLED);
    patio_health health = health_of(f.broker);
    assert_int_equal(health.ready, 0);
    assert_contains(health.reason, "queue default: 1 tasks are ready and slots are free");
    /* it goes on trying, and the state ends with what comes */
    AWAIT(atomic_load(&runs) == 1);
    AWAIT_STATE(f.broker, READY);
    fixture_close(&f);
}

/* Many looks later: each of them would have counted. */
static void await_looks(unsigned looks)
{
    uint64_t until = test_now_ms() + looks * UINT64_C(20);
    AWAIT(test_now_ms() >= until);
}

static void a_paused_queue_stalls_nobody(void **state)
{
    (void)state;
    fixture f;
    open_deaf(&f, "broker=deaf://?deaf=0", "watchdog_ms=20");
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_PAUSED, 0, &f.err), f.err);
    send_count(&f);
    await_looks(10);
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_READY);
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_OPEN, 0, &f.err), f.err);
    AWAIT(atomic_load(&runs) == 1);
    fixture_close(&f);
}

static void a_worker_without_free_slots_is_not_stalled(void **state)
{
    (void)state;
    fixture f;
    open_deaf(&f, "broker=deaf://?deaf=0", "watchdog_ms=20");
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(patio_send(f.broker, "gate", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    }
    AWAIT_ARRIVED(&the_gate, 2);
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_PAUSED, 0, &f.err), f.err);
    send_count(&f); /* waits, as it would where two are all that may be delivered */
    await_looks(10);
    assert_int_equal(health_of(f.broker).state, PATIO_HEALTH_READY);
    gate_open(&the_gate);
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_OPEN, 0, &f.err), f.err);
    AWAIT(atomic_load(&runs) == 1);
    fixture_close(&f);
}

static int32_t copy_state(void *arg, const patio_worker_info *w)
{
    (void)snprintf(arg, 600, "%s|%s", w->state, w->problem);
    return 0;
}

static void workers_show_their_state(void **state)
{
    (void)state;
    fixture f;
    char    said[600] = "";
    fixture_init(&f);
    add_common_tasks(f.registry);
    f.broker = start_broker(&f, f.registry,
                            SETTINGS("executor.workers=1", "executor.stuck_after_ms=100",
                                     "executor.stuck_max=9", "tasks.gate.attempt_timeout_ms=500",
                                     "tasks.gate.max_attempts=1", "log.level=off"));
    assert_ok(patio_worker_list(f.broker, 0, copy_state, said, &f.err), f.err);
    assert_string_equal(said, "ready|");
    assert_ok(patio_send(f.broker, "gate", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    AWAIT(patio_worker_list(f.broker, 0, copy_state, said, NULL) == PATIO_OK &&
          strncmp(said, "degraded|1 tasks", 16) == 0);
    gate_open(&the_gate);
    AWAIT(patio_worker_list(f.broker, 0, copy_state, said, NULL) == PATIO_OK &&
          strcmp(said, "ready|") == 0);
    fixture_close(&f);
}

/* While it says how it is, its link changes, which is to be said at once. */
static void what_is_to_be_said_again_does_not_outlive_the_broker(void **state)
{
    (void)state;
    fixture f;
    fixture_init_with(&f, PATIO_RUNTIME_MANUAL_CLOCK, 0);
    add_common_tasks(f.registry);
    assert_ok(patio_runtime_add_plugin_dir(f.runtime, TEST_DEAF, &f.err), f.err);
    f.broker = start_broker(
        &f, f.registry,
        SETTINGS("broker=deaf://?deaf=0&fidgets=true", "executor.workers=2", "log.level=off"));
    send_count(&f);
    AWAIT(atomic_load(&runs) == 1);
    assert_ok(patio_runtime_advance(f.runtime, 12000, 1000, &f.err), f.err);
    assert_ok(patio_broker_stop(f.broker, 10000, &f.err), f.err);
    patio_broker_destroy(f.broker);
    f.broker = NULL;
    assert_ok(patio_runtime_advance(f.runtime, 60000, 1000, &f.err), f.err);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_a_name),
        cmocka_unit_test(a_broker_goes_from_new_to_ready_to_stopped),
        cmocka_unit_test(a_broker_that_waits_for_its_tasks_is_draining),
        cmocka_unit_test(lost_threads_degrade_and_then_wear_out),
        cmocka_unit_test(degraded_ends_when_the_task_returns),
        cmocka_unit_test(the_link_is_told_with_its_reason),
        cmocka_unit_test(what_a_transport_forgot_is_subscribed_anew),
        cmocka_unit_test(a_worker_to_whom_nothing_comes_is_stalled),
        cmocka_unit_test(a_paused_queue_stalls_nobody),
        cmocka_unit_test(a_worker_without_free_slots_is_not_stalled),
        cmocka_unit_test(workers_show_their_state),
        cmocka_unit_test(what_is_to_be_said_again_does_not_outlive_the_broker),
    };
    return RUN_TESTS("health", tests);
}
