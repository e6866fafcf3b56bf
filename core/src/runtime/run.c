#include "runtime/run.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"

enum { NO_MEMORY_PAUSE_MS = 100 };

/* The error reply of a context. Also where nobody waits: the dead letters want its text. */
static patio_buf *encode_error(const pt_run *run, patio_id id, patio_status status,
                               const patio_context *ctx)
{
    pt_reply reply = {
        .id            = id,
        .status        = status,
        .code          = ctx->code,
        .error_type    = ctx->error_type != NULL ? ctx->error_type : patio_status_name(status),
        .error_message = ctx->error_message != NULL ? ctx->error_message : "",
        .error_details = ctx->error_details,
    };
    patio_buf *buf = NULL;
    if (pt_encode_reply(run->mem, &reply, NULL, UINT64_MAX / 2, &buf, NULL) != PATIO_OK) {
        return NULL; /* out of memory: the caller's deadline speaks instead */
    }
    return buf;
}

void pt_run_refuse(const pt_run *run, patio_status status, const char *type, const char *message,
                   patio_outcome *out)
{
    patio_context ctx = {.code = status, .error_type = type, .error_message = message};
    out->verdict      = PATIO_REJECT;
    out->status       = status;
    out->delay_ms     = 0;
    out->reply        = encode_error(run, run->id, status, &ctx);
}

/* A task that succeeded without saying a result returns null. */
static void finish_ok(patio_context *ctx, patio_outcome *out)
{
    const pt_run *run = ctx->run;
    if (ctx->reply == NULL && run->wants_reply) {
        pt_reply reply = {.id = ctx->request.id, .status = PATIO_OK};
        if (pt_encode_reply(run->mem, &reply, NULL, run->max_body_bytes, &ctx->reply, NULL) !=
            PATIO_OK) {
            out->verdict  = PATIO_RETRY; /* out of memory: done, but nobody could be told */
            out->status   = PATIO_NO_MEMORY;
            out->delay_ms = 0;
            return;
        }
    }
    out->verdict = PATIO_ACK;
    out->status  = PATIO_OK;
    out->reply   = ctx->reply;
    ctx->reply   = NULL;
}

static void finish(patio_context *ctx, patio_status st, patio_outcome *out)
{
    if (st == PATIO_OK) {
        finish_ok(ctx, out);
        return;
    }
    pt_buf_drop(ctx->reply);
    ctx->reply    = NULL;
    out->status   = st;
    out->delay_ms = ctx->delay_ms;
    if (st == PATIO_TASK_SNOOZE) {
        out->verdict = PATIO_RETURN;
        return;
    }
    if (st == PATIO_CANCELLED && atomic_load(ctx->run->told) != 0) {
        /* it ended because it was told to: that is how it ended, and no failure */
        out->verdict = PATIO_REJECT;
        out->reply   = encode_error(ctx->run, ctx->request.id, PATIO_CANCELLED, ctx);
        return;
    }
    if (st != PATIO_TASK_RETRY && st != PATIO_TASK_FAILED && st != PATIO_TASK_CRASHED) {
        /* a bare status, returned as it came */
        ctx->code       = ctx->error_type != NULL ? ctx->code : st;
        ctx->error_type = ctx->error_type != NULL ? ctx->error_type : patio_status_name(st);
        ctx->error_message =
            ctx->error_message != NULL ? ctx->error_message : patio_status_text(st);
        out->status = PATIO_TASK_FAILED;
    }
    out->verdict = st == PATIO_TASK_RETRY ? PATIO_RETRY : PATIO_REJECT;
    /* also for a retry: should it have been the last, the caller hears why */
    out->reply = encode_error(ctx->run, ctx->request.id,
                              st == PATIO_TASK_CRASHED ? st : PATIO_TASK_FAILED, ctx);
}

