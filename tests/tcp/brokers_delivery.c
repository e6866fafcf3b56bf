/* What becomes of a task between brokers: its payload, errors, delays, cancels. */
#include "brokers_world.h"

#include <stdlib.h>
#include <unistd.h>

void large_payloads_arrive_whole_beside_small_ones(void **state)
{
    (void)state;
    enum { LARGE = 10 * 1024 * 1024, COUNT = 6 };
    static const named echoes[] = {{"length", length}, {"add", add}};
    side               a;
    side               b;
    patio_future      *f[COUNT];
    uint8_t           *data = malloc(LARGE);
    assert_non_null(data);
    for (size_t i = 0; i < LARGE; i++) {
        data[i] = (uint8_t)(i * 7 + i / 65536);
    }
    open_well(&a, NULL, 0, URLS("unix+listen://%s/6"));
    open_well(&b, echoes, 2, URLS("unix://%s/6"));
    expect_add(&a, "add");
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(patio_start(a.broker, "length", PATIO_ARGS(patio_blob(data, LARGE - i)),
                                     NULL, &f[i], NULL),
                         PATIO_OK);
    }
    for (int i = 0; i < 20; i++) {
        expect_add(&a, "add");
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(patio_future_wait(f[i], 60000), PATIO_OK);
        assert_int_equal(patio_future_status(f[i], NULL), PATIO_OK);
        const patio_value *v = patio_future_value(f[i]);
        assert_int_equal(v->size, LARGE - i);
        assert_memory_equal(v->as.bytes, data, LARGE - i);
        patio_future_destroy(f[i]);
    }
    free(data);
    close_side(&b);
    close_side(&a);
}

void errors_retries_and_dead_letters(void **state)
{
    (void)state;
    static const named tasks[] = {{"second", second_time}, {"broken", broken}};
    side               a;
    side               b;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/7"));
    open_well(&b, tasks, 2, URLS("unix://%s/7"));
    int64_t attempt = 0;
    assert_int_equal(call_add(&a, "second", &attempt, 60000, PATIO_CALL_WAIT_ROUTE), PATIO_OK);
    assert_int_equal(attempt, 2);
    assert_int_equal(call_add(&a, "broken", &attempt, 60000, 0), PATIO_TASK_FAILED);
    assert_int_equal(count(&a).dead, 0);
    assert_int_equal(patio_send(a.broker, "broken", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    for (int i = 0; i < 5000 && count(&a).dead == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(count(&a).dead, 1);
    close_side(&b);
    close_side(&a);
}

void a_delay_is_kept(void **state)
{
    (void)state;
    side               a;
    side               b;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .delay_ms = 150};
    open_well(&a, NULL, 0, URLS("unix+listen://%s/8"));
    open_well(&b, adder, 1, URLS("unix://%s/8"));
    expect_add(&a, "add");
    atomic_store(&runs, 0);
    assert_int_equal(patio_send(a.broker, "add", PATIO_ARGS(1, 2), &options, NULL, NULL), PATIO_OK);
    assert_int_equal(count(&a).delayed, 1);
    usleep(50 * 1000);
    assert_int_equal(atomic_load(&runs), 0);
    for (int i = 0; i < 5000 && atomic_load(&runs) == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&runs), 1);
    close_side(&b);
    close_side(&a);
}

static bool none_waits(const void *arg)
{
    (void)arg;
    return atomic_load(&gate_waits) == 0;
}

void a_cancel_reaches_queued_and_running(void **state)
{
    (void)state;
    side          a;
    side          b;
    patio_future *f[6];
    atomic_store(&gate_open, false);
    open_well(&a, NULL, 0, URLS("unix+listen://%s/9"));
    open_well(&b, gated, 2, URLS("unix://%s/9"));
    expect_add(&a, "add");
    for (int i = 0; i < 6; i++) {
        assert_int_equal(patio_start(a.broker, "gate", PATIO_NO_ARGS, NULL, &f[i], NULL), PATIO_OK);
    }
    for (int i = 0; i < 5000 && atomic_load(&gate_waits) < 2; i++) {
        usleep(1000);
    }
    for (int i = 5; i >= 0; i--) {
        patio_future_cancel(f[i]);
        assert_int_equal(patio_future_status(f[i], NULL), PATIO_CANCELLED);
        patio_future_destroy(f[i]);
    }
    assert_true(until(none_waits, NULL));
    assert_true(until(none_ready, &a));
    atomic_store(&gate_open, true);
    close_side(&b);
    close_side(&a);
}
