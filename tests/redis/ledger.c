/* ledger: what the fault tests count with. Everything that happens is one line of a file that is
 * appended to in one write, so many processes share it and nothing is lost with one of them.
 *
 *   ledger work URL LOG     run tasks until SIGTERM: "start N A" and "end N A" (A: the attempt),
 *     and "clock S" at the end: the time it believes it is
 *   ledger send URL LOG FIRST COUNT MS   send COUNT tasks that take MS each, from number FIRST on:
 *     "accepted N", "refused N STATUS", "unknown N STATUS"
 *   ledger call URL LOG FIRST COUNT MS   the same as calls, 64 at a time: "answered N", "failed N
 *     STATUS"
 *   ledger turns URL LOG FIRST COUNT MS  calls, one after the other
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <patio/patio.h>

enum { AT_ONCE = 64 };

static int                   log_fd = -1;
static volatile sig_atomic_t ended;

static void note(const char *word, int64_t number, const char *more)
{
    char text[128];
    int  size = snprintf(text, sizeof(text), "%s %lld %s\n", word, (long long)number, more);
    if (write(log_fd, text, (size_t)size) != size) {
        _exit(9);
    }
}

static patio_status task(patio_context *ctx)
{
    int64_t number = 0;
    int64_t ms     = 0;
    char    attempt[16];
    if (patio_arg_int64(ctx, 0, &number) != PATIO_OK || patio_arg_int64(ctx, 1, &ms) != PATIO_OK) {
        return patio_task_fail(ctx, 1, "Arguments", "two numbers are needed");
    }
    (void)snprintf(attempt, sizeof(attempt), "%u", patio_task_attempt(ctx));
    note("start", number, attempt);
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
    note("end", number, attempt);
    return PATIO_RETURN(ctx, number);
}

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static int work(patio_broker *broker)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    (void)signal(SIGTERM, on_signal);
    (void)printf("ready\n");
    (void)fflush(stdout);
    while (!ended) {
        (void)nanosleep(&moment, NULL);
    }
    note("clock", (int64_t)time(NULL), "");
    return patio_broker_stop(broker, 10000, NULL) == PATIO_OK ? 0 : 1;
}

static void conclude(bool call, patio_future *f, int64_t number)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_future_wait(f, PATIO_FOREVER);
    st               = st == PATIO_OK ? patio_future_status(f, &err) : st;
    if (call && st == PATIO_OK) {
        const patio_value *value = patio_future_value(f);
        note(value != NULL && value->as.i64 == number ? "answered" : "wrong", number, "");
    } else if (call) {
        note("failed", number, patio_status_name(st));
    } else if (st == PATIO_OK) {
        note("accepted", number, "");
    } else {
        note(st == PATIO_PEER_LOST || st == PATIO_TIMEOUT ? "unknown" : "refused", number,
             patio_status_name(st));
    }
    patio_future_destroy(f);
}

static int produce(patio_broker *broker, bool call, int64_t deep, int64_t first, int64_t count,
                   int64_t ms)
{
    patio_future      *futures[AT_ONCE] = {NULL};
    patio_call_options options          = {PATIO_SIZED(patio_call_options),
                                           .timeout_ms = call ? 20000 : 8000,
                                           .flags      = PATIO_CALL_WAIT_ROUTE};
    for (int64_t n = 0; n < count + deep; n++) {
        patio_future **f = &futures[n % deep];
        if (*f != NULL) {
            conclude(call, *f, first + n - deep);
            *f = NULL;
        }
        if (n >= count) {
            continue;
        }
        patio_error  err = PATIO_ERROR_INIT;
        patio_status st =
            call ? patio_start(broker, "ledger", PATIO_ARGS(first + n, ms), &options, f, &err)
                 : patio_send_start(broker, "ledger", PATIO_ARGS(first + n, ms), &options, f, &err);
        if (st != PATIO_OK) {
            *f = NULL;
            note(call ? "failed" : "refused", first + n, patio_status_name(st));
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    if (argc < 4) {
        (void)fprintf(stderr, "usage: ledger work|send|call|turns URL LOG [FIRST COUNT MS]\n");
        return 2;
    }
    log_fd     = open(argv[3], O_WRONLY | O_CREAT | O_APPEND, 0644);
    bool works = strcmp(argv[1], "work") == 0;
    bool ok    = log_fd >= 0 && patio_registry_create(NULL, &registry, &err) == PATIO_OK &&
              (!works || PATIO_ADD_AS(registry, "ledger", task, &err) == PATIO_OK) &&
              patio_broker_open(registry, argv[2], &broker, &err) == PATIO_OK &&
              patio_broker_start(broker, &err) == PATIO_OK;
    int code = 1;
    if (!ok) {
        (void)fprintf(stderr, "ledger: %s: %s\n", patio_status_name(err.status), err.message);
    } else if (works) {
        code = work(broker);
    } else if (argc == 7) {
        code = produce(broker, strcmp(argv[1], "send") != 0,
                       strcmp(argv[1], "turns") == 0 ? 1 : AT_ONCE, strtoll(argv[4], NULL, 10),
                       strtoll(argv[5], NULL, 10), strtoll(argv[6], NULL, 10));
    }
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return code;
}
