/* floors.h: what the machine itself can do, without a task framework.
 *
 * Each floor is two threads, or two processes where a call is between processes, placed like the
 * callers and the workers of the run beside it. All are bounded in rounds and in time. */
#ifndef BENCH_FLOORS_H
#define BENCH_FLOORS_H

#include <patio/base.h>

#include "../src/metrics.h"
#include "../src/options.h"
#include "../src/pin.h"

/* All of them, into the FLOOR_… of `out`. */
patio_status bench_floors(const bench_options *opt, const bench_pin *pin, bench_metrics *out,
                          patio_error *err);

/* Each returns 0 or an errno. */

/* There and back between two threads by futex, median in µs; with `spin`, each side looks for a
 * while before it sleeps. */
int bench_floor_handoff(const bench_pin *pin, bool spin, double *p50_us);
/* Pointers there and back through two queues under a mutex, 256 on their way, per second. */
int bench_floor_queue(const bench_pin *pin, double *per_s);
/* So many bytes there and back between two processes over loopback TCP with blocking sockets,
 * median in µs. */
int bench_floor_tcp(const bench_pin *pin, size_t size_bytes, double *p50_us);
/* So many bytes there and back between two processes over a socket pair, median in us; for an
 * executor that has child processes, beside the hand-off. */
int bench_floor_pair(const bench_pin *pin, size_t size_bytes, double *p50_us);

/* Run `there` on a new thread on the workers' core while `here` runs on this one, on the callers'.
 * Returns what `here` returned, or why the thread could not be made (then nothing ran). `there`
 * must end by itself once `here` has. */
int bench_pair_run(const bench_pin *pin, int (*here)(void *arg), void *(*there)(void *arg),
                   void            *arg);

/* The same in a child process, which shares no memory but has the descriptors: `there` makes
 * nothing but system calls, for this is a fork of a program with threads. Returns the error of
 * fork, too. */
int bench_pair_fork(const bench_pin *pin, int (*here)(void *arg), void *(*there)(void *arg),
                    void            *arg);

/* Rounds of a ping-pong, of which the first tenth is warm-up; and the time after which it stops. */
#define BENCH_FLOOR_ROUNDS 5500u
#define BENCH_FLOOR_WARM   500u
#define BENCH_FLOOR_MAX_NS UINT64_C(2000000000)

#endif
