/* A worker is killed with kill -9 while its children do their worst: none is left. */
#include "world.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The worker: starts one of each, says which processes there are, and waits to be killed. */
static int be_worker(int out)
{
    static const char *const tasks[] = {"leaves", "slow", "loops", "deaf"};
    patio_future            *futures[4];
    fixture                  f;
    world_open(&f, SETTINGS("executor=process", "executor.workers=4", "log.level=off"));
    pid_t left = (pid_t)number_of(call_it(&f, "leaves", PATIO_NO_ARGS, 0));
    (void)dprintf(out, "%d\n", (int)left);
    for (int i = 0; i < 4; i++) {
        pid_t pid = (pid_t)number_of(call_it(&f, "who", PATIO_NO_ARGS, 0));
        (void)dprintf(out, "%d\n", (int)pid);
    }
    for (int i = 1; i < 4; i++) {
        assert_ok(patio_start(f.broker, tasks[i], PATIO_ARGS(60000), NULL, &futures[i], &f.err),
                  f.err);
    }
    AWAIT(stats_of(f.broker).tasks_running == 3);
    (void)dprintf(out, "0\n");
    while (pause() != 0) {
    }
    return 0;
}

static void killing_the_worker_leaves_no_child(void **state)
{
    (void)state;
    int   pipes[2];
    int   pids[64];
    int   count = 0;
    pid_t group = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t worker = fork(); /* this test has no other threads */
    if (worker == 0) {
        (void)close(pipes[0]);
        _exit(be_worker(pipes[1]));
    }
    (void)close(pipes[1]);
    FILE *said = fdopen(pipes[0], "r");
    assert_non_null(said);
    int pid = -1;
    while (count < 64 && fscanf(said, "%d", &pid) == 1 && pid != 0) {
        pids[count++] = pid;
    }
    assert_int_equal(pid, 0);
    assert_int_equal(count, 5);
    for (int i = 0; i < count; i++) {
        assert_true(lives(pids[i]));
    }
    (void)group;
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    uint64_t from = test_now_ms();
    for (int i = 0; i < count; i++) {
        AWAIT(!lives(pids[i]));
    }
    assert_true(test_now_ms() - from <= 2000);
    (void)fclose(said);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make_registry);
    const struct CMUnitTest tests[] = {cmocka_unit_test(killing_the_worker_leaves_no_child)};
    return RUN_TESTS("process: orphans", tests);
}
