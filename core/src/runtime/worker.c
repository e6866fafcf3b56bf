/* The worker's way: delivery -> job -> executor -> run -> settlement. */
#include "base/clock.h"
#include "base/error.h"
#include "runtime/broker.h"

#include <patio/plugin_util.h>

#include <string.h>

enum { UNKNOWN_TASK_PAUSE_MS = 1000, FULL_PAUSE_MS = 20 };

static void run_job(patio_job *base, patio_outcome *out);

/* ---- jobs ---- */

static _Atomic uint32_t *next_free(const void *broker, uint32_t slot)
{
    return &((const patio_broker *)broker)->jobs[slot].next_free;
}

static pt_job *take_job(patio_broker *b)
{
    uint32_t slot = pt_stack_pop(&b->free_jobs, next_free, b);
    return slot != 0 ? &b->jobs[slot - 1] : NULL;
}

static void free_job(pt_job *job)
{
    patio_broker *b = job->broker;
    pt_buf_drop(job->base.request);
    job->base.request = NULL;
    atomic_store_explicit(&job->busy, 0, memory_order_release);
    pt_stack_push(&b->free_jobs, (uint32_t)(job - b->jobs), &job->next_free);
}

/* Queues with their tasks, and jobs for what their credit allows. */
static patio_status add_to_queue(patio_broker *b, const pt_route *route, patio_error *err)
{
    pt_queue *q = NULL;
    for (size_t i = 0; i < b->queue_count && q == NULL; i++) {
        q = strcmp(b->queues[i].name, route->options.queue) == 0 ? &b->queues[i] : NULL;
    }
    if (q == NULL) {
        q        = &b->queues[b->queue_count];
        q->name  = route->options.queue;
        q->tasks = pt_calloc(&b->mem, b->route_count, sizeof(*q->tasks));
        if (q->tasks == NULL) {
            return pt_no_memory(err, "broker");
        }
        b->queue_count++;
    }
    if (route->executor->slots > 0) {
        q->tasks[q->task_count++] = route->task->name;
        q->slots = route->executor->slots > q->slots ? route->executor->slots : q->slots;
    }
    return PATIO_OK;
}

