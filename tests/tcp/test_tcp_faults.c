/* Processes that are killed or stopped with a thousand calls in flight. Every call ends once,
 * within its deadline, as a result or a named error; a ledger on disk tells what ran how often.
 *
 * The program is also its own worker ("worker URL LEDGER") and caller ("caller URL OUTCOMES"). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { CALLS = 1000, DEADLINE_MS = 15000, RESTARTS = 50, IDS = 200000 };

static char        listen_url[160];
static char        connect_url[160];
static char        ledger[80];
static const char *program;
static int         ledger_fd = -1;

/* ---- the worker ---- */

static patio_status note(patio_context *ctx)
{
    int64_t      id = 0;
    int64_t      us = 0;
    char         line[32];
    patio_status st = patio_arg_int64(ctx, 0, &id);
    st              = st == PATIO_OK ? patio_arg_int64(ctx, 1, &us) : st;
    if (st != PATIO_OK) {
        return st;
    }
    int size = snprintf(line, sizeof(line), "%lld\n", (long long)id);
    if (write(ledger_fd, line, (size_t)size) != size) {
        return patio_task_fail(ctx, 1, "Ledger", "not written");
    }
    usleep((useconds_t)us);
    return PATIO_RETURN(ctx, id);
}

static int be_worker(const char *url, const char *file)
{
    patio_registry *registry = NULL;
    ledger_fd                = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (ledger_fd < 0 || patio_registry_create(NULL, &registry, NULL) != PATIO_OK ||
        PATIO_ADD_AS(registry, "note", note, NULL) != PATIO_OK) {
        return 1;
    }
    patio_broker *broker = open_quiet_broker(registry, url, "4");
    if (broker == NULL) {
        return 1;
    }
    patio_broker_join(broker);
    return 0;
}

/* ---- calls, and what became of them ---- */

static patio_future *future[CALLS];

static void start_all(patio_broker *broker, int64_t first, uint32_t flags)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                  .flags = flags};
    for (int i = 0; i < CALLS; i++) {
        if (patio_start(broker, "note", PATIO_ARGS(first + i, 2000), &options, &future[i], NULL) !=
            PATIO_OK) {
            future[i] = NULL;
        }
    }
}

/* Wait for all; how many were answered. Complains of one without an end or without a name. */
static int end_all(int64_t first, bool *answered)
{
    int ok = 0;
    for (int i = 0; i < CALLS; i++) {
        answered[i] = false;
        if (future[i] == NULL) {
            continue; /* refused at once: it had a name then */
        }
        if (patio_future_wait(future[i], DEADLINE_MS + 5000) != PATIO_OK) {
            fail_msg("call %d has no end", i);
        }
        patio_error  err = PATIO_ERROR_INIT;
        patio_status st  = patio_future_status(future[i], &err);
        if (st == PATIO_OK) {
            assert_true(patio_future_value(future[i])->as.i64 == first + i);
            answered[i] = true;
            ok++;
        } else if (st != PATIO_PEER_LOST && st != PATIO_NO_ROUTE && st != PATIO_TIMEOUT) {
            fail_msg("call %d: %s", i, err.message);
        }
        patio_future_destroy(future[i]);
    }
    return ok;
}

