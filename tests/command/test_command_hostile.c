/* What programs do that nobody asked for: each contained, each reported by its cause. */
#include "on_valgrind.h"
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A call that its caller gives up when the program is there. */
static patio_future *begin(fixture *f, const char *task, const char *argument, unsigned processes,
                           uint64_t timeout_ms)
{
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = timeout_ms};
    assert_ok(patio_start(f->broker, task, PATIO_NO_ARGS, &options, &future, &f->err), f->err);
    AWAIT(processes_with(argument) >= processes);
    return future;
}

static void who_ignores_term_is_killed_after_its_grace(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, SETTINGS("tasks.deaf.command=trap '' TERM; sleep 71.001; sleep 71.001",
                            "tasks.deaf.shell=true", "tasks.deaf.term_grace_ms=100ms",
                            "tasks.deaf.attempt_timeout_ms=1s", "tasks.deaf.max_attempts=1"));
    uint64_t from = test_now_ms();
    expect_error(&f, "deaf", PATIO_NO_ARGS, "Timeout", PATIO_TIMEOUT, "was killed");
    assert_in_range(test_now_ms() - from, 1100, 20000);
    AWAIT(processes_with("71.001") == 0);
    world_close(&f);
}

static void who_hears_term_may_say_a_last_word(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, SETTINGS("tasks.polite.command=trap 'echo farewell >&2; exit 1' TERM; "
                            "while :; do sleep 0.01; done",
                            "tasks.polite.shell=true", "tasks.polite.attempt_timeout_ms=1s",
                            "tasks.polite.max_attempts=1"));
    expect_error(&f, "polite", PATIO_NO_ARGS, "Timeout", PATIO_TIMEOUT, "farewell");
    world_close(&f);
}

static void grandchildren_end_with_their_task(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, SETTINGS("tasks.forks.command=sleep 72.001 & sleep 72.001 & echo begun",
                            "tasks.forks.shell=true",
                            "tasks.hangs.command=sleep 72.002 & sleep 72.002 & wait",
                            "tasks.hangs.shell=true"));
    /* they hold its output open: the task is done all the same, and they are gone */
    expect_output(&f, "forks", PATIO_NO_ARGS, "begun\n");
    AWAIT(processes_with("72.001") == 0);
    patio_future *future = begin(&f, "hangs", "72.002", 2, 20000);
    patio_future_cancel(future);
    patio_future_destroy(future);
    AWAIT(processes_with("72.002") == 0);
    world_close(&f);
}

static void output_without_end_is_cut_off(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, SETTINGS("tasks.yes.command=yes 73.001", "tasks.yes.max_output_bytes=100KB",
                            "tasks.just.command=head -c 100000 /dev/zero",
                            "tasks.just.max_output_bytes=100KB",
                            "tasks.over.command=head -c 100001 /dev/zero",
                            "tasks.over.max_output_bytes=100KB",
                            "tasks.noise.command=yes 73.002 >&2", "tasks.noise.shell=true",
                            "tasks.noise.attempt_timeout_ms=1s", "tasks.noise.max_attempts=1"));
    expect_error(&f, "yes", PATIO_NO_ARGS, "TooMuchOutput", PATIO_TOO_LARGE, "max_output_bytes");
    expect_error(&f, "over", PATIO_NO_ARGS, "TooMuchOutput", PATIO_TOO_LARGE, "max_output_bytes");
    patio_future *future = NULL;
    patio_bytes   bytes;
    assert_ok(patio_call(f.broker, "just", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_raw(future, &bytes, NULL), PATIO_OK);
    assert_int_equal(bytes.size, 100000);
    patio_future_destroy(future);
    expect_error(&f, "noise", PATIO_NO_ARGS, "Timeout", PATIO_TIMEOUT, "73.002");
    AWAIT(processes_with("73.00") == 0);
    world_close(&f);
}

