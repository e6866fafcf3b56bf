/* What is asked of a broker: its parts, what waits in its queues, what it has done. */
#include <string.h>

#include "base/error.h"
#include "runtime/worker.h"

const char *patio_broker_project(const patio_broker *b)
{
    return b->project;
}

const char *patio_broker_transport(const patio_broker *b)
{
    return b->transport_plugin->identity->name;
}

const char *patio_broker_executor(const patio_broker *b)
{
    return b->executor_count > 0 ? b->executors[0].plugin->identity->name : "";
}

patio_runtime *patio_broker_runtime(patio_broker *b)
{
    return b->runtime;
}

uint32_t patio_broker_caps(const patio_broker *b)
{
    return b->transport_plugin->ops.caps;
}

patio_status patio_broker_counts(patio_broker *b, const char *queue, uint64_t timeout_ms,
                                 patio_counts *counts, patio_error *err)
{
    if (b == NULL || !PATIO_HAS(patio_counts, counts, oldest_age_ms)) {
        return pt_fail(err, PATIO_INVALID, "broker",
                       "counts: broker is NULL, or counts' struct_size is not set");
    }
    if (atomic_load(&b->state) != PT_BROKER_RUNNING) {
        return pt_fail(err, PATIO_STATE, "broker", "counts: the broker is not running");
    }
    return b->transport_plugin->ops.counts(b->transport, queue != NULL ? queue : "default",
                                           timeout_ms, counts, err);
}

void patio_broker_get_stats(const patio_broker *b, patio_broker_stats *stats)
{
    const pt_caller_stats *c = &b->called;
    const pt_worker_stats *w = &b->worked;

    uint32_t pending = pt_futures_pending(&b->futures);
    uint64_t started = atomic_load(&w->started);
    uint64_t ended   = atomic_load(&w->ended);
    uint64_t calls   = atomic_load(&c->calls_started);
    uint64_t over    = atomic_load(&b->answered.calls_answered) + pending;

    patio_broker_stats now = {
        .link               = atomic_load(&b->link),
        .calls_started      = calls,
        .calls_answered     = atomic_load(&b->answered.calls_answered),
        .calls_failed       = calls > over ? calls - over : 0,
        .calls_in_flight    = pending,
        .sends_accepted     = atomic_load(&c->sends_accepted),
        .sends_refused      = atomic_load(&c->sends_refused),
        .replies_late       = atomic_load(&b->answered.replies_late),
        .tasks_received     = atomic_load(&b->received),
        .tasks_started      = started,
        .tasks_ok           = atomic_load(&w->ok),
        .tasks_failed       = atomic_load(&w->failed),
        .tasks_retried      = atomic_load(&w->retried),
        .tasks_returned     = atomic_load(&w->returned),
        .tasks_rejected     = atomic_load(&w->rejected),
        .tasks_running      = started > ended ? started - ended : 0,
        .leases_lost        = atomic_load(&w->leases_lost),
        .settlements_failed = atomic_load(&w->settlements_failed),
    };
    uint32_t size   = stats->struct_size;
    now.struct_size = size;
    memcpy(stats, &now, size < sizeof(now) ? size : sizeof(now));
}
