/* stage.h: the broker that is measured, new for every repetition. */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include <patio/broker.h>

#include "count_alloc.h"
#include "options.h"
#include "pin.h"

typedef struct bench_stage {
    bench_counter   counter;
    patio_config   *config;
    patio_runtime  *runtime;
    patio_registry *registry; /* NULL with --remote: then the broker only calls */
    patio_broker   *broker;
    bool            isolated; /* tasks run in other processes: what they count is not seen here */
} bench_stage;

/* A started broker as the options say. Its threads inherit the workers' core from the calling
 * thread, which stays there. With `split` the broker is made before that, for what it concludes
 * from the number of cores (whether to spin) must be right for two. On failure nothing is left
 * behind. */
patio_status bench_stage_open(const bench_options *opt, const bench_pin *pin, bench_stage *out,
                              patio_error *err);
/* Stop and free; a zeroed stage is allowed. TIMEOUT if tasks were still running. */
patio_status bench_stage_close(bench_stage *stage, patio_error *err);

#endif
