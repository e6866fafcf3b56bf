/* Reading what came back: decoded by the first read, on the reader's thread. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "runtime/future.h"

struct pt_reading {
    pt_arena         arena;
    patio_status     status; /* OK, the task's, or why it could not be decoded */
    pt_reply         reply;
    pt_payload_view  payload;
    pt_values        values;
    patio_value      null;
    patio_task_error error;
    const char      *problem; /* of decoding */
    /* with this the whole stays below 1 KiB, which malloc hands out from a thread's own cache */
    _Alignas(16) uint8_t scratch[704];
};

void pt_reading_free(const patio_allocator *mem, pt_reading *reading)
{
    pt_arena_reset(&reading->arena);
    pt_free(mem, reading);
}

void pt_reading_reset(pt_reading *reading)
{
    pt_arena_reset(&reading->arena);
}

static void fill_error(pt_reading *r)
{
    pt_values details;
    r->error = (patio_task_error){
        PATIO_SIZED(patio_task_error),
        .code    = r->reply.code,
        .type    = r->reply.error_type,
        .message = r->reply.error_message,
    };
    if (r->reply.error_details.size == 0 ||
        pt_decode_values(&r->arena, r->reply.error_details, &details, NULL) != PATIO_OK) {
        return;
    }
    if (details.count > 0) {
        r->error.details = &details.positional[0];
    } else if (details.keywords.size > 0) {
        patio_value *map = pt_arena_alloc(&r->arena, sizeof(*map));
        if (map != NULL) {
            *map             = details.keywords;
            r->error.details = map;
        }
    }
}

static void decode(pt_reading *r, const patio_buf *reply)
{
    patio_error err;
    pt_error_init(&err);
    r->status = pt_decode_reply(&r->arena, pt_buf_view(reply), &r->reply, &r->payload, &err);
    if (r->status == PATIO_OK && r->reply.status != PATIO_OK) {
        r->status = r->reply.status;
        fill_error(r);
        return;
    }
    if (r->status == PATIO_OK && r->payload.kind == PATIO_PAYLOAD_VALUES) {
        r->status = pt_decode_values(&r->arena, r->payload.bytes, &r->values, &err);
    }
    if (r->status != PATIO_OK) {
        size_t size    = strlen(err.message) + 1;
        char  *problem = pt_arena_alloc(&r->arena, size);
        r->problem     = problem != NULL ? memcpy(problem, err.message, size) : "";
    }
}

/* NULL when there is no reply, or no memory to read it. */
static pt_reading *read_reply(patio_future *f)
{
    if (f->reading == NULL && f->reply != NULL) {
        pt_futures *table = f->table;
        pt_reading *r     = f->spare != NULL ? f->spare : pt_alloc(table->mem, sizeof(*r));
        if (r == NULL) {
            return NULL;
        }
        memset(r, 0, offsetof(pt_reading, scratch));
        pt_arena_init(&r->arena, table->mem, r->scratch, sizeof(r->scratch),
                      (size_t)table->max_decode_bytes);
        decode(r, f->reply);
        f->reading = r;
        f->spare   = NULL;
    }
    return f->reading;
}

static patio_status explain(const patio_future *f, patio_error *err)
{
    if (f->status == PATIO_TIMEOUT && f->problem == NULL) {
        return pt_fail(err, PATIO_TIMEOUT, "broker",
                       f->kind == PT_KIND_CALL
                           ? "no result by the call's deadline; the task may still run"
                           : "the transport has not answered in time; the task may have been "
                             "accepted");
    }
    return pt_fail(err, f->status, "broker", "%s",
                   f->problem != NULL ? f->problem : patio_status_text(f->status));
}

/* What the reply says. A status that nobody explained has its own name for a type. */
static patio_status explain_error(const pt_reading *r, patio_error *err)
{
    const patio_task_error *e = &r->error;
    if (r->status != PATIO_TIMEOUT) {
        return pt_fail(err, r->status, "task", "%s (%d): %s", e->type, e->code, e->message);
    }
    if (strcmp(e->type, patio_status_name(PATIO_TIMEOUT)) == 0) {
        return pt_fail(err, r->status, "task", "%s", e->message);
    }
    return pt_fail(err, r->status, "task",
                   "the call's deadline passed, and it ended in %s (%d): %s", e->type, e->code,
                   e->message);
}

patio_status patio_future_status(patio_future *f, patio_error *err)
{
    if (!patio_future_done(f)) {
        return pt_fail(err, PATIO_STATE, "broker", "the call is not done yet");
    }
    if (f->reply == NULL) {
        return f->status == PATIO_OK ? PATIO_OK : explain(f, err);
    }
    const pt_reading *r = read_reply(f);
    if (r == NULL) {
        return pt_no_memory(err, "broker");
    }
    if (r->status == PATIO_OK) {
        return PATIO_OK;
    }
    if (r->problem != NULL) {
        return pt_fail(err, r->status, "broker", "reply cannot be read: %s", r->problem);
    }
    return explain_error(r, err);
}

/* The reading of a call that succeeded. */
static const pt_reading *result_of(patio_future *f)
{
    const pt_reading *r = patio_future_done(f) ? read_reply(f) : NULL;
    return r != NULL && r->status == PATIO_OK ? r : NULL;
}

uint32_t patio_future_kind(patio_future *f)
{
    const pt_reading *r = result_of(f);
    return r != NULL ? r->payload.kind : 0;
}

const patio_value *patio_future_value(patio_future *f)
{
    const pt_reading *r = result_of(f);
    if (r == NULL || r->payload.kind != PATIO_PAYLOAD_VALUES) {
        return NULL;
    }
    return r->values.count > 0 ? &r->values.positional[0] : &r->null;
}

patio_status patio_future_raw(patio_future *f, patio_bytes *out, const char **content_type)
{
    const pt_reading *r = result_of(f);
    if (r == NULL || r->payload.kind == PATIO_PAYLOAD_VALUES) {
        return PATIO_TYPE;
    }
    *out = r->payload.bytes;
    if (content_type != NULL) {
        *content_type = r->payload.content_type;
    }
    return PATIO_OK;
}

patio_status patio_future_protobuf(patio_future                            *f,
                                   const struct ProtobufCMessageDescriptor *descriptor,
                                   struct ProtobufCMessage                **out)
{
    if (result_of(f) == NULL) {
        return PATIO_TYPE;
    }
    return pt_decode_message(&f->reading->arena, &f->reading->payload, descriptor, out, NULL);
}

const patio_task_error *patio_future_error(patio_future *f)
{
    const pt_reading *r = patio_future_done(f) ? read_reply(f) : NULL;
    return r != NULL && (r->status == PATIO_TASK_FAILED || r->status == PATIO_TASK_CRASHED)
               ? &r->error
               : NULL;
}

patio_id patio_future_id(const patio_future *f)
{
    return pt_future_make_id(f);
}

uint32_t patio_future_level(const patio_future *f)
{
    return f->level;
}
