/* tasks.h: the tasks that are called, and what they count.
 *
 * A task function has no argument of our own, so what it counts is the one process-wide state here.
 */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include <patio/registry.h>

#define BENCH_ECHO "bench.echo" /* returns its bytes argument */
#define BENCH_SINK "bench.sink" /* counts it, and waits first while the gate is closed */

/* Add both. */
patio_status bench_tasks_add(patio_registry *registry, patio_error *err);

/* Start to count anew. */
void     bench_sink_reset(void);
uint64_t bench_sink_executed(void);
/* Sum of the digests of what was executed. */
uint64_t bench_sink_digest(void);
/* Wait until at least so many were executed; false if deadline_ns comes first. */
bool bench_sink_wait(uint64_t executed, uint64_t deadline_ns);
/* While closed, whatever is started waits, and what is behind it stays queued. */
void bench_sink_gate(bool closed);

#endif
