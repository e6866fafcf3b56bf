/* clock.h: the one clock that everything here is measured with. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define BENCH_NS_PER_S  UINT64_C(1000000000)
#define BENCH_NS_PER_MS UINT64_C(1000000)

/* Monotonic, and not slewed while we look; about 25 ns through the vDSO. */
static inline uint64_t bench_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BENCH_NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
