/* The thread of a loop: what is ready runs, in rounds, so that those who yield to each other do not
 * keep timers and descriptors waiting; with nothing ready it sleeps in the uv loop. */
#include "async.h"

#include <stdio.h>

enum {
    POLL_NS            = 200 * 1000, /* a busy loop looks for events as often */
    START_AT_ONCE      = 32,
    NO_MEMORY_PAUSE_MS = 100,
};

_Thread_local loop *here;

void loop_push(loop *l, fiber *f)
{
    f->next = 0;
    if (l->ready_last != NULL) {
        l->ready_last->next = item_of_fiber(f);
    } else {
        l->ready_first = f;
    }
    l->ready_last = f;
    l->ready_count++;
}

static fiber *pop(loop *l)
{
    fiber *f       = l->ready_first;
    l->ready_first = fiber_of(f->next);
    l->ready_last  = l->ready_first != NULL ? l->ready_last : NULL;
    l->ready_count--;
    return f;
}

void loop_queue(loop *l, patio_job *job)
{
    patio_job_queue_push(&l->waiting, job);
}

static void finish(loop *l, patio_job *job, const patio_outcome *outcome)
{
    patio_executor *x = l->x;
    atomic_store_explicit(word_of_job(job), 0, memory_order_release);
    atomic_store(&l->done, atomic_load_explicit(&l->done, memory_order_relaxed) + 1);
    x->events->done(x->events->self, job, outcome);
    if (atomic_load(&x->refused) != 0 && atomic_exchange(&x->refused, 0) != 0) {
        x->events->room(x->events->self);
    }
}

static void give_back(loop *l, patio_job *job, patio_status status, uint64_t delay_ms)
{
    patio_outcome outcome = {PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN, .status = status,
                             .delay_ms = delay_ms};
    finish(l, job, &outcome);
}

static bool is_cancelled(patio_job *job)
{
    return (atomic_load(word_of_job(job)) & JOB_CANCELLED) != 0;
}

/* First in, first out again. */
static void take_inbox(loop *l)
{
    if (atomic_load_explicit(&l->inbox, memory_order_relaxed) == 0) {
        return;
    }
    item i     = atomic_exchange(&l->inbox, 0);
    item first = 0;
    while (i != 0) {
        item next = item_next(i);
        item_set_next(i, first);
        first = i;
        i     = next;
    }
    while (first != 0) {
        patio_job *job  = job_of(first);
        item       next = item_next(first);
        if (job == NULL) {
            loop_push(l, fiber_of(first));
        } else if (is_cancelled(job)) {
            give_back(l, job, PATIO_CANCELLED, 0); /* perhaps before we could have found it */
        } else {
            loop_queue(l, job);
        }
        first = next;
    }
}

/* Run a fiber until it waits or its job has ended. */
static void resume(loop *l, fiber *f)
{
    patio_job *job     = f->job;
    uint64_t   resumed = atomic_load_explicit(&l->resumed, memory_order_relaxed);
    /* odd while it runs; the name first, so that the watch never sees a wrong one for a number */
    atomic_store_explicit(&l->running, job->task, memory_order_relaxed);
    uint64_t id[2];
    memcpy(id, job->id.bytes, sizeof(id));
    atomic_store_explicit(&l->running_id[0], id[0], memory_order_relaxed);
    atomic_store_explicit(&l->running_id[1], id[1], memory_order_relaxed);
    atomic_store_explicit(&l->resumed, resumed + 1, memory_order_release);
    fiber_enter(f);
    atomic_store_explicit(&l->resumed, resumed + 2, memory_order_release);
    if (atomic_load_explicit(&l->reported, memory_order_relaxed) == resumed + 1) {
        watch_released(l);
    }
    if (f->ended) {
        patio_outcome outcome = f->outcome;
        f->ended              = false;
        l->running_count--;
        fiber_release(f);
        finish(l, job, &outcome);
    }
}

