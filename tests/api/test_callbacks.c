/* Callbacks of futures: once, on a thread of patio, whatever ended the call. */
#include "fixture.h"

#include <string.h>

enum { MANY = 200 };

typedef struct heard {
    patio_broker         *broker;
    _Atomic(int)          times;
    _Atomic(patio_status) status;
    _Atomic(bool)         on_caller; /* it ran on the thread that made the call */
    _Atomic(bool)         done;
    pthread_t             caller;
    bool                  destroy; /* the future, inside */
} heard;

static void hear(patio_future *future, void *arg)
{
    heard *h = arg;
    atomic_store(&h->status, patio_future_status(future, NULL));
    atomic_store(&h->on_caller, pthread_equal(pthread_self(), h->caller) != 0);
    atomic_store(&h->done, patio_future_done(future));
    if (h->destroy) {
        patio_future_destroy(future);
    }
    atomic_fetch_add(&h->times, 1);
}

static patio_call_options with_callback(heard *h, bool destroy, uint64_t timeout_ms)
{
    memset(h, 0, sizeof(*h));
    h->caller  = pthread_self();
    h->destroy = destroy;
    return (patio_call_options){PATIO_SIZED(patio_call_options), .on_done = hear, .on_done_arg = h,
                                .timeout_ms = timeout_ms};
}

static void expect_heard(const heard *h, patio_status status)
{
    AWAIT(atomic_load(&h->times) == 1);
    assert_status(atomic_load(&h->status), status);
    assert_true(atomic_load(&h->done));
    assert_false(atomic_load(&h->on_caller));
}

