/* fault+memory:// under PATIO_CHECK=abort: it misbehaves, and keeps the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <patio/patio.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TASKS = 2000 };

static _Atomic uint32_t runs[TASKS];

static patio_status task_note(patio_context *ctx)
{
    int64_t n = 0;
    if (patio_arg_int64(ctx, 0, &n) == PATIO_OK && n >= 0 && n < TASKS) {
        atomic_fetch_add(&runs[n], 1);
    }
    return PATIO_RETURN(ctx, n);
}

typedef struct world {
    patio_registry *registry;
    patio_broker   *broker;
    patio_error     err;
} world;

static void open_world(world *w, const char *url)
{
    *w = (world){.err = PATIO_ERROR_INIT};
    for (size_t n = 0; n < TASKS; n++) {
        atomic_store(&runs[n], 0);
    }
    assert_int_equal(patio_registry_create(NULL, &w->registry, &w->err), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(w->registry, "note", task_note, &w->err), PATIO_OK);
    patio_status st = patio_broker_open(w->registry, url, &w->broker, &w->err);
    if (st != PATIO_OK) {
        fail_msg("%s", w->err.message);
    }
    assert_int_equal(patio_broker_start(w->broker, &w->err), PATIO_OK);
}

static void close_world(world *w)
{
    (void)patio_broker_stop(w->broker, 10000, &w->err);
    patio_broker_destroy(w->broker);
    patio_registry_destroy(w->registry);
}

static uint64_t open_tasks(world *w)
{
    patio_counts c = {PATIO_SIZED(patio_counts)};
    assert_int_equal(patio_broker_counts(w->broker, NULL, 1000, &c, &w->err), PATIO_OK);
    return c.ready + c.leased + c.delayed;
}

static void await_empty(world *w)
{
    struct timespec moment = {0, 2000000};
    for (int n = 0; open_tasks(w) > 0; n++) {
        assert_true(n < 20000);
        (void)nanosleep(&moment, NULL);
    }
}

typedef struct tally {
    uint32_t accepted;
    uint32_t unknown;
    uint32_t missing; /* accepted and never run */
    uint32_t twice;
} tally;

static tally send_all(const char *url)
{
    static bool accepted[TASKS];
    world       w;
    tally       t = {0};
    open_world(&w, url);
    for (int64_t n = 0; n < TASKS; n++) {
        patio_future *f = NULL;
        accepted[n]     = false;
        if (patio_send_start(w.broker, "note", PATIO_ARGS(n), NULL, &f, &w.err) == PATIO_OK) {
            assert_int_equal(patio_future_wait(f, 20000), PATIO_OK);
            accepted[n] = patio_future_status(f, NULL) == PATIO_OK;
            t.accepted += accepted[n];
            t.unknown += !accepted[n];
            patio_future_destroy(f);
        }
    }
    await_empty(&w);
    close_world(&w);
    for (size_t n = 0; n < TASKS; n++) {
        uint32_t count = atomic_load(&runs[n]);
        t.missing += accepted[n] && count == 0;
        t.twice += count > 1;
    }
    return t;
}

static void without_faults_each_task_runs_once(void **state)
{
    (void)state;
    tally t = send_all("fault+memory://");
    assert_int_equal(t.accepted, TASKS);
    assert_int_equal(t.missing + t.twice + t.unknown, 0);
}

static void what_is_dropped_is_unknown_and_what_is_accepted_runs(void **state)
{
    (void)state;
    tally t = send_all("fault+memory://?seed=7&drop=0.1");
    assert_int_equal(t.missing, 0);
    assert_in_range(t.unknown, TASKS / 20, TASKS / 5);
    assert_int_equal(t.accepted + t.unknown, TASKS);
}

static void lost_settlements_make_tasks_run_again(void **state)
{
    (void)state;
    tally t = send_all("fault+memory://?seed=7&dup=0.2");
    assert_int_equal(t.missing, 0);
    assert_in_range(t.twice, TASKS / 10, TASKS / 2);
}

static void everything_at_once_loses_nothing(void **state)
{
    (void)state;
    tally t = send_all("fault+memory://?seed=3&drop=0.05&dup=0.05&delay=2"
                       "&cut=0.01&reorder=0.1&stall=0.002&stall_ms=20");
    assert_int_equal(t.missing, 0);
    assert_true(t.twice > 0);
}

