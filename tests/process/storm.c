/* process_storm GOOD BAD: so many crashing tasks among so many good ones; exactly the right
 * results, and nothing left at the end. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 512 };

typedef struct lane {
    patio_future *future;
    int64_t       number;
    bool          bad;
} lane;

static fixture  world;
static uint64_t goods;
static uint64_t bads;

static void finish(lane *l)
{
    patio_error err = PATIO_ERROR_INIT;
    assert_status(patio_future_wait(l->future, 120000), PATIO_OK);
    if (!l->bad) {
        assert_int_equal(number_of(l->future), l->number + 1);
        return;
    }
    assert_status(patio_future_status(l->future, &err), PATIO_TASK_CRASHED);
    assert_non_null(patio_future_error(l->future));
    patio_future_destroy(l->future);
}

static void every_result_is_the_right_one(void **state)
{
    (void)state;
    static const char *const ways[] = {"exit", "abort", "kill", "segv"};
    static lane              lanes[WINDOW];
    uint64_t                 all     = goods + bads;
    uint64_t                 bad     = 0;
    patio_call_options       options = {PATIO_SIZED(patio_call_options), .timeout_ms = 120000,
                                        .max_crashes = 1};
    world_open(&world, SETTINGS("executor=process", "executor.workers=4", "log.level=off",
                                "lookahead=256"));
    for (uint64_t i = 0; i < all; i++) {
        lane *l = &lanes[i % WINDOW];
        if (i >= WINDOW) {
            finish(l);
        }
        l->number = (int64_t)i;
        l->bad    = bads > 0 && (i + 1) * bads / all > bad;
        bad += l->bad ? 1 : 0;
        const char *task = l->bad ? ways[bad % 4] : "add";
        assert_ok(patio_start(world.broker, task, PATIO_ARGS(l->number, 1), &options, &l->future,
                              &world.err),
                  world.err);
    }
    for (uint64_t i = all > WINDOW ? all - WINDOW : 0; i < all; i++) {
        finish(&lanes[i % WINDOW]);
    }
    assert_int_equal(bad, bads);
    assert_int_equal(stats_of(world.broker).tasks_failed, bads);
    assert_int_equal(stats_of(world.broker).tasks_ok, goods);
    assert_int_equal(stats_of(world.broker).tasks_retried, 0);
    world_close(&world, 5000);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make_registry);
    goods                           = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000;
    bads                            = argc > 2 ? strtoull(argv[2], NULL, 10) : 150;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_result_is_the_right_one)};
    return RUN_TESTS("process: storm", tests);
}
