/* How many threads there are.
 *
 * `workers` of them run tasks. One whose task waits for other tasks lends its slot, one whose task
 * does not return has lost it; each is replaced by an extra thread for as long. An extra one that
 * is not needed any more is parked, not ended: the next time comes soon. */
#include "pool.h"

#include <errno.h>

/* Under the lock. */
static bool start_worker(patio_executor *x, const pthread_attr_t *attr)
{
    worker *w = &x->workers[x->started];
    if (pthread_create(&w->thread, attr, pool_work, w) != 0) {
        return false;
    }
    char name[16];
    (void)snprintf(name, sizeof(name), "patio-%u", x->started);
    (void)pthread_setname_np(w->thread, name);
    x->started++;
    x->alive++;
    return true;
}

static void init_attr(const patio_executor *x, pthread_attr_t *attr)
{
    pthread_attr_init(attr);
    (void)pthread_attr_setstacksize(attr, x->stack_bytes);
}

static bool unpark(patio_executor *x)
{
    worker *w = x->parked;
    if (w == NULL) {
        return false;
    }
    x->parked = w->below;
    w->parked = false;
    x->alive++;
    pthread_cond_signal(&w->wake);
    return true;
}

void threads_add(patio_executor *x)
{
    if (!unpark(x) && x->started < x->worker_count + x->extra_max + x->stuck_max) {
        pthread_attr_t attr;
        init_attr(x, &attr);
        /* without it the others go on as they are */
        (void)start_worker(x, &attr);
        pthread_attr_destroy(&attr);
    }
}

void threads_sleep(patio_executor *x, worker *me)
{
    pool_hand_over(x);
    x->alive--;
    me->parked = true;
    me->below  = x->parked;
    x->parked  = me;
    while (me->parked && x->running) {
        pthread_cond_wait(&me->wake, &x->lock);
    }
    if (me->parked) {
        x->alive++; /* to leave */
        me->parked = false;
    }
    me->since_ns = patio_spin_now_ns();
}

/* ---- lent slots ---- */

static uint32_t most(patio_executor *x)
{
    return x->extra_max;
}

static bool lend(patio_executor *x)
{
    worker *me = pool_self();
    pthread_mutex_lock(&x->lock);
    /* one that was given up has no slot to lend */
    bool may = me != NULL && x->running && x->lent < x->extra_max && atomic_load(&me->at) == AT_JOB;
    if (may) {
        me->lent = true;
        x->lent++;
        threads_more(x);
    }
    pthread_mutex_unlock(&x->lock);
    return may;
}

static void back(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    pool_self()->lent = false;
    x->lent--;
    pthread_mutex_unlock(&x->lock);
}

const patio_lend_ops threads_lend_ops = {
    PATIO_SIZED(patio_lend_ops),
    .most = most,
    .lend = lend,
    .back = back,
};

/* ---- start and stop ---- */

patio_status threads_start(patio_executor *x, patio_error *err)
{
    pthread_attr_t attr;
    init_attr(x, &attr);
    pthread_mutex_lock(&x->lock);
    x->running = true;
    atomic_store(&x->ends, false);
    x->average_ns = 50 * 1000; /* until it is known better */
    bool all      = true;
    for (uint32_t i = 0; i < x->worker_count && all; i++) {
        all = start_worker(x, &attr);
    }
    pthread_mutex_unlock(&x->lock);
    pthread_attr_destroy(&attr);
    if (!all) {
        uint32_t started = x->started;
        (void)threads_stop(x, UINT64_MAX, NULL);
        return patio_fail(err, PATIO_NO_MEMORY, EAGAIN,
                          "start %u threads of %zu bytes of stack: only %u could be started",
                          x->worker_count, x->stack_bytes, started);
    }
    return PATIO_OK;
}

static void give_back(patio_executor *x, patio_job *job, patio_status status)
{
    patio_outcome outcome = {PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN, .status = status};
    x->events->done(x->events->self, job, &outcome);
}

static struct timespec at_ns(uint64_t ns)
{
    return (struct timespec){.tv_sec  = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

/* Those that were not started go back at once. */
static void empty_queue(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    x->running     = false;
    x->stopping    = true;
    patio_job *job = patio_job_queue_pop(&x->queue);
    while (job != NULL) {
        pthread_mutex_unlock(&x->lock);
        give_back(x, job, PATIO_CLOSED);
        pthread_mutex_lock(&x->lock);
        job = patio_job_queue_pop(&x->queue);
    }
    atomic_store(&x->queued, 0);
    atomic_store(&x->ends, true);
    for (uint32_t i = 0; i < x->started; i++) {
        pthread_cond_signal(&x->workers[i].wake);
    }
    bool polled = x->poller != NULL;
    pthread_mutex_unlock(&x->lock);
    if (polled) {
        x->poll->interrupt(x->transport);
    }
}

patio_status threads_stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    struct timespec until = at_ns(grace_ms > UINT32_MAX ? (uint64_t)INT64_MAX
                                                        : patio_spin_now_ns() + grace_ms * 1000000);
    bool            again = x->stopping; /* [control]: one stop at a time */
    empty_queue(x);
    pthread_mutex_lock(&x->lock);
    int rc = 0;
    /* the first stop does not wait for those that were given up */
    while (x->left + (again ? 0 : x->stuck) < x->started && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&x->ended, &x->lock, &until);
    }
    uint32_t run = x->started - x->left;
    pthread_mutex_unlock(&x->lock);
    if (run > 0) {
        return patio_fail(err, PATIO_TIMEOUT, 0,
                          "%u tasks still run after %llu ms; a thread cannot be ended, wait for "
                          "them or end the process",
                          run, (unsigned long long)grace_ms);
    }
    for (uint32_t i = 0; i < x->started; i++) {
        pthread_join(x->workers[i].thread, NULL);
    }
    stuck_fini(x);
    x->started  = 0;
    x->left     = 0;
    x->alive    = 0;
    x->stopping = false;
    return PATIO_OK;
}
