/* Tasks in children that call tasks: slots that are lent, answers that wait, turns. */
#include "world.h"

#include <signal.h>
#include <string.h>

static void calls_inside_tasks_do_not_wait_for_their_own_child(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("executor.workers=1"));
    for (int round = 0; round < 3; round++) {
        assert_int_equal(number_of(call_it(&f, "dives", PATIO_ARGS(3), 30000)), 3);
    }
    expect_good(&f);
    world_close(&f, 5000);
}

static void several_dives_at_once_come_up_again(void **state)
{
    (void)state;
    enum { CALLS = 4, DEPTH = 4 };
    patio_future *futures[CALLS];
    fixture       f;
    world_open(&f, WORLD("executor.workers=2", "lookahead=4"));
    for (int i = 0; i < CALLS; i++) {
        assert_ok(patio_start(f.broker, "dives", PATIO_ARGS(DEPTH), NULL, &futures[i], &f.err),
                  f.err);
    }
    for (int i = 0; i < CALLS; i++) {
        assert_status(patio_future_wait(futures[i], 60000), PATIO_OK);
        assert_int_equal(number_of(futures[i]), DEPTH);
    }
    world_close(&f, 5000);
}

static void lent_slots_are_bounded_and_then_calls_wait_for_their_deadline(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("executor.workers=1", "executor.extra_workers=1"));
    assert_int_equal(number_of(call_it(&f, "dives", PATIO_ARGS(1), 30000)), 1);
    patio_future *future = call_it(&f, "dives", PATIO_ARGS(4), 500);
    patio_status  st     = patio_future_status(future, &f.err);
    /* the inner one hears of the common deadline as its caller does, and may be first */
    assert_true(st == PATIO_TIMEOUT || st == PATIO_TASK_FAILED);
    patio_future_destroy(future);
    assert_int_equal(number_of(call_it(&f, "dives", PATIO_ARGS(1), 30000)), 1);
    world_close(&f, 5000);
}

/* Two run: one that waits, and one in its place; a third may not, though there is a child. */
static void no_more_run_than_there_are_slots_and_lent_ones(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("executor.workers=1", "lookahead=8"));
    assert_int_equal(number_of(call_it(&f, "dives", PATIO_ARGS(2), 30000)), 2);
    patio_future *slow = NULL;
    patio_future *more = NULL;
    assert_ok(patio_start(f.broker, "slow", PATIO_ARGS(20000), NULL, &slow, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_running == 1);
    assert_ok(patio_start(f.broker, "who", PATIO_NO_ARGS, NULL, &more, &f.err), f.err);
    for (int i = 0; i < 20; i++) {
        test_pause(); /* those that stood in are still there */
        assert_int_equal(stats_of(f.broker).tasks_running, 1);
    }
    assert_false(patio_future_done(more));
    patio_future_cancel(slow);
    patio_future_destroy(slow);
    assert_status(patio_future_wait(more, 30000), PATIO_OK);
    (void)number_of(more);
    world_close(&f, 5000);
}

/* The executor's thread has been asleep for long when it comes, and there is no child for it yet.
 */
static void what_comes_late_while_a_task_waits_is_run_in_its_place(void **state)
{
    (void)state;
    fixture            f;
    patio_future      *waits = NULL;
    patio_future      *late  = NULL;
    patio_call_options calm  = {PATIO_SIZED(patio_call_options), .timeout_ms = 100000};
    patio_call_options later = {PATIO_SIZED(patio_call_options), .timeout_ms = 100000,
                                .delay_ms = 400};
    world_open(&f, WORLD("executor.workers=1"));
    assert_ok(patio_start(f.broker, "waits", PATIO_ARGS(90000), &calm, &waits, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_running == 1);
    assert_ok(patio_start(f.broker, "who", PATIO_NO_ARGS, &later, &late, &f.err), f.err);
    assert_status(patio_future_wait(late, 30000), PATIO_OK);
    (void)number_of(late);
    assert_false(patio_future_done(waits));
    patio_future_cancel(waits);
    patio_future_destroy(waits);
    world_close(&f, 5000);
}

static void a_task_sends_and_what_it_sent_is_executed(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("lookahead=16"));
    assert_int_equal(number_of(call_it(&f, "sends", PATIO_ARGS(100), 30000)), 100);
    AWAIT(stats_of(f.broker).tasks_ok == 101);
    assert_int_equal(counts_of(f.broker, NULL).dead, 0);
    world_close(&f, 5000);
}

/* Four megabytes of answers for a child that is stopped: more than any socket holds. */
static void answers_wait_for_a_child_that_does_not_listen_for_a_while(void **state)
{
    (void)state;
    enum { ASKED = 200 };
    fixture            f;
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 100000};
    world_open(&f, WORLD("executor.workers=2", "lookahead=256"));
    assert_ok(
        patio_start(f.broker, "asks_and_sleeps", PATIO_ARGS(ASKED), &options, &future, &f.err),
        f.err);
    AWAIT(count_stopped_children() == 1);
    AWAIT(stats_of(f.broker).tasks_ok == ASKED);
    assert_false(patio_future_done(future));
    continue_children();
    assert_status(patio_future_wait(future, 100000), PATIO_OK);
    assert_int_equal(number_of(future), ASKED);
    world_close(&f, 5000);
}

/* One of another name is behind one of those that came before it, and not behind them all. */
static void names_take_turns(void **state)
{
    (void)state;
    enum { MANY = 40 };
    fixture            f;
    patio_future      *many[MANY];
    patio_future      *slow    = NULL;
    patio_future      *other   = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 100000};
    world_open(&f, WORLD("executor.workers=1", "lookahead=64"));
    assert_ok(patio_start(f.broker, "slow", PATIO_ARGS(90000), &options, &slow, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_running == 1);
    for (int i = 0; i < MANY; i++) {
        assert_ok(patio_start(f.broker, "turn", PATIO_NO_ARGS, &options, &many[i], &f.err), f.err);
    }
    assert_ok(patio_start(f.broker, "other_turn", PATIO_NO_ARGS, &options, &other, &f.err), f.err);
    AWAIT(counts_of(f.broker, NULL).leased == MANY + 2);
    patio_future_cancel(slow);
    patio_future_destroy(slow);
    assert_status(patio_future_wait(other, 60000), PATIO_OK);
    assert_in_range(number_of(other), 1, 3);
    for (int i = 0; i < MANY; i++) {
        assert_status(patio_future_wait(many[i], 60000), PATIO_OK);
        (void)number_of(many[i]);
    }
    world_close(&f, 5000);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make_registry);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_inside_tasks_do_not_wait_for_their_own_child),
        cmocka_unit_test(several_dives_at_once_come_up_again),
        cmocka_unit_test(lent_slots_are_bounded_and_then_calls_wait_for_their_deadline),
        cmocka_unit_test(no_more_run_than_there_are_slots_and_lent_ones),
        cmocka_unit_test(what_comes_late_while_a_task_waits_is_run_in_its_place),
        cmocka_unit_test(a_task_sends_and_what_it_sent_is_executed),
        cmocka_unit_test(answers_wait_for_a_child_that_does_not_listen_for_a_while),
        cmocka_unit_test(names_take_turns),
    };
    return RUN_TESTS("process: nested", tests);
}
