/* The async executor: many tasks on a few threads, for tasks that mostly wait. docs/async.md. */
#include "async.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    OPT_WORKERS,
    OPT_MAX_WORKERS,
    OPT_LOOPS,
    OPT_QUEUE_MAX,
    OPT_STACK_BYTES,
    OPT_KEEP_STACKS,
    OPT_BLOCK_WARN_MS,
};

/* clang-format off */
#define OPTION(name_, type_, fallback_, min_, max_, help_)                                        \
    static const patio_option option_##name_ = {                                                  \
        PATIO_SIZED(patio_option), .type = PATIO_OPTION_##type_, .name = #name_,                  \
        .fallback = (fallback_), .help = (help_), .min = (min_), .max = (max_)}
OPTION(workers, INT, "1024", 1, 1000000, "tasks in work at once, those that wait included");
OPTION(max_workers, INT, "0", 0, 1000000, "the same by another name; 0: as workers says");
OPTION(loops, INT, "1", 1, 256, "event-loop threads; with one, no two tasks run at the same time");
OPTION(queue_max, INT, "0", 0, 1000000, "tasks that may wait to be started; 0: as many as workers");
OPTION(stack_bytes, SIZE, "64KiB", INT64_C(16) * 1024, INT64_C(1) << 30,
       "stack of each task; memory is used as it is touched");
OPTION(keep_stacks, INT, "256", 0, 1000000,
       "stacks per loop that keep their memory while no task has them");
OPTION(block_warn_ms, MS, "100ms", 0, INT64_C(3600) * 1000,
       "a task that holds its loop for longer is named in the log; 0: none");
/* clang-format on */

static const patio_option *const options[] = {
    &option_workers,     &option_max_workers, &option_loops,         &option_queue_max,
    &option_stack_bytes, &option_keep_stacks, &option_block_warn_ms, NULL,
};

static size_t stack_bytes_of(const patio_executor_params *params, size_t page)
{
    size_t bytes = (size_t)params->values[OPT_STACK_BYTES].number + params->stack_bytes;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    bytes *= 4; /* frames are larger then */
#endif
    return (bytes + page - 1) / page * page;
}

static uint32_t workers_of(const patio_option_value *values)
{
    int64_t most = values[OPT_MAX_WORKERS].number;
    return (uint32_t)(most != 0 ? most : values[OPT_WORKERS].number);
}

/* A loop without a task to run would be of no use. */
static uint32_t loops_of(const patio_option_value *values)
{
    uint32_t loops = (uint32_t)values[OPT_LOOPS].number;
    return loops < workers_of(values) ? loops : workers_of(values);
}

static void set_options(patio_executor *x, const patio_executor_params *params)
{
    const patio_option_value *values = params->values;
    x->max_workers                   = workers_of(values);
    x->page_bytes                    = (size_t)sysconf(_SC_PAGESIZE);
    x->stack_bytes                   = stack_bytes_of(params, x->page_bytes);
    x->keep_stacks                   = (uint32_t)values[OPT_KEEP_STACKS].number;
    x->block_warn_ns                 = (uint64_t)values[OPT_BLOCK_WARN_MS].number * 1000000;
    uint32_t queue_max               = (uint32_t)values[OPT_QUEUE_MAX].number;
    uint32_t n                       = x->loop_count;
    queue_max                        = queue_max != 0 ? queue_max : x->max_workers;
    x->queue_max                     = (queue_max + n - 1) / n;
    /* divided among the loops, so that they need not agree on each task */
    for (uint32_t i = 0; i < n; i++) {
        x->loops[i].share = x->max_workers / n + (i < x->max_workers % n ? 1 : 0);
    }
}

