/* Who runs what, and who is woken for it.
 *
 * Waking a thread costs tens of microseconds, so it is done only where it pays:
 *   - a worker that runs out of work looks again for a moment before it sleeps (patio/spin.h);
 *   - while one looks, nobody is woken: it takes the job, and wakes another if there is more;
 *   - a worker that finds more jobs behind its own wakes a sleeper only if they would wait longer
 *     than a wake-up takes;
 *   - workers whose jobs take microseconds get no more done by being more than the cores they can
 *     have, and take those from the threads that bring the jobs: one too many goes to sleep;
 *   - where jobs are short, one that runs out of work does the transport's I/O itself, if that may
 *     be had (patio/poll.h), and so is woken by the network;
 *   - should a job then last longer than jobs did, the watcher notices: the one sleeper that looks
 *     every millisecond whether jobs wait and do not move.
 * An idle pool sleeps without a timer: it costs nothing.
 */
#include "pool.h"

enum {
    WAKE_COST_NS    = 50 * 1000,         /* what a wake-up is worth */
    WATCH_NS        = 1000 * 1000,       /* how long a misjudged job may keep others waiting */
    LOOKS_MAX       = 16,                /* in vain, before the watcher sleeps without a timer */
    AVERAGE_OUTLIER = 8,                 /* a job counts as at most so many averages more */
    SHORT_JOB_NS    = 4 * 1000,          /* on average: more workers than cores do not help */
    UNSURE_NS       = 100 * 1000 * 1000, /* after a stuck queue nobody is one too many so long */
};

static _Thread_local worker *self;

static void set_queued(patio_executor *x)
{
    atomic_store_explicit(&x->queued, x->queue.count, memory_order_seq_cst);
}

static patio_job *pop(patio_executor *x)
{
    patio_job *job = patio_job_queue_pop(&x->queue);
    if (job != NULL) {
        x->taken++;
        set_queued(x);
    }
    return job;
}

/* Under the lock: whom to signal() once it is open, or NULL. Signalled under it, a thread that gets
 * this core would stop at the lock again: two more changes of threads for each job. */
static worker *wake_one(patio_executor *x)
{
    worker *w = x->sleepers;
    if (w != NULL) {
        x->sleepers = w->below;
        x->sleeping--;
        w->woken = true;
        x->coming++;
    }
    return w;
}

static void signal_worker(worker *w)
{
    if (w != NULL) {
        pthread_cond_signal(&w->wake);
    }
}

static uint32_t queued(const patio_executor *x)
{
    return atomic_load_explicit(&x->queued, memory_order_relaxed);
}

/* Is waking another worth its price, for the jobs that are left in the queue? */
static bool worth_waking(const patio_executor *x)
{
    return queued(x) > 0 && x->sleepers != NULL && !pool_looks(x) &&
           queued(x) * x->average_ns > WAKE_COST_NS &&
           (x->average_ns >= SHORT_JOB_NS || pool_able(x) - x->sleeping < x->useful);
}

/* Is this worker one too many? */
static bool too_many(const patio_executor *x, const worker *me)
{
    return pool_able(x) - x->sleeping > x->useful && x->average_ns < SHORT_JOB_NS &&
           me->since_ns > x->unsure_until_ns;
}

static bool has_work(const void *pool)
{
    return queued(pool) > 0;
}

