/* The thread executor: tasks on a fixed number of threads of this process. It cannot contain a
 * crash nor end a task that does not return; the process executor can. */
#include "pool.h"

#include <time.h>

enum { OPT_WORKERS, OPT_QUEUE_MAX, OPT_STACK_BYTES, OPT_EXTRA, OPT_STUCK_AFTER, OPT_STUCK_MAX };

static const patio_option option_workers = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "workers",
    .fallback = "4",
    .help     = "threads, and so tasks that run side by side",
    .min      = 1,
    .max      = 4096,
};
static const patio_option option_queue_max = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "queue_max",
    .fallback = "0",
    .help     = "tasks that may wait for a thread; 0: twice the workers",
    .min      = 0,
    .max      = 1000000,
};
static const patio_option option_stack_bytes = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_SIZE,      .name = "stack_bytes",
    .fallback = "1MiB",        .help = "stack of each thread", .min = INT64_C(64) * 1024,
    .max = INT64_C(1) << 30,
};
static const patio_option option_extra = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "extra_workers",
    .fallback = "64",
    .help     = "threads that may stand in for those whose tasks wait for other tasks",
    .min      = 0,
    .max      = 4096,
};
static const patio_option option_stuck_after = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_MS,
    .name     = "stuck_after_ms",
    .fallback = "30s",
    .help = "a task that runs on so long after its deadline has its thread replaced; none: never",
    .min  = 1,
    .max  = INT64_MAX,
};
static const patio_option option_stuck_max = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "stuck_max",
    .fallback = "0",
    .help     = "threads lost so until the process is to be begun anew; 0: as many as workers",
    .min      = 0,
    .max      = 4096,
};
static const patio_option *const options[] = {
    [OPT_WORKERS]     = &option_workers,
    [OPT_QUEUE_MAX]   = &option_queue_max,
    [OPT_STACK_BYTES] = &option_stack_bytes,
    [OPT_EXTRA]       = &option_extra,
    [OPT_STUCK_AFTER] = &option_stuck_after,
    [OPT_STUCK_MAX]   = &option_stuck_max,
    NULL,
};

static uint32_t room(const patio_executor *x)
{
    return x->worker_count + x->extra_max + x->stuck_max;
}

static void init_locks(patio_executor *x)
{
    pthread_mutexattr_t adaptive;
    pthread_mutexattr_init(&adaptive);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&x->lock, &adaptive);
    pthread_cond_init(&x->ended, &monotonic);
    for (uint32_t i = 0; i < room(x); i++) {
        x->workers[i].pool = x;
        pthread_cond_init(&x->workers[i].wake, &monotonic);
    }
    pthread_condattr_destroy(&monotonic);
    pthread_mutexattr_destroy(&adaptive);
}

/* All cores but one, which those who bring the jobs need. */
static uint32_t useful_workers(void)
{
    cpu_set_t cpus;
    int       cores = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return cores > 2 ? (uint32_t)cores - 1 : 1;
}

static patio_status create(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err)
{
    const patio_option_value *values  = params->values;
    uint32_t                  workers = (uint32_t)values[OPT_WORKERS].number;
    uint32_t                  extra   = (uint32_t)values[OPT_EXTRA].number;
    uint32_t                  stuck   = (uint32_t)values[OPT_STUCK_MAX].number;
    int64_t                   after   = values[OPT_STUCK_AFTER].number;
    stuck                             = stuck != 0 ? stuck : workers;

    /* the workers lie behind the pool; 64: room to align its cache lines */
    size_t bytes = sizeof(patio_executor) + ((size_t)workers + extra + stuck) * sizeof(worker) + 64;
    void  *block = host->alloc(host->self, bytes);
    if (block == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(block, 0, bytes);
    patio_executor *x = (patio_executor *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    x->block          = block;
    x->host           = host;
    x->events         = params->events;
    x->workers        = (worker *)(x + 1);
    x->worker_count   = workers;
    x->extra_max      = extra;
    x->stuck_max      = stuck;
    x->stuck_after_ns = after == INT64_MAX ? UINT64_MAX : (uint64_t)after * 1000000;
    x->watch_ns       = UINT64_MAX;
    x->queue_max      = (uint32_t)values[OPT_QUEUE_MAX].number;
    x->queue_max      = x->queue_max != 0 ? x->queue_max : 2 * workers;
    x->stack_bytes    = (size_t)values[OPT_STACK_BYTES].number + params->stack_bytes;
    x->useful         = useful_workers();
    patio_spin_init(&x->spin, 1);
    init_locks(x);
    *out = x;
    return PATIO_OK;
}

static void destroy(patio_executor *x)
{
    if (x == NULL) {
        return;
    }
    for (uint32_t i = 0; i < room(x); i++) {
        pthread_cond_destroy(&x->workers[i].wake);
    }
    pthread_cond_destroy(&x->ended);
    pthread_mutex_destroy(&x->lock);
    x->host->free(x->host->self, x->block);
}

static uint32_t slots(patio_executor *x)
{
    return x->worker_count;
}

static void offer(patio_executor *x, const patio_poll_ops *poll, patio_transport *t)
{
    x->poll      = poll;
    x->transport = t;
}

static const patio_poller_ops poller = {PATIO_SIZED(patio_poller_ops), .offer = offer};

static const void *query_instance(patio_executor *x, const char *interface_id)
{
    (void)x;
    if (strcmp(interface_id, PATIO_POLLER_ID) == 0) {
        return &poller;
    }
    return strcmp(interface_id, PATIO_LEND_ID) == 0 ? &threads_lend_ops : NULL;
}

static const patio_executor_ops ops = {
    PATIO_SIZED(patio_executor_ops),
    .caps    = PATIO_EXECUTOR_RUNS | PATIO_EXECUTOR_BLOCKING,
    .options = options,
    .create  = create,
    .start   = threads_start,
    .stop    = threads_stop,
    .destroy = destroy,
    .submit  = pool_submit,
    .slots   = slots,
    .query   = query_instance,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(thread, "0.1.0", "MIT", "runs tasks on threads of this process", query)
