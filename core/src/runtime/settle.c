/* How a run's end becomes the settlement of its delivery: docs/architecture.md has the table. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "runtime/worker.h"
#include "wire/records.h"

static void settle(patio_broker *b, patio_tag tag, const patio_settlement *s)
{
    patio_error err;
    pt_error_init(&err);
    patio_status st = b->transport_plugin->ops.settle(b->transport, tag, s, &err);
    if (st != PATIO_OK) {
        PT_COUNT(b->worked.settlements_failed);
        pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker", "settlement was refused (%s): %s",
                      patio_status_name(st), err.message);
    }
}

/* An end that somebody hears of, or may ask for later. */
static patio_settlement answer(const pt_ending *end, uint32_t verdict, const patio_outcome *out)
{
    bool keep = (end->flags & PATIO_MESSAGE_KEEP_RESULT) != 0;
    return (patio_settlement){
        PATIO_SIZED(patio_settlement),
        .verdict       = verdict,
        .result_ttl_ms = keep ? end->policy->result_ttl_ms : 0,
        .reply         = pt_wants_reply(end) ? out->reply : NULL,
    };
}

/* To the dead letters, saying why. */
static void reject(const pt_ending *end, const char *cause, const patio_outcome *out)
{
    _Alignas(16) uint8_t scratch[512];
    _Alignas(16) uint8_t reply_scratch[1024];
    char                 host[256] = "";
    char                 worker[280];
    pt_arena             arena;
    patio_broker        *b = end->broker;
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(worker, sizeof(worker), "%s:%ld", host, (long)getpid());
    pt_arena_init(&arena, b->mem, scratch, sizeof(scratch), 4096);
    pt_death death = {
        .cause      = cause,
        .status     = out->status,
        .message    = patio_status_text(out->status),
        .error_type = patio_status_name(out->status),
        .worker     = worker,
        .attempts   = end->attempt,
        .crashes    = end->crashes,
    };
    pt_reply        reply;
    pt_payload_view payload;
    pt_arena        reading;
    pt_arena_init(&reading, b->mem, reply_scratch, sizeof(reply_scratch),
                  (size_t)b->max_decode_bytes);
    if (out->reply != NULL &&
        pt_decode_reply(&reading, pt_buf_view(out->reply), &reply, &payload, NULL) == PATIO_OK) {
        death.message    = reply.error_message;
        death.error_type = reply.error_type;
    }
    patio_settlement s = answer(end, PATIO_REJECT, out);
    s.cause            = pt_write_death(&arena, &death);
    PT_COUNT(b->worked.rejected);
    pt_dead_log(end, &death);
    settle(b, end->tag, &s);
    pt_arena_reset(&reading);
    pt_arena_reset(&arena);
}

/* A task that was told of its call's deadline mostly ends in an error of its own. Its caller sees
 * the same deadline a moment earlier or later: whichever is first, it reads TIMEOUT. */
static bool fell_to_its_deadline(const pt_ending *end, const patio_outcome *out)
{
    return end->call_ends_ns != 0 && out->status == PATIO_TASK_FAILED &&
           pt_clock_passed(&end->broker->runtime->clock, end->call_ends_ns);
}

/* The same error, but for its status. NULL: it cannot be made, and the first one must do. */
static patio_buf *as_timeout(const pt_ending *end, patio_buf *failed)
{
    _Alignas(16) uint8_t scratch[1024];
    patio_broker        *b = end->broker;
    pt_arena             arena;
    pt_reply             reply;
    pt_payload_view      payload;
    patio_buf           *late = NULL;
    pt_arena_init(&arena, b->mem, scratch, sizeof(scratch), (size_t)b->max_decode_bytes);
    if (pt_decode_reply(&arena, pt_buf_view(failed), &reply, &payload, NULL) == PATIO_OK) {
        reply.status = PATIO_TIMEOUT;
        (void)pt_encode_reply(b->mem, &reply, NULL, UINT64_MAX / 2, &late, NULL);
    }
    pt_arena_reset(&arena);
    return late;
}

/* It ran, and ended in an error for good. Somebody who waits has the error: that is an end like any
 * other. Where nobody waits, the dead letters show it. */
static void settle_failure(const pt_ending *end, const char *cause, const patio_outcome *out)
{
    PT_COUNT(end->broker->worked.failed);
    if ((end->flags & PATIO_MESSAGE_CALL) == 0) {
        reject(end, cause, out);
        return;
    }
    patio_settlement s    = answer(end, PATIO_ACK, out);
    patio_buf       *late = NULL;
    if (s.reply != NULL && fell_to_its_deadline(end, out)) {
        late    = as_timeout(end, s.reply);
        s.reply = late != NULL ? late : s.reply;
    }
    settle(end->broker, end->tag, &s);
    pt_buf_drop(late);
}

