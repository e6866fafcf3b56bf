#include "samples.h"

#include <math.h>
#include <stdlib.h>

static int compare_samples(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static int compare_values(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

void bench_samples_sort(uint64_t *samples, size_t count)
{
    if (count > 1) {
        qsort(samples, count, sizeof(*samples), compare_samples);
    }
}

uint64_t bench_samples_at(const uint64_t *samples, size_t count, double quantile)
{
    if (count == 0) {
        return 0;
    }
    size_t rank = (size_t)ceil(quantile * (double)count);
    if (rank == 0) {
        rank = 1;
    }
    return samples[rank < count ? rank - 1 : count - 1];
}

double bench_median(double *values, size_t count)
{
    if (count == 0) {
        return NAN;
    }
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            return NAN;
        }
    }
    qsort(values, count, sizeof(*values), compare_values);
    size_t middle = count / 2;
    return count % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}
