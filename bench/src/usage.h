/* usage.h: what the process has used so far. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct bench_usage {
    double   cpu_us;   /* user and system, all threads */
    uint64_t switches; /* voluntary context switches: somebody went to sleep */
} bench_usage;

void bench_usage_read(bench_usage *out);
/* Resident memory; false where /proc does not tell. */
bool bench_rss_bytes(uint64_t *out);

#endif
