#include "histogram.h"

enum { SUB_BITS = 4, SUBS = 1 << SUB_BITS };

/* Values below 16 have a bucket each; above, the leading bit chooses the group and the four bits
 * after it the bucket. */
static unsigned bucket_of(uint64_t value)
{
    if (value < SUBS) {
        return (unsigned)value;
    }
    unsigned shift = (unsigned)(63 - __builtin_clzll(value)) - SUB_BITS;
    return (shift + 1) * SUBS + (unsigned)(value >> shift & (SUBS - 1));
}

/* The largest value that falls into a bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < SUBS) {
        return bucket;
    }
    unsigned shift = bucket / SUBS - 1;
    uint64_t first = (uint64_t)(SUBS + bucket % SUBS) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(histogram *h, uint64_t value)
{
    h->count++;
    h->buckets[bucket_of(value)]++;
    if (value > h->max) {
        h->max = value;
    }
}

uint64_t histogram_percentile(const histogram *h, double percent)
{
    uint64_t seen   = 0;
    double   wanted = (double)h->count * percent / 100.0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            return top_of(i) < h->max ? top_of(i) : h->max;
        }
    }
    return 0;
}
