/* samples.h: percentiles and medians over every sample there is; nothing is binned. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* Sort in place; needed once before bench_samples_at. */
void bench_samples_sort(uint64_t *samples, size_t count);

/* The smallest sample that at least `quantile` (0…1) of all are not above (nearest rank), of sorted
 * samples. 0 without samples. */
uint64_t bench_samples_at(const uint64_t *samples, size_t count, double quantile);

/* The median; sorts in place. Of an even number the mean of the middle two; NAN of none, and of any
 * that are NAN (not measured). */
double bench_median(double *values, size_t count);

#endif
