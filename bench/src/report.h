/* report.h: what was measured, for people and for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>

#include "measure.h"

/* A table on standard output. */
void bench_report_text(const bench_session *session, const bench_metrics *medians);
/* One JSON object on standard output. `runs`: every repetition's own numbers. False: out of memory.
 */
bool bench_report_json(const bench_session *session, const bench_metrics *medians,
                       const bench_metrics *runs);

#endif