static void the_same_seed_decides_the_same(void **state)
{
    (void)state;
    /* what is sent to a queue without a worker: every decision is about a publish, in order */
    uint32_t unknown[3] = {0};
    for (int round = 0; round < 3; round++) {
        world w;
        open_world(&w, round < 2 ? "fault+memory://?seed=11&drop=0.3"
                                 : "fault+memory://?seed=12&drop=0.3");
        patio_call_options elsewhere = {PATIO_SIZED(patio_call_options), .queue = "nobody"};
        for (int64_t n = 0; n < 24; n++) {
            patio_future *f = NULL;
            assert_int_equal(
                patio_send_start(w.broker, "note", PATIO_ARGS(n), &elsewhere, &f, &w.err),
                PATIO_OK);
            assert_int_equal(patio_future_wait(f, 20000), PATIO_OK);
            unknown[round] |= (patio_future_status(f, NULL) != PATIO_OK ? 1u : 0u) << n;
            patio_future_destroy(f);
        }
        close_world(&w);
    }
    assert_int_equal(unknown[0], unknown[1]);
    assert_int_not_equal(unknown[0], unknown[2]);
    assert_int_not_equal(unknown[0], 0);
}

static void calls_end_once_under_faults(void **state)
{
    (void)state;
    world w;
    open_world(&w, "fault+memory://?seed=5&drop=0.05&dup=0.1&delay=1");
    uint32_t ok = 0;
    for (int64_t n = 0; n < 500; n++) {
        patio_future *f  = NULL;
        patio_status  st = patio_call(w.broker, "note", PATIO_ARGS(n), NULL, &f, &w.err);
        if (st == PATIO_OK) {
            int64_t got = -1;
            assert_int_equal(patio_value_get_int64(patio_future_value(f), &got), PATIO_OK);
            assert_int_equal(got, n);
            ok++;
        }
        patio_future_destroy(f);
    }
    assert_true(ok > 350);
    close_world(&w);
}

static void a_wrong_part_is_a_mistake_of_the_configuration(void **state)
{
    (void)state;
    patio_error   err    = PATIO_ERROR_INIT;
    patio_broker *broker = NULL;
    assert_int_equal(patio_broker_open(NULL, "fault+memory://?drop=1.5", &broker, &err),
                     PATIO_CONFIG);
    assert_non_null(strstr(err.message, "drop"));
    assert_int_equal(patio_broker_open(NULL, "fault+memory://?dorp=1", &broker, &err),
                     PATIO_CONFIG);
    assert_non_null(strstr(err.message, "drop")); /* the near one */
    assert_int_equal(patio_broker_open(NULL, "memory://?drop=1", &broker, &err), PATIO_CONFIG);
    assert_int_equal(patio_broker_open(NULL, "fault+memory://?delay=0.1", &broker, &err),
                     PATIO_CONFIG);
    assert_non_null(strstr(err.message, "delay"));
}

static void options_of_the_transport_stand_beside_its_own(void **state)
{
    (void)state;
    patio_error   err    = PATIO_ERROR_INIT;
    patio_broker *broker = NULL;
    assert_int_equal(patio_broker_open(NULL, "fault+memory://?max_queued=2&dup=0.1", &broker, &err),
                     PATIO_OK);
    assert_int_equal(patio_broker_start(broker, &err), PATIO_OK);
    assert_int_equal(patio_send(broker, "nobody", PATIO_NO_ARGS, NULL, NULL, &err), PATIO_OK);
    assert_int_equal(patio_send(broker, "nobody", PATIO_NO_ARGS, NULL, NULL, &err), PATIO_OK);
    assert_int_equal(patio_send(broker, "nobody", PATIO_NO_ARGS, NULL, NULL, &err), PATIO_FULL);
    patio_broker_destroy(broker);
    assert_int_equal(patio_broker_open(NULL, "fault+memory://?max_quued=2&dup=0.1", &broker, &err),
                     PATIO_CONFIG);
    assert_non_null(strstr(err.message, "max_queued"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_each_task_runs_once),
        cmocka_unit_test(what_is_dropped_is_unknown_and_what_is_accepted_runs),
        cmocka_unit_test(lost_settlements_make_tasks_run_again),
        cmocka_unit_test(everything_at_once_loses_nothing),
        cmocka_unit_test(the_same_seed_decides_the_same),
        cmocka_unit_test(calls_end_once_under_faults),
        cmocka_unit_test(options_of_the_transport_stand_beside_its_own),
        cmocka_unit_test(a_wrong_part_is_a_mistake_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
