/* The caller's way out: options -> envelope -> transport. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/outgoing.h"

#define WARN_AGAIN_NS UINT64_C(60000000000)

static const patio_call_options no_options = {PATIO_SIZED(patio_call_options)};

/* It grows towards the limit: said in time, and once a minute at most. */
static void warn_of_size(patio_broker *b, const char *task, size_t size_bytes)
{
    uint64_t now  = pt_clock_tick(&b->runtime->clock);
    uint64_t last = atomic_load_explicit(&b->size_warned_ns, memory_order_relaxed);
    if ((last == 0 || now - last > WARN_AGAIN_NS) &&
        atomic_compare_exchange_strong(&b->size_warned_ns, &last, now)) {
        pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker",
                      "call %s takes %zu bytes, more than half of max_body_bytes (%llu), above "
                      "which calls are refused: pass a reference to what is large, or raise it",
                      task, size_bytes, (unsigned long long)b->max_body_bytes);
    }
}

static patio_status encode(patio_broker *b, const pt_outgoing *o, const patio_future *f,
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
        .task_version    = o->own != NULL ? o->own->version : 0,
        .traceparent     = o->traceparent != NULL ? o->traceparent : "",
        .tracestate      = o->tracestate != NULL ? o->tracestate : "",
        .dedup_key       = o->dedup_key,
        .dedup_window_ms = o->dedup_window_ms,
        .dedup_conflict  = o->dedup_conflict,
        .headers         = options->headers,
        .header_count    = options->headers != NULL ? options->header_count : 0,
        .wants_progress  = f->listens,
        .policy          = o->policy,
    };
    for (size_t i = 0; i < request.header_count; i++) {
        const patio_header *h = &options->headers[i];
        if (h->name == NULL || h->name[0] == '\0' || strlen(h->name) > 255) {
            return pt_fail(err, PATIO_INVALID, "broker",
                           "call %s: header %zu has no name of 1 to 255 bytes", o->task, i);
        }
    }
    patio_status st = pt_encode_request(b->mem, &request, payload, b->max_body_bytes, out, err);
    if (st == PATIO_OK && pt_buf_view(*out).size > b->max_body_bytes / 2) {
        warn_of_size(b, o->task, pt_buf_view(*out).size);
    }
    return st;
}

/* When the transport need not deliver it any more: what comes first of being started too late, and
 * of an answer too late. */
static uint64_t first_end(const pt_outgoing *o)
{
    uint64_t deadline = o->kind == PT_KIND_CALL ? o->timeout_ms : 0;
    return o->queue_ttl_ms != 0 ? o->queue_ttl_ms : deadline;
}

static uint16_t level_of(const pt_outgoing *o)
{
    uint32_t level = o->own != NULL ? o->own->level : 0;
    return o->options->level != 0 ? o->options->level : (uint16_t)level;
}

static patio_status publish(patio_broker *b, const pt_outgoing *o, const patio_id *id,
                            patio_buf *body, patio_error *err)
{
    patio_message message = {
        PATIO_SIZED(patio_message),
        .flags           = o->flags,
        .id              = *id,
        .queue           = o->queue,
        .task            = o->task,
        .dedup_key       = {(const uint8_t *)o->dedup_key, strlen(o->dedup_key)},
        .dedup_window_ms = o->dedup_window_ms,
        .dedup_conflict  = o->dedup_conflict,
        .ttl_ms          = first_end(o),
        .delay_ms        = o->delay_ms,
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
    bool listens   = f->kind == PT_KIND_CALL &&
                   (f->on_progress != NULL || (options->flags & PATIO_CALL_PROGRESS) != 0);
    atomic_store_explicit(&f->listens, listens, memory_order_relaxed);
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
    pt_outgoing      o = {.task = task, .kind = kind, .options = options ? options : &no_options};
    pt_outgoing_room room;
    patio_status     st = pt_outgoing_prepare(b, &o, payload, &room, err);
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
        const patio_value *original = f->reply != NULL ? patio_future_value(f) : NULL;
        if (original == NULL || patio_id_parse(original->as.string, id) != PATIO_OK) {
            *id = patio_future_id(f);
        }
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