patio_status pt_worker_start(patio_broker *b, patio_error *err)
{
    if (b->route_count == 0) {
        return PATIO_OK;
    }
    b->queues = pt_calloc(&b->mem, b->route_count, sizeof(*b->queues));
    if (b->queues == NULL) {
        return pt_no_memory(err, "broker");
    }
    uint32_t credit = 0;
    for (size_t i = 0; i < b->route_count; i++) {
        patio_status st = add_to_queue(b, &b->routes[i], err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    for (size_t i = 0; i < b->queue_count; i++) {
        credit += b->queues[i].slots + (uint32_t)b->core[PT_CORE_LOOKAHEAD].number;
    }
    /* Beside those under a lease: one per thread that has settled its task but not freed the job
     * yet, or runs on with its lease lost. That is at most as many as run side by side, and the
     * timer thread and the one that stops the broker, which settle what is deferred. */
    b->job_count = 2 * credit + 2;
    b->jobs      = pt_calloc(&b->mem, b->job_count, sizeof(*b->jobs));
    if (b->jobs == NULL) {
        b->job_count = 0;
        return pt_no_memory(err, "broker");
    }
    for (uint32_t i = 0; i < b->job_count; i++) {
        pt_job *job           = &b->jobs[i];
        job->base.struct_size = sizeof(job->base);
        job->base.run         = run_job;
        job->broker           = b;
        pt_stack_push(&b->free_jobs, i, &job->next_free);
    }
    return PATIO_OK;
}

void pt_worker_fini(patio_broker *b)
{
    for (size_t i = 0; i < b->queue_count; i++) {
        pt_free(&b->mem, (void *)(uintptr_t)b->queues[i].tasks);
    }
    pt_free(&b->mem, b->queues);
    for (uint32_t i = 0; i < b->job_count; i++) {
        /* one that came while the broker stopped was never settled: it is with the transport */
        pt_buf_drop(b->jobs[i].base.request);
    }
    pt_free(&b->mem, b->jobs);
}

/* ---- settling ---- */

static void settle(patio_broker *b, patio_tag tag, const patio_settlement *s)
{
    patio_error  err = {.struct_size = sizeof(err)};
    patio_status st  = b->transport_plugin->ops.settle(b->transport, tag, s, &err);
    if (st != PATIO_OK) {
        PT_COUNT(b->worked.settlements_failed);
        pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker", "settlement was refused (%s): %s",
                      patio_status_name(st), err.message);
    }
}

/* To the dead letters, saying why. */
static void reject(pt_job *job, const char *cause, const patio_outcome *out)
{
    _Alignas(16) uint8_t scratch[512];
    pt_arena             arena;
    patio_broker        *b = job->broker;
    pt_arena_init(&arena, &b->mem, scratch, sizeof(scratch), 4096);
    pt_death death = {
        .cause      = cause,
        .status     = out->status,
        .message    = patio_status_text(out->status),
        .error_type = patio_status_name(out->status),
        .attempts   = job->attempt,
        .crashes    = job->crashes,
    };
    pt_reply        reply;
    pt_payload_view payload;
    pt_arena        reading;
    pt_arena_init(&reading, &b->mem, job->scratch, sizeof(job->scratch),
                  (size_t)b->max_decode_bytes);
    if (out->reply != NULL &&
        pt_decode_reply(&reading, pt_buf_view(out->reply), &reply, &payload, NULL) == PATIO_OK) {
        death.message    = reply.error_message;
        death.error_type = reply.error_type;
    }
    patio_settlement s = {
        PATIO_SIZED(patio_settlement),
        .verdict = PATIO_REJECT,
        .cause   = pt_encode_death(&arena, &death),
        .reply   = (job->flags & PATIO_MESSAGE_CALL) != 0 ? out->reply : NULL,
    };
    PT_COUNT(b->worked.rejected);
    settle(b, job->tag, &s);
    pt_arena_reset(&reading);
    pt_arena_reset(&arena);
}

/* It ran, and ended in an error for good. Somebody who waits has the error: that is an end like any
 * other. Where nobody waits, the dead letters show it. */
static void settle_failure(pt_job *job, const char *cause, const patio_outcome *out)
{
    PT_COUNT(job->broker->worked.failed);
    if ((job->flags & PATIO_MESSAGE_CALL) == 0 || out->reply == NULL) {
        reject(job, cause, out);
        return;
    }
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK, .reply = out->reply};
    settle(job->broker, job->tag, &s);
}

static void settle_retry(pt_job *job, const patio_outcome *out)
{
    patio_broker             *b       = job->broker;
    const patio_task_options *options = &job->route->options;
    if (job->attempt >= options->max_attempts) {
        settle_failure(job, "attempts", out);
        return;
    }
    uint64_t delay = out->delay_ms;
    if (delay == 0) {
        uint64_t random = 0;
        (void)pt_random(&random, sizeof(random));
        delay = patio_backoff_ms(job->attempt, options->backoff_base_ms, options->backoff_cap_ms,
                                 random);
    }
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETRY, .delay_ms = delay};
    PT_COUNT(b->worked.retried);
    settle(b, job->tag, &s);
}

static void settle_outcome(pt_job *job, const patio_outcome *out)
{
    patio_broker    *b = job->broker;
    patio_settlement s = {PATIO_SIZED(patio_settlement)};
    switch (out->verdict) {
    case PATIO_ACK:
        PT_COUNT(b->worked.ok);
        s.verdict = PATIO_ACK;
        s.reply   = (job->flags & PATIO_MESSAGE_CALL) != 0 ? out->reply : NULL;
        settle(b, job->tag, &s);
        return;
    case PATIO_RETRY:
        settle_retry(job, out);
        return;
    case PATIO_RETURN:
        PT_COUNT(b->worked.returned);
        s.verdict  = PATIO_RETURN;
        s.delay_ms = out->delay_ms;
        settle(b, job->tag, &s);
        return;
    default:
        if (out->status == PATIO_TASK_FAILED) {
            settle_failure(job, "failed", out);
        } else if (out->status == PATIO_CANCELLED) {
            /* its caller gave it up before it was started: nothing died */
            s.verdict = PATIO_ACK;
            settle(b, job->tag, &s);
        } else {
            reject(job, out->status == PATIO_TIMEOUT ? "expired" : "undecodable", out);
        }
        return;
    }
}

/* Nothing of the transport may be called inside `delivered`; what must be settled without running
 * is settled by the timer thread. */
