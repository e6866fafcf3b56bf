#include "drain.h"

#include <patio/plugin_util.h>

#include "clock.h"
#include "tasks.h"

#define COUNTS_TIMEOUT_MS 1000u

static patio_status drain_here(const bench_lanes *lanes, uint64_t deadline_ns, patio_error *err)
{
    uint64_t digest   = 0;
    uint64_t accepted = bench_lanes_accepted(lanes, &digest);
    bool     in_time  = bench_sink_wait(accepted, deadline_ns);
    uint64_t executed = bench_sink_executed();
    if (!in_time) {
        return patio_fail(err, PATIO_TIMEOUT, 0,
                          "%llu of %llu accepted tasks were executed in time",
                          (unsigned long long)executed, (unsigned long long)accepted);
    }
    if (executed != accepted || bench_sink_digest() != digest) {
        return patio_fail(err, PATIO_INTERNAL, 0,
                          "%llu tasks accepted, %llu executed, and not each of them once",
                          (unsigned long long)accepted, (unsigned long long)executed);
    }
    return PATIO_OK;
}

/* Nobody tells us when a worker elsewhere has finished, so this one has to ask again and again. */
static patio_status drain_elsewhere(bench_stage *stage, uint64_t deadline_ns, patio_error *err)
{
    const struct timespec pause = {.tv_nsec = (long)BENCH_NS_PER_MS};
    for (;;) {
        patio_counts counts = {PATIO_SIZED(patio_counts)};
        patio_status st = patio_broker_counts(stage->broker, NULL, COUNTS_TIMEOUT_MS, &counts, err);
        if (st != PATIO_OK) {
            return st;
        }
        if (counts.ready == PATIO_COUNT_UNKNOWN || counts.leased == PATIO_COUNT_UNKNOWN) {
            return patio_fail(err, PATIO_UNSUPPORTED, 0,
                              "transport %s does not know when its queue is empty",
                              patio_broker_transport(stage->broker));
        }
        if (counts.ready == 0 && counts.leased == 0) {
            return PATIO_OK;
        }
        if (bench_now_ns() >= deadline_ns) {
            return patio_fail(err, PATIO_TIMEOUT, 0, "%llu tasks ready and %llu running in the end",
                              (unsigned long long)counts.ready, (unsigned long long)counts.leased);
        }
        (void)nanosleep(&pause, NULL);
    }
}

patio_status bench_drain(bench_stage *stage, const bench_lanes *lanes, uint64_t deadline_ns,
                         patio_error *err)
{
    bool here = stage->registry != NULL && !stage->isolated;
    return here ? drain_here(lanes, deadline_ns, err) : drain_elsewhere(stage, deadline_ns, err);
}
