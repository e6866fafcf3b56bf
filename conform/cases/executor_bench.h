/* executor_bench.h: an executor on the bench, with jobs of the kit's own. What they do is seen by
 * the kit: either it is their function, or a host's operations, where the executor runs programs.
 */
#ifndef CONFORM_EXECUTOR_BENCH_H
#define CONFORM_EXECUTOR_BENCH_H

#include "kit.h"

enum { BENCH_JOBS = 4096 };

/* Tasks; for executors of programs with the options of --task, or of --lasting. */
enum { BENCH_QUICK, BENCH_OTHER, BENCH_LASTING, BENCH_TASKS };

typedef struct bench bench;

typedef struct run {
    patio_job        job; /* first: an executor knows only this */
    kit             *k;
    _Atomic uint32_t started;
    _Atomic uint32_t done;
    _Atomic uint32_t gate;  /* 1: wait */
    _Atomic uint32_t order; /* in which it was started, from 1 */
    _Atomic bool     told;  /* cancelled */
    bool             refused;
    uint32_t         verdict;
    patio_status     status;
    uint64_t         reply;
    pthread_t        submitter;
    _Atomic bool     inside; /* the submitter is inside submit or cancel */
} run;

struct bench {
    kit                  *k;
    patio_executor       *x;
    patio_executor_events events;
    patio_option_value   *values;
    bool                  external; /* it runs programs, and has some to run */
    patio_option_value   *task_values[BENCH_TASKS];
    run                  *runs;
    _Atomic uint32_t      order;
    _Atomic uint32_t      running;
    _Atomic uint32_t      most;
    _Atomic uint32_t      finished;
    _Atomic uint32_t      rooms;
    _Atomic bool          stopped;
    _Atomic uint32_t      chain; /* jobs still to be submitted from inside done */
};

/* Not created yet; leaves the case when options are wrong. */
bench       *bench_make(kit *k);
patio_status bench_create(bench *b, patio_error *err);
/* A host may lack what an executor needs beyond the table; then the case is skipped. */
void         bench_create_or_skip(bench *b);
patio_status bench_add_tasks(bench *b, patio_error *err);
/* All of it, and started. */
bench *bench_open(kit *k);
/* Stopped, destroyed, freed. */
void bench_close(bench *b);
void bench_free(bench *b);

/* Can jobs last until they are released? */
bool bench_can_wait(const bench *b);
/* Job n, of a task; LASTING lasts until it is released. */
patio_status bench_submit(bench *b, uint32_t n, int task);
patio_status bench_cancel(bench *b, uint32_t n, patio_error *err);
/* It ends: its gate opens, or it is cancelled where it is a program. */
void bench_release(bench *b, uint32_t n);

#endif
