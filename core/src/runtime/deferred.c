/* Tasks that are finished through a handle. Who finishes one touches nothing but the handle: the
 * run takes over what is in it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/awaiter.h"
#include "runtime/run.h"

enum { OPEN = 0, FINISHED = 1, ENDED = 2 };

struct patio_deferred {
    const patio_allocator *mem;
    _Atomic uint32_t       refs; /* the run's, and the user's */
    _Atomic uint32_t       state;
    patio_waker            waker;
    /* what an answer is made with */
    patio_id id;
    uint64_t max_body_bytes;
    bool     wants_reply;
    /* the answer, once it is finished */
    patio_status status;
    int32_t      code;
    char        *type; /* may be NULL, as is the message: out of memory */
    char        *message;
    patio_buf   *reply;
};

static void drop(patio_deferred *d)
{
    if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1) {
        pt_buf_drop(d->reply);
        pt_free(d->mem, d->type);
        pt_free(d->mem, d->message);
        pt_free(d->mem, d);
    }
}

patio_status patio_task_defer(patio_context *ctx, patio_deferred **out)
{
    const pt_run *run = ctx->run;
    if (ctx->deferred != NULL) {
        return PATIO_EXISTS;
    }
    patio_deferred *d = pt_calloc(run->mem, 1, sizeof(*d));
    if (d == NULL) {
        return PATIO_NO_MEMORY;
    }
    d->mem            = run->mem;
    d->waker          = pt_await_ticket(ctx->awaiter, PT_TICKET_DEFER);
    d->id             = ctx->request.id;
    d->max_body_bytes = run->max_body_bytes;
    d->wants_reply    = run->wants_reply;
    atomic_store(&d->refs, 2);
    ctx->deferred = d;
    *out          = d;
    return PATIO_OK;
}

bool patio_deferred_ended(const patio_deferred *d)
{
    return atomic_load(&d->state) == ENDED;
}

/* The answer is in the handle: hand it over, and let go. */
static patio_status finish(patio_deferred *d)
{
    uint32_t    open  = OPEN;
    patio_waker waker = d->waker;
    bool        first = atomic_compare_exchange_strong(&d->state, &open, FINISHED);
    if (first) {
        (void)patio_resume(waker);
    }
    drop(d);
    return first ? PATIO_OK : PATIO_STALE;
}

static void set_failure(patio_deferred *d, int32_t code, const char *type, const char *message)
{
    d->status  = PATIO_TASK_FAILED;
    d->code    = code;
    d->type    = pt_strdup(d->mem, type != NULL ? type : "Error");
    d->message = pt_strdup(d->mem, message);
}

patio_status patio_deferred_return_payload(patio_deferred *d, const patio_payload *payload)
{
    patio_error  err;
    patio_status st = PATIO_OK;
    pt_error_init(&err);
    if (patio_deferred_ended(d)) {
        drop(d);
        return PATIO_STALE;
    }
    if (d->wants_reply) {
        pt_reply reply = {.id = d->id, .status = PATIO_OK};
        st = pt_encode_reply(d->mem, &reply, payload, d->max_body_bytes, &d->reply, &err);
    }
    if (st != PATIO_OK) {
        set_failure(d, st, patio_status_name(st), err.message);
    }
    patio_status finished = finish(d);
    return st != PATIO_OK && finished == PATIO_OK ? st : finished;
}

patio_status patio_deferred_return(patio_deferred *d, patio_value value)
{
    return patio_deferred_return_payload(
        d, &(const patio_payload){PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                  .values = &value, .value_count = 1});
}

patio_status patio_deferred_fail(patio_deferred *d, int32_t code, const char *type,
                                 const char *format, ...)
{
    char    message[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    set_failure(d, code, type, message);
    return finish(d);
}

/* ---- the run's side ---- */

static patio_status take_answer(patio_context *ctx, patio_deferred *d)
{
    if (d->status != PATIO_OK) {
        return patio_task_fail_with(ctx, d->code, d->type, d->message, NULL);
    }
    pt_buf_drop(ctx->reply);
    ctx->reply = d->reply;
    d->reply   = NULL;
    return PATIO_OK;
}

patio_status pt_deferred_finish(patio_context *ctx, patio_status st)
{
    patio_deferred *d    = ctx->deferred;
    uint32_t        open = OPEN;
    if (st == PATIO_OK) {
        st = pt_await(ctx->awaiter, PT_TICKET_DEFER, UINT64_MAX, false);
    }
    if (st == PATIO_OK || !atomic_compare_exchange_strong(&d->state, &open, ENDED)) {
        st = take_answer(ctx, d);
    }
    ctx->deferred = NULL;
    drop(d);
    return st;
}
