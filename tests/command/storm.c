/* command_storm PROGRAM GOOD BAD: so many programs that go wrong among so many good ones, PROGRAM
 * being command_ends; exactly the right results, and nothing left at the end. */
#include "world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 64, WAYS = 4 };

static const struct {
    const char  *name;
    const char  *type;
    int          code;
    patio_status status;
} ways[WAYS] = {
    {"exit", "ExitCode", 3, PATIO_TASK_FAILED},
    {"abort", "Signal", SIGABRT, PATIO_TASK_CRASHED},
    {"kill", "Signal", SIGKILL, PATIO_TASK_CRASHED},
    {"segv", "Signal", SIGSEGV, PATIO_TASK_CRASHED},
};

typedef struct lane {
    patio_future *future;
    uint64_t      number;
    int           way; /* -1: a good one */
} lane;

static const char *program;
static uint64_t    goods;
static uint64_t    bads;

/* Its own number came back: as the result, or as the last line of standard error. */
static void finish(const lane *l)
{
    patio_error err = PATIO_ERROR_INIT;
    patio_bytes bytes;
    char        number[24];
    int         size = snprintf(number, sizeof(number), "%llu", (unsigned long long)l->number);
    assert_status(patio_future_wait(l->future, PATIO_FOREVER), PATIO_OK);
    patio_status st = patio_future_status(l->future, &err);
    if (l->way < 0) {
        assert_ok(st, err);
        assert_status(patio_future_raw(l->future, &bytes, NULL), PATIO_OK);
        assert_int_equal(bytes.size, size);
        assert_memory_equal(bytes.data, number, bytes.size);
    } else {
        assert_status(st, ways[l->way].status);
        const patio_task_error *error = patio_future_error(l->future);
        assert_non_null(error);
        assert_string_equal(error->type, ways[l->way].type);
        assert_int_equal(error->code, ways[l->way].code);
        assert_contains(error->message, number);
    }
    patio_future_destroy(l->future);
}

static void every_result_is_the_right_one(void **state)
{
    (void)state;
    static lane lanes[WINDOW];
    char        command[WAYS + 1][4096];
    const char *settings[WAYS + 6] = {"executor=command", "executor.workers=4", "log.level=off",
                                      "lookahead=32"};
    fixture     f;
    uint64_t    all            = goods + bads;
    uint64_t    bad            = 0;
    unsigned    before         = processes_with(program); /* this one, and who began it */
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 600000,
                                  .max_crashes = 1};
    for (int i = 0; i <= WAYS; i++) {
        const char *name = i < WAYS ? ways[i].name : "good";
        (void)snprintf(command[i], sizeof(command[i]), "tasks.%s.command=%.4000s %s {0}", name,
                       program, name);
        settings[4 + i] = command[i];
    }
    world_open(&f, settings);
    for (uint64_t i = 0; i < all + WINDOW; i++) {
        lane *l = &lanes[i % WINDOW];
        if (i >= WINDOW && i - WINDOW < all) {
            finish(l);
        }
        if (i >= all) {
            continue;
        }
        bool is_bad = bads > 0 && (i + 1) * bads / all > bad;
        l->number   = i;
        l->way      = is_bad ? (int)(bad++ % WAYS) : -1;
        assert_ok(patio_start(f.broker, is_bad ? ways[l->way].name : "good", PATIO_ARGS((int64_t)i),
                              &options, &l->future, &f.err),
                  f.err);
    }
    assert_int_equal(bad, bads);
    assert_int_equal(stats_of(f.broker).tasks_failed, bads);
    assert_int_equal(stats_of(f.broker).tasks_ok, goods);
    assert_int_equal(stats_of(f.broker).tasks_retried, 0);
    AWAIT(processes_with(program) <= before);
    world_close(&f);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: command_storm PROGRAM [GOOD BAD]\n");
        return 2;
    }
    program                         = argv[1];
    goods                           = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    bads                            = argc > 3 ? strtoull(argv[3], NULL, 10) : 100;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_result_is_the_right_one)};
    return RUN_TESTS("command: storm", tests);
}
