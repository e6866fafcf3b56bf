/* drain.h: until everything that was sent has been executed. */
#ifndef BENCH_DRAIN_H
#define BENCH_DRAIN_H

#include "lanes.h"
#include "stage.h"

/* Wait until all sends accepted so far were executed, each exactly once, at most until deadline_ns.
 * By the task's own count where it runs in this process, else by the queue's. TIMEOUT: some are
 * missing; INTERNAL: some ran twice, or something else ran. */
patio_status bench_drain(bench_stage *stage, const bench_lanes *lanes, uint64_t deadline_ns,
                         patio_error *err);

#endif
