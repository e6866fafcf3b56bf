/* lanes.h: the calling threads, and what each does in a phase (warm-up, then measurement). */
#ifndef BENCH_LANES_H
#define BENCH_LANES_H

#include <pthread.h>
#include <stdatomic.h>

#include <patio/call.h>

#include "options.h"
#include "payload.h"
#include "pin.h"

typedef struct bench_lanes bench_lanes;

/* One calling thread. Its work function makes `count` calls, unless bench_lane_goes_on says no, and
 * leaves how many it made in `done`. The same threads run both phases, so that whatever patio keeps
 * per thread is warm. */
typedef struct bench_lane {
    bench_lanes       *all;
    uint32_t           index;
    bool               failed;
    uint64_t           count;    /* calls of this phase */
    uint64_t           done;     /* of them, ended well */
    uint64_t          *samples;  /* [count], one per call; NULL in the warm-up */
    uint64_t           sequence; /* number of the next call; goes on over the phases */
    uint64_t           begun_ns; /* of this phase */
    uint64_t           ended_ns;
    uint64_t           accepted; /* sends, over all phases */
    uint64_t           digest;   /* of the accepted */
    bench_payload      payload;
    patio_call_options options;
    patio_error        problem;
    pthread_t          thread;
} bench_lane;

/* True: every call ended well. */
typedef bool (*bench_work_fn)(bench_lane *lane);

struct bench_lanes {
    const bench_options *opt;
    patio_broker        *broker;
    const bench_pin     *pin;
    bench_work_fn        work;
    uint64_t             deadline_ns; /* of this phase: start nothing after it */
    _Atomic bool         stop;        /* somebody failed */
    pthread_mutex_t      lock;
    pthread_cond_t       moved; /* `phase` or `working` changed */
    uint32_t             phase;
    uint32_t             working;
    bool                 over;
    uint32_t             count; /* threads */
    bench_lane          *lane;
};

/* Make the threads; they wait. False: out of memory or threads, and nothing is left behind. */
bool bench_lanes_open(bench_lanes *lanes, const bench_options *opt, patio_broker *broker,
                      const bench_pin *pin, bench_work_fn work);
/* Run one phase of `count` calls in all and wait for its end; samples may be NULL. False if a lane
 * failed: see bench_lanes_problem. */
bool bench_lanes_run(bench_lanes *lanes, uint64_t count, uint64_t *samples, uint64_t deadline_ns);
const patio_error *bench_lanes_problem(const bench_lanes *lanes);
/* From the first lane's begin to the last one's end, in the last phase. */
uint64_t bench_lanes_wall_ns(const bench_lanes *lanes);
/* Calls done in the last phase; their samples are moved together to the front of the array. */
uint64_t bench_lanes_done(bench_lanes *lanes, uint64_t *samples);
/* Sends accepted, and their digest, over all phases. */
uint64_t bench_lanes_accepted(const bench_lanes *lanes, uint64_t *digest);
void     bench_lanes_close(bench_lanes *lanes);

/* ---- for work functions ---- */

/* May the lane, having started `started` calls of this phase, start another one now? */
static inline bool bench_lane_goes_on(const bench_lane *lane, uint64_t started, uint64_t now_ns)
{
    return started < lane->count && now_ns < lane->all->deadline_ns &&
           !atomic_load_explicit(&lane->all->stop, memory_order_relaxed);
}
/* Note what went wrong with the call of that stamp, stop all lanes, return false. */
bool bench_lane_fail(bench_lane *lane, uint64_t stamp, patio_status st, const patio_error *err);
bool bench_lane_mismatch(bench_lane *lane, uint64_t stamp);

/* What a lane can do: */
bool bench_work_sequential(bench_lane *lane); /* patio_call, one by one */
bool bench_work_ring(bench_lane *lane);       /* N in flight, waiting for the oldest */
bool bench_work_window(bench_lane *lane);     /* N in flight, told by callback */

#endif