patio_status pt_decode_task(pt_arena *arena, patio_bytes bytes, const char *project,
                            pt_request *request, pt_payload_view *payload, pt_values *values,
                            patio_error *err)
{
    patio_status st = pt_decode_request(arena, bytes, request, payload, err);
    if (st == PATIO_OK && strcmp(request->project, project) != 0) {
        st = pt_fail(err, PATIO_PROTOCOL, "envelope",
                     "a task of project \"%.128s\" came to a worker of project \"%s\"",
                     request->project, project);
    }
    if (st == PATIO_OK && payload->kind == PATIO_PAYLOAD_VALUES) {
        st = pt_decode_values(arena, payload->bytes, values, err);
    }
    return st;
}

void pt_run_undecodable(const pt_run *run, patio_status status, const patio_error *err,
                        patio_outcome *out)
{
    if (status == PATIO_NO_MEMORY) {
        /* says nothing about the task: it was not started, and may be elsewhere or later */
        *out = (patio_outcome){.struct_size = out->struct_size,
                               .verdict     = PATIO_RETURN,
                               .status      = status,
                               .delay_ms    = NO_MEMORY_PAUSE_MS};
    } else {
        pt_run_refuse(run, status, patio_status_name(status), err->message, out);
    }
}

static patio_status decode(patio_context *ctx, patio_error *err)
{
    return pt_decode_task(&ctx->arena, pt_buf_view(ctx->run->request), ctx->run->project,
                          &ctx->request, &ctx->payload, &ctx->values, err);
}

/* Once more, for the words. A kilobyte of them on the stack of each run would be what makes a task
 * that waits touch one page more. */
__attribute__((noinline)) static bool say_why(patio_context *ctx, patio_outcome *out)
{
    patio_error err;
    pt_error_init(&err);
    pt_arena_reset(&ctx->arena);
    patio_status st = decode(ctx, &err);
    if (st != PATIO_OK) {
        pt_run_undecodable(ctx->run, st, &err, out);
    }
    return st == PATIO_OK; /* there may be memory now */
}

static patio_status run_function(patio_context *ctx)
{
    pt_await_enter(ctx->awaiter, ctx->run);
    patio_status st = ctx->run->task->fn(ctx);
    if (ctx->deferred != NULL) {
        st = pt_deferred_finish(ctx, st);
    }
    pt_await_leave(ctx->awaiter);
    return st;
}

void pt_run_task(const pt_run *run, patio_outcome *out)
{
    pt_awaiter    local = {.ops = NULL};
    patio_context ctx   = {.run = run, .awaiter = run->awaiter != NULL ? run->awaiter : &local};
    out->reply          = NULL;
    out->delay_ms       = 0;
    pt_arena_init(&ctx.arena, run->mem, run->scratch, run->scratch_bytes,
                  (size_t)run->max_decode_bytes);
    if (decode(&ctx, NULL) == PATIO_OK || say_why(&ctx, out)) {
        finish(&ctx, run_function(&ctx), out);
    }
    pt_arena_reset(&ctx.arena);
    if (run->awaiter == NULL) {
        pt_await_end(&local);
    }
}

/* A context without a decoded request, for ends that came from elsewhere. */
static void init_bare(patio_context *ctx, const pt_run *run, patio_outcome *out)
{
    ctx->run        = run;
    ctx->request.id = run->id;
    out->reply      = NULL;
    out->delay_ms   = 0;
    pt_arena_init(&ctx->arena, run->mem, NULL, 0, (size_t)run->max_decode_bytes);
}

void pt_run_succeed(const pt_run *run, const patio_payload *result, patio_outcome *out)
{
    patio_context ctx = {.run = run};
    init_bare(&ctx, run, out);
    finish(&ctx, patio_return_payload(&ctx, result), out);
    pt_arena_reset(&ctx.arena);
}

void pt_run_fail(const pt_run *run, patio_status status, uint64_t delay_ms, int32_t code,
                 const char *type, const char *message, patio_outcome *out)
{
    patio_context ctx = {.run = run};
    init_bare(&ctx, run, out);
    ctx.delay_ms      = delay_ms;
    ctx.code          = code;
    ctx.error_type    = type != NULL ? type : patio_status_name(status);
    ctx.error_message = message != NULL ? message : patio_status_text(status);
    finish(&ctx, status, out);
}
