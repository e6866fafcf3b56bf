/* The application's view of a running task: core/include/patio/task.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/run.h"

/* ---- arguments ---- */

uint32_t patio_arg_kind(const patio_context *ctx)
{
    return ctx->payload.kind;
}

size_t patio_arg_count(const patio_context *ctx)
{
    return ctx->values.count;
}

const patio_value *patio_arg(const patio_context *ctx, size_t i)
{
    return i < ctx->values.count ? &ctx->values.positional[i] : NULL;
}

const patio_value *patio_kwargs(const patio_context *ctx)
{
    return &ctx->values.keywords;
}

const patio_value *patio_kwarg(const patio_context *ctx, const char *name)
{
    return patio_value_key(&ctx->values.keywords, name);
}

/* A wrong argument is the caller's mistake and says which. */
static patio_status wrong(patio_context *ctx, size_t i, const char *expected)
{
    const patio_value *v = patio_arg(ctx, i);
    if (v == NULL) {
        return patio_task_fail(ctx, PATIO_INVALID, "ArgumentError",
                               "argument %zu of %s: expected %s, got none", i, ctx->run->task->name,
                               expected);
    }
    return patio_task_fail(ctx, PATIO_TYPE, "ArgumentError",
                           "argument %zu of %s: expected %s, got %s", i, ctx->run->task->name,
                           expected, patio_type_name(v->type));
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a type takes none */
#define GETTER(name, type, expected)                                                               \
    patio_status patio_arg_##name(patio_context *ctx, size_t i, type *out)                         \
    {                                                                                              \
        return patio_value_get_##name(patio_arg(ctx, i), out) == PATIO_OK                          \
                   ? PATIO_OK                                                                      \
                   : wrong(ctx, i, expected);                                                      \
    }
GETTER(bool, bool, "bool")
GETTER(int64, int64_t, "int64")
GETTER(uint64, uint64_t, "uint64")
GETTER(double, double, "double")
GETTER(string, const char *, "string")
GETTER(bytes, patio_bytes, "bytes")
#undef GETTER
/* NOLINTEND(bugprone-macro-parentheses) */

patio_status patio_arg_raw(patio_context *ctx, patio_bytes *out, const char **content_type)
{
    if (ctx->payload.kind == PATIO_PAYLOAD_VALUES) {
        return patio_task_fail(ctx, PATIO_TYPE, "ArgumentError",
                               "%s expects a raw payload, got values", ctx->run->task->name);
    }
    *out = ctx->payload.bytes;
    if (content_type != NULL) {
        *content_type = ctx->payload.content_type;
    }
    return PATIO_OK;
}

patio_status patio_arg_protobuf(patio_context                           *ctx,
                                const struct ProtobufCMessageDescriptor *descriptor,
                                struct ProtobufCMessage                **out)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = pt_decode_message(&ctx->arena, &ctx->payload, descriptor, out, &err);
    return st == PATIO_OK ? st
                          : patio_task_fail(ctx, st, "ArgumentError", "%s: %s",
                                            ctx->run->task->name, err.message);
}

/* ---- result ---- */

patio_status patio_return_payload(patio_context *ctx, const patio_payload *payload)
{
    const pt_run *run = ctx->run;
    if (!run->wants_reply) {
        return PATIO_OK;
    }
    pt_reply    reply = {.id = ctx->request.id, .status = PATIO_OK};
    patio_buf  *buf   = NULL;
    patio_error err;
    pt_error_init(&err);
    patio_status st = pt_encode_reply(run->mem, &reply, payload, run->max_body_bytes, &buf, &err);
    if (st != PATIO_OK) {
        (void)patio_task_fail(ctx, st, patio_status_name(st), "result of %s: %s", run->task->name,
                              err.message);
        return st;
    }
    pt_buf_drop(ctx->reply);
    ctx->reply = buf;
    return PATIO_OK;
}

patio_status patio_return(patio_context *ctx, patio_value value)
{
    return patio_return_payload(ctx, &(const patio_payload){PATIO_SIZED(patio_payload),
                                                            .kind   = PATIO_PAYLOAD_VALUES,
                                                            .values = &value, .value_count = 1});
}

static const char *keep(patio_context *ctx, const char *text)
{
    size_t size = strlen(text) + 1;
    char  *copy = pt_arena_alloc(&ctx->arena, size);
    if (copy == NULL) {
        return "";
    }
    memcpy(copy, text, size);
    return copy;
}