static uint16_t *read_ledger(void)
{
    uint16_t *times = calloc(IDS, sizeof(*times));
    FILE     *file  = fopen(ledger, "re");
    long long id    = 0;
    assert_non_null(times);
    while (file != NULL && fscanf(file, "%lld", &id) == 1) {
        assert_true(id >= 0 && id < IDS);
        times[id]++;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return times;
}

static void check_ledger(int64_t first, const bool *answered, bool once)
{
    uint16_t *times = read_ledger();
    for (int i = 0; i < CALLS; i++) {
        uint16_t n = times[first + i];
        if ((once && n > 1) || (answered[i] && n == 0)) {
            fail_msg("call %d ran %u times%s", i, n, answered[i] ? " and was answered" : "");
        }
    }
    free(times);
}

static long ledger_lines(void)
{
    uint16_t *times = read_ledger();
    long      sum   = 0;
    for (int i = 0; i < IDS; i++) {
        sum += times[i];
    }
    free(times);
    return sum;
}

static void wait_lines(long count)
{
    for (int i = 0; i < 1000 && ledger_lines() < count; i++) {
        usleep(10 * 1000);
    }
    assert_true(ledger_lines() >= count);
}

static pid_t begin(const char *what, const char *url, const char *file)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp(program, program, what, url, file, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void wait_consumers(patio_broker *broker, uint64_t wanted)
{
    patio_counts c = {PATIO_SIZED(patio_counts)};
    for (int i = 0; i < 2000 && c.consumers != wanted; i++) {
        usleep(5000);
        assert_int_equal(patio_broker_counts(broker, NULL, 20000, &c, NULL), PATIO_OK);
    }
    assert_int_equal(c.consumers, wanted);
}

static void expect_whole(patio_broker *broker, int64_t id)
{
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 5000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    if (patio_call(broker, "note", PATIO_ARGS(id, 0), &options, &f, &err) != PATIO_OK) {
        fail_msg("not whole again: %s", err.message);
    }
    patio_future_destroy(f);
}

static void fresh(const char *name, const char *options)
{
    (void)snprintf(listen_url, sizeof(listen_url), "unix+listen://%s/%s?%s", folder, name, options);
    (void)snprintf(connect_url, sizeof(connect_url), "unix://%s/%s?reconnect_max_ms=200&%s", folder,
                   name, options);
    (void)snprintf(ledger, sizeof(ledger), "%s/%s.ledger", folder, name);
}

/* ---- a worker goes ---- */

static void lose_a_worker(const char *name, int signal_number, uint32_t flags, bool all)
{
    bool answered[CALLS];
    fresh(name, "dead_ms=1500&ping_ms=300");
    patio_broker *broker = open_quiet_broker(NULL, listen_url, "4");
    assert_non_null(broker);
    pid_t first  = begin("worker", connect_url, ledger);
    pid_t second = begin("worker", connect_url, ledger);
    wait_consumers(broker, 2);
    start_all(broker, 0, flags);
    wait_lines(20);
    (void)kill(first, signal_number);
    int ok = end_all(0, answered);
    assert_true(all ? ok == CALLS : ok > 0);
    if (signal_number == SIGSTOP) {
        (void)kill(first, SIGCONT);
        wait_consumers(broker, 2);
    }
    expect_whole(broker, CALLS);
    check_ledger(0, answered, (flags & PATIO_CALL_IDEMPOTENT) == 0);
    patio_broker_destroy(broker);
    end(first);
    end(second);
}

static void a_killed_worker_loses_only_what_it_had(void **state)
{
    (void)state;
    lose_a_worker("a", SIGKILL, 0, false);
}

static void what_may_run_twice_survives_a_killed_worker(void **state)
{
    (void)state;
    lose_a_worker("b", SIGKILL, PATIO_CALL_IDEMPOTENT, true);
}

static void a_stopped_worker_is_found_out(void **state)
{
    (void)state;
    lose_a_worker("c", SIGSTOP, 0, false);
}

/* ---- a caller goes ---- */

static int be_caller(const char *url, const char *file)
{
    bool          answered[CALLS];
    patio_broker *broker = open_quiet_broker(NULL, url, "4");
    if (broker == NULL) {
        return 1;
    }
    start_all(broker, 0, PATIO_CALL_WAIT_ROUTE);
    int   ok  = end_all(0, answered);
    FILE *out = fopen(file, "we");
    if (out == NULL) {
        return 1;
    }
    for (int i = 0; i < CALLS; i++) {
        (void)fprintf(out, "%d\n", answered[i] ? 1 : 0);
    }
    (void)fclose(out);
    patio_broker_destroy(broker);
    return ok > 0 ? 0 : 1;
}

static void a_killed_caller_leaves_its_workers_whole(void **state)
{
    (void)state;
    bool answered[CALLS] = {false};
    char outcomes[96];
    fresh("d", "dead_ms=1500&ping_ms=300");
    (void)snprintf(outcomes, sizeof(outcomes), "%s/outcomes", folder);
    pid_t worker = begin("worker", listen_url, ledger);
    pid_t caller = begin("caller", connect_url, outcomes);
    wait_lines(50);
    end(caller);
    patio_broker *broker = open_quiet_broker(NULL, connect_url, "4");
    assert_non_null(broker);
    expect_whole(broker, CALLS);
    check_ledger(0, answered, true);
    patio_broker_destroy(broker);
    end(worker);
}

static void a_stopped_caller_ends_all_its_calls_when_it_goes_on(void **state)
{
    (void)state;
    bool answered[CALLS] = {false};
    char outcomes[96];
    int  status = 0;
    int  got    = 0;
    fresh("e", "dead_ms=1500&ping_ms=300");
    (void)snprintf(outcomes, sizeof(outcomes), "%s/outcomes", folder);
    pid_t worker = begin("worker", listen_url, ledger);
    pid_t caller = begin("caller", connect_url, outcomes);
    wait_lines(50);
    (void)kill(caller, SIGSTOP);
    sleep(3); /* longer than dead_ms: the time itself is what is tested */
    (void)kill(caller, SIGCONT);
    assert_int_equal(waitpid(caller, &status, 0), caller);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    FILE *file = fopen(outcomes, "re");
    assert_non_null(file);
    for (int i = 0; i < CALLS && fscanf(file, "%d", &got) == 1; i++) {
        answered[i] = got != 0;
    }
    (void)fclose(file);
    check_ledger(0, answered, true);
    end(worker);
}

/* ---- the listener goes, again and again ---- */

static void fifty_restarts_of_the_listener_under_load(void **state)
{
    (void)state;
    bool answered[CALLS];
    int  ok = 0;
    fresh("f", "dead_ms=3s");
    pid_t         worker = begin("worker", listen_url, ledger);
    patio_broker *broker = open_quiet_broker(NULL, connect_url, "4");
    assert_non_null(broker);
    expect_whole(broker, 0);
    for (int round = 0; round < RESTARTS; round++) {
        int64_t first = 1 + (int64_t)round * CALLS;
        long    lines = ledger_lines();
        start_all(broker, first, PATIO_CALL_WAIT_ROUTE);
        wait_lines(lines + 20);
        end(worker);
        for (int i = 200; i < CALLS; i++) { /* a thousand, each round, would take a minute */
            patio_future_cancel(future[i]);
            patio_future_destroy(future[i]);
            future[i] = NULL;
        }
        worker = begin("worker", listen_url, ledger);
        ok += end_all(first, answered);
        check_ledger(first, answered, true);
    }
    assert_true(ok > RESTARTS);
    expect_whole(broker, 1 + (int64_t)RESTARTS * CALLS);
    patio_broker_destroy(broker);
    end(worker);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 4) {
        return strcmp(argv[1], "worker") == 0 ? be_worker(argv[2], argv[3])
                                              : be_caller(argv[2], argv[3]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_worker_loses_only_what_it_had),
        cmocka_unit_test(what_may_run_twice_survives_a_killed_worker),
        cmocka_unit_test(a_stopped_worker_is_found_out),
        cmocka_unit_test(a_killed_caller_leaves_its_workers_whole),
        cmocka_unit_test(a_stopped_caller_ends_all_its_calls_when_it_goes_on),
        cmocka_unit_test(fifty_restarts_of_the_listener_under_load),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
