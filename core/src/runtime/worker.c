/* The worker's way: delivery -> job -> executor; job_run.c is the rest of it. */
#include "runtime/worker.h"
#include "base/clock.h"
#include "runtime/ahead.h"

#include <string.h>

enum {
    UNKNOWN_TASK_PAUSE_MS     = 1000,
    UNKNOWN_TASK_PAUSE_MAX_MS = 60000,
    UNKNOWN_TASK_DELIVERIES   = 20, /* a quarter of an hour of looking for somebody */
};

patio_status pt_worker_start(patio_broker *b, patio_error *err)
{
    uint32_t     credit = 0;
    patio_status st     = pt_queues_fill(b, &credit, err);
    if (st != PATIO_OK || credit == 0) {
        return st;
    }
    pt_ahead_init(b);
    /* twice: a task whose lease was lost still runs while its credit is used again */
    return pt_jobs_init(b, 2 * credit, err);
}

void pt_worker_fini(patio_broker *b)
{
    pt_queues_fini(b);
    pt_jobs_fini(b);
}

static void fill_job(pt_job *job, const pt_route *route, const patio_delivery *d)
{
    const patio_message *m     = d->message;
    const pt_clock      *clock = &job->end.broker->runtime->clock;
    job->end.route             = route;
    uint64_t call_ms           = pt_job_policy(job, m);
    /* the shorter of the two */
    uint64_t left_ms      = job->end.policy->attempt_timeout_ms;
    bool     of_call      = call_ms != 0 && call_ms <= left_ms;
    left_ms               = of_call ? call_ms : left_ms;
    uint64_t end          = pt_after_ms(pt_clock_for(clock, left_ms), left_ms);
    job->base.task        = route->task->name;
    job->base.id          = m->id;
    job->base.deadline_ns = end == UINT64_MAX ? 0 : end;
    job->base.request     = pt_buf_ref(m->body);
    job->base.options     = route->values;
    job->base.fence       = d->fence;
    job->base.attempt     = m->attempt != 0 ? m->attempt : 1;
    job->base.flags       = m->flags;
    memset(job->base.link, 0, sizeof(job->base.link));
    job->await.ops        = route->executor != NULL ? route->executor->suspend : NULL;
    job->await.executor   = route->executor != NULL ? route->executor->instance : NULL;
    job->end.tag          = d->tag;
    job->end.id           = m->id;
    job->end.attempt      = job->base.attempt;
    job->end.crashes      = m->crashes;
    job->end.flags        = m->flags;
    job->end.call_ends_ns = of_call ? job->base.deadline_ns : 0;
    job->begun            = false;
    bool quiet            = job->end.policy->ack == PATIO_ACK_ON_DONE &&
                 (route->executor == NULL ||
                  (job->end.broker->transport_plugin->ops.caps & PATIO_CAP_STARTED) == 0);
    job->base.traits = quiet ? PATIO_JOB_BEGINS_AT_ONCE : 0;
    pt_reports_open(&job->reports);
    pt_job_busy(job);
}

/* How often this broker has seen it: on some transports the fence grows by more than one. Where two
 * ids share a slot, each begins anew: a task is then parked later, never earlier. */
static uint64_t times_seen(patio_broker *b, patio_id id)
{
    uint64_t half[2];
    memcpy(half, id.bytes, sizeof(half));
    uint64_t          hash = (half[0] ^ half[1]) * UINT64_C(0x9E3779B97F4A7C15);
    _Atomic uint64_t *slot = &b->unknown[hash >> 32 & (PT_UNKNOWN_SLOTS - 1)];
    uint64_t          last = atomic_load(slot);
    uint64_t          now  = (last ^ hash) >> 8 == 0 ? last & 0xff : 0;
    now += now < 0xff;
    atomic_store(slot, (hash & ~UINT64_C(0xff)) | now);
    return now;
}

/* Another worker may have it, or the next version of this one. It goes back, with longer and longer
 * pauses; what nobody knows after so many deliveries is parked where people see it. */
static void settle_unknown(pt_job *job)
{
    uint64_t deliveries = times_seen(job->end.broker, job->base.id);
    deliveries          = deliveries < job->base.fence ? deliveries : job->base.fence;
    if (deliveries >= UNKNOWN_TASK_DELIVERIES) {
        pt_settle_later(job, PATIO_REJECT, PATIO_NOT_FOUND, 0);
        return;
    }
    uint64_t pause_ms = UNKNOWN_TASK_PAUSE_MS;
    for (uint64_t i = 1; i < deliveries && pause_ms < UNKNOWN_TASK_PAUSE_MAX_MS; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < UNKNOWN_TASK_PAUSE_MAX_MS ? pause_ms : UNKNOWN_TASK_PAUSE_MAX_MS;
    pt_settle_later(job, PATIO_RETURN, PATIO_NOT_FOUND, pause_ms);
}

void pt_worker_delivered(void *self, const patio_delivery *d)
{
    patio_broker   *b     = self;
    const pt_route *route = pt_broker_route(b, d->message->task);
    pt_job         *job   = pt_job_take(b);
    PT_COUNT(b->received);
    if (job == NULL) {
        /* runs whose leases were lost still hold their jobs: it is for another worker */
        pt_settle_no_job(b, d->tag);
        return;
    }
    job->queue = pt_queues_took(b, d->message->queue);
    if (route == NULL || route->executor == NULL) {
        static const pt_task  nobody  = {.name = NULL};
        static const pt_route nowhere = {.task   = &nobody,
                                         .policy = {.attempt_timeout_ms = PATIO_FOREVER}};
        fill_job(job, &nowhere, d);
        settle_unknown(job);
        return;
    }
    fill_job(job, route, d);
    if ((d->message->flags & PATIO_MESSAGE_EXPIRED) != 0) {
        pt_settle_later(job, PATIO_REJECT, PATIO_TIMEOUT, 0);
        return;
    }
    pt_executor *x = route->executor;
    pt_ahead_waits(job);
    patio_status st = b->queue_count > 1 ? PATIO_FULL /* whose turn is it? */
                                         : x->plugin->ops.submit(x->instance, &job->base, NULL);
    if (st == PATIO_FULL) {
        pt_held_add(x, job);
    } else if (st != PATIO_OK) {
        pt_settle_later(job, PATIO_RETURN, st, 0);
    }
}

void pt_worker_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    patio_broker *b = self;
    PT_COUNT(b->worked.leases_lost);
    pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker", "lease lost: %s",
                  why != NULL ? why->message : "no reason given");
    pt_jobs_tell(b, tag, PT_TOLD_LEASE);
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
    pt_jobs_tell(self, tag, PT_TOLD_CANCEL);
}
