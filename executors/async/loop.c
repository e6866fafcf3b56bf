/* The thread of a loop: what is ready runs, in rounds, so that those who yield to each other do not
 * keep timers and descriptors waiting; with nothing ready it sleeps in the uv loop. */
#include "async.h"

#include <stdio.h>

enum {
    POLL_NS            = 200 * 1000, /* a busy loop looks for events as often */
    NO_MEMORY_PAUSE_MS = 100,
};

_Thread_local loop *here;

void loop_push(loop *l, item i)
{
    item_set_next(i, 0);
    if (l->ready_last != 0) {
        item_set_next(l->ready_last, i);
    } else {
        l->ready_first = i;
    }
    l->ready_last = i;
    l->ready_count++;
}

static item pop(loop *l)
{
    item i         = l->ready_first;
    l->ready_first = item_next(i);
    l->ready_last  = l->ready_first != 0 ? l->ready_last : 0;
    l->ready_count--;
    return i;
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
        item next = item_next(first);
        loop_push(l, first);
        first = next;
    }
}

static void finish(loop *l, patio_job *job, const patio_outcome *outcome)
{
    patio_executor *x = l->x;
    bind_job(job, NULL);
    atomic_fetch_sub(&l->active, 1);
    x->events->done(x->events->self, job, outcome);
    if (atomic_load_explicit(&x->refused, memory_order_relaxed) != 0 &&
        atomic_exchange(&x->refused, 0) != 0) {
        x->events->room(x->events->self);
    }
}

void loop_give_back(loop *l, patio_job *job, patio_status status, uint64_t delay_ms)
{
    patio_outcome outcome = {PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN, .status = status,
                             .delay_ms = delay_ms};
    finish(l, job, &outcome);
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
        loop_give_back(l, job, PATIO_NO_MEMORY, NO_MEMORY_PAUSE_MS);
        return;
    }
    l->running_count++;
    f->job     = job;
    f->outcome = (patio_outcome){PATIO_SIZED(patio_outcome)};
    atomic_store_explicit(&f->wake, AWAKE, memory_order_relaxed);
    bind_job(job, f);
    resume(l, f);
}

static void queue(loop *l, patio_job *job)
{
    job->link[1] = NULL;
    if (l->waiting_last != NULL) {
        l->waiting_last->link[1] = job;
    } else {
        l->waiting_first = job;
    }
    l->waiting_last = job;
}

/* Beyond the share it waits for one to end. */
static void start_or_queue(loop *l, patio_job *job)
{
    if (is_cancelled(job)) {
        loop_give_back(l, job, PATIO_CANCELLED, 0);
    } else if (l->running_count < l->share) {
        start(l, job);
    } else {
        queue(l, job);
    }
}

/* Those that were cancelled go back, the others keep their order. */
static void drop_cancelled(loop *l)
{
    patio_job *job   = l->waiting_first;
    l->waiting_first = NULL;
    l->waiting_last  = NULL;
    while (job != NULL) {
        patio_job *next = job->link[1];
        if (is_cancelled(job)) {
            loop_give_back(l, job, PATIO_CANCELLED, 0);
        } else {
            queue(l, job);
        }
        job = next;
    }
}

static void start_waiting(loop *l)
{
    while (l->waiting_first != NULL && l->running_count < l->share) {
        patio_job *job   = l->waiting_first;
        l->waiting_first = job->link[1];
        l->waiting_last  = l->waiting_first != NULL ? l->waiting_last : NULL;
        start(l, job);
    }
}

static void give_back_waiting(loop *l)
{
    while (l->waiting_first != NULL) {
        patio_job *job   = l->waiting_first;
        l->waiting_first = job->link[1];
        loop_give_back(l, job, PATIO_CLOSED, 0);
    }
    l->waiting_last = NULL;
}

/* What is ready now, once; what becomes ready meanwhile comes in the next round. */
static void run_round(loop *l)
{
    for (uint32_t n = l->ready_count; n > 0; n--) {
        item       i   = pop(l);
        patio_job *job = job_of(i);
        if (job == NULL) {
            resume(l, fiber_of(i));
        } else if (l->stops) {
            loop_give_back(l, job, PATIO_CLOSED, 0);
        } else {
            start_or_queue(l, job);
        }
    }
    if (l->waiting_first != NULL) {
        start_waiting(l);
    }
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
        if (l->ready_count == 0 && atomic_load_explicit(&l->inbox, memory_order_relaxed) == 0) {
            if (l->stops && atomic_load(&l->active) == 0) {
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
