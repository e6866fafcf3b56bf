#include "storm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kit.h"

atomic_bool storm_stop;

static atomic_bool calm; /* the proxy: no more cuts */

static void on_signal(int number)
{
    atomic_store(number == SIGUSR1 ? &calm : &storm_stop, true);
}

void storm_sleep_ms(uint64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&left, NULL);
}

uint64_t storm_now_ms(void)
{
    return kit_now_ms();
}

/* Between the workers and where they meet; cut about every cut_ms. */
static int run_proxy(const char *dir, const char *host, uint32_t port, uint64_t cut_ms)
{
    uint32_t   mine = 0;
    uint64_t   cuts = 0;
    char       path[1024];
    kit_proxy *p = kit_proxy_start(host, port, &mine);
    (void)snprintf(path, sizeof(path), "%s/proxy.port", dir);
    FILE *f = p != NULL ? fopen(path, "w") : NULL;
    if (f == NULL) {
        return 2;
    }
    fprintf(f, "%u\n", mine);
    (void)fclose(f);
    uint64_t next = kit_now_ms() + cut_ms;
    while (!atomic_load(&storm_stop)) {
        storm_sleep_ms(20);
        if (cut_ms > 0 && !atomic_load(&calm) && kit_now_ms() >= next) {
            uint64_t now = kit_now_ms();
            next         = now + cut_ms / 2 + (cuts * 7919) % cut_ms;
            kit_proxy_cut(p, cuts % 2 != 0);
            storm_note_fault(dir, "cut", 0, now);
            cuts++;
        }
    }
    kit_proxy_stop(p);
    return 0;
}

static int kill_worker(const char *dir, const char *pid)
{
    uint64_t now    = kit_now_ms();
    pid_t    worker = (pid_t)strtol(pid, NULL, 10);
    if (worker <= 0 || kill(worker, SIGKILL) != 0) {
        return 1;
    }
    storm_note_fault(dir, "kill", worker, now);
    return 0;
}

/* A command that hits all of them, such as one that restarts the server. */
static int run_command(const char *dir, const char *command)
{
    uint64_t now = kit_now_ms();
    int code     = system(command); // NOLINT(cert-env33-c): what the user of the script has written
    storm_note_fault(dir, "command", 0, now);
    return code == 0 ? 0 : 1;
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

/* What a fault can have hit: what runs, what has ended and is being settled, what is about to
 * begin. A worker that is killed takes with it all that it was about to settle, of tasks that take
 * no time. */
static storm_limits limits_of(const char *workers, const char *threads, const char *percent)
{
    uint32_t side_by_side = (uint32_t)number(threads);
    return (storm_limits){.of_one   = 16 * side_by_side,
                          .of_all   = 4 * side_by_side * (uint32_t)number(workers),
                          .answered = (uint32_t)number(percent)};
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, storm_child_registry);
    struct sigaction on_term = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &on_term, NULL);
    (void)sigaction(SIGINT, &on_term, NULL);
    (void)sigaction(SIGUSR1, &on_term, NULL);
    const char *role = argc > 1 ? argv[1] : "";
    if (strcmp(role, "work") == 0 && (argc == 5 || argc == 6)) {
        return storm_work(argv[2], argv[3], argv[4], argc == 6 && strcmp(argv[5], "new") == 0);
    }
    if (strcmp(role, "front") == 0 && (argc == 7 || argc == 8)) {
        storm_load load = {number(argv[4]), number(argv[5]), number(argv[6]),
                           argc == 8 ? number(argv[7]) : 0, NULL};
        return storm_front(argv[2], argv[3], &load);
    }
    if (strcmp(role, "both") == 0 && argc == 7) {
        storm_load load = {number(argv[4]), number(argv[5]), 0, 0, argv[6]};
        return storm_front(argv[2], argv[3], &load);
    }
    if (strcmp(role, "proxy") == 0 && argc == 6) {
        return run_proxy(argv[2], argv[3], (uint32_t)number(argv[4]), number(argv[5]));
    }
    if (strcmp(role, "kill") == 0 && argc == 4) {
        return kill_worker(argv[2], argv[3]);
    }
    if (strcmp(role, "command") == 0 && argc == 4) {
        return run_command(argv[2], argv[3]);
    }
    if (strcmp(role, "check") == 0 && (argc == 6 || argc == 7)) {
        storm_limits limits = limits_of(argv[3], argv[4], argv[5]);
        limits.copies       = argc == 7 && strcmp(argv[6], "copies") == 0;
        return storm_check(argv[2], &limits);
    }
    if (strcmp(role, "memory") == 0 && argc == 9) {
        storm_load   load   = {.tasks = number(argv[4]), .calls = number(argv[5])};
        storm_limits limits = limits_of(argv[6], STORM_MEMORY_THREADS, argv[8]);
        return storm_memory(argv[2], argv[3], &load, (uint32_t)number(argv[6]), number(argv[7]),
                            &limits);
    }
    (void)fprintf(
        stderr,
        "usage: storm work URL DIR THREADS [new] | front URL DIR TASKS CALLS BYTES [PER_S] |\n"
        "             both URL DIR TASKS CALLS THREADS |\n"
        "             proxy DIR HOST PORT CUT_MS | kill DIR PID | command DIR COMMAND |\n"
        "             check DIR WORKERS THREADS PERCENT [copies] |\n"
        "             memory URL DIR TASKS CALLS WORKERS KILL_MS PERCENT\n");
    return 2;
}
