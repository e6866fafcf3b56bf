#include "base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t pt_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t pt_tick_ns(void)
{
    /* A number in memory that the kernel moves at each tick, every 10 ms or more often. */
    struct timespec tick;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &tick);
    return (uint64_t)tick.tv_sec * 1000000000u + (uint64_t)tick.tv_nsec;
}

bool pt_has_passed(uint64_t then_ns)
{
    /* a busy host may be late with its tick, hence the wide margin */
    return pt_tick_ns() + 100 * PT_NS_PER_MS >= then_ns && pt_now_ns() >= then_ns;
}

uint64_t pt_wall_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

uint64_t pt_after_ms(uint64_t now_ns, uint64_t ms)
{
    uint64_t ns   = 0;
    uint64_t then = 0;
    if (__builtin_mul_overflow(ms, (uint64_t)PT_NS_PER_MS, &ns) ||
        __builtin_add_overflow(now_ns, ns, &then)) {
        return UINT64_MAX;
    }
    return then;
}

uint64_t pt_until_ms(uint64_t now_ns, uint64_t then_ns)
{
    return then_ns > now_ns ? (then_ns - now_ns - 1) / PT_NS_PER_MS + 1 : 0;
}

bool pt_park(const _Atomic uint32_t *word, uint32_t expected, uint64_t until_ns)
{
    struct timespec until = {
        .tv_sec  = (time_t)(until_ns / 1000000000u),
        .tv_nsec = (long)(until_ns % 1000000000u),
    };
    /* WAIT_BITSET takes an absolute time on the monotonic clock, so early returns need no sums. */
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                      until_ns == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return !(rc == -1 && errno == ETIMEDOUT);
}

void pt_unpark(const _Atomic uint32_t *word, int count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}
