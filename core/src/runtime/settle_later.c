/* Deliveries that are settled without a run, by the timer thread. */
#include <string.h>

#include "base/error.h"
#include "runtime/ahead.h"
#include "runtime/worker.h"

enum { NO_JOB_PAUSE_MS = 20 };

/* Nothing of the transport may be called inside `delivered`; what must be settled without running
 * is settled by the timer thread. */
static void settle_deferred(void *self)
{
    patio_broker *b = self;
    patio_tag     refused[PT_REFUSED_MAX];
    pthread_mutex_lock(&b->lock);
    pt_timers_drop(b->runtime->timers, b->defer_timer); /* if it is not the timer that called */
    pt_job  *list    = b->deferred;
    uint32_t count   = b->refused_count;
    b->deferred      = NULL;
    b->refused_count = 0;
    b->defer_timer   = 0;
    memcpy(refused, b->refused, count * sizeof(refused[0]));
    pthread_mutex_unlock(&b->lock);
    while (list != NULL) {
        pt_job       *job = list;
        pt_policy     policy;
        pt_ending     end = pt_job_ending(job, &policy);
        patio_outcome out = {.verdict  = job->deferred_verdict,
                             .status   = job->deferred_status,
                             .delay_ms = job->deferred_delay_ms};
        list              = job->next;
        if (out.verdict == PATIO_REJECT && pt_wants_reply(&end)) {
            pt_run run = pt_worker_run(job);
            pt_run_refuse(&run, out.status, patio_status_name(out.status),
                          patio_status_text(out.status), &out);
        }
        pt_job_free(job);
        pt_settle_outcome(&end, &out);
        pt_buf_drop(out.reply);
    }
    for (uint32_t i = 0; i < count; i++) {
        pt_settle_return(b, refused[i], NO_JOB_PAUSE_MS);
    }
}

/* Under the lock. */
static void settle_soon(patio_broker *b)
{
    if (b->defer_timer == 0) {
        b->defer_timer = pt_timers_after(b->runtime->timers, 0, settle_deferred, b);
    }
}

void pt_settle_later(pt_job *job, uint32_t verdict, patio_status status, uint64_t delay_ms)
{
    patio_broker *b = job->end.broker;
    pt_job_moving(b, -1);
    if (!pt_ahead_over(job)) {
        pt_job_free(job);
        pt_ahead_gone(b);
        return;
    }
    job->deferred_verdict  = verdict;
    job->deferred_status   = status;
    job->deferred_delay_ms = delay_ms;
    pthread_mutex_lock(&b->lock);
    job->next   = b->deferred;
    b->deferred = job;
    settle_soon(b);
    pthread_mutex_unlock(&b->lock);
}

void pt_settle_no_job(patio_broker *b, patio_tag tag)
{
    pthread_mutex_lock(&b->lock);
    bool noted = b->refused_count < PT_REFUSED_MAX;
    if (noted) {
        b->refused[b->refused_count++] = tag;
        settle_soon(b);
    }
    pthread_mutex_unlock(&b->lock);
    if (!noted) {
        /* far beyond the credit: a bug of the transport, whose lease must bring it to another */
        PT_COUNT(b->worked.settlements_failed);
        pt_log_printf(&b->runtime->log, PATIO_LOG_ERROR, "broker",
                      "transport %s delivers beyond the credit; a delivery was ignored",
                      b->transport_plugin->identity->name);
    }
}

void pt_settle_now(patio_broker *b)
{
    settle_deferred(b);
}
