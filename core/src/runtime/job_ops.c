/* What an executor that does not call job->run may ask of a job: patio_job_ops. */
#include <string.h>

#include "base/error.h"
#include "runtime/worker.h"

static pt_job *own(patio_job *base)
{
    return (pt_job *)base;
}

static bool job_begin(patio_job *base, patio_outcome *out)
{
    return pt_worker_begin(own(base), out);
}

static bool fill_view(pt_job *job, patio_job_view *view, patio_status *st, patio_error *err)
{
    patio_broker   *b       = job->end.broker;
    pt_request      request = {.kind = 0};
    pt_payload_view payload = {.kind = 0};
    pt_values       values  = {.count = 0};
    pt_arena_init(&job->arena, b->mem, NULL, 0, (size_t)b->max_decode_bytes);
    job->viewed = true;
    *st         = pt_decode_task(&job->arena, pt_buf_view(job->base.request), b->project, &request,
                                 &payload, &values, err);
    if (*st != PATIO_OK) {
        return false;
    }
    patio_job_view full = {
        .struct_size   = view->struct_size,
        .kind          = payload.kind,
        .content_type  = payload.content_type,
        .payload       = payload.bytes,
        .values        = values.positional,
        .value_count   = values.count,
        .keywords      = values.keywords.as.items,
        .keyword_count = values.keywords.size,
        .traceparent   = request.traceparent,
        .tracestate    = request.tracestate,
        .headers       = request.headers,
        .header_count  = request.header_count,
    };
    job->listened = request.wants_progress;
    memcpy(view, &full, view->struct_size < sizeof(full) ? view->struct_size : sizeof(full));
    return true;
}

static bool job_view(patio_job *base, patio_job_view *view, patio_outcome *out)
{
    pt_job      *job = own(base);
    pt_run       run = pt_worker_run(job);
    patio_status st  = PATIO_OK;
    patio_error  err;
    pt_error_init(&err);
    if (job->viewed) {
        pt_run_refuse(&run, PATIO_STATE, "STATE", "a job is viewed once", out);
        return false;
    }
    if (!fill_view(job, view, &st, &err)) {
        pt_run_undecodable(&run, st, &err, out);
        return false;
    }
    return true;
}

static void job_succeed(patio_job *base, const patio_payload *result, patio_outcome *out)
{
    pt_run run = pt_worker_run(own(base));
    pt_run_succeed(&run, result, out);
}

static void job_fail(patio_job *base, patio_status status, uint64_t delay_ms, int32_t code,
                     const char *type, const char *message, patio_outcome *out)
{
    pt_run run = pt_worker_run(own(base));
    pt_run_fail(&run, status, delay_ms, code, type, message, out);
}

static bool job_cancelled(const patio_job *base)
{
    return atomic_load_explicit(&((const pt_job *)base)->told, memory_order_acquire) != 0;
}

static void job_progress(patio_job *base, const patio_progress *progress)
{
    pt_job *job = own(base);
    if (!job->viewed || job->listened) {
        pt_report(job, progress);
    }
}

static void job_log(const patio_job *base, int32_t level, const char *text)
{
    const pt_job *job = (const pt_job *)base;
    const pt_log *log = &job->end.broker->runtime->log;
    if (pt_log_on(log, level)) {
        char id[33];
        patio_id_format(base->id, id);
        pt_log_line(log, level, "task", id, text);
    }
}

const patio_job_ops pt_job_ops = {
    PATIO_SIZED(patio_job_ops), .begin = job_begin, .view = job_view,
    .succeed = job_succeed,     .fail = job_fail,   .cancelled = job_cancelled,
    .progress = job_progress,   .log = job_log,
};
