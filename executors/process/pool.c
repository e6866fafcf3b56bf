/* The queue, and who may do what when. */
#include "pool.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

uint64_t pool_now(const patio_executor *x)
{
    return x->host->now_ns(x->host->self);
}

/* It looks for this before it sleeps; the descriptor is never read, but says once that it is new.
 */
void pool_wake(patio_executor *x)
{
    uint64_t one = 1;
    if (!atomic_exchange(&x->woken, true) && atomic_load(&x->asleep)) {
        (void)!write(x->wake_fd, &one, sizeof(one));
    }
}

/* ---- the queue, under the lock ---- */

static void set_queued(patio_executor *x)
{
    atomic_store_explicit(&x->queued, x->queue.count, memory_order_relaxed);
}

static void push(patio_executor *x, patio_job *job)
{
    patio_job_queue_push(&x->queue, job);
    set_queued(x);
}

void pool_push_front(patio_executor *x, patio_job *job)
{
    patio_job_queue_push_front(&x->queue, job);
    set_queued(x);
}

patio_job *pool_pop(patio_executor *x)
{
    patio_job *job = patio_job_queue_pop(&x->queue);
    set_queued(x);
    return job;
}

/* ---- ends ---- */

void pool_done(patio_executor *x, patio_job *job, patio_outcome *out)
{
    out->struct_size = sizeof(*out);
    x->events->done(x->events->self, job, out);
}

void pool_give_back(patio_executor *x, patio_job *job, patio_status status)
{
    patio_outcome out = {PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN, .status = status};
    pool_done(x, job, &out);
}

/* ---- what the host calls ---- */

patio_status pool_submit(patio_executor *x, patio_job *job, patio_error *err)
{
    pthread_mutex_lock(&x->lock);
    if (!x->running) {
        pthread_mutex_unlock(&x->lock);
        return patio_fail(err, PATIO_CLOSED, 0, "task %s: the process executor is stopped",
                          job->task);
    }
    if (x->queued >= (uint32_t)x->values[OPT_QUEUE_MAX].number) {
        x->was_full = true;
        pthread_mutex_unlock(&x->lock);
        return patio_fail(err, PATIO_FULL, 0, "task %s: %u tasks are queued, as many as queue_max",
                          job->task, x->queued);
    }
    bool   first = x->queue.last == NULL;
    child *c     = deal_one(x, job);
    /* a thread of the loop comes back to its queue by itself */
    bool own = pthread_equal(pthread_self(), x->loop) != 0;
    /* or nobody can take it, and one that stands in for a task that waits is to be started */
    bool wake = !own && (c != NULL || x->lent > 0);
    if (c != NULL && first && !own && (job->traits & PATIO_JOB_BEGINS_AT_ONCE) != 0) {
        c->taken = true;
        pthread_mutex_unlock(&x->lock);
        give_one(x, c, job);
        return PATIO_OK;
    }
    push(x, job);
    pthread_mutex_unlock(&x->lock);
    if (wake) {
        pool_wake(x);
    }
    return PATIO_OK;
}

/* The host may be inside an event of the transport: the loop does the rest. */
patio_status pool_cancel(patio_executor *x, patio_job *job, patio_error *err)
{
    (void)err;
    pthread_mutex_lock(&x->lock);
    if (patio_job_queue_remove(&x->queue, job) != 0) {
        set_queued(x);
        job->link[LINK_STATUS] = (void *)(uintptr_t)PATIO_CANCELLED;
        job->link[LINK_NEXT]   = x->refused;
        job->link[LINK_REPLY]  = NULL;
        x->refused             = job;
    }
    pthread_mutex_unlock(&x->lock);
    pool_wake(x);
    return PATIO_OK;
}

static struct timespec at_ns(uint64_t ns)
{
    return (struct timespec){.tv_sec  = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

static patio_status start_thread(patio_executor *x, patio_error *err)
{
    x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    x->wake_fd  = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (x->epoll_fd < 0 || x->wake_fd < 0 || !loop_watch(x, NULL, x->wake_fd, WATCH_BELL)) {
        return patio_fail(err, PATIO_IO, errno, "make an event loop for %u children: %s",
                          x->workers, strerrordesc_np(errno));
    }
    pthread_mutex_lock(&x->lock); /* a reload may be asked for by now */
    x->running    = true;
    x->ever_ready = 0;
    pthread_mutex_unlock(&x->lock);
    /* not known to `submit` before it has run: nothing is submitted before start has returned */
    int rc        = pthread_create(&x->thread, NULL, loop_run, x);
    x->has_thread = rc == 0;
    if (rc != 0) {
        pthread_mutex_lock(&x->lock);
        x->running = false;
        pthread_mutex_unlock(&x->lock);
        return patio_fail(err, PATIO_NO_MEMORY, rc, "start the thread of the process executor");
    }
    (void)pthread_setname_np(x->thread, "patio-process");
    return PATIO_OK;
}

patio_status pool_start(patio_executor *x, patio_error *err)
{
    patio_status st = start_thread(x, err);
    if (st != PATIO_OK) {
        return st;
    }
    uint64_t        timeout_ms = (uint64_t)x->values[OPT_START_TIMEOUT].number;
    struct timespec until      = at_ns(patio_spin_now_ns() + timeout_ms * NS_PER_MS);
    int             rc         = 0;
    pthread_mutex_lock(&x->lock);
    /* not `ready`: where they do not grow old, one may be gone before the last one has come */
    while (x->ever_ready < x->workers && x->start_error.status == PATIO_OK && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&x->changed, &x->lock, &until);
    }
    bool     all   = x->ever_ready >= x->workers;
    uint32_t ready = x->ever_ready;
    if (!all && x->start_error.status != PATIO_OK) {
        st = patio_fail(err, x->start_error.status, x->start_error.os_errno, "%s",
                        x->start_error.message);
    } else if (!all) {
        st = patio_fail(err, PATIO_TIMEOUT, 0,
                        "start %u child processes of %s: %u were ready after start_timeout_ms of "
                        "%llu",
                        x->workers, x->program, ready, (unsigned long long)timeout_ms);
    }
    pthread_mutex_unlock(&x->lock);
    if (st != PATIO_OK) {
        (void)pool_stop(x, 0, NULL);
    }
    return st;
}

/* Children can be ended, and so this always ends what it has to. */
patio_status pool_stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    (void)err;
    if (!x->has_thread) {
        return PATIO_OK;
    }
    uint64_t now = patio_spin_now_ns();
    pthread_mutex_lock(&x->lock);
    x->running      = false;
    x->stop_at_ns   = grace_ms > UINT32_MAX ? NEVER : now + grace_ms * NS_PER_MS;
    x->stopping     = true; /* the loop looks at both without the lock, at this one first */
    patio_job *left = NULL;
    for (patio_job **at = &left; (*at = pool_pop(x)) != NULL;) {
        at = (patio_job **)&(*at)->link[LINK_NEXT];
    }
    pthread_mutex_unlock(&x->lock);
    while (left != NULL) {
        patio_job *next = left->link[LINK_NEXT];
        pool_give_back(x, left, PATIO_CLOSED);
        left = next;
    }
    pool_wake(x);
    (void)pthread_join(x->thread, NULL);
    x->has_thread = false;
    return PATIO_OK;
}
