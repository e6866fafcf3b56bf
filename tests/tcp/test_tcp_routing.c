/* Who gets a task: of those who have it the one with the fewest outstanding, and among equals each
 * in its turn. Counted, task by task. */
#include <pthread.h>
#include <string.h>

#include "brokers_world.h"

enum { WORKERS = 4, ROUNDS = 25 };

static side    workers[WORKERS];
static side    caller_side;
static int32_t ran[WORKERS + 1];  /* of each worker; the last is the caller itself */
static int32_t held[WORKERS + 1]; /* those that wait at the gate */

/* Calls come one by one, but for those that wait. */
static size_t number_of(const patio_context *ctx)
{
    size_t at = 0;
    while (at < WORKERS && workers[at].broker != patio_task_broker(ctx)) {
        at++;
    }
    return at;
}

/* With an argument it waits at the gate. One task, for each has turns of its own. */
static patio_status work(patio_context *ctx)
{
    size_t  number = number_of(ctx);
    int64_t waits  = 0;
    if (patio_arg_int64(ctx, 0, &waits) == PATIO_OK) {
        __atomic_add_fetch(&held[number], 1, __ATOMIC_SEQ_CST);
        return gate(ctx);
    }
    ran[number]++;
    return PATIO_OK;
}

static const named tasks[] = {{"work", work}};

static uint64_t wanted;

static bool all_are_there(const void *arg)
{
    return count(arg).consumers == wanted;
}

static void begin_with(bool itself)
{
    atomic_store(&gate_open, false);
    memset(ran, 0, sizeof(ran));
    memset(held, 0, sizeof(held));
    open_well(&caller_side, tasks, itself ? 1 : 0, URLS("unix+listen://%s/r"));
    for (size_t i = 0; i < WORKERS; i++) {
        open_well(&workers[i], tasks, 1, URLS("unix://%s/r"));
    }
    wanted = WORKERS + (itself ? 1 : 0);
    assert_true(until(all_are_there, &caller_side));
}

static int begin(void **state)
{
    (void)state;
    begin_with(false);
    return 0;
}

static int begin_as_worker(void **state)
{
    (void)state;
    begin_with(true);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    atomic_store(&gate_open, true);
    for (size_t i = 0; i < WORKERS; i++) {
        close_side(&workers[i]);
    }
    close_side(&caller_side);
    return 0;
}

/* One after the other: when one begins nothing else is outstanding. */
static void call_work(unsigned times)
{
    patio_error err = PATIO_ERROR_INIT;
    for (unsigned i = 0; i < times; i++) {
        patio_future *f = NULL;
        if (patio_call(caller_side.broker, "work", PATIO_NO_ARGS, NULL, &f, &err) != PATIO_OK) {
            fail_msg("work: %s", err.message);
        }
        patio_future_destroy(f);
    }
}

static patio_future *start_hold(void)
{
    patio_future *f = NULL;
    assert_int_equal(patio_start(caller_side.broker, "work", PATIO_ARGS(1), NULL, &f, NULL),
                     PATIO_OK);
    return f;
}

static int32_t holds(size_t of)
{
    return __atomic_load_n(&held[of], __ATOMIC_SEQ_CST);
}

static bool one_more_holds(const void *arg)
{
    const uint32_t *expected = arg;
    return atomic_load(&gate_waits) == *expected;
}

static void end_holds(patio_future **f, size_t of)
{
    static const uint32_t none = 0;
    atomic_store(&gate_open, true);
    assert_int_equal(patio_future_wait_all(f, of, 10000), PATIO_OK);
    for (size_t i = 0; i < of; i++) {
        patio_future_destroy(f[i]);
    }
    assert_true(until(one_more_holds, &none));
    atomic_store(&gate_open, false);
}

static void equals_get_equal_shares(void **state)
{
    (void)state;
    for (int32_t round = 1; round <= ROUNDS; round++) {
        call_work(WORKERS);
        for (size_t i = 0; i < WORKERS; i++) {
            assert_int_equal(ran[i], round);
        }
    }
}

static void the_caller_itself_is_one_of_them(void **state)
{
    (void)state;
    for (int32_t round = 1; round <= ROUNDS; round++) {
        call_work(WORKERS + 1);
        for (size_t i = 0; i <= WORKERS; i++) {
            assert_int_equal(ran[i], round);
        }
    }
}