static void settle_list(patio_broker *b)
{
    pthread_mutex_lock(&b->lock);
    pt_job *list = b->deferred;
    b->deferred  = NULL;
    pthread_mutex_unlock(&b->lock);
    while (list != NULL) {
        pt_job       *job = list;
        patio_outcome out = {.verdict  = job->deferred_verdict,
                             .status   = job->deferred_status,
                             .delay_ms = job->deferred_delay_ms};
        list              = job->next;
        settle_outcome(job, &out);
        free_job(job);
    }
}

static void settle_deferred(void *self)
{
    patio_broker *b = self;
    pthread_mutex_lock(&b->lock);
    b->defer_timer = 0;
    pthread_mutex_unlock(&b->lock);
    settle_list(b);
}

static void defer(pt_job *job, uint32_t verdict, patio_status status, uint64_t delay_ms)
{
    patio_broker *b        = job->broker;
    job->deferred_verdict  = verdict;
    job->deferred_status   = status;
    job->deferred_delay_ms = delay_ms;
    pthread_mutex_lock(&b->lock);
    job->next   = b->deferred;
    b->deferred = job;
    if (b->defer_timer == 0) {
        b->defer_timer = pt_timers_after(b->runtime->timers, 0, settle_deferred, b);
    }
    pthread_mutex_unlock(&b->lock);
}

void pt_worker_flush(patio_broker *b)
{
    settle_list(b); /* the timer, if it is set, finds nothing, or is cancelled by the stop */
}

/* ---- what the transport says ---- */

static void fill_job(pt_job *job, const pt_route *route, const patio_delivery *d)
{
    const patio_message *m   = d->message;
    uint64_t             now = pt_now_ns();
    uint64_t             end = pt_after_ms(now, route->options.attempt_timeout_ms);
    if (m->ttl_ms != 0) {
        uint64_t call_end = pt_after_ms(now, m->ttl_ms);
        end               = call_end < end ? call_end : end;
    }
    job->base.task        = route->task->name;
    job->base.id          = m->id;
    job->base.deadline_ns = end == UINT64_MAX ? 0 : end;
    job->base.request     = pt_buf_ref(m->body);
    job->route            = route;
    job->tag              = d->tag;
    job->fence            = d->fence;
    job->attempt          = m->attempt != 0 ? m->attempt : 1;
    job->crashes          = m->crashes;
    job->flags            = m->flags;
    atomic_store_explicit(&job->told, 0, memory_order_relaxed);
    atomic_store_explicit(&job->busy, 1, memory_order_release);
}

void pt_worker_delivered(void *self, const patio_delivery *d)
{
    patio_broker   *b     = self;
    const pt_route *route = pt_broker_route(b, d->message->task);
    pt_job         *job   = take_job(b);
    PT_COUNT(b->worked.received);
    if (job == NULL) {
        /* the transport gave more than the credit; its lease brings the task to somebody else */
        PT_COUNT(b->worked.settlements_failed);
        pt_log_printf(&b->runtime->log, PATIO_LOG_ERROR, "broker",
                      "transport %s delivered beyond the credit; a delivery was ignored",
                      b->transport_plugin->identity->name);
        return;
    }
    if (route == NULL || route->executor == NULL) {
        static const pt_task  nobody  = {.name = NULL};
        static const pt_route nowhere = {.task    = &nobody,
                                         .options = {.attempt_timeout_ms = PATIO_FOREVER}};
        fill_job(job, &nowhere, d);
        defer(job, PATIO_RETURN, PATIO_NOT_FOUND, UNKNOWN_TASK_PAUSE_MS);
        return;
    }
    fill_job(job, route, d);
    if ((d->message->flags & PATIO_MESSAGE_EXPIRED) != 0) {
        defer(job, PATIO_REJECT, PATIO_TIMEOUT, 0);
        return;
    }
    const pt_executor *x  = route->executor;
    patio_status       st = x->plugin->ops.submit(x->instance, &job->base, NULL);
    if (st != PATIO_OK) {
        defer(job, PATIO_RETURN, st, st == PATIO_FULL ? FULL_PAUSE_MS : 0);
    }
}

static pt_job *find_job(patio_broker *b, patio_tag tag)
{
    for (uint32_t i = 0; i < b->job_count; i++) {
        if (atomic_load_explicit(&b->jobs[i].busy, memory_order_acquire) != 0 &&
            b->jobs[i].tag == tag) {
            return &b->jobs[i];
        }
    }
    return NULL;
}

