/* Reports of a running task, on their way to its caller. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

/* "steps": three reports with a pause that a condition ends, then its result. */
static gate step_gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static patio_status task_steps(patio_context *ctx)
{
    patio_task_progress(ctx, 1, 3, "first");
    gate_pass(&step_gate);
    patio_task_progress(ctx, 3, 3, "last");
    gate_pass(&the_gate);
    return PATIO_RETURN(ctx, 7);
}

/* "chatty": as many reports as its first argument says, without a pause. */
static patio_status task_chatty(patio_context *ctx)
{
    int64_t      count = 0;
    patio_status st    = patio_arg_int64(ctx, 0, &count);
    for (int64_t i = 1; st == PATIO_OK && i <= count; i++) {
        patio_task_progress(ctx, (uint64_t)i, (uint64_t)count, NULL);
    }
    gate_pass(&the_gate);
    return st;
}

typedef struct heard {
    _Atomic uint32_t count;
    _Atomic uint64_t numerator;
    _Atomic uint32_t after_done;
    patio_progress   first;
} heard;

static void on_progress(patio_future *future, const patio_progress *progress, void *arg)
{
    heard *h = arg;
    if (atomic_load(&h->count) == 0) {
        h->first = *progress;
    }
    if (patio_future_done(future)) {
        atomic_fetch_add(&h->after_done, 1);
    }
    atomic_store(&h->numerator, progress->numerator);
    atomic_fetch_add(&h->count, 1);
}

static void open_world(fixture *f)
{
    fixture_init(f);
    gate_reset(&step_gate);
    add_task(f->registry, "steps", task_steps, NULL);
    add_task(f->registry, "chatty", task_chatty, NULL);
    f->broker = start_broker(f, f->registry, NULL);
}

static void the_caller_hears_how_far_its_task_is(void **state)
{
    (void)state;
    fixture       f;
    heard         h      = {0};
    patio_future *future = NULL;
    open_world(&f);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .on_progress = on_progress,
                                  .on_progress_arg = &h};
    assert_ok(patio_start(f.broker, "steps", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    AWAIT(atomic_load(&h.count) == 1);
    assert_int_equal(h.first.numerator, 1);
    assert_int_equal(h.first.denominator, 3);
    assert_string_equal(h.first.note, "first");
    patio_progress latest = {PATIO_SIZED(patio_progress)};
    assert_status(patio_future_progress(future, &latest), PATIO_OK);
    assert_string_equal(latest.note, "first");
    gate_open(&step_gate);
    AWAIT(atomic_load(&h.numerator) == 3);
    gate_open(&the_gate);
    assert_status(patio_future_wait(future, 10000), PATIO_OK);
    assert_value(patio_future_value(future), patio_int(7));
    assert_status(patio_future_progress(future, &latest), PATIO_OK); /* also once it is done */
    assert_string_equal(latest.note, "last");
    assert_int_equal(atomic_load(&h.after_done), 0);
    patio_future_destroy(future);
    fixture_close(&f);
}

static void a_chatty_task_is_heard_now_and_then_and_to_its_last_word(void **state)
{
    (void)state;
    fixture       f;
    heard         h      = {0};
    patio_future *future = NULL;
    open_world(&f);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .on_progress = on_progress,
                                  .on_progress_arg = &h};
    uint64_t           from    = test_now_ms();
    assert_ok(patio_start(f.broker, "chatty", PATIO_ARGS(100000), &options, &future, &f.err),
              f.err);
    AWAIT(atomic_load(&h.numerator) == 100000); /* the last one is told though no other follows */
    uint64_t took = test_now_ms() - from;
    assert_in_range(atomic_load(&h.count), 2, took / 100 + 2);
    gate_open(&the_gate);
    assert_status(patio_future_wait(future, 10000), PATIO_OK);
    patio_future_destroy(future);
    fixture_close(&f);
}

