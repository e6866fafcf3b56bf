/* metrics.h: the numbers of one repetition, and their names in the JSON. */
#ifndef BENCH_METRICS_H
#define BENCH_METRICS_H

#include <stdbool.h>
#include <stddef.h>

/* Where it stands in the JSON object: at the top, in "floors" or in "ratios". */
enum { BENCH_GROUP_RESULT, BENCH_GROUP_FLOOR, BENCH_GROUP_RATIO };

#define BENCH_METRIC_MAP(X)                                                                        \
    X(CALLS_PER_S, RESULT, "calls_per_s")                                                          \
    X(P50_US, RESULT, "p50_us")                                                                    \
    X(P99_US, RESULT, "p99_us")                                                                    \
    X(P999_US, RESULT, "p999_us")                                                                  \
    X(CPU_US, RESULT, "cpu_us_per_call")                                                           \
    X(SWITCHES, RESULT, "switches_per_call") /* the process's voluntary ones */                    \
    X(ACCEPTED_PER_S, RESULT, "accepted_per_s")                                                    \
    X(DRAIN_MS, RESULT, "drain_ms") /* from the last accepted to the last executed */              \
    X(ALLOCATIONS, RESULT, "allocations_per_call")                                                 \
    X(RSS_PER_QUEUED, RESULT, "rss_bytes_per_queued") /* beyond its payload */                     \
    X(FLOOR_HANDOFF, FLOOR, "futex_handoff_p50_us")                                                \
    X(FLOOR_SPIN, FLOOR, "spin_handoff_p50_us")                                                    \
    X(FLOOR_QUEUE, FLOOR, "mutex_queue_per_s")                                                     \
    X(FLOOR_TCP, FLOOR, "tcp_pingpong_p50_us")                                                     \
    X(FLOOR_PAIR, FLOOR, "process_pingpong_p50_us")                                                \
    X(RATIO_HANDOFF, RATIO, "p50_per_futex_handoff")                                               \
    X(RATIO_SPIN, RATIO, "p50_per_spin_handoff")                                                   \
    X(RATIO_QUEUE, RATIO, "calls_per_mutex_queue")                                                 \
    X(RATIO_TCP, RATIO, "p50_per_tcp_pingpong")                                                    \
    X(RATIO_PAIR, RATIO, "p50_per_process_pingpong_and_handoff")

enum {
#define BENCH_X(name, group, key) BENCH_##name,
    BENCH_METRIC_MAP(BENCH_X)
#undef BENCH_X
        BENCH_METRIC_COUNT
};

typedef struct bench_metrics {
    double value[BENCH_METRIC_COUNT]; /* NAN: not measured */
} bench_metrics;

void bench_metrics_init(bench_metrics *m);
/* Divide by the floors: one call at a time by what a hand-off takes, many by what a queue passes
 * on. A latency under load is mostly waiting in line, and no hand-off is its floor. */
void bench_metrics_ratios(bench_metrics *m, bool one_by_one);
/* Each number's median. */
void        bench_metrics_median(const bench_metrics *runs, size_t count, bench_metrics *out);
const char *bench_metric_key(size_t metric);
int         bench_metric_group(size_t metric);

#endif
