/* measure_amqp.h: arguments, clocks and reports that floor.c and ours.c share, so that their
 * numbers mean the same. */
#ifndef BENCH_MEASURE_AMQP_H
#define BENCH_MEASURE_AMQP_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

typedef struct measurement {
    long        port;
    const char *verb;
    long        depth;
    long        count;
} measurement;

static inline measurement arguments(int argc, char **argv, long depth_most)
{
    measurement m = {0};
    if (argc == 5) {
        m = (measurement){strtol(argv[1], NULL, 10), argv[2], strtol(argv[3], NULL, 10),
                          strtol(argv[4], NULL, 10)};
    }
    bool known = argc == 5 && (strcmp(m.verb, "call") == 0 || strcmp(m.verb, "send") == 0 ||
                               strcmp(m.verb, "drain") == 0);
    if (!known || m.depth < 1 || m.depth > depth_most || m.count < 100) {
        (void)fprintf(stderr,
                      "usage: %s PORT call|send|drain DEPTH COUNT; DEPTH to %ld, COUNT from 100\n",
                      argv[0], depth_most);
        exit(2);
    }
    return m;
}

static inline double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a process has used, so far. */
static inline double cpu_s(pid_t process)
{
    clockid_t       clock = 0;
    struct timespec t     = {0};
    if (clock_getcpuclockid(process, &clock) == 0) {
        (void)clock_gettime(clock, &t);
    }
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void end_child(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void report(const char *verb, long depth, long count, double all_s, double cpu)
{
    (void)printf("{\"what\": \"%s %ld\", \"per_s\": %.0f, \"cpu_us\": %.1f}\n", verb, depth,
                 (double)count / all_s, cpu / (double)count * 1e6);
}

/* Sorts `took`. */
static inline void report_calls(long depth, long count, double all_s, double *took,
                                double caller_cpu, double worker_cpu)
{
    qsort(took, (size_t)count, sizeof(*took), by_value);
    (void)printf("{\"what\": \"call %ld\", \"per_s\": %.0f, \"p50_us\": %.0f, \"p99_us\": %.0f, "
                 "\"cpu_us\": %.1f, \"worker_cpu_us\": %.1f}\n",
                 depth, (double)count / all_s, took[count / 2] * 1e6,
                 took[count - count / 100 - 1] * 1e6, caller_cpu / (double)count * 1e6,
                 worker_cpu / (double)count * 1e6);
}

#endif