static patio_status create(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err)
{
    uint32_t loops = loops_of(params->values);
    /* the loops lie behind the executor; 64: room to align their cache lines */
    size_t head  = (sizeof(patio_executor) + 63) & ~(size_t)63;
    size_t bytes = head + loops * sizeof(loop) + 64;
    void  *block = host->alloc(host->self, bytes);
    if (block == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(block, 0, bytes);
    uint8_t        *aligned = (uint8_t *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    patio_executor *x       = (patio_executor *)(void *)aligned;
    x->block                = block;
    x->host                 = host;
    x->events               = params->events;
    x->loops                = (loop *)(void *)(aligned + head);
    x->loop_count           = loops;
    set_options(x, params);
    for (uint32_t i = 0; i < loops; i++) {
        x->loops[i].x = x;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = x;
    return PATIO_OK;
}

static void destroy(patio_executor *x)
{
    if (x == NULL) {
        return;
    }
    pthread_cond_destroy(&x->ended);
    pthread_mutex_destroy(&x->lock);
    x->host->free(x->host->self, x->block);
}

static patio_status start_loop(patio_executor *x, loop *l, patio_error *err)
{
    if (!overflow_open(l)) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = idle_open(l, err);
    if (st != PATIO_OK) {
        overflow_close(l);
        return st;
    }
    pthread_mutex_lock(&x->lock);
    int  rc = pthread_create(&l->thread, NULL, loop_run, l);
    char name[16];
    if (rc == 0) {
        (void)snprintf(name, sizeof(name), "patio-loop-%u", x->started);
        (void)pthread_setname_np(l->thread, name);
        x->started++;
        x->alive++;
    }
    pthread_mutex_unlock(&x->lock);
    if (rc != 0) {
        idle_close(l);
        overflow_close(l);
        return patio_fail(err, PATIO_NO_MEMORY, rc, "start thread %u of %u event loops", x->started,
                          x->loop_count);
    }
    return PATIO_OK;
}

/* How many loops still run once `until` has come, or 0. */
static uint32_t wait_for_loops(patio_executor *x, uint64_t grace_ms)
{
    uint64_t        now   = patio_spin_now_ns();
    bool            ever  = grace_ms > UINT32_MAX;
    uint64_t        then  = ever ? (uint64_t)INT64_MAX : now + grace_ms * 1000000;
    struct timespec until = {.tv_sec  = (time_t)(then / 1000000000u),
                             .tv_nsec = (long)(then % 1000000000u)};
    int             rc    = 0;
    pthread_mutex_lock(&x->lock);
    while (x->alive > 0 && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&x->ended, &x->lock, &until);
    }
    uint32_t alive = x->alive;
    pthread_mutex_unlock(&x->lock);
    return alive;
}

static patio_status stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    atomic_store(&x->running, 0);
    for (uint32_t i = 0; i < x->started; i++) {
        atomic_store(&x->loops[i].stopping, 1);
        wake_loop(&x->loops[i]);
    }
    if (wait_for_loops(x, grace_ms) > 0) {
        uint32_t active = 0;
        for (uint32_t i = 0; i < x->started; i++) {
            active += active_of(&x->loops[i]);
        }
        return patio_fail(err, PATIO_TIMEOUT, 0,
                          "%u tasks still run or wait after %llu ms; those that wait end at once "
                          "when they are told, wait for the others or end the process",
                          active, (unsigned long long)grace_ms);
    }
    for (uint32_t i = 0; i < x->started; i++) {
        pthread_join(x->loops[i].thread, NULL);
        overflow_close(&x->loops[i]);
    }
    if (x->started > 0) {
        watch_end(x);
        overflow_remove();
    }
    x->started = 0;
    return PATIO_OK;
}

static patio_status start(patio_executor *x, patio_error *err)
{
    patio_status st = PATIO_OK;
    stack_check_limits(x);
    overflow_install();
    atomic_store(&x->running, 1);
    for (uint32_t i = 0; i < x->loop_count && st == PATIO_OK; i++) {
        st = start_loop(x, &x->loops[i], err);
    }
    if (st != PATIO_OK) {
        bool any = x->started > 0;
        (void)stop(x, UINT64_MAX, NULL);
        if (!any) {
            overflow_remove();
        }
    }
    return st;
}

static uint32_t slots(patio_executor *x)
{
    return x->max_workers;
}

/* ---- patio.suspend/1 ---- */

static void job_park(patio_executor *x, patio_job *job, uint64_t until_ns)
{
    (void)x;
    fiber_park(fiber_of_job(job), until_ns);
}

static void job_wake(patio_executor *x, patio_job *job)
{
    (void)x;
    fiber *f = fiber_of_job(job);
    if (f != NULL) {
        wake_fiber(f);
    }
}

static void job_yield(patio_executor *x, patio_job *job)
{
    (void)x;
    fiber_yield(fiber_of_job(job));
}

static patio_status job_wait_fd(patio_executor *x, patio_job *job, int32_t fd, uint32_t events,
                                uint64_t until_ns, uint32_t *ready)
{
    (void)x;
    return fd_await(fiber_of_job(job), fd, events, until_ns, ready);
}

static void *job_loop(patio_executor *x, patio_job *job)
{
    (void)x;
    loop *l     = fiber_of_job(job)->loop;
    l->uv_shown = true;
    return &l->uv;
}

static const patio_suspend_ops suspend = {
    PATIO_SIZED(patio_suspend_ops), .park = job_park, .wake = job_wake, .yield = job_yield,
    .wait_fd = job_wait_fd,         .loop = job_loop,
};

/* ---- patio.poller/1 ---- */

/* With several loops all tasks would come to the one that polls. */
static void offer(patio_executor *x, const patio_poll_ops *poll, patio_transport *t)
{
    x->poll      = x->loop_count == 1 ? poll : NULL;
    x->transport = t;
}

static const patio_poller_ops poller = {PATIO_SIZED(patio_poller_ops), .offer = offer};

static const void *query_instance(patio_executor *x, const char *interface_id)
{
    (void)x;
    if (strcmp(interface_id, PATIO_POLLER_ID) == 0) {
        return &poller;
    }
    return strcmp(interface_id, PATIO_SUSPEND_ID) == 0 ? &suspend : NULL;
}

static const patio_executor_ops ops = {
    PATIO_SIZED(patio_executor_ops),
    .caps    = PATIO_EXECUTOR_RUNS | PATIO_EXECUTOR_ASYNC,
    .options = options,
    .create  = create,
    .start   = start,
    .stop    = stop,
    .destroy = destroy,
    .submit  = submit_job,
    .cancel  = cancel_job,
    .slots   = slots,
    .query   = query_instance,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(async, "0.1.0", "MIT", "runs many waiting tasks on a few event loops", query)
