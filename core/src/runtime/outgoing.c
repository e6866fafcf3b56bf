#include "runtime/outgoing.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/run.h"

/* A queue's name that lives as long as the broker. */
static const char *intern(patio_broker *b, const char *name)
{
    const char *found = NULL;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->interned_count && found == NULL; i++) {
        found = strcmp(b->interned[i], name) == 0 ? b->interned[i] : NULL;
    }
    if (found == NULL && b->interned_count < 4096) {
        char **grown = pt_resize(b->mem, b->interned, (b->interned_count + 1) * sizeof(*grown));
        if (grown != NULL) {
            b->interned = grown;
            char *copy  = pt_strdup(b->mem, name);
            if (copy != NULL) {
                b->interned[b->interned_count++] = copy;
                found                            = copy;
            }
        }
    }
    pthread_mutex_unlock(&b->lock);
    return found;
}

static patio_status choose_queue(patio_broker *b, pt_outgoing *o, patio_error *err)
{
    if (o->options->queue == NULL) {
        o->queue = o->own != NULL ? o->own->queue : "default";
        return PATIO_OK;
    }
    if (!pt_is_plain_name(o->options->queue, 255)) {
        return pt_fail(err, PATIO_INVALID, "broker",
                       "call %s: \"%.64s\" is not a queue name ([A-Za-z0-9._-], up to 255)",
                       o->task, o->options->queue);
    }
    o->queue = intern(b, o->options->queue);
    return o->queue != NULL ? PATIO_OK : pt_no_memory(err, "broker");
}

/* The deadline: what the caller says, else the task's, else the broker's; never beyond the
 * parent's. */
static patio_status choose_deadline(const patio_broker *b, pt_outgoing *o, patio_error *err)
{
    uint64_t timeout = o->options->timeout_ms;
    if (timeout == 0 && o->kind == PT_KIND_SEND) {
        timeout = (uint64_t)b->core[PT_CORE_ENQUEUE_TIMEOUT_MS].number;
    } else if (timeout == 0) {
        timeout = o->own != NULL ? o->own->call_timeout_ms
                                 : (uint64_t)b->core[PT_CORE_CALL_TIMEOUT_MS].number;
    }
    /* a parent's deadline is compared with the time itself */
    const pt_clock *clock = &b->runtime->clock;
    uint64_t now = o->options->parent != NULL ? pt_clock_now(clock) : pt_clock_for(clock, timeout);
    o->deadline_ns = timeout == PATIO_FOREVER ? UINT64_MAX : pt_after_ms(now, timeout);
    if (o->options->parent != NULL && o->options->parent->run->deadline_ns != 0 &&
        o->options->parent->run->deadline_ns < o->deadline_ns) {
        o->deadline_ns = o->options->parent->run->deadline_ns;
        if (o->deadline_ns <= now) {
            return pt_fail(err, PATIO_TIMEOUT, "broker",
                           "call %s: the calling task's deadline has passed", o->task);
        }
    }
    o->timeout_ms = o->deadline_ns == UINT64_MAX ? 0 : pt_until_ms(now, o->deadline_ns);
    return PATIO_OK;
}

static patio_status choose_delay(pt_outgoing *o, patio_error *err)
{
    const patio_call_options *c  = o->options;
    int64_t                   at = PATIO_HAS(patio_call_options, c, at_unix_ms) ? c->at_unix_ms : 0;
    if (at == 0) {
        o->delay_ms = c->delay_ms == 0 && o->own != NULL ? o->own->delay_ms : c->delay_ms;
        return PATIO_OK;
    }
    if (c->delay_ms != 0) {
        return pt_fail(err, PATIO_INVALID, "broker",
                       "call %s: at_unix_ms and delay_ms exclude each other", o->task);
    }
    uint64_t now = pt_wall_ms();
    uint64_t due = at > 0 ? (uint64_t)at : 0;
    o->delay_ms  = due > now ? due - now : 0;
    return PATIO_OK;
}

