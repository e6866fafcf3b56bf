/* What other threads do: bring jobs, wake tasks. */
#include "async.h"

item item_next(item i)
{
    const patio_job *job = job_of(i);
    return job != NULL ? (item)job->link[1] : fiber_of(i)->next;
}

void item_set_next(item i, item next)
{
    patio_job *job = job_of(i);
    if (job != NULL) {
        job->link[1] = (void *)next;
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
    if (atomic_exchange(&l->sleeping, 0) != 0) {
        (void)uv_async_send(&l->async);
    }
    atomic_fetch_sub(&l->senders, 1);
}

static void send_to(loop *l, item i)
{
    item first = atomic_load_explicit(&l->inbox, memory_order_relaxed);
    do {
        item_set_next(i, first);
    } while (!atomic_compare_exchange_weak(&l->inbox, &first, i));
    wake_loop(l);
}

static void make_ready(loop *l, item i)
{
    if (here == l) {
        loop_push(l, i);
    } else {
        send_to(l, i);
    }
}

void wake_fiber(fiber *f)
{
    if (atomic_exchange(&f->wake, WOKEN) == PARKED) {
        make_ready(f->loop, item_of_fiber(f));
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
    if (own != NULL && own->x == x && own->ready_count < FEW &&
        atomic_load_explicit(&own->active, memory_order_relaxed) < own->share) {
        return own;
    }
    uint32_t from  = atomic_fetch_add_explicit(&x->next, 1, memory_order_relaxed);
    loop    *best  = NULL;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < x->loop_count; i++) {
        loop    *l = &x->loops[(from + i) % x->loop_count];
        uint32_t n = atomic_load_explicit(&l->active, memory_order_relaxed);
        if (n < least) {
            least = n;
            best  = l;
        }
    }
    return best;
}

patio_status submit_job(patio_executor *x, patio_job *job, patio_error *err)
{
    loop *l = choose(x);
    /* counted before it is looked whether we run: a stop ends when nothing is counted any more */
    uint32_t before = atomic_fetch_add(&l->active, 1);
    if (atomic_load(&x->running) == 0) {
        atomic_fetch_sub(&l->active, 1);
        wake_loop(l);
        return patio_fail(err, PATIO_CLOSED, 0, "task %s: the async executor is stopped",
                          job->task);
    }
    if (before >= l->share + x->queue_max) {
        atomic_fetch_sub(&l->active, 1);
        atomic_store(&x->refused, 1);
        return patio_fail(err, PATIO_FULL, 0,
                          "task %s: %u tasks are in work and %u wait, as many as max_workers and "
                          "queue_max allow",
                          job->task, l->share, x->queue_max);
    }
    bind_job(job, NULL);
    atomic_store_explicit(word_of_job(job, 2), NULL, memory_order_relaxed);
    atomic_store_explicit(word_of_job(job, 3), l, memory_order_release);
    make_ready(l, item_of_job(job));
    return PATIO_OK;
}

/* One that runs looks at its circumstances, and ends its wait. One that was not started is
 * forgotten by its loop, now or when its turn comes. */
patio_status cancel_job(patio_executor *x, patio_job *job, patio_error *err)
{
    (void)x;
    (void)err;
    atomic_store(word_of_job(job, 2), job);
    fiber *f = fiber_of_job(job);
    loop  *l = atomic_load(word_of_job(job, 3));
    if (f != NULL) {
        wake_fiber(f);
    } else if (l != NULL) {
        atomic_store(&l->cancels, 1);
        wake_loop(l);
    }
    return PATIO_OK;
}
