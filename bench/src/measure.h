/* measure.h: one repetition: floors, warm-up, measurement. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <patio/base.h>

#include "metrics.h"
#include "options.h"
#include "pin.h"

/* What the repetitions have in common, and what the report says about them. */
typedef struct bench_session {
    const bench_options *opt;
    bench_pin            pin;
    bench_pin floor_pin; /* as `pin`; for unpinned runs on two cores, for the kernel places
                            an unpinned pair now on one core, now on two, and a floor
                            that varies tenfold is none */
    uint64_t *samples;   /* [opt->count] */
    char      transport[32];
    char      executor[32]; /* "" if the tasks run elsewhere */
    uint64_t  done;         /* calls of the shortest repetition */
} bench_session;

/* Measure once, ending at about deadline_ns. Anything but OK: `err` says what went wrong, and
 * nothing that was measured counts. */
patio_status bench_measure(bench_session *session, uint64_t deadline_ns, bench_metrics *out,
                           patio_error *err);

#endif