static void a_callback_hears_the_result_once(void **state)
{
    (void)state;
    fixture       f;
    heard         h;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    patio_call_options options = with_callback(&h, false, 0);
    assert_ok(patio_start(f.broker, "count", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    expect_heard(&h, PATIO_OK);
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    patio_future_cancel(future);
    patio_future_destroy(future);
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    assert_int_equal(atomic_load(&h.times), 1);
    fixture_close(&f);
}

static void a_callback_may_destroy_its_future(void **state)
{
    (void)state;
    static heard h[MANY];
    fixture      f;
    fixture_open(&f, NULL);
    for (int i = 0; i < MANY; i++) {
        patio_future      *ignored = NULL;
        patio_call_options options = with_callback(&h[i], true, 0);
        assert_ok(patio_start(f.broker, "count", PATIO_NO_ARGS, &options, &ignored, &f.err), f.err);
    }
    for (int i = 0; i < MANY; i++) {
        expect_heard(&h[i], PATIO_OK);
    }
    assert_int_equal(stats_of(f.broker).calls_in_flight, 0);
    fixture_close(&f);
}

static void the_callback_of_a_send_does_not_run_inside_it(void **state)
{
    (void)state;
    fixture       f;
    heard         h;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    patio_call_options options = with_callback(&h, false, 0);
    assert_ok(patio_send_start(f.broker, "count", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    expect_heard(&h, PATIO_OK);
    patio_future_destroy(future);

    options = with_callback(&h, true, 0);
    assert_ok(patio_send_start(f.broker, "count", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    expect_heard(&h, PATIO_OK);
    fixture_close(&f);
}

static void a_callback_owed_for_a_send_comes_before_the_broker_has_stopped(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        static heard h[10];
        fixture      f;
        fixture_open(&f, NULL);
        for (int i = 0; i < 10; i++) {
            patio_future      *ignored = NULL;
            patio_call_options options = with_callback(&h[i], true, 0);
            assert_ok(
                patio_send_start(f.broker, "count", PATIO_NO_ARGS, &options, &ignored, &f.err),
                f.err);
        }
        assert_status(patio_broker_stop(f.broker, 20000, NULL), PATIO_OK);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(atomic_load(&h[i].times), 1);
        }
        fixture_close(&f);
    }
}

static void a_deadline_is_heard_of_though_nobody_waits(void **state)
{
    (void)state;
    fixture       f;
    heard         h;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    patio_call_options options = with_callback(&h, false, 20);
    assert_ok(patio_start(f.broker, "gate", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    expect_heard(&h, PATIO_TIMEOUT);
    patio_future_destroy(future);

    /* and while nobody waits for the one that is due first */
    patio_call_options long_one = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000};
    patio_future      *other    = NULL;
    assert_ok(patio_start(f.broker, "gate", PATIO_NO_ARGS, &long_one, &other, &f.err), f.err);
    options = with_callback(&h, true, 20);
    assert_ok(patio_start(f.broker, "gate", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    expect_heard(&h, PATIO_TIMEOUT);
    assert_false(patio_future_done(other));
    gate_open(&the_gate);
    assert_status(patio_future_wait(other, PATIO_FOREVER), PATIO_OK);
    patio_future_destroy(other);
    fixture_close(&f);
}

static void what_the_caller_does_itself_is_heard_of_on_another_thread(void **state)
{
    (void)state;
    fixture       f;
    heard         h;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    patio_call_options options = with_callback(&h, false, 0);
    assert_ok(patio_start(f.broker, "gate", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    patio_future_cancel(future);
    patio_future_destroy(future);
    expect_heard(&h, PATIO_CANCELLED);

    options = with_callback(&h, false, 10);
    assert_ok(patio_start(f.broker, "gate", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    patio_future_destroy(future);
    expect_heard(&h, PATIO_TIMEOUT);
    fixture_close(&f);
}

/* A deadline may pass while the call is being started. */
static void deadlines_of_a_millisecond_are_heard_of_once_each(void **state)
{
    (void)state;
    static heard h[MANY];
    fixture      f;
    fixture_open(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < MANY; i++) {
        patio_future      *ignored = NULL;
        patio_call_options options = with_callback(&h[i], true, 1);
        assert_ok(patio_start(f.broker, "count", PATIO_NO_ARGS, &options, &ignored, &f.err), f.err);
    }
    for (int i = 0; i < MANY; i++) {
        expect_heard(&h[i], PATIO_TIMEOUT);
    }
    gate_open(&the_gate);
    assert_status(patio_future_wait(held, PATIO_FOREVER), PATIO_OK);
    AWAIT(counts_of(f.broker, NULL).ready == 0 && counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(atomic_load(&runs), 0); /* what is due is not started */
    patio_future_destroy(held);
    fixture_close(&f);
}

static void a_refused_call_is_not_heard_of(void **state)
{
    (void)state;
    fixture       f;
    heard         h;
    patio_future *future = NULL;
    fixture_open(&f, NULL);
    patio_call_options options = with_callback(&h, false, 0);
    assert_status(patio_start(f.broker, "nobody", PATIO_NO_ARGS, &options, &future, NULL),
                  PATIO_NO_ROUTE);
    assert_status(patio_call(f.broker, "count", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    assert_int_equal(atomic_load(&h.times), 0);
    fixture_close(&f);
}

static void stopping_the_broker_is_heard_of_as_cancelled(void **state)
{
    (void)state;
    fixture       f;
    heard         h[2];
    patio_future *future = NULL;
    fixture_open(&f, SETTINGS("executor.workers=1"));
    patio_future *held = hold_worker(f.broker);
    for (int i = 0; i < 2; i++) {
        patio_call_options options = with_callback(&h[i], true, 0);
        assert_ok(patio_start(f.broker, "count", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    }
    assert_status(patio_broker_stop(f.broker, 0, &f.err), PATIO_TIMEOUT);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(atomic_load(&h[i].times), 1);
        assert_status(atomic_load(&h[i].status), PATIO_CANCELLED);
    }
    assert_true(patio_future_done(held));
    patio_future_destroy(held);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_hears_the_result_once),
        cmocka_unit_test(a_callback_may_destroy_its_future),
        cmocka_unit_test(the_callback_of_a_send_does_not_run_inside_it),
        cmocka_unit_test(a_callback_owed_for_a_send_comes_before_the_broker_has_stopped),
        cmocka_unit_test(a_deadline_is_heard_of_though_nobody_waits),
        cmocka_unit_test(what_the_caller_does_itself_is_heard_of_on_another_thread),
        cmocka_unit_test(deadlines_of_a_millisecond_are_heard_of_once_each),
        cmocka_unit_test(a_refused_call_is_not_heard_of),
        cmocka_unit_test(stopping_the_broker_is_heard_of_as_cancelled),
    };
    return RUN_TESTS("callbacks", tests);
}