static struct timespec at_ns(uint64_t ns)
{
    return (struct timespec){.tv_sec  = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

static void leave_sleepers(patio_executor *x, const worker *me)
{
    for (worker **at = &x->sleepers; *at != NULL; at = &(*at)->below) {
        if (*at == me) {
            *at = me->below;
            x->sleeping--;
            return;
        }
    }
}

/* Under the lock. Jobs are left in the queue while somebody sleeps: see that they do not wait for a
 * job of unknown length to end. Who spins, or was woken and is on its way, looks after them too.
 * As wake_one. */
static worker *wake_or_watch(patio_executor *x)
{
    if (worth_waking(x)) {
        return wake_one(x);
    }
    if (queued(x) > 0 && x->sleepers != NULL && x->watcher == NULL && x->coming == 0 &&
        !pool_looks(x)) {
        x->watcher = x->sleepers;
        return x->watcher;
    }
    return NULL;
}

/* Under the lock. In an idle pool nobody watches, nor for long beside a job that lasts. */
static void sleep_until_woken(patio_executor *x, worker *me)
{
    me->woken   = false;
    me->below   = x->sleepers;
    x->sleepers = me;
    x->sleeping++;
    if (x->watcher == NULL) {
        x->watcher = me;
    }
    unsigned looks = 0;
    while (!me->woken && x->running) {
        bool idle = x->sleeping + (x->poller != NULL) == pool_able(x) && x->queue.count == 0;
        if (x->watcher == me && (idle || looks++ == LOOKS_MAX)) {
            x->watcher = NULL; /* whoever leaves a job behind appoints another */
        }
        if (x->watcher != me) {
            pthread_cond_wait(&me->wake, &x->lock);
            looks = 0;
            continue;
        }
        uint64_t        taken = x->taken;
        struct timespec when  = at_ns(patio_spin_now_ns() + WATCH_NS);
        pthread_cond_timedwait(&me->wake, &x->lock, &when);
        if (!me->woken && x->queue.count > 0 && x->taken == taken) {
            x->unsure_until_ns = patio_spin_now_ns() + UNSURE_NS;
            break;
        }
    }
    if (x->watcher == me) {
        x->watcher = NULL;
    }
    if (me->woken) {
        x->coming--;
    } else {
        leave_sleepers(x, me);
    }
}

static uint32_t is_due(const void *pool)
{
    const patio_executor *x = pool;
    return has_work(x) || atomic_load_explicit(&x->ends, memory_order_relaxed) ? 1 : 0;
}

/* Without the lock: be the one who reads the next job, instead of being woken by him. Who runs a
 * job does not read meanwhile, so jobs have to be short. False: it cannot be had. */
static bool poll_for_job(patio_executor *x)
{
    return x->poll->poll(x->transport, is_due, x, UINT64_MAX) == PATIO_OK;
}

/* Under the lock; returns with it. True: a job was read here; else look for a moment. */
static bool look_for_job(patio_executor *x, worker *me)
{
    bool read = x->poll != NULL && x->poller == NULL && x->average_ns < WAKE_COST_NS;
    x->poller = read ? me : x->poller;
    pthread_mutex_unlock(&x->lock);
    bool polled = read && poll_for_job(x);
    if (read) {
        pthread_mutex_lock(&x->lock);
        x->poller = NULL;
        if (polled) {
            return true;
        }
        pthread_mutex_unlock(&x->lock);
    }
    (void)patio_spin_until(&x->spin, has_work, x);
    pthread_mutex_lock(&x->lock);
    return false;
}

/* Under the lock; returns with it. NULL: the pool stops. */
static patio_job *wait_for_job(patio_executor *x, worker *me)
{
    uint64_t   from = 0; /* when this worker ran out of work */
    bool       read = false;
    patio_job *job  = NULL;
    threads_park(x, me);
    if (x->running && too_many(x, me)) {
        sleep_until_woken(x, me);
        me->since_ns = patio_spin_now_ns();
    }
    job = pop(x);
    while (job == NULL && x->running) {
        if (from == 0) {
            from = me->since_ns; /* its last job has ended just now */
            read = look_for_job(x, me);
        } else {
            sleep_until_woken(x, me);
        }
        threads_park(x, me);
        job = pop(x);
    }
    if (from != 0) {
        me->since_ns = patio_spin_now_ns();
        if (!read) {
            patio_spin_learn(&x->spin, me->since_ns - from);
        }
    }
    return job;
}

/* Returns with the lock. A job begins when the one before it ended: one look at the clock for both.
 */
static void run(patio_executor *x, worker *me, patio_job *job)
{
    patio_outcome outcome = {PATIO_SIZED(patio_outcome)};
    job->run(job, &outcome);
    bool stuck = stuck_returned(me);
    x->events->done(x->events->self, job, &outcome);
    uint64_t now  = patio_spin_now_ns();
    uint64_t took = now - me->since_ns;
    me->since_ns  = now;

    pthread_mutex_lock(&x->lock);
    me->job = NULL;
    x->stuck -= stuck ? 1 : 0;
    uint64_t most = x->average_ns * AVERAGE_OUTLIER + 1000;
    x->average_ns = x->average_ns - x->average_ns / 8 + (took < most ? took : most) / 8;
}

void pool_hand_over(patio_executor *x)
{
    if (queued(x) > 0) {
        signal_worker(wake_one(x));
    }
}

worker *pool_self(void)
{
    return self;
}

void *pool_work(void *arg)
{
    worker         *me = arg;
    patio_executor *x  = me->pool;
    self               = me;
    me->since_ns       = patio_spin_now_ns();
    /* nobody does that here; and to forbid it anew each time a job is read would cost */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&x->lock);
    for (patio_job *job = wait_for_job(x, me); job != NULL; job = wait_for_job(x, me)) {
        worker *other = wake_or_watch(x);
        threads_more(x);
        bool     room  = x->refused;
        uint64_t timer = stuck_begin(x, me, job);
        x->refused     = false;
        pthread_mutex_unlock(&x->lock);
        signal_worker(other);
        if (timer != 0) {
            (void)x->host->cancel(x->host->self, timer);
        }
        if (room) {
            x->events->room(x->events->self);
        }
        run(x, me, job);
    }
    x->left++;
    pthread_cond_broadcast(&x->ended);
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

patio_status pool_submit(patio_executor *x, patio_job *job, patio_error *err)
{
    pthread_mutex_lock(&x->lock);
    if (!x->running) {
        pthread_mutex_unlock(&x->lock);
        return patio_fail(err, PATIO_CLOSED, 0, "task %s: the thread executor is stopped",
                          job->task);
    }
    if (queued(x) >= x->queue_max) {
        x->refused = true;
        pthread_mutex_unlock(&x->lock);
        return patio_fail(err, PATIO_FULL, 0, "task %s: %u tasks are queued, as many as queue_max",
                          job->task, x->queue_max);
    }
    patio_job_queue_push(&x->queue, job);
    set_queued(x);
    /* Somebody who looks for work will find it; somebody who runs will, too, unless the jobs before
     * it last. With nobody awake one must be woken. */
    bool    all_asleep = x->sleeping == pool_able(x);
    worker *other      = all_asleep && x->sleepers != NULL ? wake_one(x) : wake_or_watch(x);
    bool    polled     = x->poller != NULL && x->poller != self;
    threads_more(x);
    pthread_mutex_unlock(&x->lock);
    signal_worker(other);
    if (polled) {
        x->poll->interrupt(x->transport);
    }
    return PATIO_OK;
}
