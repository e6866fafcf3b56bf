/* handoff.c: two threads wake each other by raw futex, there and back. */
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../src/clock.h"
#include "../src/samples.h"
#include "floors.h"

/* About 20 to 200 µs on current machines, more than a round takes when both sides are awake. */
#define SPINS 4096u

/* Each word is the number of the last round handed over; on a cache line of its own. */
typedef struct baton {
    _Alignas(64) _Atomic uint32_t ping;
    _Alignas(64) _Atomic uint32_t pong;
    _Alignas(64) bool spin;
    uint64_t *samples;
    uint32_t  rounds; /* measured */
} baton;

#define LAST UINT32_MAX /* "no round follows" */

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void hand_over(_Atomic uint32_t *word, uint32_t round)
{
    atomic_store(word, round);
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Wait until the word moves on from `seen`. */
static uint32_t await(_Atomic uint32_t *word, uint32_t seen, bool spin)
{
    uint32_t now = atomic_load(word);
    for (uint32_t i = 0; spin && now == seen && i < SPINS; i++) {
        relax();
        now = atomic_load_explicit(word, memory_order_acquire);
    }
    while (now == seen) {
        (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
        now = atomic_load(word);
    }
    return now;
}

static void *there(void *arg)
{
    baton   *b    = arg;
    uint32_t seen = 0;
    while ((seen = await(&b->ping, seen, b->spin)) != LAST) {
        hand_over(&b->pong, seen);
    }
    return NULL;
}

static int here(void *arg)
{
    baton   *b        = arg;
    uint32_t seen     = 0;
    uint64_t now_ns   = bench_now_ns();
    uint64_t until_ns = now_ns + BENCH_FLOOR_MAX_NS;
    for (uint32_t round = 1; round <= BENCH_FLOOR_ROUNDS && now_ns < until_ns; round++) {
        uint64_t begun_ns = now_ns;
        hand_over(&b->ping, round);
        seen   = await(&b->pong, seen, b->spin);
        now_ns = bench_now_ns();
        if (round > BENCH_FLOOR_WARM) {
            b->samples[b->rounds++] = now_ns - begun_ns;
        }
    }
    hand_over(&b->ping, LAST);
    return b->rounds > 0 ? 0 : ETIMEDOUT;
}

int bench_floor_handoff(const bench_pin *pin, bool spin, double *p50_us)
{
    baton b   = {.spin = spin};
    b.samples = malloc(BENCH_FLOOR_ROUNDS * sizeof(*b.samples));
    if (b.samples == NULL) {
        return ENOMEM;
    }
    int problem = bench_pair_run(pin, here, there, &b);
    if (problem == 0) {
        bench_samples_sort(b.samples, b.rounds);
        *p50_us = (double)bench_samples_at(b.samples, b.rounds, 0.5) / 1e3;
    }
    free(b.samples);
    return problem;
}
