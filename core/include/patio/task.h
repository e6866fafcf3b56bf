/* patio/task.h: what a running task sees: its arguments, its result, its circumstances.
 *
 * Every function here: only inside the task function, on the thread that runs it, unless it says
 * otherwise; none blocks. Whatever they return is borrowed and valid until the task returns.
 */
#ifndef PATIO_TASK_H
#define PATIO_TASK_H

#include <patio/registry.h>
#include <patio/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct patio_broker patio_broker; /* patio/broker.h */

/* ---- arguments ---- */

/* PATIO_PAYLOAD_VALUES, _PROTOBUF or _RAW. */
PATIO_API uint32_t patio_arg_kind(const patio_context *ctx);
/* Positional arguments, and one of them (NULL past the end). */
PATIO_API size_t             patio_arg_count(const patio_context *ctx);
PATIO_API const patio_value *patio_arg(const patio_context *ctx, size_t i);
/* Keyword argument, NULL if not given. All of them as a map: patio_kwargs. */
PATIO_API const patio_value *patio_kwarg(const patio_context *ctx, const char *name);
PATIO_API const patio_value *patio_kwargs(const patio_context *ctx);

/* Argument i as a type. If it is missing or of another type the task's error is set ("argument 2 of
 * mul: expected int64, got string") and the status is to be returned:
 *     patio_status st = patio_arg_int64(ctx, 0, &x);
 *     if (st != PATIO_OK) { return st; }                                                       */
PATIO_API PATIO_CHECKED patio_status patio_arg_bool(patio_context *ctx, size_t i, bool *out);
PATIO_API PATIO_CHECKED patio_status patio_arg_int64(patio_context *ctx, size_t i, int64_t *out);
PATIO_API PATIO_CHECKED patio_status patio_arg_uint64(patio_context *ctx, size_t i, uint64_t *out);
PATIO_API PATIO_CHECKED patio_status patio_arg_double(patio_context *ctx, size_t i, double *out);
PATIO_API PATIO_CHECKED patio_status patio_arg_string(patio_context *ctx, size_t i,
                                                      const char **out);
PATIO_API PATIO_CHECKED patio_status patio_arg_bytes(patio_context *ctx, size_t i,
                                                     patio_bytes *out);
/* The whole payload of a RAW or PROTOBUF call; *content_type (may be NULL) gets the content type,
 * or the protobuf type name. TYPE for values. */
PATIO_API PATIO_CHECKED patio_status patio_arg_raw(patio_context *ctx, patio_bytes *out,
                                                   const char **content_type);
/* The payload as a message of the given protobuf-c type; TYPE if it is of another. Freed with the
 * task, within the task's memory budget. */
PATIO_API PATIO_CHECKED patio_status
patio_arg_protobuf(patio_context *ctx, const struct ProtobufCMessageDescriptor *descriptor,
                   struct ProtobufCMessage **out);

/* ---- result ---- */

/* Give the result; the last one given counts; without one it is null. It is encoded at once, so
 * what it borrows may go. TOO_LARGE above the body limit; INVALID for values that cannot be
 * encoded. */
PATIO_API PATIO_CHECKED patio_status patio_return(patio_context *ctx, patio_value value);
PATIO_API PATIO_CHECKED patio_status patio_return_payload(patio_context       *ctx,
                                                          const patio_payload *payload);
/* return PATIO_RETURN(ctx, a * b); */
#define PATIO_RETURN(ctx, x) patio_return((ctx), PATIO_VALUE(x))

/* Fail: the caller gets code, type and message. Returns PATIO_TASK_FAILED, to be returned. */
PATIO_API patio_status patio_task_fail(patio_context *ctx, int32_t code, const char *type,
                                       const char *format, ...) PATIO_PRINTF(4, 5);
/* The same with details that the caller can read (patio_task_error). */
PATIO_API patio_status patio_task_fail_with(patio_context *ctx, int32_t code, const char *type,
                                            const char *message, const patio_payload *details);
/* Try again in after_ms, or after the task's back-off with 0; costs an attempt. `format` says why
 * (it is kept as the last error). Returns PATIO_TASK_RETRY, to be returned. */
PATIO_API patio_status patio_task_retry(patio_context *ctx, uint64_t after_ms, const char *format,
                                        ...) PATIO_PRINTF(3, 4);
/* Run again in after_ms; costs no attempt. Returns PATIO_TASK_SNOOZE, to be returned. */
PATIO_API patio_status patio_task_snooze(patio_context *ctx, uint64_t after_ms);

/* ---- circumstances ---- */

PATIO_API patio_id    patio_task_id(const patio_context *ctx);
PATIO_API const char *patio_task_name(const patio_context *ctx);
PATIO_API const char *patio_task_project(const patio_context *ctx);
PATIO_API uint32_t    patio_task_attempt(const patio_context *ctx); /* 1 on the first run */
/* Fencing number: grows with every delivery of this task. Store it beside what the task writes, and
 * let a smaller one never overwrite a larger. */
PATIO_API uint64_t patio_task_fence(const patio_context *ctx);
/* Milliseconds until the deadline of the call or of this attempt, whichever is first; PATIO_FOREVER
 * without one. */
PATIO_API uint64_t patio_task_remaining_ms(const patio_context *ctx);
/* Has it been cancelled, has its deadline passed, or its lease been lost? A long task asks now and
 * then, and returns early. Any thread while the task runs. */
PATIO_API bool patio_task_cancelled(const patio_context *ctx);
/* A header of the call, NULL if there is none of that name. */
PATIO_API const char *patio_task_header(const patio_context *ctx, const char *name);
/* W3C trace context of the call, "" if there is none. */
PATIO_API const char *patio_task_traceparent(const patio_context *ctx);
/* The broker that runs this task, to call others with (patio_call_options.parent inherits deadline
 * and trace). NULL in a child process that has none. */
PATIO_API patio_broker *patio_task_broker(const patio_context *ctx);
/* Memory that is freed when the task returns; NULL when out of memory or over the task's budget. */
PATIO_API void *patio_task_alloc(patio_context *ctx, size_t size_bytes);
/* Say how far it has come: `numerator` of `denominator` (0: not known), with a note for people (may
 * be NULL; cut to PATIO_PROGRESS_NOTE_BYTES). Costs next to nothing when the caller does not listen
 * (patio_call_options.on_progress); else at most one report in 100 ms travels, always the latest,
 * so a task may say it as often as it likes. Never an error: what cannot be told is not told. */
PATIO_API void patio_task_progress(patio_context *ctx, uint64_t numerator, uint64_t denominator,
                                   const char *note);
/* One line in the broker's log, with the task's id. */
PATIO_API void patio_task_log(const patio_context *ctx, int32_t level, const char *format, ...)
    PATIO_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
