/* What other threads do: bring jobs, wake tasks. */
#include "async.h"

item item_next(item i)
{
    const patio_job *job = job_of(i);
    return job != NULL ? (item)job->link[0] : fiber_of(i)->next;
}

void item_set_next(item i, item next)
{
    patio_job *job = job_of(i);
    if (job != NULL) {
        job->link[0] = (void *)next;
    } else {
        fiber_of(i)->next = next;
    }
}

void wake_loop(loop *l)
{
    if (atomic_load(&l->sleeping) == 0) {
        return; /* it looks before it sleeps */
    }
    /* Counted, because the loop may wake by itself, end, and close what we are about to use. */
    atomic_fetch_add(&l->senders, 1);
    switch (atomic_exchange(&l->sleeping, LOOP_AWAKE)) {
    case LOOP_SLEEPS:
        (void)uv_async_send(&l->async);
        break;
    case LOOP_POLLS:
        l->x->poll->interrupt(l->x->transport);
        break;
    default:
        break;
    }
    atomic_fetch_sub(&l->senders, 1);
}

/* This is the loop's thread, and it has something to run: if it is inside `poll`, that is to end.
 */
static void end_poll(loop *l)
{
    if (atomic_load_explicit(&l->sleeping, memory_order_relaxed) == LOOP_POLLS) {
        wake_loop(l);
    }
}

/* Last in first; the loop turns them round. */
static void send_to(loop *l, item i)
{
    item first = atomic_load_explicit(&l->inbox, memory_order_relaxed);
    do {
        item_set_next(i, first);
    } while (!atomic_compare_exchange_weak(&l->inbox, &first, i));
    wake_loop(l);
}

void wake_fiber(fiber *f)
{
    if (atomic_exchange(&f->wake, WOKEN) != PARKED) {
        return;
    }
    if (here == f->loop) {
        loop_push(f->loop, f);
        end_poll(f->loop);
    } else {
        send_to(f->loop, item_of_fiber(f));
    }
}

/* Where a job runs soonest: here, if this is a loop that has little to do; it costs no wake-up.
 * Else where the least is in work. */
static loop *choose(patio_executor *x)
{
    enum { FEW = 16 };
    if (x->loop_count == 1) {
        return &x->loops[0];
    }
    loop *own = here;
    if (own != NULL && own->x == x && own->ready_count + own->waiting.count < FEW &&
        active_of(own) < own->share) {
        return own;
    }
    uint32_t from  = atomic_fetch_add_explicit(&x->next, 1, memory_order_relaxed);
    loop    *best  = NULL;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < x->loop_count; i++) {
        loop    *l = &x->loops[(from + i) % x->loop_count];
        uint32_t n = active_of(l);
        if (n < least) {
            least = n;
            best  = l;
        }
    }
    return best;
}

/* One more, unless there are too many. What is done is the loop's to write: its line is fetched
 * only where the last look at it does not suffice. Signed, for it may be ahead of what we counted.
 */
static bool count_in(loop *l, uint32_t most)
{
    uint32_t before = atomic_fetch_add(&l->taken, 1);
    uint32_t done   = atomic_load_explicit(&l->done_seen, memory_order_relaxed);
    if ((int32_t)(before - done) >= (int32_t)most) {
        done = atomic_load(&l->done);
        atomic_store_explicit(&l->done_seen, done, memory_order_relaxed);
    }
    return (int32_t)(before - done) < (int32_t)most;
}

static void count_out(loop *l)
{
    atomic_fetch_sub(&l->taken, 1);
    if (atomic_load(&l->x->running) == 0) {
        wake_loop(l); /* it may have waited for this one */
    }
}

/* Whoever finishes a job looks for those that were refused after; we look for room after we said
 * that we were: one sees the other. */
static bool find_room(patio_executor *x, loop *l)
{
    for (int i = 0; i < 2; i++) {
        if (count_in(l, l->share + x->queue_max)) {
            return true;
        }
        count_out(l);
        atomic_store(&x->refused, 1);
    }
    return false;
}

patio_status submit_job(patio_executor *x, patio_job *job, patio_error *err)
{
    loop *l = choose(x);
    if (!find_room(x, l)) {
        return patio_fail(err, PATIO_FULL, 0,
                          "task %s: %u tasks are in work and %u wait, as many as max_workers and "
                          "queue_max allow",
                          job->task, l->share, x->queue_max);
    }
    /* counted before it is looked whether we run: a stop ends when nothing is counted any more */
    if (atomic_load(&x->running) == 0) {
        count_out(l);
        return patio_fail(err, PATIO_CLOSED, 0, "task %s: the async executor is stopped",
                          job->task);
    }
    atomic_store_explicit(word_of_job(job), (uintptr_t)l, memory_order_release);
    if (here == l) {
        loop_queue(l, job);
        end_poll(l);
    } else {
        send_to(l, item_of_job(job));
    }
    return PATIO_OK;
}

/* One that runs looks at its circumstances, and ends its wait. One that was not started is given
 * back by its loop. */
patio_status cancel_job(patio_executor *x, patio_job *job, patio_error *err)
{
    (void)x;
    (void)err;
    uintptr_t word = atomic_load(word_of_job(job));
    while (word != 0 && (word & JOB_BITS) == 0) {
        if (atomic_compare_exchange_weak(word_of_job(job), &word, word | JOB_CANCELLED)) {
            loop *l = (loop *)word;
            atomic_store(&l->cancels, 1);
            wake_loop(l);
            return PATIO_OK;
        }
    }
    if ((word & JOB_RUNS) != 0) {
        wake_fiber((fiber *)(word & ~(uintptr_t)JOB_BITS));
    }
    return PATIO_OK;
}
