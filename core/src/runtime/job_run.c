/* A job on its executor's thread: may it begin, its run, and what the executor says of its end. */
#include "base/clock.h"
#include "base/error.h"
#include "runtime/ahead.h"
#include "runtime/worker.h"

/* At most once by choice: the task is taken out of reach before it starts. */
static patio_status claim(pt_job *job)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_CLAIM};
    patio_broker    *b = job->end.broker;
    return b->transport_plugin->ops.settle(b->transport, job->end.tag, &s, NULL);
}

static patio_status before_run(pt_job *job)
{
    patio_broker *b = job->end.broker;
    if (job->end.crashes >= job->end.policy->max_crashes) {
        return PATIO_TASK_CRASHED;
    }
    if (atomic_load_explicit(&job->told, memory_order_acquire) != 0) {
        return PATIO_CANCELLED;
    }
    if (job->base.deadline_ns != 0 && pt_clock_passed(&b->runtime->clock, job->base.deadline_ns)) {
        return PATIO_TIMEOUT;
    }
    if (job->end.policy->ack != PATIO_ACK_ON_DONE) {
        return claim(job);
    }
    if ((b->transport_plugin->ops.caps & PATIO_CAP_STARTED) != 0) {
        return b->transport_plugin->ops.started(b->transport, job->end.tag, NULL);
    }
    return PATIO_OK;
}

static void host_progress(void *self, const patio_progress *progress)
{
    pt_report(self, progress);
}

static void host_log(void *self, const patio_id *id, int32_t level, const char *text)
{
    (void)id;
    pt_job_ops.log(self, level, text);
}

pt_run pt_worker_run(pt_job *job)
{
    static const pt_run_host host = {.progress = host_progress, .log = host_log};
    patio_broker            *b    = job->end.broker;
    return (pt_run){
        .mem              = b->mem,
        .host             = &host,
        .host_self        = job,
        .log              = &b->runtime->log,
        .broker           = b,
        .clock            = &b->runtime->clock,
        .task             = job->end.route->task,
        .project          = b->project,
        .id               = job->base.id,
        .request          = job->base.request,
        .deadline_ns      = job->base.deadline_ns,
        .fence            = job->base.fence,
        .attempt          = job->end.attempt,
        .wants_reply      = pt_wants_reply(&job->end),
        .told             = &job->told,
        .max_body_bytes   = b->max_body_bytes,
        .max_decode_bytes = b->max_decode_bytes,
        .awaiter          = &job->await,
    };
}

bool pt_worker_begin(pt_job *job, patio_outcome *out)
{
    if (!pt_ahead_over(job)) {
        *out = (patio_outcome){
            .struct_size = out->struct_size, .verdict = PATIO_RETURN, .status = PATIO_CLOSED};
        return false;
    }
    patio_status st = before_run(job);
    if (st != PATIO_OK) {
        pt_run run = pt_worker_run(job);
        pt_run_refuse(&run, st, patio_status_name(st), patio_status_text(st), out);
        return false;
    }
    job->begun = true;
    PT_COUNT(job->end.broker->worked.started);
    return true;
}

void pt_worker_run_job(patio_job *base, patio_outcome *out)
{
    pt_job *job = (pt_job *)base;
    if (pt_worker_begin(job, out)) {
        _Alignas(16) uint8_t scratch[PT_RUN_SCRATCH_BYTES];
        pt_run               run = pt_worker_run(job);
        run.scratch              = scratch;
        run.scratch_bytes        = sizeof(scratch);
        pt_run_task(&run, out);
    }
}

static void count_stuck(patio_broker *b, int by)
{
    pthread_mutex_lock(&b->lock);
    b->stuck += (uint32_t)by;
    pt_health_changed(b);
    pthread_mutex_unlock(&b->lock);
}

void pt_worker_done(void *self, patio_job *base, const patio_outcome *outcome)
{
    pt_executor *x   = self;
    pt_job      *job = (pt_job *)base;
    pt_policy    policy;
    pt_ending    end  = pt_job_ending(job, &policy);
    uint32_t     told = atomic_load(&job->told);
    bool         gone = !pt_ahead_over(job);
    if (job->begun) {
        PT_COUNT(end.broker->worked.ended);
    }
    pt_reports_close(job);
    pt_job_free(job);
    /* One that nobody cancelled was only given back, whatever the executor calls it. */
    static const patio_outcome given_back = {PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN,
                                             .status = PATIO_CLOSED};
    bool doubtful = outcome->verdict == PATIO_RETURN && outcome->status == PATIO_CANCELLED &&
                    (told & PT_TOLD_CANCEL) == 0;
    /* With the lease lost somebody else may run it: what this run says is not asked for. */
    if (gone) {
        pt_ahead_gone(end.broker);
    } else if ((told & (PT_TOLD_LEASE | PT_TOLD_STOP | PT_TOLD_STUCK)) == 0) {
        pt_settle_outcome(&end, doubtful ? &given_back : outcome);
    } else if ((told & PT_TOLD_STUCK) == 0) {
        PT_COUNT(end.broker->worked.settlements_failed);
    } else {
        count_stuck(end.broker, -1);
    }
    pt_buf_drop(outcome->reply);
    /* only now: settling it may have brought the one whose turn is next */
    if (end.broker->queue_count > 1 && (told & PT_TOLD_STUCK) == 0) {
        pt_held_freed(x);
    }
    pt_job_moving(end.broker, -1);
}

void pt_worker_stuck(void *self, patio_job *base)
{
    pt_job   *job  = (pt_job *)base;
    pt_ending end  = job->end;
    uint32_t  told = atomic_fetch_or(&job->told, PT_TOLD_STUCK);
    count_stuck(end.broker, 1);
    if (end.broker->queue_count > 1 && (told & PT_TOLD_STUCK) == 0) {
        pt_held_freed(self); /* another thread stands in for its own */
    }
    if ((told & (PT_TOLD_LEASE | PT_TOLD_STOP | PT_TOLD_STUCK)) != 0) {
        return;
    }
    patio_outcome out = {PATIO_SIZED(patio_outcome)};
    pt_job_ops.fail(
        base, PATIO_TASK_RETRY, 0, PATIO_TIMEOUT, "Stuck",
        "it did not return after its deadline, though it was told, and holds its thread", &out);
    pt_reports_shut(job);
    pt_queues_gave(end.broker, job->queue);
    job->queue = NULL;
    pt_settle_outcome(&end, &out);
    pt_buf_drop(out.reply);
}

void pt_worker_worn_out(void *self, const patio_error *why)
{
    pt_executor  *x = self;
    patio_broker *b = x->broker;
    pthread_mutex_lock(&b->lock);
    bool first = !b->worn;
    if (first) {
        b->worn_why.struct_size = sizeof(b->worn_why);
        pt_error_copy(&b->worn_why, why);
        b->worn = true;
        pt_health_changed(b);
    }
    pthread_mutex_unlock(&b->lock);
    if (first) {
        pt_log_printf(&b->runtime->log, PATIO_LOG_ERROR, "broker",
                      "executor %s is worn out: %s; this process should be begun anew",
                      x->plugin->identity->name, why->message);
    }
}
