/* patio-bench-command: what a program costs as a task, beside what it costs at all.
 *
 * The floor is posix_spawn and waitpid of the same program, with the same three pipes, in turn with
 * the calls: so both have the same machine under them. */
#include <patio/patio.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNT = 400, BURST = 20, IDLE_MS = 2000 };

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double cpu_ms(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

/* 0, or an errno. */
static int spawn_bare(const char *program)
{
    char                      *name   = strdup(program);
    char                      *argv[] = {name, NULL};
    char                      *env[]  = {NULL};
    int                        fds[3][2];
    posix_spawn_file_actions_t actions;
    pid_t                      pid    = 0;
    int                        status = 0;
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++) {
        if (pipe2(fds[i], O_CLOEXEC) != 0) {
            return errno;
        }
        posix_spawn_file_actions_adddup2(&actions, fds[i][i == 0 ? 0 : 1], i);
    }
    int rc = posix_spawn(&pid, program, &actions, NULL, argv, env);
    if (rc == 0) {
        waitpid(pid, &status, 0);
        rc = status == 0 ? 0 : ECHILD;
    }
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i][0]);
        (void)close(fds[i][1]);
    }
    posix_spawn_file_actions_destroy(&actions);
    free(name);
    return rc;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static double percentile_us(uint64_t *samples, size_t count, unsigned percent)
{
    qsort(samples, count, sizeof(*samples), compare);
    return (double)samples[(count - 1) * percent / 100] / 1e3;
}

static patio_status make(patio_registry **registry, patio_broker **broker, patio_error *err)
{
    patio_config *config = NULL;
    patio_status  st     = patio_config_create(&config, err);
    if (st == PATIO_OK) {
        st = patio_config_set(config, "executor", "command", NULL, err);
    }
    if (st == PATIO_OK) {
        st = patio_config_set(config, "tasks.true.command", "/bin/true", NULL, err);
    }
    if (st == PATIO_OK) {
        st = patio_registry_create(NULL, registry, err);
    }
    if (st == PATIO_OK) {
        st = patio_registry_add_configured(*registry, config, err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_create(NULL, *registry, config, broker, err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_start(*broker, err);
    }
    patio_config_destroy(config);
    return st;
}

/* Bursts of one in turn with bursts of the other. */
static patio_status measure(patio_broker *broker, uint64_t *bare, uint64_t *calls, patio_error *err)
{
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t from = now_ns();
        int      rc   = spawn_bare("/bin/true");
        bare[i]       = now_ns() - from;
        if (rc != 0) {
            err->status = PATIO_IO;
            (void)snprintf(err->message, sizeof(err->message), "run /bin/true: %s", strerror(rc));
            return PATIO_IO;
        }
        if ((i + 1) % BURST != 0) {
            continue;
        }
        for (size_t k = i + 1 - BURST; k <= i; k++) {
            from            = now_ns();
            patio_status st = patio_call(broker, "true", PATIO_NO_ARGS, NULL, NULL, err);
            calls[k]        = now_ns() - from;
            if (st != PATIO_OK) {
                return st;
            }
        }
    }
    return PATIO_OK;
}

int main(void)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    uint64_t        bare[COUNT];
    uint64_t        calls[COUNT];
    patio_status    st = make(&registry, &broker, &err);
    if (st == PATIO_OK) {
        st = measure(broker, bare, calls, &err);
    }
    if (st == PATIO_OK) {
        double floor = percentile_us(bare, COUNT, 50);
        double call  = percentile_us(calls, COUNT, 50);
        printf("posix_spawn + waitpid  p50 %7.0f us  p99 %7.0f us\n", floor,
               percentile_us(bare, COUNT, 99));
        printf("patio_call             p50 %7.0f us  p99 %7.0f us\n", call,
               percentile_us(calls, COUNT, 99));
        printf("ratio of p50           %.2f\n", call / floor);
        double          before = cpu_ms();
        struct timespec pause  = {.tv_sec = IDLE_MS / 1000};
        (void)nanosleep(&pause, NULL);
        printf("idle                   %.3f %% of a core\n", (cpu_ms() - before) * 100 / IDLE_MS);
    } else {
        fprintf(stderr, "patio-bench-command: %s: %s\n", patio_status_name(st), err.message);
    }
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return st == PATIO_OK ? 0 : 1;
}
