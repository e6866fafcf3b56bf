/* Hours in milliseconds: what a user's own tests do with a manual clock. */
#include "fixture.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR, CALM = 5000 };

static _Atomic uint64_t started_at[16];

/* The runtime's clock at each start; succeeds at the fifth. */
static patio_status task_stubborn(patio_context *ctx)
{
    uint32_t n    = atomic_fetch_add(&runs, 1);
    started_at[n] = patio_runtime_now_ms(patio_broker_runtime(patio_task_broker(ctx)));
    return n < 4 ? patio_task_retry(ctx, 0, "not yet") : PATIO_OK;
}

static patio_status task_hourly(patio_context *ctx)
{
    uint32_t n    = atomic_fetch_add(&runs, 1);
    started_at[n] = patio_runtime_now_ms(patio_broker_runtime(patio_task_broker(ctx)));
    return n < 4 ? patio_task_retry(ctx, HOUR, "in an hour") : PATIO_OK;
}

static void open_still(fixture *f)
{
    fixture_init_with(f, PATIO_RUNTIME_MANUAL_CLOCK, 0);
    add_common_tasks(f->registry);
    add_task(f->registry, "stubborn", task_stubborn, NULL);
    add_task(f->registry, "hourly", task_hourly, NULL);
    f->broker = start_broker(f, f->registry, SETTINGS("executor.workers=2"));
}

static void move(fixture *f, uint64_t ms)
{
    assert_ok(patio_runtime_advance(f->runtime, ms, CALM, &f->err), f->err);
}

static void retries_of_hours_take_milliseconds(void **state)
{
    (void)state;
    fixture f;
    open_still(&f);
    assert_ok(patio_send(f.broker, "hourly", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    move(&f, 0);
    assert_int_equal(atomic_load(&runs), 1);
    move(&f, HOUR - 1);
    assert_int_equal(atomic_load(&runs), 1);
    move(&f, 1);
    assert_int_equal(atomic_load(&runs), 2);
    move(&f, DAY);
    assert_int_equal(atomic_load(&runs), 5);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(started_at[i] - started_at[i - 1], HOUR);
    }
    assert_int_equal(stats_of(f.broker).tasks_ok, 1);
    fixture_close(&f);
}

static void a_back_off_is_random_and_repeats_with_its_seed(void **state)
{
    (void)state;
    uint64_t first[4];
    for (int round = 0; round < 3; round++) {
        fixture f;
        fixture_init_with(&f, PATIO_RUNTIME_MANUAL_CLOCK | PATIO_RUNTIME_SEEDED, round < 2 ? 7 : 8);
        add_task(f.registry, "stubborn", task_stubborn, NULL);
        f.broker = start_broker(&f, f.registry, NULL);
        assert_ok(patio_send(f.broker, "stubborn", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
        move(&f, HOUR);
        assert_int_equal(atomic_load(&runs), 5);
        bool same = true;
        for (int i = 0; i < 4; i++) {
            uint64_t pause = started_at[i + 1] - started_at[i];
            assert_true(pause <= (UINT64_C(1000) << i));
            first[i] = round == 0 ? pause : first[i];
            same     = same && pause == first[i];
        }
        assert_int_equal(same, round < 2);
        fixture_close(&f);
    }
}

static void a_delay_of_a_day_is_kept(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options o = {PATIO_SIZED(patio_call_options), .delay_ms = DAY};
    open_still(&f);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &o, NULL, &f.err), f.err);
    move(&f, DAY - 1);
    assert_int_equal(atomic_load(&runs), 0);
    assert_int_equal(counts_of(f.broker, NULL).delayed, 1);
    move(&f, 1);
    move(&f, 0);
    assert_int_equal(atomic_load(&runs), 1);
    fixture_close(&f);
}

static void a_deadline_of_an_hour_passes_when_the_clock_says_so(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *call = NULL;
    patio_call_options o    = {PATIO_SIZED(patio_call_options), .timeout_ms = HOUR};
    open_still(&f);
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_PAUSED, 0, &f.err), f.err);
    assert_ok(patio_start(f.broker, "echo", PATIO_ARGS(1), &o, &call, &f.err), f.err);
    move(&f, HOUR - SECOND);
    assert_false(patio_future_done(call));
    assert_status(patio_future_wait(call, 20), PATIO_TIMEOUT); /* real time does not count */
    move(&f, 2 * SECOND);
    assert_true(patio_future_done(call));
    assert_status(patio_future_status(call, &f.err), PATIO_TIMEOUT);
    patio_future_destroy(call);
    fixture_close(&f);
}