static void tell(patio_broker *b, patio_tag tag, uint32_t what)
{
    pt_job *job = find_job(b, tag);
    if (job != NULL) {
        atomic_fetch_or(&job->told, what);
        const pt_executor *x = job->route != NULL ? job->route->executor : NULL;
        if (x != NULL) {
            (void)x->plugin->ops.cancel(x->instance, &job->base, NULL);
        }
    }
}

void pt_worker_tell_all(patio_broker *b, uint32_t what)
{
    for (uint32_t i = 0; i < b->job_count; i++) {
        if (atomic_load(&b->jobs[i].busy) != 0) {
            atomic_fetch_or(&b->jobs[i].told, what);
        }
    }
}

void pt_worker_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    patio_broker *b = self;
    PT_COUNT(b->worked.leases_lost);
    pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker", "lease lost: %s",
                  why != NULL ? why->message : "no reason given");
    tell(b, tag, PT_TOLD_LEASE);
}

void pt_worker_settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    patio_broker *b = self;
    (void)tag;
    PT_COUNT(b->worked.settlements_failed);
    pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker",
                  "a settlement did not take effect: %s",
                  why != NULL ? why->message : "no reason given");
}

void pt_worker_cancel_wanted(void *self, patio_tag tag)
{
    tell(self, tag, PT_TOLD_CANCEL);
}

/* ---- on the executor's thread ---- */

/* At most once by choice: the task is taken out of reach before it starts. */
static patio_status claim(pt_job *job)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_CLAIM};
    patio_broker    *b = job->broker;
    return b->transport_plugin->ops.settle(b->transport, job->tag, &s, NULL);
}

static patio_status before_run(pt_job *job)
{
    patio_broker *b = job->broker;
    if (atomic_load_explicit(&job->told, memory_order_acquire) != 0) {
        return PATIO_CANCELLED;
    }
    if (job->base.deadline_ns != 0 && pt_has_passed(job->base.deadline_ns)) {
        return PATIO_TIMEOUT;
    }
    if (job->route->options.ack != PATIO_ACK_ON_DONE) {
        return claim(job);
    }
    if ((b->transport_plugin->ops.caps & PATIO_CAP_STARTED) != 0) {
        return b->transport_plugin->ops.started(b->transport, job->tag, NULL);
    }
    return PATIO_OK;
}

static void run_job(patio_job *base, patio_outcome *out)
{
    pt_job       *job = (pt_job *)base;
    patio_broker *b   = job->broker;

    pt_run run = {
        .mem              = &b->runtime->mem, /* the reply may outlive this broker */
        .log              = &b->runtime->log,
        .broker           = b,
        .task             = job->route->task,
        .project          = b->project,
        .request          = base->request,
        .deadline_ns      = base->deadline_ns,
        .fence            = job->fence,
        .attempt          = job->attempt,
        .wants_reply      = (job->flags & PATIO_MESSAGE_CALL) != 0,
        .told             = &job->told,
        .max_body_bytes   = b->max_body_bytes,
        .max_decode_bytes = b->max_decode_bytes,
        .scratch          = job->scratch,
        .scratch_bytes    = sizeof(job->scratch),
    };
    patio_status st = before_run(job);
    if (st != PATIO_OK) {
        pt_run_refuse(&run, base->id, st, patio_status_name(st), patio_status_text(st), out);
        return;
    }
    PT_COUNT(b->worked.started);
    pt_run_task(&run, out);
    PT_COUNT(b->worked.ended);
}

void pt_worker_done(void *self, patio_job *base, const patio_outcome *outcome)
{
    (void)self;
    pt_job *job = (pt_job *)base;
    /* With the lease lost somebody else may run it: what this run says is not asked for. */
    if ((atomic_load(&job->told) & (PT_TOLD_LEASE | PT_TOLD_STOP)) == 0) {
        settle_outcome(job, outcome);
    } else {
        PT_COUNT(job->broker->worked.settlements_failed);
    }
    pt_buf_drop(outcome->reply);
    free_job(job);
}

void pt_worker_room(void *self)
{
    (void)self; /* what was FULL went back to the transport with a pause; nothing waits here */
}
