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

void pool_wake(patio_executor *x)
{
    uint64_t one = 1;
    (void)!write(x->wake_fd, &one, sizeof(one)); /* full: it is awake */
}

/* ---- the queue, under the lock ---- */

static void push(patio_executor *x, patio_job *job)
{
    job->link[LINK_NEXT] = NULL;
    if (x->tail != NULL) {
        x->tail->link[LINK_NEXT] = job;
    } else {
        x->head = job;
    }
    x->tail = job;
    x->queued++;
}

void pool_push_front(patio_executor *x, patio_job *job)
{
    job->link[LINK_NEXT] = x->head;
    x->head              = job;
    x->tail              = x->tail != NULL ? x->tail : job;
    x->queued++;
}

patio_job *pool_pop(patio_executor *x)
{
    patio_job *job = x->head;
    if (job != NULL) {
        x->head = job->link[LINK_NEXT];
        x->tail = x->head != NULL ? x->tail : NULL;
        x->queued--;
    }
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

/* Under the lock. */
static child *idle_child(const patio_executor *x)
{
    for (child *c = x->children; c != NULL; c = c->next) {
        if (c->state == CHILD_READY && c->held == 0 && !c->taken && give_places(x, c) > 0) {
            return c;
        }
    }
    return NULL;
}

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
    bool   first = x->head == NULL;
    child *c     = idle_child(x);
    /* a thread of the loop comes back to its queue by itself */
    bool own = pthread_equal(pthread_self(), x->loop) != 0;
    if (c != NULL && first && !own && (job->traits & PATIO_JOB_BEGINS_AT_ONCE) != 0) {
        c->taken = true;
        pthread_mutex_unlock(&x->lock);
        give_one(x, c, job);
        return PATIO_OK;
    }
    push(x, job);
    pthread_mutex_unlock(&x->lock);
    if (c != NULL && !own) {
        pool_wake(x);
    }
    return PATIO_OK;
}

/* Under the lock. */
static bool unqueue(patio_executor *x, const patio_job *job)
{
    patio_job *before = NULL;
    for (patio_job *j = x->head; j != NULL; before = j, j = j->link[LINK_NEXT]) {
        if (j != job) {
            continue;
        }
        if (before != NULL) {
            before->link[LINK_NEXT] = j->link[LINK_NEXT];
        } else {
            x->head = j->link[LINK_NEXT];
        }
        x->tail = x->tail == j ? before : x->tail;
        x->queued--;
        return true;
    }
    return false;
}

/* The host may be inside an event of the transport: the loop does the rest. */
patio_status pool_cancel(patio_executor *x, patio_job *job, patio_error *err)
{
    (void)err;
    pthread_mutex_lock(&x->lock);
    if (unqueue(x, job)) {
        job->link[LINK_BEGUN] = (void *)(uintptr_t)PATIO_CANCELLED;
        job->link[LINK_NEXT]  = x->refused;
        job->link[LINK_REPLY] = NULL;
        x->refused            = job;
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
    if (x->epoll_fd < 0 || x->wake_fd < 0 || !loop_watch(x, NULL, x->wake_fd, 0)) {
        return patio_fail(err, PATIO_IO, errno, "make an event loop for %u children: %s",
                          x->workers, strerrordesc_np(errno));
    }
    x->running = true;
    /* not known to `submit` before it has run: nothing is submitted before start has returned */
    int rc        = pthread_create(&x->thread, NULL, loop_run, x);
    x->has_thread = rc == 0;
    if (rc != 0) {
        x->running = false;
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
    while (x->ready < x->workers && x->start_error.status == PATIO_OK && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&x->changed, &x->lock, &until);
    }
    bool     all   = x->ready >= x->workers;
    uint32_t ready = x->ready;
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
    x->stopping     = true;
    x->stop_at_ns   = grace_ms > UINT32_MAX ? NEVER : now + grace_ms * NS_PER_MS;
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