static void what_is_too_late_in_its_queue_is_a_dead_letter_for_a_fortnight(void **state)
{
    (void)state;
    fixture            f;
    patio_call_options o = {PATIO_SIZED(patio_call_options), .queue_ttl_ms = HOUR};
    open_still(&f);
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_PAUSED, 0, &f.err), f.err);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &o, NULL, &f.err), f.err);
    move(&f, 2 * HOUR);
    assert_ok(patio_queue_set_state(f.broker, NULL, PATIO_QUEUE_OPEN, 0, &f.err), f.err);
    move(&f, 1);
    assert_int_equal(counts_of(f.broker, NULL).dead, 1);
    assert_int_equal(atomic_load(&runs), 0);
    move(&f, 13 * (uint64_t)DAY);
    assert_int_equal(counts_of(f.broker, NULL).dead, 1);
    move(&f, DAY + HOUR);
    assert_int_equal(counts_of(f.broker, NULL).dead, 0);
    fixture_close(&f);
}

static void a_result_and_a_dedup_key_are_forgotten_in_their_time(void **state)
{
    (void)state;
    fixture            f;
    patio_id           id;
    patio_task_report  r = {PATIO_SIZED(patio_task_report)};
    patio_call_options o = {PATIO_SIZED(patio_call_options), .result_ttl_ms = HOUR,
                            .dedup_key = "k", .dedup_window_ms = 2 * HOUR};
    open_still(&f);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &o, &id, &f.err), f.err);
    move(&f, HOUR - SECOND);
    assert_ok(patio_result_get(f.broker, NULL, id, 0, &r, NULL, &f.err), f.err);
    assert_int_equal(r.state, PATIO_STATE_DONE);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &o, NULL, &f.err), f.err);
    move(&f, 2 * SECOND);
    assert_ok(patio_result_get(f.broker, NULL, id, 0, &r, NULL, &f.err), f.err);
    assert_int_equal(r.state, PATIO_STATE_UNKNOWN);
    assert_int_equal(atomic_load(&runs), 1);
    move(&f, 2 * HOUR);
    assert_ok(patio_send(f.broker, "count", PATIO_NO_ARGS, &o, NULL, &f.err), f.err);
    move(&f, 0);
    assert_int_equal(atomic_load(&runs), 2);
    fixture_close(&f);
}

static int32_t note_running(void *arg, const patio_worker_info *w)
{
    *(uint64_t *)arg = w->running;
    return 0;
}

static uint64_t shown_running(fixture *f)
{
    uint64_t running = UINT64_MAX;
    assert_ok(patio_worker_list(f->broker, 100, note_running, &running, &f->err), f->err);
    return running;
}

static void a_load_is_shown_a_second_after_it_has_changed(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f); /* a still clock has five seconds, see presence.c */
    add_common_tasks(f.registry);
    f.broker           = start_broker(&f, f.registry, NULL);
    uint64_t      from = patio_runtime_now_ms(f.runtime);
    patio_future *held = hold_worker(f.broker);
    AWAIT(shown_running(&f) == 1);
    assert_true(patio_runtime_now_ms(f.runtime) - from < 4 * SECOND); /* on a busy machine */
    gate_open(&the_gate);
    assert_status(patio_future_wait(held, 20000), PATIO_OK);
    patio_future_destroy(held);
    AWAIT(shown_running(&f) == 0);
    fixture_close(&f);
}

static void a_real_clock_is_moved_by_nobody(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    assert_status(patio_runtime_advance(f.runtime, 1, 0, &f.err), PATIO_STATE);
    assert_status(patio_runtime_advance(NULL, 1, 0, &f.err), PATIO_STATE);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_of_hours_take_milliseconds),
        cmocka_unit_test(a_back_off_is_random_and_repeats_with_its_seed),
        cmocka_unit_test(a_delay_of_a_day_is_kept),
        cmocka_unit_test(a_deadline_of_an_hour_passes_when_the_clock_says_so),
        cmocka_unit_test(what_is_too_late_in_its_queue_is_a_dead_letter_for_a_fortnight),
        cmocka_unit_test(a_result_and_a_dedup_key_are_forgotten_in_their_time),
        cmocka_unit_test(a_load_is_shown_a_second_after_it_has_changed),
        cmocka_unit_test(a_real_clock_is_moved_by_nobody),
    };
    return RUN_TESTS("clock", tests);
}
