/* bench_async.h: what the executor async costs, one measurement each. They print their line, and
 * return 0, or 1 if a result was wrong. */
#ifndef BENCH_ASYNC_H
#define BENCH_ASYNC_H

#include <patio/patio.h>

#include <stdbool.h>

typedef struct bench_world {
    patio_registry *registry;
    patio_broker   *broker;
} bench_world;

/* A broker on memory:// whose tasks run under `executor`, at most `workers` at once. */
bool bench_world_open(bench_world *w, const char *executor, unsigned workers, unsigned loops);
void bench_world_close(bench_world *w);

/* ns from one stack to another. */
double bench_switch_own(void);
double bench_switch_ucontext(void);

int bench_yields(unsigned loops, unsigned tasks, unsigned yields);
int bench_yielding_tasks(unsigned loops, unsigned tasks, unsigned in_flight);
int bench_nested(unsigned calls);
int bench_sleeps(unsigned loops, unsigned tasks, unsigned from_ms, unsigned spread_ms);
int bench_idle(unsigned loops, unsigned tasks);

#endif