static void settle_retry(const pt_ending *end, const patio_outcome *out)
{
    patio_broker    *b      = end->broker;
    const pt_policy *policy = end->policy;
    /* one that was claimed before it ran is never run again, whatever it asks for */
    if (end->attempt >= policy->max_attempts || end->policy->ack != PATIO_ACK_ON_DONE) {
        settle_failure(end, "attempts", out);
        return;
    }
    uint64_t delay = out->delay_ms;
    if (delay == 0) {
        uint64_t random = 0;
        (void)pt_random(b->runtime, &random, sizeof(random));
        delay = pt_policy_backoff_ms(policy, end->attempt, random);
    }
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETRY, .delay_ms = delay};
    PT_COUNT(b->worked.retried);
    settle(b, end->tag, &s);
}

/* Somebody gave it up, and whoever still waits hears so: nothing died. */
static void settle_cancelled(const pt_ending *end, const patio_outcome *out)
{
    patio_settlement s = answer(end, PATIO_ACK, out);
    settle(end->broker, end->tag, &s);
}

/* It killed what ran it. Counted apart from attempts: the count is the transport's, and survives
 * with the task. */
static void settle_crash(const pt_ending *end, const patio_outcome *out)
{
    patio_broker    *b       = end->broker;
    const pt_policy *policy  = end->policy;
    pt_ending        counted = *end;
    counted.crashes += end->crashes < policy->max_crashes ? 1 : 0;
    if (counted.crashes >= policy->max_crashes || end->policy->ack != PATIO_ACK_ON_DONE) {
        settle_failure(&counted, "crashes", out);
        return;
    }
    uint64_t random = 0;
    (void)pt_random(b->runtime, &random, sizeof(random));
    patio_settlement s = {
        PATIO_SIZED(patio_settlement),
        .verdict  = PATIO_RETRY,
        .flags    = PATIO_SETTLE_CRASHED,
        .delay_ms = pt_policy_backoff_ms(policy, counted.crashes, random),
    };
    PT_COUNT(b->worked.retried);
    settle(b, end->tag, &s);
}

/* Never again, for one reason or another. */
static void settle_rejected(const pt_ending *end, const patio_outcome *out)
{
    switch (out->status) {
    case PATIO_TASK_FAILED:
        settle_failure(end, "failed", out);
        return;
    case PATIO_TASK_CRASHED:
        settle_crash(end, out);
        return;
    case PATIO_TIMEOUT:
        /* Not started. A caller has had its TIMEOUT, so this is an end, too; else somebody must see
         * that the task was never run. */
        settle_failure(end, "expired", out);
        return;
    case PATIO_CANCELLED:
        settle_cancelled(end, out);
        return;
    case PATIO_NOT_FOUND:
        reject(end, "unknown_task", out);
        return;
    case PATIO_STALE:
    case PATIO_CLOSED:
        return; /* it could not be claimed: somebody else has it, and settles it */
    default:
        reject(end, "undecodable", out);
        return;
    }
}

void pt_settle_outcome(const pt_ending *end, const patio_outcome *out)
{
    patio_broker    *b = end->broker;
    patio_settlement s = {PATIO_SIZED(patio_settlement)};
    switch (out->verdict) {
    case PATIO_ACK:
        PT_COUNT(b->worked.ok);
        s = answer(end, PATIO_ACK, out);
        settle(b, end->tag, &s);
        return;
    case PATIO_RETRY:
        settle_retry(end, out);
        return;
    case PATIO_RETURN:
        if (out->status == PATIO_TASK_SNOOZE && end->policy->ack != PATIO_ACK_ON_DONE) {
            settle_failure(end, "failed", out);
            return;
        }
        if (out->status == PATIO_CANCELLED) {
            settle_cancelled(end, out);
            return;
        }
        PT_COUNT(b->worked.returned);
        s.verdict  = PATIO_RETURN;
        s.delay_ms = out->delay_ms;
        settle(b, end->tag, &s);
        return;
    default:
        settle_rejected(end, out);
        return;
    }
}

void pt_settle_return(patio_broker *b, patio_tag tag, uint64_t delay_ms)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETURN,
                          .delay_ms = delay_ms};
    PT_COUNT(b->worked.returned);
    settle(b, tag, &s);
}
