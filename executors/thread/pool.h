/* pool.h: a fixed number of threads and a bounded queue. */
#ifndef THREAD_POOL_H
#define THREAD_POOL_H

#include <patio/executor.h>
#include <patio/plugin_util.h>
#include <patio/spin.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct worker {
    patio_executor *pool;
    struct worker  *below; /* next in the stack of sleepers */
    pthread_t       thread;
    pthread_cond_t  wake;
    uint64_t        since_ns; /* when its job, or its wait, began */
    bool            woken;
} worker;

struct patio_executor {
    void                        *block; /* the allocation it lies in */
    const patio_host            *host;
    const patio_executor_events *events;
    uint32_t                     worker_count;
    uint32_t                     queue_max;
    size_t                       stack_bytes;
    worker                      *workers;
    uint32_t                     started;

    /* read by spinners without the lock, so on a line of its own */
    _Alignas(64) _Atomic uint32_t queued;
    patio_spin spin;

    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t ended; /* the last worker left, or a job ended while stopping */
    patio_job     *first;
    patio_job     *last;
    worker        *sleepers; /* last to sleep is first to wake: its cache is warm */
    uint32_t       sleeping;
    uint32_t       coming;  /* woken, but not awake yet */
    worker        *watcher; /* a sleeper that looks now and then; NULL: none */
    uint32_t       alive;
    uint32_t       useful;          /* workers that can run beside those who bring jobs */
    uint64_t       taken;           /* jobs ever taken out of the queue */
    uint64_t       unsure_until_ns; /* how long jobs took is no guide until then */
    uint64_t       average_ns;      /* of recent jobs */
    bool           running;
    bool           refused; /* somebody heard FULL */
};

patio_status pool_start(patio_executor *x, patio_error *err);
patio_status pool_stop(patio_executor *x, uint64_t grace_ms, patio_error *err);
patio_status pool_submit(patio_executor *x, patio_job *job, patio_error *err);

#endif