static void start(loop *l, patio_job *job)
{
    fiber *f = fiber_take(l);
    if (f == NULL) {
        give_back(l, job, PATIO_NO_MEMORY, NO_MEMORY_PAUSE_MS);
        return;
    }
    atomic_store_explicit(&f->wake, AWAKE, memory_order_relaxed);
    /* an exchange: who cancels it finds the fiber, or is seen here */
    uintptr_t word = atomic_exchange(word_of_job(job), (uintptr_t)f | JOB_RUNS);
    if ((word & JOB_CANCELLED) != 0) {
        fiber_release(f);
        give_back(l, job, PATIO_CANCELLED, 0);
        return;
    }
    l->running_count++;
    f->job     = job;
    f->outcome = (patio_outcome){PATIO_SIZED(patio_outcome)};
    resume(l, f);
}

/* A few at once: they are likely to yield soon, and go on while what they touched is in the cache.
 * Beyond the share they wait for one to end. */
static void start_some(loop *l)
{
    for (int i = 0; i < START_AT_ONCE && l->running_count < l->share; i++) {
        patio_job *job = patio_job_queue_pop(&l->waiting);
        if (job == NULL) {
            return;
        }
        /* what the next one needs was written on another core, and comes meanwhile */
        const patio_job *next = patio_job_queue_first(&l->waiting);
        if (next != NULL) {
            __builtin_prefetch(next->request);
            __builtin_prefetch((const char *)next + 64);
            __builtin_prefetch((const char *)next + 128);
        }
        start(l, job);
    }
}

/* Those that were cancelled go back, the others keep their order. */
static void drop_cancelled(loop *l)
{
    patio_job_queue queue = l->waiting;
    l->waiting            = (patio_job_queue){.last = NULL};
    for (patio_job *job = patio_job_queue_pop(&queue); job != NULL;
         job            = patio_job_queue_pop(&queue)) {
        if (is_cancelled(job)) {
            give_back(l, job, PATIO_CANCELLED, 0);
        } else {
            loop_queue(l, job);
        }
    }
}

static void give_back_waiting(loop *l)
{
    for (patio_job *job = patio_job_queue_pop(&l->waiting); job != NULL;
         job            = patio_job_queue_pop(&l->waiting)) {
        give_back(l, job, PATIO_CLOSED, 0);
    }
}

/* What is ready now, once; what becomes ready meanwhile comes in the next round. */
static void run_round(loop *l)
{
    for (uint32_t n = l->ready_count; n > 0; n--) {
        resume(l, pop(l));
    }
    start_some(l);
}

/* Is there nothing to run, and nothing that came? A queue that waits for one of the share to end
 * does so without us. */
static bool is_idle(const loop *l)
{
    return l->ready_count == 0 && atomic_load_explicit(&l->inbox, memory_order_relaxed) == 0 &&
           (l->waiting.count == 0 || l->running_count >= l->share);
}

static void work(loop *l)
{
    for (;;) {
        l->stops = atomic_load(&l->stopping) != 0;
        take_inbox(l);
        if (l->stops) {
            give_back_waiting(l);
        }
        if (atomic_load_explicit(&l->cancels, memory_order_relaxed) != 0) {
            atomic_store(&l->cancels, 0);
            drop_cancelled(l);
        }
        run_round(l);
        uint64_t now = now_of(l->x);
        timers_expire(l, now);
        if (now - l->polled_ns > POLL_NS) {
            idle_poll(l, now);
        }
        if (is_idle(l)) {
            if (l->stops && active_of(l) == 0) {
                return;
            }
            idle_until_something(l);
        }
    }
}

void *loop_run(void *arg)
{
    loop           *l = arg;
    patio_executor *x = l->x;
    here              = l;
    overflow_enter_thread(l);
    fiber_begin(l);
    watch_begin(x);
    work(l);
    fiber_end(l);
    idle_close(l);
    overflow_leave_thread(l);
    here = NULL;
    pthread_mutex_lock(&x->lock);
    x->alive--;
    pthread_cond_broadcast(&x->ended);
    pthread_mutex_unlock(&x->lock);
    return NULL;
}
