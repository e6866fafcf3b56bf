/* The slab of jobs: made as they are first needed, found by their deliveries' tags. */
#include "base/error.h"
#include "runtime/worker.h"

#include <string.h>

static _Atomic uint32_t *next_free(const void *broker, uint32_t slot)
{
    return &((const patio_broker *)broker)->jobs[slot].next_free;
}

/* The memory is not cleared: jobs that are never needed cost no page. */
patio_status pt_jobs_init(patio_broker *b, uint32_t count, patio_error *err)
{
    b->jobs = pt_alloc(b->mem, (size_t)count * sizeof(*b->jobs));
    b->tags = pt_alloc(b->mem, (size_t)count * sizeof(*b->tags));
    if (b->jobs == NULL || b->tags == NULL) {
        return pt_no_memory(err, "broker");
    }
    b->job_count = count;
    return PATIO_OK;
}

void pt_jobs_fini(patio_broker *b)
{
    for (uint32_t i = 0; i < atomic_load(&b->jobs_made); i++) {
        /* one that came while the broker stopped was never settled: it is with the transport */
        pt_buf_drop(b->jobs[i].base.request);
        pt_reports_fini(&b->jobs[i].reports);
    }
    pt_free(b->mem, b->jobs);
    pt_free(b->mem, b->tags);
}

static void make(patio_broker *b, uint32_t slot)
{
    pt_job *job = &b->jobs[slot];
    memset(job, 0, sizeof(*job));
    job->base.struct_size = sizeof(job->base);
    job->base.run         = pt_worker_run_job;
    job->base.ops         = &pt_job_ops;
    job->base.project     = b->project;
    job->end.broker       = b;
    job->await.job        = &job->base;
    pt_reports_init(&job->reports);
    atomic_store_explicit(&b->tags[slot], 0, memory_order_relaxed);
}

static pt_job *make_next(patio_broker *b)
{
    pt_job *job = NULL;
    pthread_mutex_lock(&b->lock);
    uint32_t slot = atomic_load_explicit(&b->jobs_made, memory_order_relaxed);
    if (slot < b->job_count) {
        make(b, slot);
        /* from here on it is looked at by those who look for a tag */
        atomic_store_explicit(&b->jobs_made, slot + 1, memory_order_release);
        job = &b->jobs[slot];
    }
    pthread_mutex_unlock(&b->lock);
    return job;
}

pt_job *pt_job_take(patio_broker *b)
{
    uint32_t slot = pt_stack_pop(&b->free_jobs, next_free, b);
    return slot != 0 ? &b->jobs[slot - 1] : make_next(b);
}

void pt_job_moving(patio_broker *b, int by)
{
    if (b->runtime->clock.manual) {
        atomic_fetch_add(&b->runtime->moving, (uint32_t)by);
    }
}

void pt_job_busy(pt_job *job)
{
    patio_broker *b = job->end.broker;
    pt_job_moving(b, 1);
    atomic_store_explicit(&b->tags[job - b->jobs], job->end.tag, memory_order_relaxed);
    atomic_store_explicit(&job->told, 0, memory_order_relaxed);
    atomic_store_explicit(&job->stage, 0, memory_order_relaxed);
    atomic_store_explicit(&job->busy, 1, memory_order_release);
}

void pt_job_free(pt_job *job)
{
    patio_broker *b = job->end.broker;
    /* not busy any more, then nobody at it any more: who tells it something looks the other way
     * round */
    atomic_store(&job->busy, 0);
    pt_await_end(&job->await);
    pt_queues_gave(b, job->queue);
    pt_buf_drop(job->base.request);
    job->base.request = NULL;
    if (job->viewed) {
        pt_arena_reset(&job->arena);
        job->viewed = false;
    }
    pt_stack_push(&b->free_jobs, (uint32_t)(job - b->jobs), &job->next_free);
}

/* ---- telling ---- */

bool pt_job_pin(pt_job *job)
{
    if (atomic_load_explicit(&job->busy, memory_order_relaxed) == 0) {
        return false;
    }
    pt_await_pin(&job->await);
    if (atomic_load(&job->busy) != 0) {
        return true;
    }
    pt_await_unpin(&job->await);
    return false;
}

void pt_job_unpin(pt_job *job)
{
    pt_await_unpin(&job->await);
}

static void tell_pinned(pt_job *job, uint32_t what)
{
    atomic_fetch_or(&job->told, what);
    pt_await_wake(&job->await);
}

static bool tell_if(pt_job *job, patio_tag tag, uint32_t what)
{
    if (!pt_job_pin(job)) {
        return false;
    }
    bool found = job->end.tag == tag;
    if (found) {
        tell_pinned(job, what);
        const pt_executor *x = job->end.route->executor;
        if (x != NULL) {
            (void)x->plugin->ops.cancel(x->instance, &job->base, NULL);
        }
    }
    pt_job_unpin(job);
    return found;
}

/* The tags lie side by side, so that a look at a hundred thousand takes some ten microseconds. */
bool pt_jobs_tell_now(patio_broker *b, patio_tag tag, uint32_t what)
{
    uint32_t made  = atomic_load_explicit(&b->jobs_made, memory_order_acquire);
    bool     found = false;
    for (uint32_t i = 0; i < made && !found; i++) {
        found = atomic_load_explicit(&b->tags[i], memory_order_relaxed) == tag &&
                tell_if(&b->jobs[i], tag, what);
    }
    return found;
}

void pt_jobs_tell(patio_broker *b, patio_tag tag, uint32_t what)
{
    if (!pt_jobs_tell_now(b, tag, what)) {
        pt_early_add(b, tag, what);
    }
}

void pt_jobs_tell_all(patio_broker *b, uint32_t what)
{
    uint32_t made = atomic_load_explicit(&b->jobs_made, memory_order_acquire);
    for (uint32_t i = 0; i < made; i++) {
        if (pt_job_pin(&b->jobs[i])) {
            tell_pinned(&b->jobs[i], what);
            pt_job_unpin(&b->jobs[i]);
        }
    }
}