static patio_status choose_dedup(const patio_broker *b, pt_outgoing *o,
                                 const patio_payload *payload, pt_outgoing_room *room,
                                 patio_error *err)
{
    const patio_call_options *c  = o->options;
    patio_status              st = PATIO_OK;
    o->dedup_key                 = c->dedup_key != NULL ? c->dedup_key : "";
    o->dedup_window_ms           = c->dedup_window_ms;
    o->dedup_conflict            = c->dedup_conflict;
    if (o->own == NULL) {
        return PATIO_OK;
    }
    if (c->dedup_key == NULL && o->own->dedup_by == PATIO_DEDUP_BY_ARGS) {
        st = pt_args_key(b->mem, o->task, payload, b->max_body_bytes, room->dedup_key, err);
        o->dedup_key = room->dedup_key;
    }
    if (o->dedup_window_ms == 0) { /* else the call has said all of it */
        o->dedup_window_ms = o->own->dedup_window_ms;
        o->dedup_conflict  = o->dedup_conflict != 0 ? o->dedup_conflict : o->own->dedup_conflict;
    }
    return st;
}

/* Options of an older program end before these. */
static const char *list_of(const patio_call_options *c)
{
    return PATIO_HAS(patio_call_options, c, backoff_list) ? c->backoff_list : NULL;
}

static bool says_policy(const patio_call_options *c)
{
    return PATIO_HAS(patio_call_options, c, ack) &&
           ((c->queue_ttl_ms | c->result_ttl_ms | c->attempt_timeout_ms | c->backoff_base_ms |
             c->backoff_cap_ms | c->max_attempts | c->max_crashes | c->backoff | c->ack) != 0 ||
            list_of(c) != NULL);
}

static patio_status read_policy(pt_outgoing *o, pt_policy *said, patio_error *err)
{
    const patio_call_options *c = o->options;
    if (c->backoff > PATIO_BACKOFF_FIXED + 1) {
        return pt_fail(err, PATIO_INVALID, "broker", "call %s: backoff is PATIO_BACKOFF_... + 1",
                       o->task);
    }
    if (c->ack > PATIO_ACK_ON_RECEIVE + 1) {
        return pt_fail(err, PATIO_INVALID, "broker", "call %s: ack is PATIO_ACK_... + 1", o->task);
    }
    *said = (pt_policy){
        .attempt_timeout_ms = c->attempt_timeout_ms,
        .max_attempts       = c->max_attempts,
        .max_crashes        = c->max_crashes,
        .backoff            = c->backoff,
        .ack                = c->ack,
        .backoff_base_ms    = c->backoff_base_ms,
        .backoff_cap_ms     = c->backoff_cap_ms,
    };
    o->policy        = said;
    o->queue_ttl_ms  = c->queue_ttl_ms;
    o->result_ttl_ms = c->result_ttl_ms;
    if (list_of(c) != NULL && !pt_policy_list(said, list_of(c))) {
        return pt_fail(err, PATIO_INVALID, "broker",
                       "call %s: backoff_list is not up to %d times with commas between, such as "
                       "1s,10s,5min",
                       o->task, PT_BACKOFF_LIST_MAX);
    }
    return PATIO_OK;
}

/* What the call itself says about its treatment; the worker has the task's own options. *said is
 * written, and o->policy points to it, only if there is anything to say. */
static patio_status choose_policy(pt_outgoing *o, pt_policy *said, patio_error *err)
{
    patio_status st = says_policy(o->options) ? read_policy(o, said, err) : PATIO_OK;
    if (o->own != NULL && o->queue_ttl_ms == 0) {
        o->queue_ttl_ms = o->own->queue_ttl_ms;
    }
    if (o->own != NULL && o->result_ttl_ms == 0) {
        o->result_ttl_ms = o->own->result_ttl_ms;
    }
    if (o->kind == PT_KIND_CALL && o->timeout_ms != 0 && o->queue_ttl_ms >= o->timeout_ms) {
        o->queue_ttl_ms = 0; /* its deadline comes first */
    }
    if (o->policy == NULL && (o->queue_ttl_ms | o->result_ttl_ms) != 0) {
        *said     = (pt_policy){.max_attempts = 0};
        o->policy = said;
    }
    if (o->policy != NULL) {
        said->queue_ttl_ms  = o->queue_ttl_ms;
        said->result_ttl_ms = o->result_ttl_ms;
    }
    return st;
}

