/* sequential.c: one call at a time, each with its own clock. */
#include <patio/call.h>

#include "clock.h"
#include "lanes.h"
#include "tasks.h"

/* The clock runs from before the call until the result is at hand; comparing it, and letting go of
 * the future, is outside. */
static bool call_once(bench_lane *lane, uint64_t begun_ns, uint64_t *ended_ns)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    uint64_t      stamp  = bench_stamp(lane->index, lane->sequence);
    patio_status  st     = patio_call(lane->all->broker, BENCH_ECHO,
                                      PATIO_ARGS(patio_blob(lane->payload.data, lane->payload.size)),
                                      &lane->options, &future, &err);
    if (st != PATIO_OK) {
        *ended_ns = bench_now_ns();
        return bench_lane_fail(lane, stamp, st, &err);
    }
    const patio_value *value = patio_future_value(future);
    *ended_ns                = bench_now_ns();
    bool same                = bench_payload_matches(&lane->payload, stamp, value);
    patio_future_destroy(future);
    if (!same) {
        return bench_lane_mismatch(lane, stamp);
    }
    if (lane->samples != NULL) {
        lane->samples[lane->done] = *ended_ns - begun_ns;
    }
    return true;
}

bool bench_work_sequential(bench_lane *lane)
{
    uint64_t now_ns = bench_now_ns();
    while (bench_lane_goes_on(lane, lane->done, now_ns)) {
        bench_payload_stamp(&lane->payload, bench_stamp(lane->index, lane->sequence));
        if (!call_once(lane, bench_now_ns(), &now_ns)) {
            return false;
        }
        lane->sequence++;
        lane->done++;
    }
    return true;
}