static void a_caller_that_does_not_ask_hears_nothing(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    open_world(&f);
    gate_open(&the_gate);
    gate_open(&step_gate);
    assert_ok(patio_start(f.broker, "steps", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, 10000), PATIO_OK);
    patio_progress latest = {PATIO_SIZED(patio_progress)};
    assert_status(patio_future_progress(future, &latest), PATIO_NOT_FOUND);
    patio_future_destroy(future);
    /* nor does a sender, who has nothing to hear with */
    assert_ok(patio_send(f.broker, "steps", PATIO_NO_ARGS, NULL, NULL, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_ok == 2);
    fixture_close(&f);
}

static void a_flag_keeps_the_latest_report_without_a_callback(void **state)
{
    (void)state;
    fixture        f;
    patio_future  *future = NULL;
    patio_progress latest = {PATIO_SIZED(patio_progress)};
    open_world(&f);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_PROGRESS};
    assert_ok(patio_start(f.broker, "chatty", PATIO_ARGS(1), &options, &future, &f.err), f.err);
    AWAIT(patio_future_progress(future, &latest) == PATIO_OK);
    assert_int_equal(latest.numerator, 1);
    assert_string_equal(latest.note, "");
    patio_future_destroy(future); /* before it is done: its reports go nowhere, and leak nothing */
    gate_open(&the_gate);
    AWAIT(stats_of(f.broker).tasks_ok == 1);
    fixture_close(&f);
}

/* Reports race with the end of their calls, and slots are used again at once. */
static void reports_never_reach_another_call(void **state)
{
    (void)state;
    fixture f;
    open_world(&f);
    gate_open(&the_gate);
    for (int round = 0; round < 300; round++) {
        heard              h[8]       = {{0}};
        patio_future      *futures[8] = {NULL};
        patio_call_options options = {PATIO_SIZED(patio_call_options), .on_progress = on_progress};
        for (int i = 0; i < 8; i++) {
            options.on_progress_arg = &h[i];
            assert_ok(
                patio_start(f.broker, "chatty", PATIO_ARGS(i + 1), &options, &futures[i], &f.err),
                f.err);
        }
        for (int i = 0; i < 8; i++) {
            assert_status(patio_future_wait(futures[i], 10000), PATIO_OK);
            assert_int_equal(h[i].first.denominator, i + 1);
            patio_future_destroy(futures[i]);
        }
    }
    fixture_close(&f);
}

static patio_status task_long_note(patio_context *ctx)
{
    char note[1024];
    memset(note, 'x', sizeof(note));
    note[0] = 'y';
    memcpy(note + PATIO_PROGRESS_NOTE_BYTES - 2, "\xc3\xa9", 2); /* é, across the edge */
    note[sizeof(note) - 1] = '\0';
    patio_task_progress(ctx, 0, 0, note);
    return PATIO_OK;
}

static void a_note_is_cut_between_characters(void **state)
{
    (void)state;
    fixture        f;
    patio_future  *future = NULL;
    patio_progress latest = {PATIO_SIZED(patio_progress)};
    fixture_init(&f);
    add_task(f.registry, "note", task_long_note, NULL);
    f.broker                   = start_broker(&f, f.registry, NULL);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_PROGRESS};
    assert_ok(patio_call(f.broker, "note", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    assert_status(patio_future_progress(future, &latest), PATIO_OK);
    assert_int_equal(strlen(latest.note), PATIO_PROGRESS_NOTE_BYTES - 2);
    patio_future_destroy(future);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caller_hears_how_far_its_task_is),
        cmocka_unit_test(a_chatty_task_is_heard_now_and_then_and_to_its_last_word),
        cmocka_unit_test(a_caller_that_does_not_ask_hears_nothing),
        cmocka_unit_test(a_flag_keeps_the_latest_report_without_a_callback),
        cmocka_unit_test(reports_never_reach_another_call),
        cmocka_unit_test(a_note_is_cut_between_characters),
    };
    return RUN_TESTS("progress", tests);
}