static uint32_t message_flags(const pt_outgoing *o)
{
    uint32_t flags = 0;
    if (o->policy != NULL) {
        flags |= PATIO_MESSAGE_POLICY;
    }
    if (o->result_ttl_ms != 0) {
        flags |= PATIO_MESSAGE_KEEP_RESULT;
    }
    if (o->kind == PT_KIND_CALL) {
        flags |= PATIO_MESSAGE_CALL | PATIO_MESSAGE_NO_RECEIPT;
    }
    if ((o->options->flags & PATIO_CALL_WAIT_ROUTE) != 0) {
        flags |= PATIO_MESSAGE_WAIT_ROUTE;
    }
    if ((o->options->flags & PATIO_CALL_IDEMPOTENT) != 0 ||
        (o->own != NULL && (o->own->flags & PATIO_TASK_IDEMPOTENT) != 0)) {
        flags |= PATIO_MESSAGE_IDEMPOTENT;
    }
    return flags;
}

patio_status pt_outgoing_prepare(patio_broker *b, pt_outgoing *o, const patio_payload *payload,
                                 pt_outgoing_room *room, patio_error *err)
{
    if (!PATIO_HAS(patio_call_options, o->options, level)) {
        return pt_fail(err, PATIO_INVALID, "broker",
                       "call: options.struct_size is not set; use PATIO_SIZED");
    }
    if (atomic_load_explicit(&b->state, memory_order_acquire) != PT_BROKER_RUNNING) {
        return pt_fail(err, PATIO_STATE, "broker", "call %.255s: the broker is not running",
                       o->task != NULL ? o->task : "");
    }
    if (o->task != NULL && (o->route = pt_broker_route(b, o->task)) != NULL) {
        o->own = &o->route->options; /* the name was checked when it was added */
    } else if (o->task != NULL && pt_is_task_name(o->task)) {
        o->own = pt_broker_elsewhere(b, o->task);
    } else {
        return pt_fail(err, PATIO_INVALID, "broker",
                       "call: a task name is 1 to 255 bytes of UTF-8 without control characters");
    }
    patio_status st = choose_queue(b, o, err);
    if (st == PATIO_OK) {
        st = choose_deadline(b, o, err);
    }
    if (st == PATIO_OK) {
        st = choose_policy(o, &room->policy, err);
    }
    if (st == PATIO_OK) {
        st = choose_delay(o, err);
    }
    if (st == PATIO_OK) {
        st = choose_dedup(b, o, payload, room, err);
    }
    if (st == PATIO_OK && o->result_ttl_ms != 0 &&
        (b->transport_plugin->ops.caps & PATIO_CAP_RESULTS) == 0) {
        return pt_fail(err, PATIO_UNSUPPORTED, "broker",
                       "call %s: result_ttl_ms needs \"results\", which transport %s does not have",
                       o->task, b->transport_plugin->identity->name);
    }
    const patio_context *parent = o->options->parent;
    o->flags                    = message_flags(o);
    o->priority                 = o->options->priority;
    o->traceparent              = o->options->traceparent;
    o->tracestate               = o->options->tracestate;
    if (o->priority == 0 && o->own != NULL) {
        o->priority = o->own->priority;
    }
    if (o->priority > PATIO_PRIORITY(PATIO_PRIORITY_MAX)) {
        return pt_fail(err, PATIO_INVALID, "broker", "call %s: priority is 0 to 9", o->task);
    }
    if (o->traceparent == NULL && parent != NULL) {
        o->traceparent = parent->request.traceparent;
        o->tracestate  = parent->request.tracestate;
    }
    return st;
}