static void who_does_not_read_or_closes_everything_is_served(void **state)
{
    (void)state;
    enum { BYTES = 1000000 };
    fixture f;
    char   *data = calloc(1, BYTES);
    assert_non_null(data);
    world_open(&f, SETTINGS("tasks.unread.command=echo done", "tasks.closes.shell=true",
                            "tasks.closes.command=exec <&- >&- 2>&-; sleep 0.05; exit 4",
                            "tasks.half.command=head -c 10"));
    patio_payload payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_RAW,
                             .raw = {(const uint8_t *)data, BYTES}};
    expect_output(&f, "unread", &payload, "done\n");
    expect_error(&f, "closes", &payload, "ExitCode", 4, "exit code 4");
    memset(data, 'x', BYTES);
    expect_output(&f, "half", &payload, "xxxxxxxxxx");
    free(data);
    world_close(&f);
}

static void a_signal_is_named(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, SETTINGS("tasks.segv.command=ulimit -c 0; echo why >&2; kill -SEGV $$",
                            "tasks.segv.shell=true", "tasks.segv.max_crashes=1",
                            "tasks.kill.command=kill -KILL $$", "tasks.kill.shell=true",
                            "tasks.kill.max_crashes=2", "tasks.kill.backoff_base_ms=1"));
    expect_error(&f, "segv", PATIO_NO_ARGS, "Signal", SIGSEGV, "signal 11 (SIGSEGV): why");
    expect_error(&f, "kill", PATIO_NO_ARGS, "Signal", SIGKILL, "signal 9 (SIGKILL)");
    world_close(&f);
}

/* Why a program was not begun is told through memory that it shares with us until exec. Valgrind
 * makes a fork of that, and the reason stays in the copy. */
static void skip_on_valgrind(void)
{
    if (ON_VALGRIND) {
        skip();
    }
}

static void a_program_that_has_gone_is_the_tasks_failure(void **state)
{
    (void)state;
    skip_on_valgrind();
    fixture f;
    char    path[] = "/tmp/patio-command-XXXXXX";
    char    setting[64];
    int     fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0700), 0);
    (void)close(fd);
    (void)snprintf(setting, sizeof(setting), "tasks.gone.command=%s", path);
    world_open(&f, SETTINGS(setting));
    expect_error(&f, "gone", PATIO_NO_ARGS, "CannotRun", ENOEXEC, "Exec format error"); /* empty */
    assert_int_equal(unlink(path), 0);
    expect_error(&f, "gone", PATIO_NO_ARGS, "CannotRun", 127, "No such file");
    world_close(&f);
}

static void an_argument_that_no_program_can_have_is_refused(void **state)
{
    (void)state;
    enum { BYTES = 200000 };
    skip_on_valgrind();
    fixture f;
    char   *text = malloc(BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    world_open(&f, SETTINGS("tasks.arg.command=echo {0}"));
    expect_error(&f, "arg", PATIO_ARGS(text), "ArgumentError", E2BIG, "Argument list too long");
    free(text);
    world_close(&f);
}

static void a_cancel_reaches_what_runs_and_what_waits(void **state)
{
    (void)state;
    fixture       f;
    patio_future *waits = NULL;
    world_open(&f, SETTINGS("executor=command", "executor.workers=1", "lookahead=2",
                            "tasks.sleep.command=sleep 74.001"));
    patio_future *runs_ = begin(&f, "sleep", "74.001", 1, 20000);
    assert_ok(patio_start(f.broker, "sleep", PATIO_NO_ARGS, NULL, &waits, &f.err), f.err);
    patio_future_cancel(waits);
    patio_future_cancel(runs_);
    patio_future_destroy(waits);
    patio_future_destroy(runs_);
    AWAIT(processes_with("74.001") == 0);
    AWAIT(counts_of(f.broker, NULL).leased == 0 && counts_of(f.broker, NULL).ready == 0);
    world_close(&f);
}

/* Under each condition: a stop with grace ends it in time, and nothing is left. */
static void a_stop_ends_whatever_runs(void **state)
{
    (void)state;
    static const char *const programs[] = {
        "tasks.x.command=sleep 75.001",
        "tasks.x.command=trap '' TERM; sleep 75.001; sleep 75.001",
        "tasks.x.command=yes 75.001 >&2",
        "tasks.x.command=sleep 75.001 & sleep 75.001 & wait",
        "tasks.x.command=kill -STOP $$; sleep 75.001",
        "tasks.x.command=exec <&- >&- 2>&-; sleep 75.001",
    };
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        fixture       f;
        patio_future *future = NULL;
        world_open(&f, SETTINGS(programs[i], "tasks.x.shell=true", "log.level=error"));
        future        = begin(&f, "x", "75.001", 1, 60000);
        uint64_t from = test_now_ms();
        assert_ok(patio_broker_stop(f.broker, 400, &f.err), f.err);
        assert_in_range(test_now_ms() - from, 0, 15000);
        assert_status(patio_future_status(future, NULL), PATIO_CANCELLED);
        patio_future_destroy(future);
        AWAIT(processes_with("75.001") == 0);
        world_close(&f);
    }
}

