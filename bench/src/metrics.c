#include "metrics.h"

#include <math.h>

#include "samples.h"

/* As many as options.c allows. */
#define RUNS_MAX 1000u

static const struct {
    int         group;
    const char *key;
} names[] = {
#define BENCH_X(name, group, key) {BENCH_GROUP_##group, key},
    BENCH_METRIC_MAP(BENCH_X)
#undef BENCH_X
};

void bench_metrics_init(bench_metrics *m)
{
    for (size_t i = 0; i < BENCH_METRIC_COUNT; i++) {
        m->value[i] = NAN;
    }
}

void bench_metrics_ratios(bench_metrics *m, bool one_by_one)
{
    double *v = m->value;
    if (!one_by_one) {
        v[BENCH_RATIO_QUEUE] = v[BENCH_CALLS_PER_S] / v[BENCH_FLOOR_QUEUE];
        return;
    }
    v[BENCH_RATIO_HANDOFF] = v[BENCH_P50_US] / v[BENCH_FLOOR_HANDOFF];
    v[BENCH_RATIO_SPIN]    = v[BENCH_P50_US] / v[BENCH_FLOOR_SPIN];
    v[BENCH_RATIO_TCP]     = v[BENCH_P50_US] / v[BENCH_FLOOR_TCP];
    v[BENCH_RATIO_PAIR]    = v[BENCH_P50_US] / (v[BENCH_FLOOR_PAIR] + v[BENCH_FLOOR_HANDOFF]);
}

void bench_metrics_median(const bench_metrics *runs, size_t count, bench_metrics *out)
{
    double values[RUNS_MAX];
    for (size_t metric = 0; metric < BENCH_METRIC_COUNT; metric++) {
        for (size_t i = 0; i < count; i++) {
            values[i] = runs[i].value[metric];
        }
        out->value[metric] = bench_median(values, count);
    }
}

const char *bench_metric_key(size_t metric)
{
    return names[metric].key;
}

int bench_metric_group(size_t metric)
{
    return names[metric].group;
}
