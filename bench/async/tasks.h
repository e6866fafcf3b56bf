/* tasks.h: tasks that wait, and count. */
#ifndef BENCH_ASYNC_TASKS_H
#define BENCH_ASYNC_TASKS_H

#include <patio/patio.h>

#include <stdatomic.h>

/* "yield" n: yields n times. "sleep" ms place: sleeps, and notes how late it woke. "nest" n: calls
 * "yield" n times, one after the other. */
patio_status bench_async_tasks_add(patio_registry *registry, patio_error *err);

extern _Atomic uint32_t bench_begun;
extern _Atomic uint32_t bench_done;
extern uint64_t        *bench_late_ns; /* by place */

#endif
