/* patio/spin.h: when to spin for a moment before sleeping; for the core and for executors.
 *
 * Putting a thread to sleep and waking it costs tens of microseconds where the thing waited for
 * often takes less than one. A waiter therefore looks again for a moment, but only where recent
 * waits were short, so that an idle thread burns nothing: competitive spinning, Karlin et al.,
 * "Empirical Studies of Competitive Spinning for a Shared-Memory Multiprocessor", SOSP 1991.
 *
 * Header only, any thread. Linux, with _GNU_SOURCE defined. C only: C++ cannot share C's atomics
 * and finds nothing here.
 */
#ifndef PATIO_SPIN_H
#define PATIO_SPIN_H
#ifndef __cplusplus

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
    /* A spin lasts no longer than what a sleep and a wake cost: at worst the wait costs twice. */
    PATIO_SPIN_LIMIT_NS = 50 * 1000,
    /* From here on a spinner offers its core to others after each look. */
    PATIO_SPIN_ALONE_NS = 2 * 1000,
    /* Spin while the average wait is below this; above what a slept wait measures, so that one who
     * sleeps can find back to spinning. */
    PATIO_SPIN_WORTH_NS = 150 * 1000,
    /* A single long wait counts as no more than this. */
    PATIO_SPIN_OUTLIER_NS = 600 * 1000,
};

typedef struct patio_spin {
    _Atomic uint32_t average_ns; /* of recent waits */
    _Atomic uint32_t spinning;   /* threads that spin now */
    uint32_t         most;       /* threads that may spin at once; 0: never spin */
} patio_spin;

static inline uint64_t patio_spin_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void patio_spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield");
#endif
}

/* `most` threads may spin at once; on a machine where only one thread can run, none. */
static inline void patio_spin_init(patio_spin *spin, uint32_t most)
{
    cpu_set_t cpus;
    bool      several = sched_getaffinity(0, sizeof(cpus), &cpus) != 0 || CPU_COUNT(&cpus) > 1;
    atomic_init(&spin->average_ns, 0);
    atomic_init(&spin->spinning, 0);
    spin->most = several ? most : 0;
}

/* Look for a moment whether ready(arg) has become true, if that has paid lately. The result is what
 * ready said last; false means: now sleep. */
static inline bool patio_spin_until(patio_spin *spin, bool (*ready)(const void *arg),
                                    const void *arg)
{
    if (spin->most == 0 ||
        atomic_load_explicit(&spin->average_ns, memory_order_relaxed) > PATIO_SPIN_WORTH_NS) {
        return ready(arg);
    }
    bool is_ready = false;
    if (atomic_fetch_add_explicit(&spin->spinning, 1, memory_order_seq_cst) < spin->most) {
        uint64_t from = patio_spin_now_ns();
        uint64_t now;
        do {
            for (int i = 0; i < 4 && !is_ready; i++) {
                /* each look takes the cache line from the one who is about to write it */
                for (int k = 0; k < 4; k++) {
                    patio_spin_pause();
                }
                is_ready = ready(arg);
            }
            now = patio_spin_now_ns();
            /* what we wait for may itself wait for this core */
            if (!is_ready && now - from > PATIO_SPIN_ALONE_NS) {
                sched_yield();
            }
        } while (!is_ready && now - from < PATIO_SPIN_LIMIT_NS);
    }
    atomic_fetch_sub_explicit(&spin->spinning, 1, memory_order_seq_cst);
    return is_ready || ready(arg);
}

/* Learn how long a wait took, slept or spun: an average over about eight. */
static inline void patio_spin_learn(patio_spin *spin, uint64_t waited_ns)
{
    uint32_t old = atomic_load_explicit(&spin->average_ns, memory_order_relaxed);
    uint32_t now = waited_ns > PATIO_SPIN_OUTLIER_NS ? PATIO_SPIN_OUTLIER_NS : (uint32_t)waited_ns;
    /* a lost update between two threads only makes the average a little older */
    atomic_store_explicit(&spin->average_ns, old - old / 8 + now / 8, memory_order_relaxed);
}

#endif /* __cplusplus */
#endif
