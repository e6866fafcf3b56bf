#include "fault_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tcp_world.h"

place site;
char  ledger[80];

static const char   *program;
static int           ledger_fd = -1;
static char          go[88]; /* a file: what waits ends when it is there */
static patio_future *future[CALLS];

void fresh(const char *scheme, const char *options)
{
    static unsigned made;
    char            connects[128];
    (void)snprintf(connects, sizeof(connects), "reconnect_max_ms=200&%s", options);
    place_make(&site, scheme, options, connects);
    (void)snprintf(ledger, sizeof(ledger), "%s/%u.ledger", folder, made++);
}

void let_go(void)
{
    (void)snprintf(go, sizeof(go), "%s.go", ledger);
    int fd = open(go, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

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
    while (us < 0 && access(go, F_OK) != 0 && !patio_task_cancelled(ctx)) {
        usleep(1000);
    }
    usleep(us > 0 ? (useconds_t)us : 0);
    return PATIO_RETURN(ctx, id);
}

static int be_worker(const char *url, const char *file, const char *slots)
{
    patio_registry *registry = NULL;
    (void)snprintf(go, sizeof(go), "%s.go", file);
    ledger_fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (ledger_fd < 0 || patio_registry_create(NULL, &registry, NULL) != PATIO_OK ||
        PATIO_ADD_AS(registry, "note", note, NULL) != PATIO_OK) {
        return 1;
    }
    patio_broker *broker = open_quiet_broker(registry, url, slots);
    if (broker == NULL) {
        return 1;
    }
    patio_broker_join(broker);
    return 0;
}

/* ---- the caller ---- */

static int be_caller(const char *url, const char *file)
{
    static outcomes o;
    patio_broker   *broker = open_quiet_broker(NULL, url, "4");
    if (broker == NULL) {
        return 1;
    }
    start_all(broker, 0, 5000, PATIO_CALL_WAIT_ROUTE, &o); /* a second in all: time to cut it */
    end_all(0, &o);
    FILE *out = fopen(file, "we");
    if (out == NULL) {
        return 1;
    }
    for (int i = 0; i < CALLS; i++) {
        (void)fprintf(out, "%d %lld\n", (int)o.status[i], (long long)o.ended_ms[i]);
    }
    (void)fclose(out);
    patio_broker_destroy(broker);
    return 0;
}

int fault_role(int argc, char **argv)
{
    program = argv[0];
    if (argc != 4) {
        return -1;
    }
    if (strcmp(argv[1], "caller") == 0) {
        return be_caller(argv[2], argv[3]);
    }
    return be_worker(argv[2], argv[3], strcmp(argv[1], "worker") == 0 ? "4" : "1");
}

pid_t fault_begin(const char *role, const char *url, const char *file)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test ends none of its own */
        execlp(program, program, role, url, file, (char *)NULL);
        _exit(127);
    }
    return pid;
}

void fault_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* ---- calls, and what became of them ---- */

void start_all(patio_broker *broker, int64_t first, int64_t task_us, uint32_t flags, outcomes *o)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                  .flags = flags};
    patio_error        err     = PATIO_ERROR_INIT;
    memset(o, 0, sizeof(*o));
    o->begun_ms = now_ms();
    for (int i = 0; i < CALLS; i++) {
        if (patio_start(broker, "note", PATIO_ARGS(first + i, task_us), &options, &future[i],
                        &err) != PATIO_OK) {
            fail_msg("call %d is refused: %s", i, err.message);
        }
    }
}

static void end_one(int i, int64_t first, outcomes *o)
{
    patio_error err = PATIO_ERROR_INIT;
    o->ended_ms[i]  = now_ms();
    o->status[i]    = patio_future_status(future[i], &err);
    if (o->status[i] == PATIO_OK) {
        assert_true(patio_future_value(future[i])->as.i64 == first + i);
        o->ok++;
    } else if (o->status[i] == PATIO_PEER_LOST) {
        o->lost++;
    } else {
        fail_msg("call %d: %s", i, err.message);
    }
    patio_future_destroy(future[i]);
    future[i] = NULL;
}

void end_all(int64_t first, outcomes *o)
{
    int left = CALLS;
    for (int at = 0; left > 0; at = (at + 1) % CALLS) {
        if (future[at] != NULL) { /* a turn of the loop for all, as often as one of them ends */
            (void)patio_future_wait(future[at], 10);
        }
        for (int i = 0; i < CALLS; i++) {
            if (future[i] != NULL && patio_future_done(future[i])) {
                end_one(i, first, o);
                left--;
            }
        }
        if (left > 0 && now_ms() > o->begun_ms + DEADLINE_MS + 2000) {
            fail_msg("%d calls have no end", left);
        }
    }
}

void expect_told(const outcomes *o, uint64_t since_ms, uint64_t within_ms)
{
    for (int i = 0; i < CALLS; i++) {
        if (o->status[i] == PATIO_PEER_LOST && o->ended_ms[i] > since_ms + within_ms) {
            fail_msg("call %d was told after %llu ms", i,
                     (unsigned long long)(o->ended_ms[i] - since_ms));
        }
    }
}

/* ---- the ledger ---- */

uint16_t *ledger_read(void)
{
    uint16_t *times = calloc(LEDGER_IDS, sizeof(*times));
    FILE     *file  = fopen(ledger, "re");
    long long id    = 0;
    assert_non_null(times);
    while (file != NULL && fscanf(file, "%lld", &id) == 1) {
        assert_true(id >= 0 && id < LEDGER_IDS);
        times[id]++;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return times;
}

void check_ledger(int64_t first, const outcomes *o, bool once)
{
    uint16_t *times = ledger_read();
    for (int i = 0; i < CALLS; i++) {
        uint16_t n        = times[first + i];
        bool     answered = o->ended_ms[i] != 0 && o->status[i] == PATIO_OK;
        if ((once && n > 1) || (answered && n == 0)) {
            fail_msg("call %d ran %u times%s", i, n, answered ? " and was answered" : "");
        }
    }
    free(times);
}

long ledger_lines(void)
{
    uint16_t *times = ledger_read();
    long      sum   = 0;
    for (int i = 0; i < LEDGER_IDS; i++) {
        sum += times[i];
    }
    free(times);
    return sum;
}

void wait_lines(long count)
{
    for (int i = 0; i < 1000 && ledger_lines() < count; i++) {
        usleep(5 * 1000);
    }
    assert_true(ledger_lines() >= count);
}

void wait_consumers(patio_broker *broker, uint64_t wanted)
{
    patio_counts c = {PATIO_SIZED(patio_counts)};
    for (int i = 0; i < 2000 && c.consumers != wanted; i++) {
        usleep(5000);
        assert_int_equal(patio_broker_counts(broker, NULL, 20000, &c, NULL), PATIO_OK);
    }
    assert_int_equal(c.consumers, wanted);
}

void expect_whole(patio_broker *broker, int64_t id, uint64_t within_ms)
{
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = within_ms,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    if (patio_call(broker, "note", PATIO_ARGS(id, 0), &options, &f, &err) != PATIO_OK) {
        fail_msg("not whole again: %s", err.message);
    }
    patio_future_destroy(f);
}
