/* Futures: waiting for them, giving them up, letting them go, and their deadlines. */
#include "fixture.h"

#include <string.h>

static patio_future *start_call(patio_broker *broker, const char *task,
                                const patio_call_options *options)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    assert_ok(patio_start(broker, task, PATIO_NO_ARGS, options, &future, &err), err);
    return future;
}

/* ---- waiting ---- */

static void a_future_is_done_when_its_task_is(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_future *future = hold_worker(f.broker);
    assert_false(patio_future_done(future));
    assert_status(patio_future_wait(future, 0), PATIO_TIMEOUT);
    assert_status(patio_future_wait(future, 1), PATIO_TIMEOUT);
    assert_status(patio_future_status(future, &f.err), PATIO_STATE);
    assert_null(patio_future_value(future));
    assert_null(patio_future_error(future));
    assert_int_equal(patio_future_kind(future), 0);
    assert_int_equal(stats_of(f.broker).calls_in_flight, 1);
    gate_open(&the_gate);
    AWAIT(patio_future_done(future)); /* nobody waits: it becomes done all the same */
    assert_status(patio_future_status(future, &f.err), PATIO_OK);
    assert_status(patio_future_wait(future, 0), PATIO_OK);
    patio_future_destroy(future);
    patio_future_destroy(NULL);
    fixture_close(&f);
}

static void every_future_has_an_id_of_its_own(void **state)
{
    (void)state;
    fixture  f;
    patio_id ids[64];
    fixture_open(&f, NULL);
    for (size_t i = 0; i < 64; i++) {
        char          text[33];
        patio_id      parsed;
        patio_future *future = start_call(f.broker, "count", NULL);
        ids[i]               = patio_future_id(future);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(&ids[k], &ids[i], sizeof(patio_id));
        }
        patio_id_format(ids[i], text);
        assert_int_equal(strlen(text), 32);
        assert_status(patio_id_parse(text, &parsed), PATIO_OK);
        assert_memory_equal(&parsed, &ids[i], sizeof(patio_id));
        patio_future_destroy(future);
    }
    fixture_close(&f);
}

