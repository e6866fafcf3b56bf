/* pin.h: which core the calling threads and which core patio's threads run on.
 *
 * A wake-up across cores costs several times one on the same core, so a latency means nothing
 * without its pinning. Threads of patio are not ours to pin: they inherit from the thread that
 * starts the broker. */
#ifndef BENCH_PIN_H
#define BENCH_PIN_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

enum { BENCH_PIN_NONE, BENCH_PIN_SAME, BENCH_PIN_SPLIT };

/* The two sides of a call, and of every floor. */
enum { BENCH_CALLER, BENCH_WORKER };

typedef struct bench_pin {
    int       mode;    /* BENCH_PIN_… */
    int       cores;   /* that this process may use */
    int       core[2]; /* by side; -1: any */
    cpu_set_t whole;   /* where the process may run */
} bench_pin;

/* Look at the cores there are. False if `mode` needs more of them. */
bool bench_pin_plan(int mode, bench_pin *out);
/* Put the calling thread on a side's core; threads it makes inherit that. */
void bench_pin_self(const bench_pin *pin, int side);
/* Let the calling thread run anywhere again. */
void bench_pin_release(const bench_pin *pin);
/* "unpinned", "all on core 0", "callers on core 0, patio on core 1". */
void        bench_pin_describe(const bench_pin *pin, char *text, size_t size);
const char *bench_pin_name(int mode);

#endif