patio_status patio_task_fail_with(patio_context *ctx, int32_t code, const char *type,
                                  const char *message, const patio_payload *details)
{
    ctx->code          = code;
    ctx->error_type    = keep(ctx, type != NULL ? type : "Error");
    ctx->error_message = keep(ctx, message != NULL ? message : "");
    ctx->error_details = (patio_bytes){NULL, 0};
    if (details != NULL && details->kind == PATIO_PAYLOAD_VALUES) {
        patio_error err = PATIO_ERROR_INIT;
        if (pt_encode_values(&ctx->arena, details, &ctx->error_details, &err) != PATIO_OK) {
            patio_task_log(ctx, PATIO_LOG_WARN, "details of the error are left out: %s",
                           err.message);
        }
    }
    return PATIO_TASK_FAILED;
}

patio_status patio_task_fail(patio_context *ctx, int32_t code, const char *type, const char *format,
                             ...)
{
    char    message[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return patio_task_fail_with(ctx, code, type, message, NULL);
}

patio_status patio_task_retry(patio_context *ctx, uint64_t after_ms, const char *format, ...)
{
    char    message[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    (void)patio_task_fail_with(ctx, PATIO_TASK_RETRY, "Retry", message, NULL);
    ctx->delay_ms = after_ms;
    return PATIO_TASK_RETRY;
}

patio_status patio_task_snooze(patio_context *ctx, uint64_t after_ms)
{
    ctx->delay_ms = after_ms;
    return PATIO_TASK_SNOOZE;
}

/* ---- circumstances ---- */

patio_id patio_task_id(const patio_context *ctx)
{
    return ctx->request.id;
}

const char *patio_task_name(const patio_context *ctx)
{
    return ctx->run->task->name;
}

const char *patio_task_project(const patio_context *ctx)
{
    return ctx->run->project;
}

uint32_t patio_task_attempt(const patio_context *ctx)
{
    return ctx->run->attempt;
}

uint64_t patio_task_fence(const patio_context *ctx)
{
    return ctx->run->fence;
}

static uint64_t now_of(const pt_run *run)
{
    return run->clock != NULL ? pt_clock_now(run->clock) : pt_now_ns();
}

static bool has_passed(const pt_run *run)
{
    return run->clock != NULL ? pt_clock_passed(run->clock, run->deadline_ns)
                              : pt_has_passed(run->deadline_ns);
}

uint64_t patio_task_remaining_ms(const patio_context *ctx)
{
    return ctx->run->deadline_ns == 0 ? PATIO_FOREVER
                                      : pt_until_ms(now_of(ctx->run), ctx->run->deadline_ns);
}

bool patio_task_cancelled(const patio_context *ctx)
{
    const pt_run *run = ctx->run;
    return (run->told != NULL && atomic_load_explicit(run->told, memory_order_acquire) != 0) ||
           (run->deadline_ns != 0 && has_passed(run));
}

const char *patio_task_header(const patio_context *ctx, const char *name)
{
    for (size_t i = 0; i < ctx->request.header_count; i++) {
        if (strcmp(ctx->request.headers[i].name, name) == 0) {
            return ctx->request.headers[i].value;
        }
    }
    return NULL;
}

const char *patio_task_traceparent(const patio_context *ctx)
{
    return ctx->request.traceparent;
}

patio_broker *patio_task_broker(const patio_context *ctx)
{
    return ctx->run->broker;
}

void patio_task_progress(patio_context *ctx, uint64_t numerator, uint64_t denominator,
                         const char *note)
{
    if (!ctx->request.wants_progress) {
        return;
    }
    patio_progress p = {PATIO_SIZED(patio_progress), .numerator = numerator,
                        .denominator = denominator};
    if (note != NULL) {
        pt_text_cut(p.note, sizeof(p.note), note);
    }
    ctx->run->host->progress(ctx->run->host_self, &p);
}

void *patio_task_alloc(patio_context *ctx, size_t size_bytes)
{
    return pt_arena_alloc(&ctx->arena, size_bytes);
}

void patio_task_log(const patio_context *ctx, int32_t level, const char *format, ...)
{
    if (!pt_log_on(ctx->run->log, level)) {
        return;
    }
    char    text[1536];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ctx->run->host->log(ctx->run->host_self, &ctx->request.id, level, text);
}
