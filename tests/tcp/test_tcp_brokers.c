/* Brokers that meet over sockets: who listens, who connects, who calls and who executes do not
 * depend on each other. */
#include "brokers_world.h"

#include <patio/health.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void both_sides_call_and_execute(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, caller, 1, URLS("unix+listen://%s/1"));
    open_well(&b, asker, 1, URLS("unix://%s/1"));
    expect_add(&b, "back");
    int64_t sum = 0;
    assert_int_equal(call_add(&a, "there", &sum, 60000, PATIO_CALL_WAIT_ROUTE), PATIO_OK);
    assert_int_equal(sum, 42); /* which called back while it ran */
    close_side(&b);
    close_side(&a);
}

static void nobody_there_is_no_route_at_once(void **state)
{
    (void)state;
    side    a;
    int64_t sum = 0;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/2"));
    assert_int_equal(call_add(&a, "add", &sum, 60000, 0), PATIO_NO_ROUTE);
    assert_int_equal(call_add(&a, "add", &sum, 50, PATIO_CALL_WAIT_ROUTE), PATIO_TIMEOUT);
    assert_true(until(none_ready, &a));
    assert_int_equal(count(&a).dead, 0);
    close_side(&a);
}

static void sends_wait_for_a_worker(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/3"));
    atomic_store(&runs, 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(patio_send(a.broker, "add", PATIO_ARGS(1, 2), NULL, NULL, NULL), PATIO_OK);
    }
    assert_int_equal(count(&a).ready, 300);
    open_well(&b, adder, 1, URLS("unix://%s/3"));
    assert_true(until(none_ready, &a));
    assert_int_equal(atomic_load(&runs), 300);
    assert_int_equal(count(&a).consumers, 1);
    close_side(&b);
    close_side(&a);
}

static void an_unknown_task_delays_nobody(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/4"));
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(patio_send(a.broker, "unknown", PATIO_NO_ARGS, NULL, NULL, NULL),
                         PATIO_OK);
    }
    open_well(&b, adder, 1, URLS("unix://%s/4"));
    expect_add(&a, "add");
    assert_int_equal(count(&a).ready, 1000);
    close_side(&b);
    close_side(&a);
}

static void three_workers_share(void **state)
{
    (void)state;
    side          a;
    side          w[3];
    patio_future *f[12];
    atomic_store(&gate_open, false);
    open_well(&a, NULL, 0, URLS("unix+listen://%s/5"));
    for (int i = 0; i < 3; i++) {
        open_well(&w[i], gated, 2, URLS("unix://%s/5"));
        expect_add(&a, "add");
    }
    for (int i = 0; i < 500 && count(&a).consumers < 3; i++) {
        usleep(2000);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal(patio_start(a.broker, "gate", PATIO_NO_ARGS, NULL, &f[i], NULL), PATIO_OK);
    }
    for (int i = 0; i < 5000 && atomic_load(&gate_waits) < 6; i++) {
        usleep(1000);
    }
    for (int i = 0; i < 3; i++) {
        patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
        patio_broker_get_stats(w[i].broker, &stats);
        assert_int_equal(stats.tasks_running, 2);
    }
    atomic_store(&gate_open, true);
    assert_int_equal(patio_future_wait_all(f, 12, 10000), PATIO_OK);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(patio_future_status(f[i], NULL), PATIO_OK);
        patio_future_destroy(f[i]);
    }
    for (int i = 0; i < 3; i++) {
        close_side(&w[i]);
    }
    close_side(&a);
}

static void a_mesh_of_three(void **state)
{
    (void)state;
    static const named one[]   = {{"one", add}};
    static const named two[]   = {{"two", add}};
    static const named three[] = {{"three", add}};
    side               s[3];
    open_well(&s[0], one, 1, URLS("unix+listen://%s/m1", "unix://%s/m2", "unix://%s/m3"));
    open_well(&s[1], two, 1, URLS("unix+listen://%s/m2", "unix://%s/m1", "unix://%s/m3"));
    open_well(&s[2], three, 1, URLS("unix+listen://%s/m3", "unix://%s/m1", "unix://%s/m2"));
    for (int i = 0; i < 3; i++) {
        expect_add(&s[i], "one");
        expect_add(&s[i], "two");
        expect_add(&s[i], "three");
    }
    for (int i = 0; i < 3; i++) {
        close_side(&s[i]);
    }
}

static void *start_it(void *arg)
{
    return (void *)(uintptr_t)patio_broker_start(arg, NULL);
}

static bool is_connecting(const void *arg)
{
    patio_health health = {PATIO_SIZED(patio_health)};
    patio_broker_health(*(patio_broker *const *)arg, &health);
    return health.state == PATIO_HEALTH_CONNECTING;
}

static void a_stop_ends_a_start_that_waits_for_its_link(void **state)
{
    (void)state;
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    pthread_t     starter;
    void         *started = NULL;
    char          url[128];
    (void)snprintf(url, sizeof(url), "unix://%s/nobody", folder);
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "broker", url, "test", NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "log.level", "off", "test", NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "connect_timeout_ms", "20s", "test", NULL), PATIO_OK);
    assert_int_equal(patio_broker_create(NULL, NULL, config, &broker, NULL), PATIO_OK);
    patio_config_destroy(config);
    assert_int_equal(pthread_create(&starter, NULL, start_it, broker), 0);
    assert_true(until(is_connecting, &broker));
    assert_int_equal(patio_broker_stop(broker, 1000, NULL), PATIO_OK);
    assert_int_equal(pthread_join(starter, &started), 0);
    assert_int_equal((uintptr_t)started, PATIO_CANCELLED);
    assert_int_equal(patio_broker_start(broker, NULL), PATIO_STATE);
    patio_broker_destroy(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_call_and_execute),
        cmocka_unit_test(nobody_there_is_no_route_at_once),
        cmocka_unit_test(a_stop_ends_a_start_that_waits_for_its_link),
        cmocka_unit_test(sends_wait_for_a_worker),
        cmocka_unit_test(an_unknown_task_delays_nobody),
        cmocka_unit_test(three_workers_share),
        cmocka_unit_test(a_mesh_of_three),
        cmocka_unit_test(large_payloads_arrive_whole_beside_small_ones),
        cmocka_unit_test(errors_retries_and_dead_letters),
        cmocka_unit_test(a_delay_is_kept),
        cmocka_unit_test(a_cancel_reaches_queued_and_running),
        cmocka_unit_test(the_listener_may_be_restarted),
        cmocka_unit_test(a_wrong_key_is_seen_by_who_connects),
        cmocka_unit_test(a_killed_worker_ends_its_calls),
        cmocka_unit_test(what_a_lost_worker_had_goes_to_another),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
