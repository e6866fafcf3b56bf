/* histogram.h: how long things took, in 8 KiB however many there were.
 *
 * Log-linear: every power of two is cut into 16 equal buckets, so a percentile is at most 6 % too
 * high.
 */
#ifndef CHECKSUM_HISTOGRAM_H
#define CHECKSUM_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 16 * 61 };

/* All zero is an empty one. */
typedef struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *h, uint64_t value);
/* The value that `percent` of 100 of all values do not exceed; 0 when there are none. */
uint64_t histogram_percentile(const histogram *h, double percent);

#endif