/* Who has something to do gets nothing, though there is room for one more; and what it does not get
 * is shared by all others, not by its neighbour alone. */
static void the_others_share_what_a_busy_one_does_not_get(void **state)
{
    (void)state;
    static const uint32_t one = 1;
    for (int32_t turn = 0; turn < WORKERS; turn++) { /* each of them once */
        patio_future *f = start_hold();
        assert_true(until(one_more_holds, &one));
        memset(ran, 0, sizeof(ran));
        call_work((WORKERS - 1) * ROUNDS);
        for (size_t i = 0; i < WORKERS; i++) {
            assert_int_equal(ran[i], holds(i) > 0 ? 0 : ROUNDS);
        }
        end_holds(&f, 1);
        memset(held, 0, sizeof(held));
        memset(ran, 0, sizeof(ran));
        call_work(WORKERS * ROUNDS); /* and it is one of the equals again */
        for (size_t i = 0; i < WORKERS; i++) {
            assert_int_equal(ran[i], ROUNDS);
        }
        call_work(1); /* so that the next hold is another's */
    }
}

static void the_one_with_the_fewest_is_first(void **state)
{
    (void)state;
    patio_future *f[2 * WORKERS];
    for (uint32_t i = 0; i < 2 * WORKERS; i++) {
        uint32_t running = i + 1;
        f[i]             = start_hold();
        assert_true(until(one_more_holds, &running));
        for (size_t k = 0; k < WORKERS; k++) { /* never two more than another */
            assert_in_range(holds(k), i / WORKERS, i / WORKERS + 1);
        }
        if (i % WORKERS < WORKERS - 1) {
            call_work(WORKERS - 1); /* without regard for that it would be the same one's turn */
        }
    }
    end_holds(f, 2 * WORKERS);
}

static void *stop_caller(void *arg)
{
    (void)arg;
    (void)patio_broker_stop(caller_side.broker, 60000, NULL);
    return NULL;
}

/* What waits for this process alone has nobody any more when it drains, though it runs others. */
static void who_drains_has_no_route_for_its_own_calls(void **state)
{
    (void)state;
    enum { RUNNING = 2, WAITING = 20 };
    static const uint32_t running = RUNNING;
    patio_call_options    waits = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE};
    patio_future         *f[RUNNING]     = {NULL};
    patio_future         *alone[WAITING] = {NULL};
    patio_future         *for_anybody    = NULL;
    pthread_t             stopper;
    for (int i = 0; i < RUNNING; i++) {
        f[i] = start_hold();
    }
    assert_true(until(one_more_holds, &running));
    for (int i = 0; i < WAITING; i++) {
        alone[i] = start_hold();
    }
    assert_int_equal(
        patio_start(caller_side.broker, "work", PATIO_NO_ARGS, &waits, &for_anybody, NULL),
        PATIO_OK);
    assert_int_equal(pthread_create(&stopper, NULL, stop_caller, NULL), 0);
    assert_int_equal(patio_future_wait_all(alone, WAITING, 10000), PATIO_OK);
    for (int i = 0; i < WAITING; i++) {
        assert_int_equal(patio_future_status(alone[i], NULL), PATIO_NO_ROUTE);
        patio_future_destroy(alone[i]);
    }
    assert_int_equal(atomic_load(&gate_waits), RUNNING);
    assert_int_equal(patio_future_wait(for_anybody, 0), PATIO_TIMEOUT);
    atomic_store(&gate_open, true);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    for (int i = 0; i < RUNNING; i++) {
        assert_int_equal(patio_future_status(f[i], NULL), PATIO_OK);
        patio_future_destroy(f[i]);
    }
    assert_int_equal(patio_future_status(for_anybody, NULL), PATIO_CANCELLED);
    patio_future_destroy(for_anybody);
}

static int begin_alone(void **state)
{
    (void)state;
    atomic_store(&gate_open, false);
    memset(held, 0, sizeof(held));
    open_well(&caller_side, tasks, 1, URLS("unix+listen://%s/r"));
    return 0;
}

int main(void)
{
#define ROUTING(name, begin) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        ROUTING(equals_get_equal_shares, begin),
        ROUTING(the_caller_itself_is_one_of_them, begin_as_worker),
        ROUTING(the_others_share_what_a_busy_one_does_not_get, begin),
        ROUTING(the_one_with_the_fewest_is_first, begin),
        ROUTING(who_drains_has_no_route_for_its_own_calls, begin_alone),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
