/* The thread's start, and its end: at a stop what waits goes back, what runs has its grace. */
#include "command.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LAST_MS = 2000, TERM_MS = 5000 };

static patio_status make_descriptors(patio_executor *x, patio_error *err)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)LOOP_WAKE_INDEX};
    x->epoll             = epoll_create1(EPOLL_CLOEXEC);
    x->wake              = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (x->epoll < 0 || x->wake < 0 || epoll_ctl(x->epoll, EPOLL_CTL_ADD, x->wake, &e) != 0) {
        return patio_fail(err, PATIO_IO, errno, "start the command executor: %s",
                          strerrordesc_np(errno));
    }
    return PATIO_OK;
}

/* At the very end: who has submitted a job may still be about to write to `wake` when the job is
 * done, and the executor stopped. */
void life_close(patio_executor *x)
{
    if (x->epoll >= 0) {
        (void)close(x->epoll);
    }
    if (x->wake >= 0) {
        (void)close(x->wake);
    }
    x->epoll = -1;
    x->wake  = -1;
}

patio_status life_start(patio_executor *x, patio_error *err)
{
    life_close(x); /* of the life before */
    patio_status st = make_descriptors(x, err);
    if (st == PATIO_OK) {
        st = guard_start(x, err);
    }
    x->open         = true;
    x->quit         = false;
    x->idle         = true;
    x->woken        = true;
    x->stop_at_ns   = UINT64_MAX;
    x->stop_term_ns = UINT64_MAX;
    if (st == PATIO_OK && pthread_create(&x->thread, NULL, loop_run, x) != 0) {
        st = patio_fail(err, PATIO_NO_MEMORY, EAGAIN, "start the command executor: no thread");
    }
    if (st != PATIO_OK) {
        x->open = false;
        guard_stop(x);
        return st;
    }
    (void)pthread_setname_np(x->thread, "patio-command");
    x->has_thread = true;
    return PATIO_OK;
}

static struct timespec at_ns(uint64_t ns)
{
    return (struct timespec){.tv_sec  = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

patio_status life_stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    uint64_t grace = grace_ms < UINT32_MAX ? grace_ms : UINT32_MAX;
    uint64_t now   = x->host->now_ns(x->host->self);
    uint64_t term  = grace / 2 < TERM_MS ? grace / 2 : TERM_MS;
    if (!x->has_thread) {
        return PATIO_OK;
    }
    pthread_mutex_lock(&x->lock);
    x->open         = false;
    x->stop_at_ns   = now + grace * 1000000;
    x->stop_term_ns = x->stop_at_ns - term * 1000000;
    x->idle         = x->idle && x->forgotten.count == 0;
    patio_job *job  = patio_job_queue_pop(&x->queue);
    while (job != NULL) {
        pthread_mutex_unlock(&x->lock);
        loop_give_back(x, job, PATIO_CLOSED);
        pthread_mutex_lock(&x->lock);
        job = patio_job_queue_pop(&x->queue);
    }
    x->woken = true;
    loop_wake(x);
    struct timespec until = at_ns(x->stop_at_ns + (uint64_t)LAST_MS * 1000000);
    int             rc    = 0;
    while (!x->idle && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&x->ended, &x->lock, &until);
    }
    bool idle = x->idle;
    x->quit   = idle;
    pthread_mutex_unlock(&x->lock);
    if (!idle) {
        return patio_fail(err, PATIO_TIMEOUT, 0, "a program did not end though it was killed");
    }
    loop_wake(x);
    (void)pthread_join(x->thread, NULL);
    x->has_thread = false;
    guard_stop(x);
    return PATIO_OK;
}