static void wait_all_waits_for_the_last(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_future *futures[3] = {start_call(f.broker, "count", NULL), hold_worker(f.broker),
                                start_call(f.broker, "count", NULL)};
    assert_status(patio_future_wait_all(futures, 3, 5), PATIO_TIMEOUT);
    gate_open(&the_gate);
    assert_status(patio_future_wait_all(futures, 3, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_future_wait_all(futures, 0, 0), PATIO_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(patio_future_done(futures[i]));
        patio_future_destroy(futures[i]);
    }
    fixture_close(&f);
}

static void wait_any_names_the_one_that_is_done(void **state)
{
    (void)state;
    fixture f;
    size_t  index = 9;
    fixture_open(&f, NULL);
    patio_future *futures[3] = {hold_worker(f.broker), hold_worker(f.broker), NULL};
    assert_status(patio_future_wait_any(futures, 2, 5, &index), PATIO_TIMEOUT);
    assert_status(patio_future_wait_any(futures, 0, 5, &index), PATIO_INVALID);
    futures[2] = start_call(f.broker, "count", NULL);
    assert_status(patio_future_wait_any(futures, 3, 20000, &index), PATIO_OK);
    assert_int_equal(index, 2);
    gate_open(&the_gate);
    assert_status(patio_future_wait_all(futures, 3, 20000), PATIO_OK);
    assert_status(patio_future_wait_any(futures, 3, 0, &index), PATIO_OK);
    assert_int_equal(index, 0); /* of several the lowest */
    for (int i = 0; i < 3; i++) {
        patio_future_destroy(futures[i]);
    }
    fixture_close(&f);
}

static void *wait_for_any(void *arg)
{
    patio_future **futures = arg;
    size_t         index   = 9;
    patio_status   st      = patio_future_wait_any(futures, 2, 20000, &index);
    return (void *)(st == PATIO_OK ? index + 1 : 0);
}

static void wait_any_sleeps_over_the_futures_of_two_brokers(void **state)
{
    (void)state;
    fixture f;
    void   *result = NULL;
    fixture_open(&f, NULL);
    patio_broker *other      = start_broker(&f, f.registry, NULL);
    patio_future *futures[2] = {hold_worker(f.broker), start_call(other, "until_cancelled", NULL)};
    AWAIT_ARRIVED(&the_gate, 2);
    pthread_t waiter = run_thread(wait_for_any, futures);
    patio_future_cancel(futures[1]);
    assert_int_equal(pthread_join(waiter, &result), 0);
    assert_int_equal((uintptr_t)result, 2);
    gate_open(&the_gate);
    assert_status(patio_future_wait_all(futures, 2, 20000), PATIO_OK);
    patio_future_destroy(futures[0]);
    patio_future_destroy(futures[1]);
    patio_broker_destroy(other);
    fixture_close(&f);
}

static void *wait_for_one(void *arg)
{
    return (void *)(uintptr_t)patio_future_wait(arg, 20000);
}

static void many_threads_may_wait_for_one_future(void **state)
{
    (void)state;
    fixture   f;
    pthread_t waiters[4];
    fixture_open(&f, NULL);
    patio_future *future = hold_worker(f.broker);
    for (int i = 0; i < 4; i++) {
        waiters[i] = run_thread(wait_for_one, future);
    }
    gate_open(&the_gate);
    for (int i = 0; i < 4; i++) {
        void *status = NULL;
        assert_int_equal(pthread_join(waiters[i], &status), 0);
        assert_int_equal((uintptr_t)status, PATIO_OK);
    }
    patio_future_destroy(future);
    fixture_close(&f);
}

/* ---- cancelling ---- */

static void a_queued_call_that_is_cancelled_never_runs(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, SETTINGS("executor.workers=1"));
    patio_future *held   = hold_worker(f.broker);
    patio_future *queued = start_call(f.broker, "count", NULL);
    assert_int_equal(counts_of(f.broker, NULL).ready, 1);
    patio_future_cancel(queued);
    assert_true(patio_future_done(queued));
    assert_status(patio_future_status(queued, &f.err), PATIO_CANCELLED);
    assert_int_equal(counts_of(f.broker, NULL).ready, 0);
    patio_future_cancel(queued); /* no effect on one that is done */
    assert_status(patio_future_status(queued, &f.err), PATIO_CANCELLED);
    gate_open(&the_gate);
    assert_status(patio_future_wait(held, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_call(f.broker, "echo", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    assert_int_equal(atomic_load(&runs), 0);
    patio_future_destroy(held);
    patio_future_destroy(queued);
    assert_int_equal(counts_of(f.broker, NULL).dead, 0);
    fixture_close(&f);
}

/* It has been handed to the worker, where it waits for a thread. */
static void a_call_cancelled_in_a_workers_own_queue_never_runs_nor_dies(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, SETTINGS("executor.workers=1", "lookahead=2"));
    patio_future *held = hold_worker(f.broker);
    patio_future *next = start_call(f.broker, "count", NULL);
    assert_int_equal(counts_of(f.broker, NULL).leased, 2);
    patio_future_cancel(next);
    assert_status(patio_future_status(next, NULL), PATIO_CANCELLED);
    gate_open(&the_gate);
    AWAIT(counts_of(f.broker, NULL).leased == 0);
    assert_int_equal(atomic_load(&runs), 0);
    assert_int_equal(counts_of(f.broker, NULL).dead, 0);
    assert_int_equal(stats_of(f.broker).settlements_failed, 0);
    patio_future_destroy(held);
    patio_future_destroy(next);
    fixture_close(&f);
}

static void a_delayed_call_that_is_cancelled_never_runs(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_call_options later   = {PATIO_SIZED(patio_call_options), .delay_ms = 3600000,
                                  .timeout_ms = PATIO_FOREVER};
    patio_future      *delayed = start_call(f.broker, "count", &later);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    patio_future_cancel(delayed);
    assert_status(patio_future_status(delayed, NULL), PATIO_CANCELLED);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 0);
    patio_future_destroy(delayed);
    fixture_close(&f);
}

static void a_running_task_learns_that_it_is_cancelled(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_future *future = start_call(f.broker, "until_cancelled", NULL);
    AWAIT_ARRIVED(&the_gate, 1);
    patio_future_cancel(future);
    assert_status(patio_future_status(future, NULL), PATIO_CANCELLED);
    AWAIT(atomic_load(&runs) == 1);
    /* it ended well all the same: its reply comes too late */
    AWAIT(stats_of(f.broker).replies_late == 1);
    assert_int_equal(stats_of(f.broker).calls_failed, 1);
    patio_future_destroy(future);
    fixture_close(&f);
}

static void a_task_that_learns_of_its_deadline_may_end_early(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    /* one that has not started by its deadline is not started at all: then a longer one */
    for (uint64_t ms = 20; gate_arrived(&the_gate) == 0; ms *= 2) {
        patio_call_options soon = {PATIO_SIZED(patio_call_options), .timeout_ms = ms};
        /* the task ends at the moment its caller gives up: either may be first */
        patio_status st = patio_call(f.broker, "until_cancelled", PATIO_NO_ARGS, &soon, NULL, NULL);
        assert_true(st == PATIO_TIMEOUT || st == PATIO_OK);
        AWAIT(counts_of(f.broker, NULL).leased == 0);
    }
    assert_int_equal(atomic_load(&runs), 1);
    fixture_close(&f);
}

/* ---- letting go ---- */

static void a_future_let_go_before_it_is_done_drops_its_result(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_future_destroy(hold_worker(f.broker));
    patio_future_destroy(start_call(f.broker, "count", NULL));
    gate_open(&the_gate);
    AWAIT(stats_of(f.broker).calls_answered == 2);
    assert_int_equal(atomic_load(&runs), 1);
    assert_int_equal(stats_of(f.broker).calls_in_flight, 0);
    assert_int_equal(stats_of(f.broker).replies_late, 0);
    fixture_close(&f); /* nothing leaks */
}

static void a_late_reply_is_counted_and_reaches_nobody(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    /* as above: until one has started in time */
    for (uint64_t ms = 10; gate_arrived(&the_gate) == 0; ms *= 2) {
        patio_call_options soon   = {PATIO_SIZED(patio_call_options), .timeout_ms = ms};
        patio_future      *future = start_call(f.broker, "gate", &soon);
        assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
        assert_status(patio_future_status(future, NULL), PATIO_TIMEOUT);
        patio_future_destroy(future);
        AWAIT(gate_arrived(&the_gate) == 1 || counts_of(f.broker, NULL).leased == 0);
    }
    /* its slot is used again: the late reply must not end up there */
    patio_future *next = start_call(f.broker, "until_cancelled", NULL);
    AWAIT_ARRIVED(&the_gate, 2);
    gate_open(&the_gate);
    AWAIT(counts_of(f.broker, NULL).leased == 0 && stats_of(f.broker).replies_late > 0);
    assert_status(patio_future_wait(next, PATIO_FOREVER), PATIO_OK);
    assert_int_equal(patio_future_value(next)->type, PATIO_TYPE_NULL);
    patio_future_destroy(next);
    fixture_close(&f);
}

/* ---- deadlines and bounds ---- */

static patio_status task_remaining(patio_context *ctx)
{
    return PATIO_RETURN(ctx, patio_task_remaining_ms(ctx));
}

static void forever_means_no_deadline(void **state)
{
    (void)state;
    fixture            f;
    patio_task_options endless = {PATIO_SIZED(patio_task_options),
                                  .attempt_timeout_ms = PATIO_FOREVER};
    patio_call_options forever = {PATIO_SIZED(patio_call_options), .timeout_ms = PATIO_FOREVER};
    patio_future      *future  = NULL;
    fixture_init(&f);
    add_task(f.registry, "endless", task_remaining, &endless);
    add_task(f.registry, "bounded", task_remaining, NULL);
    f.broker = start_broker(&f, f.registry, NULL);
    assert_ok(patio_call(f.broker, "endless", PATIO_NO_ARGS, &forever, &future, &f.err), f.err);
    assert_true(patio_future_value(future)->as.u64 == PATIO_FOREVER);
    patio_future_destroy(future);
    assert_ok(patio_call(f.broker, "bounded", PATIO_NO_ARGS, &forever, &future, &f.err), f.err);
    assert_in_range(patio_future_value(future)->as.u64, 1, 5 * 60 * 1000); /* one run: 5 minutes */
    patio_future_destroy(future);
    fixture_close(&f);
}

static void more_calls_than_max_pending_are_refused_until_one_ends(void **state)
{
    (void)state;
    enum { MOST = 10 };
    fixture       f;
    patio_future *futures[MOST];
    patio_future *one_more = NULL;
    fixture_open(&f, SETTINGS("executor.workers=1", "max_pending=10"));
    futures[0] = hold_worker(f.broker);
    for (int i = 1; i < MOST; i++) {
        futures[i] = start_call(f.broker, "count", NULL);
    }
    assert_status(patio_start(f.broker, "count", PATIO_NO_ARGS, NULL, &one_more, &f.err),
                  PATIO_FULL);
    assert_contains(f.err.message, "max_pending");
    assert_null(one_more);
    patio_future_cancel(futures[MOST - 1]);
    patio_future_destroy(futures[MOST - 1]);
    futures[MOST - 1] = start_call(f.broker, "count", NULL);
    gate_open(&the_gate);
    assert_status(patio_future_wait_all(futures, MOST, 20000), PATIO_OK);
    for (int i = 0; i < MOST; i++) {
        patio_future_destroy(futures[i]);
    }
    fixture_close(&f);
}

static void *start_one(void *arg)
{
    patio_future *future = NULL;
    patio_status  st     = patio_start(arg, "count", PATIO_NO_ARGS, NULL, &future, NULL);
    (void)patio_future_wait_all(&future, st == PATIO_OK ? 1 : 0, 20000);
    patio_future_destroy(future);
    return (void *)(uintptr_t)st;
}

static void first_calls_of_several_threads_at_once_all_find_room(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        fixture   f;
        pthread_t threads[4];
        fixture_open(&f, SETTINGS("max_pending=4"));
        for (int i = 0; i < 4; i++) {
            threads[i] = run_thread(start_one, f.broker);
        }
        for (int i = 0; i < 4; i++) {
            void *status = NULL;
            assert_int_equal(pthread_join(threads[i], &status), 0);
            assert_status((patio_status)(uintptr_t)status, PATIO_OK);
        }
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_future_is_done_when_its_task_is),
        cmocka_unit_test(every_future_has_an_id_of_its_own),
        cmocka_unit_test(wait_all_waits_for_the_last),
        cmocka_unit_test(wait_any_names_the_one_that_is_done),
        cmocka_unit_test(wait_any_sleeps_over_the_futures_of_two_brokers),
        cmocka_unit_test(many_threads_may_wait_for_one_future),
        cmocka_unit_test(a_queued_call_that_is_cancelled_never_runs),
        cmocka_unit_test(a_call_cancelled_in_a_workers_own_queue_never_runs_nor_dies),
        cmocka_unit_test(a_delayed_call_that_is_cancelled_never_runs),
        cmocka_unit_test(a_running_task_learns_that_it_is_cancelled),
        cmocka_unit_test(a_task_that_learns_of_its_deadline_may_end_early),
        cmocka_unit_test(a_future_let_go_before_it_is_done_drops_its_result),
        cmocka_unit_test(a_late_reply_is_counted_and_reaches_nobody),
        cmocka_unit_test(forever_means_no_deadline),
        cmocka_unit_test(more_calls_than_max_pending_are_refused_until_one_ends),
        cmocka_unit_test(first_calls_of_several_threads_at_once_all_find_room),
    };
    return RUN_TESTS("futures", tests);
}