/* Storm: every kind of end, many times, among good ones. */
static void many_bad_ends_among_good_ones_leave_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 60, KINDS = 5 };
    static const char *const names[KINDS] = {"good", "exits", "dies", "floods", "forks"};
    fixture                  f;
    patio_future            *futures[ROUNDS * KINDS] = {NULL};
    world_open(&f, SETTINGS("executor=command", "executor.workers=8", "log.level=off",
                            "tasks.good.command=printf good", "tasks.exits.command=false",
                            "tasks.dies.command=kill -KILL $$", "tasks.dies.shell=true",
                            "tasks.dies.max_crashes=2", "tasks.dies.backoff_base_ms=1",
                            "tasks.dies.max_crashes=1", "tasks.floods.command=yes",
                            "tasks.floods.max_output_bytes=1KB",
                            "tasks.forks.command=sleep 76.001 & sleep 76.001 & printf good",
                            "tasks.forks.shell=true"));
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000};
    for (int i = 0; i < ROUNDS * KINDS; i++) {
        assert_ok(
            patio_start(f.broker, names[i % KINDS], PATIO_NO_ARGS, &options, &futures[i], &f.err),
            f.err);
    }
    for (int i = 0; i < ROUNDS * KINDS; i++) {
        assert_status(patio_future_wait(futures[i], PATIO_FOREVER), PATIO_OK);
        patio_status st   = patio_future_status(futures[i], &f.err);
        int          kind = i % KINDS;
        bool         good = kind == 0 || kind == 4;
        assert_int_equal(st == PATIO_OK, good);
        assert_true(good || st == (kind == 2 ? PATIO_TASK_CRASHED : PATIO_TASK_FAILED));
        patio_bytes bytes;
        if (good) {
            assert_status(patio_future_raw(futures[i], &bytes, NULL), PATIO_OK);
            assert_int_equal(bytes.size, 4);
        }
        patio_future_destroy(futures[i]);
    }
    AWAIT(processes_with("76.001") == 0);
    world_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_ignores_term_is_killed_after_its_grace),
        cmocka_unit_test(who_hears_term_may_say_a_last_word),
        cmocka_unit_test(grandchildren_end_with_their_task),
        cmocka_unit_test(output_without_end_is_cut_off),
        cmocka_unit_test(who_does_not_read_or_closes_everything_is_served),
        cmocka_unit_test(a_signal_is_named),
        cmocka_unit_test(a_program_that_has_gone_is_the_tasks_failure),
        cmocka_unit_test(an_argument_that_no_program_can_have_is_refused),
        cmocka_unit_test(a_cancel_reaches_what_runs_and_what_waits),
        cmocka_unit_test(a_stop_ends_whatever_runs),
        cmocka_unit_test(many_bad_ends_among_good_ones_leave_nothing),
    };
    return RUN_TESTS("command, hostile", tests);
}
