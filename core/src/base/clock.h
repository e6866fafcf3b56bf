/* base/clock.h: the monotonic clock, and sleeping on a word of memory. */
#ifndef PT_CLOCK_H
#define PT_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PT_NS_PER_MS UINT64_C(1000000)

uint64_t pt_now_ns(void);
/* The same to some ten milliseconds, never ahead of it, at a fraction of the price. */
uint64_t pt_tick_ns(void);
/* Has then_ns passed? Costs a fraction of reading the clock while it is more than some ms away. */
bool pt_has_passed(uint64_t then_ns);
/* Milliseconds since 1970-01-01 UTC, for times that people wrote down; it jumps. */
uint64_t pt_wall_ms(void);
/* The clock of one runtime: the real one, or one that moves only when it is told to. */
typedef struct pt_clock {
    bool             manual;
    _Atomic uint64_t now_ns; /* manual */
} pt_clock;

static inline uint64_t pt_clock_now(const pt_clock *clock)
{
    return __builtin_expect(clock->manual, 0) ? atomic_load(&clock->now_ns) : pt_now_ns();
}
static inline uint64_t pt_clock_tick(const pt_clock *clock)
{
    return __builtin_expect(clock->manual, 0) ? atomic_load(&clock->now_ns) : pt_tick_ns();
}
/* Now, to measure so long from: what takes seconds is measured by the tick, which is cheaper. */
static inline uint64_t pt_clock_for(const pt_clock *clock, uint64_t ms)
{
    return ms >= 5000 ? pt_clock_tick(clock) : pt_clock_now(clock);
}
static inline bool pt_clock_passed(const pt_clock *clock, uint64_t then_ns)
{
    return __builtin_expect(clock->manual, 0) ? atomic_load(&clock->now_ns) >= then_ns
                                              : pt_has_passed(then_ns);
}

/* now + ms, saturating; PATIO_FOREVER stays UINT64_MAX. */
uint64_t pt_after_ms(uint64_t now_ns, uint64_t ms);
/* Milliseconds from now to then, rounded up; 0 if then has passed. */
uint64_t pt_until_ms(uint64_t now_ns, uint64_t then_ns);

/* Sleep while *word == expected, at most until until_ns on the monotonic clock (UINT64_MAX: no
 * limit). May return early; false only when the time is up. Linux futex(2). */
bool pt_park(const _Atomic uint32_t *word, uint32_t expected, uint64_t until_ns);
/* Wake up to `count` threads that sleep on word. */
void pt_unpark(const _Atomic uint32_t *word, int count);

#endif
