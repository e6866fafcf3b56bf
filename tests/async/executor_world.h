/* async/executor_world.h: the executor async, driven as a host drives it, with a clock that the
 * test moves. */
#ifndef ASYNC_EXECUTOR_WORLD_H
#define ASYNC_EXECUTOR_WORLD_H

#include "api/fake_host.h"

#include <patio/await.h>

#if defined(__SANITIZE_THREAD__)
enum { JOBS_MAX = 512 }; /* each stack is a thread for it, and takes a millisecond to make */
#else
enum { JOBS_MAX = 4096 };
#endif

enum { OPTIONS_MAX = 16 };

typedef struct job job;
typedef void (*job_fn)(job *j);

typedef struct world {
    fake_host                 host;
    const patio_executor_ops *ops;
    const patio_suspend_ops  *suspend;
    patio_executor           *x;
    patio_executor_events     events;
    _Atomic uint32_t          rooms;
    _Atomic uint32_t          order;
    _Atomic uint32_t          begun;
    _Atomic uint32_t          ended; /* `done` so far */
    job                      *jobs;
} world;

struct job {
    patio_job        base; /* first */
    world           *world;
    job_fn           fn;
    int              fd;
    uint64_t         until_ns;
    _Atomic uint32_t order; /* in which it ran, from 1 */
    uint32_t         ready;
    patio_status     status;
    _Atomic uint32_t done;
    _Atomic uint32_t verdict;
    pthread_t        runner;
    bool             same_thread;
};

typedef struct setup {
    int64_t workers;
    int64_t loops;
    int64_t queue_max;
    int64_t block_warn_ms;
} setup;

/* The function of every job. */
void         run_job(patio_job *base, patio_outcome *out);
patio_status world_create(world *w, setup s);
/* Created and started. */
void world_open(world *w, setup s);
/* Stopped and destroyed; each job that was taken is done exactly once, and no memory is left. */
void         world_close(world *w);
patio_status submit(world *w, int i, job_fn fn);
patio_status submit_as(world *w, int i, const char *task, job_fn fn);

#endif
