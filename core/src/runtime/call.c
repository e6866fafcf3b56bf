/* The caller's way out: options -> envelope -> transport. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/broker.h"

/* What one call is made of, after defaults, route and parent were laid under the options. */
typedef struct outgoing {
    const pt_route           *route; /* NULL: a task that this broker does not know */
    const patio_call_options *options;
    const char               *task;
    const char               *queue;
    uint64_t                  timeout_ms;
    uint64_t                  deadline_ns;
    uint32_t                  flags; /* PATIO_MESSAGE_… */
    uint32_t                  kind;
    uint16_t                  priority; /* shifted */
    const char               *traceparent;
    const char               *tracestate;
    uint64_t                  queue_ttl_ms;  /* 0: any time */
    uint64_t                  result_ttl_ms; /* 0: not kept */
    uint64_t                  delay_ms;
    pt_policy                 policy; /* what the caller said */
    bool                      has_policy;
} outgoing;

static const patio_call_options no_options = {PATIO_SIZED(patio_call_options)};

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

static patio_status choose_queue(patio_broker *b, outgoing *o, patio_error *err)
{
    if (o->options->queue == NULL) {
        o->queue = o->route != NULL ? o->route->options.queue : "default";
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
static patio_status choose_deadline(const patio_broker *b, outgoing *o, patio_error *err)
{
    uint64_t timeout = o->options->timeout_ms;
    if (timeout == 0 && o->kind == PT_KIND_SEND) {
        timeout = (uint64_t)b->core[PT_CORE_ENQUEUE_TIMEOUT_MS].number;
    } else if (timeout == 0) {
        timeout = o->route != NULL ? o->route->options.call_timeout_ms
                                   : (uint64_t)b->core[PT_CORE_CALL_TIMEOUT_MS].number;
    }
    uint64_t now   = pt_clock_now(&b->runtime->clock);
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

/* What the call itself says about its treatment; the worker has the task's own options. */
static patio_status choose_policy(outgoing *o, patio_error *err)
{
    const patio_call_options *c = o->options;
    if (PATIO_HAS(patio_call_options, c, at_unix_ms)) {
        o->policy = (pt_policy){
            .attempt_timeout_ms = c->attempt_timeout_ms,
            .max_attempts       = c->max_attempts,
            .max_crashes        = c->max_crashes,
            .backoff            = c->backoff,
            .backoff_base_ms    = c->backoff_base_ms,
            .backoff_cap_ms     = c->backoff_cap_ms,
        };
        o->queue_ttl_ms  = c->queue_ttl_ms;
        o->result_ttl_ms = c->result_ttl_ms;
        if (c->at_unix_ms != 0) {
            uint64_t now = pt_wall_ms();
            o->delay_ms  = c->at_unix_ms > 0 && (uint64_t)c->at_unix_ms > now
                               ? (uint64_t)c->at_unix_ms - now
                               : 0;
        }
        if (c->backoff > PATIO_BACKOFF_FIXED + 1 || (c->at_unix_ms != 0 && c->delay_ms != 0)) {
            return pt_fail(err, PATIO_INVALID, "broker", "call %s: %s", o->task,
                           c->at_unix_ms != 0 && c->delay_ms != 0
                               ? "at_unix_ms and delay_ms exclude each other"
                               : "backoff is PATIO_BACKOFF_... + 1");
        }
    }
    if (o->route != NULL && o->queue_ttl_ms == 0) {
        o->queue_ttl_ms = o->route->options.queue_ttl_ms;
    }
    if (o->route != NULL && o->result_ttl_ms == 0) {
        o->result_ttl_ms = o->route->options.result_ttl_ms;
    }
    if (o->kind == PT_KIND_CALL && o->timeout_ms != 0 && o->queue_ttl_ms >= o->timeout_ms) {
        o->queue_ttl_ms = 0; /* its deadline comes first */
    }
    o->policy.queue_ttl_ms  = o->queue_ttl_ms;
    o->policy.result_ttl_ms = o->result_ttl_ms;
    static const pt_policy nothing;
    o->has_policy = memcmp(&o->policy, &nothing, sizeof(nothing)) != 0;
    return PATIO_OK;
}

static uint32_t message_flags(const outgoing *o)
{
    uint32_t flags = 0;
    if (o->has_policy) {
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
        (o->route != NULL && (o->route->options.flags & PATIO_TASK_IDEMPOTENT) != 0)) {
        flags |= PATIO_MESSAGE_IDEMPOTENT;
    }
    return flags;
}

static patio_status prepare(patio_broker *b, outgoing *o, patio_error *err)
{
    if (!PATIO_HAS(patio_call_options, o->options, level)) {
        return pt_fail(err, PATIO_INVALID, "broker",
                       "call: options.struct_size is not set; use PATIO_SIZED");
    }
    if (atomic_load_explicit(&b->state, memory_order_acquire) != PT_BROKER_RUNNING) {
        return pt_fail(err, PATIO_STATE, "broker", "call %.255s: the broker is not running",
                       o->task != NULL ? o->task : "");
    }
    if (o->task == NULL || (o->route = pt_broker_route(b, o->task)) == NULL) {
        /* names of the registry were checked when they were added */
        if (o->task == NULL || !pt_is_task_name(o->task)) {
            return pt_fail(err, PATIO_INVALID, "broker",
                           "call: a task name is 1 to 255 bytes of UTF-8 without control "
                           "characters");
        }
    }
    patio_status st = choose_queue(b, o, err);
    if (st == PATIO_OK) {
        st = choose_deadline(b, o, err);
    }
    if (st == PATIO_OK) {
        st = choose_policy(o, err);
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
    if (o->priority == 0 && o->route != NULL) {
        o->priority = o->route->options.priority;
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

static patio_status encode(patio_broker *b, const outgoing *o, const patio_future *f,
                           const patio_payload *payload, patio_buf **out, patio_error *err)
{
    const patio_call_options *options = o->options;

    pt_request request = {
        .kind            = o->kind,
        .id              = pt_future_make_id(f),
        .task            = o->task,
        .project         = b->project,
        .queue           = strcmp(o->queue, "default") == 0 ? "" : o->queue,
        .ttl_ms          = o->kind == PT_KIND_CALL ? o->timeout_ms : 0,
        .priority        = o->priority != PATIO_PRIORITY(PATIO_PRIORITY_DEFAULT) ? o->priority : 0,
        .task_version    = o->route != NULL ? o->route->options.version : 0,
        .traceparent     = o->traceparent != NULL ? o->traceparent : "",
        .tracestate      = o->tracestate != NULL ? o->tracestate : "",
        .dedup_key       = options->dedup_key != NULL ? options->dedup_key : "",
        .dedup_window_ms = options->dedup_window_ms,
        .dedup_conflict  = options->dedup_conflict,
        .headers         = options->headers,
        .header_count    = options->headers != NULL ? options->header_count : 0,
        .wants_progress  = f->listens,
        .policy          = o->policy,
        .has_policy      = o->has_policy,
    };
    for (size_t i = 0; i < request.header_count; i++) {
        const patio_header *h = &options->headers[i];
        if (h->name == NULL || h->name[0] == '\0' || strlen(h->name) > 255) {
            return pt_fail(err, PATIO_INVALID, "broker",
                           "call %s: header %zu has no name of 1 to 255 bytes", o->task, i);
        }
    }
    return pt_encode_request(b->mem, &request, payload, b->max_body_bytes, out, err);
}

/* When the transport need not deliver it any more: what comes first of being started too late, and
 * of an answer too late. */
static uint64_t first_end(const outgoing *o)
{
    uint64_t deadline = o->kind == PT_KIND_CALL ? o->timeout_ms : 0;
    return o->queue_ttl_ms != 0 ? o->queue_ttl_ms : deadline;
}

static uint16_t level_of(const outgoing *o)
{
    uint32_t level = o->route != NULL ? o->route->options.level : 0;
    return o->options->level != 0 ? o->options->level : (uint16_t)level;
}

static patio_status publish(patio_broker *b, const outgoing *o, const patio_id *id, patio_buf *body,
                            patio_error *err)
{
    const char   *key     = o->options->dedup_key != NULL ? o->options->dedup_key : "";
    patio_message message = {
        PATIO_SIZED(patio_message),
        .flags           = o->flags,
        .id              = *id,
        .queue           = o->queue,
        .task            = o->task,
        .dedup_key       = {(const uint8_t *)key, strlen(key)},
        .dedup_window_ms = o->options->dedup_window_ms,
        .dedup_conflict  = o->options->dedup_conflict,
        .ttl_ms          = first_end(o),
        .delay_ms        = o->delay_ms != 0 ? o->delay_ms : o->options->delay_ms,
        .priority        = (uint16_t)(o->priority == 0 ? PATIO_PRIORITY_DEFAULT : o->priority - 1u),
        .attempt         = 1,
        .level           = level_of(o),
        .body            = body,
    };
    patio_status st = b->transport_plugin->ops.publish(b->transport, &message, err);
    if (st == PATIO_CLOSED) {
        return pt_fail(err, PATIO_STATE, "broker", "call %.255s: the broker is stopping", o->task);
    }
    if (st == PATIO_NO_ROUTE && o->route != NULL && o->route->executor != NULL &&
        o->route->executor->slots == 0) {
        pt_error_add(err, "; this broker has the task, but its executor \"%s\" runs none",
                     o->route->executor->plugin->identity->name);
    }
    if (st != PATIO_OK) {
        pt_error_origin(err, "transport.%s", b->transport_plugin->identity->name);
    }
    return st;
}

static void set_progress(patio_future *f, const patio_call_options *options)
{
    bool has       = PATIO_HAS(patio_call_options, options, on_progress_arg);
    f->on_progress = has ? options->on_progress : NULL;
    f->listens     = f->kind == PT_KIND_CALL &&
                 (f->on_progress != NULL || (options->flags & PATIO_CALL_PROGRESS) != 0);
    f->on_progress_arg = has ? options->on_progress_arg : NULL;
}

static patio_status start(patio_broker *b, uint32_t kind, const char *task,
                          const patio_payload *payload, const patio_call_options *options,
                          patio_future **out, patio_error *err)
{
    if (b == NULL || out == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "call %.255s: broker or out is NULL",
                       task != NULL ? task : "");
    }
    outgoing     o  = {.task = task, .kind = kind, .options = options ? options : &no_options};
    patio_status st = prepare(b, &o, err);
    if (st != PATIO_OK) {
        return st;
    }
    patio_future *f    = NULL;
    patio_buf    *body = NULL;
    st                 = pt_future_new(&b->futures, kind, &f, err);
    if (st != PATIO_OK) {
        return st;
    }
    f->queue       = o.queue;
    f->on_done     = o.options->on_done;
    f->on_done_arg = o.options->on_done_arg;
    set_progress(f, o.options);
    st            = encode(b, &o, f, payload, &body, err);
    uint64_t word = 0;
    if (st == PATIO_OK) {
        patio_id    id = pt_future_make_id(f);
        pt_starting starting;
        pt_callback_hold(&starting, f);
        word = pt_future_open(f, o.deadline_ns);
        st   = publish(b, &o, &id, body, err);
        pt_callback_release(&starting);
        pt_buf_drop(body);
    }
    /* one that has ended by itself, by its deadline or a stop, has been heard of: it was started */
    if (st != PATIO_OK && (word == 0 || pt_future_claim_word(f, word))) {
        pt_future_drop(f);
        if (kind == PT_KIND_SEND) {
            PT_COUNT(b->called.sends_refused);
        }
        return st;
    }
    if (kind == PT_KIND_CALL) {
        PT_COUNT(b->called.calls_started);
    }
    if (o.deadline_ns < atomic_load_explicit(&b->futures.sweep_ns, memory_order_relaxed)) {
        pt_broker_sooner(b);
    }
    *out = f;
    return PATIO_OK;
}

patio_status patio_start(patio_broker *b, const char *task, const patio_payload *payload,
                         const patio_call_options *options, patio_future **out, patio_error *err)
{
    return start(b, PT_KIND_CALL, task, payload, options, out, err);
}

patio_status patio_send_start(patio_broker *b, const char *task, const patio_payload *payload,
                              const patio_call_options *options, patio_future **out,
                              patio_error *err)
{
    return start(b, PT_KIND_SEND, task, payload, options, out, err);
}

static patio_status name_of(patio_broker *b, patio_task_fn fn, const char **out, patio_error *err)
{
    if (b == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "call by function: broker is NULL");
    }
    const pt_task *task = b->registry != NULL ? pt_registry_lookup_fn(b->registry, fn) : NULL;
    if (task == NULL) {
        return pt_fail(err, PATIO_NOT_FOUND, "broker",
                       "call by function: this function is not in the broker's registry");
    }
    *out = task->name;
    return PATIO_OK;
}

patio_status patio_start_fn(patio_broker *b, patio_task_fn fn, const patio_payload *payload,
                            const patio_call_options *options, patio_future **out, patio_error *err)
{
    const char  *name = NULL;
    patio_status st   = name_of(b, fn, &name, err);
    return st == PATIO_OK ? patio_start(b, name, payload, options, out, err) : st;
}

/* Until its own deadline ends it; a task that is told to end gives up what it calls. */
static patio_status wait_for(patio_future *f, const char *task, patio_error *err)
{
    patio_status st = patio_future_wait(f, PATIO_FOREVER);
    if (st == PATIO_OK) {
        return patio_future_status(f, err);
    }
    patio_future_cancel(f);
    return pt_fail(err, st, "broker", "call %.255s: given up, for the calling task %s", task,
                   st == PATIO_CANCELLED ? "is told to end" : "is at its deadline");
}

patio_status patio_call(patio_broker *b, const char *task, const patio_payload *payload,
                        const patio_call_options *options, patio_future **out, patio_error *err)
{
    patio_future *f  = NULL;
    patio_status  st = start(b, PT_KIND_CALL, task, payload, options, &f, err);
    if (st != PATIO_OK) {
        return st;
    }
    st = wait_for(f, task, err);
    if (st == PATIO_OK && out != NULL) {
        *out = f;
    } else {
        patio_future_destroy(f);
    }
    return st;
}

patio_status patio_call_fn(patio_broker *b, patio_task_fn fn, const patio_payload *payload,
                           const patio_call_options *options, patio_future **out, patio_error *err)
{
    const char  *name = NULL;
    patio_status st   = name_of(b, fn, &name, err);
    return st == PATIO_OK ? patio_call(b, name, payload, options, out, err) : st;
}

patio_status patio_send(patio_broker *b, const char *task, const patio_payload *payload,
                        const patio_call_options *options, patio_id *id, patio_error *err)
{
    patio_future *f  = NULL;
    patio_status  st = start(b, PT_KIND_SEND, task, payload, options, &f, err);
    if (st != PATIO_OK) {
        return st;
    }
    st = wait_for(f, task, err);
    if (st == PATIO_OK && id != NULL) {
        *id = patio_future_id(f);
    }
    patio_future_destroy(f);
    return st;
}

void patio_future_cancel(patio_future *f)
{
    patio_broker *b    = f->table->broker;
    uint64_t      word = atomic_load(&f->word);
    patio_id      id   = pt_future_make_id(f);
    if ((word & 0xff) != PT_FUTURE_PENDING || !pt_future_claim_word(f, word)) {
        return;
    }
    if ((b->transport_plugin->ops.caps & PATIO_CAP_CANCEL) != 0) {
        /* best effort: the caller has its answer either way */
        (void)b->transport_plugin->ops.cancel(b->transport, f->queue, &id, NULL);
    }
    pt_future_give_up(f, PATIO_CANCELLED, "cancelled by the caller");
}
