#include <limits.h>
#include <patio/v1/envelope.pb-c.h>
#include <string.h>

#include "base/error.h"
#include "wire/encode_extra.h"
#include "wire/payload.h"
#include "wire/write.h"

/* Tag of Envelope.payload: field 100, wire type 2; proto/patio/v1/envelope.proto. */
static const uint8_t payload_tag[2] = {0xa2, 0x06};

enum {
    SCRATCH_BYTES      = 2048, /* columns of small arguments: no allocation */
    HEAD_SCRATCH_BYTES = 1024,
    HEAD_FIXED_BYTES   = 96, /* an envelope's numbers, tags and lengths, and its id */
    HEAD_MAX_BYTES     = PT_ENVELOPE_HEAD_MAX - 12, /* without the payload's tag and length */
    SCRATCH_SHARE      = 64, /* larger ones may take this many times their limit while encoding */
};

static size_t varint_size(uint64_t n)
{
    size_t size = 1;
    for (; n >= 0x80; n >>= 7) {
        size++;
    }
    return size;
}

/* Header and payload into one buffer. */
static patio_status assemble(const patio_allocator *mem, const Patio__V1__Envelope *envelope,
                             size_t head_bound, const pt_payload_plan *plan, uint64_t max_bytes,
                             patio_buf **out, patio_error *err)
{
    /* The head is small: packed on the stack it need not be measured first. */
    uint8_t scratch[HEAD_SCRATCH_BYTES];
    bool    small = head_bound < sizeof(scratch);
    size_t  head  = small ? pt_write_envelope_head(envelope, scratch)
                          : patio__v1__envelope__get_packed_size(envelope);
    size_t  tail  = plan->size_bytes == 0
                        ? 0
                        : sizeof(payload_tag) + varint_size(plan->size_bytes) + plan->size_bytes;
    if (plan->size_bytes > max_bytes) {
        return pt_fail(err, PATIO_TOO_LARGE, "envelope",
                       "payload of %zu bytes exceeds max_body_bytes (%llu)", plan->size_bytes,
                       (unsigned long long)max_bytes);
    }
    if (head > HEAD_MAX_BYTES) {
        return pt_fail(err, PATIO_TOO_LARGE, "envelope",
                       "names, headers and error text take %zu bytes, at most %d are allowed", head,
                       HEAD_MAX_BYTES);
    }
    uint8_t   *data = NULL;
    patio_buf *buf  = pt_buf_new(mem, head + tail, &data);
    if (buf == NULL) {
        return pt_no_memory(err, "envelope");
    }
    if (small) {
        memcpy(data, scratch, head);
        data += head;
    } else {
        data += patio__v1__envelope__pack(envelope, data);
    }
    if (tail > 0) {
        memcpy(data, payload_tag, sizeof(payload_tag));
        data = pt_put_varint(data + sizeof(payload_tag), plan->size_bytes);
        pt_payload_plan_write(plan, data);
    }
    *out = buf;
    return PATIO_OK;
}

static void set_id(Patio__V1__Envelope *envelope, const patio_id *id)
{
    union {
        const uint8_t *in;
        uint8_t       *out;
    } cast            = {.in = id->bytes};
    envelope->id.len  = sizeof(id->bytes);
    envelope->id.data = cast.out;
}

/* Most calls say nothing that belongs there. */
static bool needs_extra(const pt_request *r)
{
    return r->task_version != 0 || r->queue[0] != '\0' || r->dedup_key[0] != '\0' ||
           r->traceparent[0] != '\0' || r->header_count > 0 || r->attempt > 1 || r->priority != 0 ||
           r->wants_progress || r->policy != NULL;
}

void pt_encode_scratch(pt_arena *arena, const patio_allocator *mem, void *first, size_t size,
                       uint64_t max_bytes)
{
    size_t budget = 0;
    if (__builtin_add_overflow((size_t)max_bytes, (size_t)PT_ENVELOPE_HEAD_MAX, &budget) ||
        __builtin_mul_overflow(budget, (size_t)SCRATCH_SHARE, &budget)) {
        budget = SIZE_MAX / 2;
    }
    pt_arena_init(arena, mem, first, size, budget);
}

patio_status pt_encode_request(const patio_allocator *mem, const pt_request *r,
                               const patio_payload *payload, uint64_t max_bytes, patio_buf **out,
                               patio_error *err)
{
    _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
    pt_arena             arena;
    pt_payload_plan      plan;
    Patio__V1__Extra     extra;
    Patio__V1__Envelope  envelope;
    pt_encode_scratch(&arena, mem, scratch, sizeof(scratch), max_bytes);
    patio__v1__envelope__init(&envelope);

    patio_status st = pt_payload_plan_make(&plan, &arena, payload, err);
    if (st == PATIO_OK) {
        envelope.kind         = (Patio__V1__Kind)r->kind;
        envelope.task         = pt_packed_text(r->task);
        envelope.project      = pt_packed_text(r->project);
        envelope.ttl_ms       = r->ttl_ms;
        envelope.content_type = plan.content_type;
        set_id(&envelope, &r->id);
        st = needs_extra(r) ? pt_encode_extra(&envelope, &extra, r, &arena, err) : PATIO_OK;
    }
    if (st == PATIO_OK) {
        /* with an extra, measuring is the smaller price */
        size_t bound = envelope.extra == NULL ? HEAD_FIXED_BYTES + strlen(r->task) +
                                                    strlen(r->project) + strlen(plan.content_type)
                                              : SIZE_MAX;
        st           = assemble(mem, &envelope, bound, &plan, max_bytes, out, err);
    }
    pt_arena_reset(&arena);
    return st;
}

/* An error reaches its caller whatever it says: long texts are cut, and details that do not fit are
 * left out. */
static patio_status add_error(Patio__V1__Envelope *envelope, Patio__V1__TaskError *error,
                              const pt_reply *r, pt_arena *arena, patio_error *err)
{
    union {
        const uint8_t *in;
        uint8_t       *out;
    } details           = {.in = r->error_details.data};
    const char *type    = pt_clean_text(arena, r->error_type, PT_ERROR_TYPE_MAX);
    const char *message = pt_clean_text(arena, r->error_message, PT_ERROR_MESSAGE_MAX);
    if (type == NULL || message == NULL) {
        return pt_arena_fail(arena, "envelope", "error", err);
    }
    patio__v1__task_error__init(error);
    error->status       = r->status;
    error->code         = r->code;
    error->type         = pt_packed_text(type);
    error->message      = pt_packed_text(message);
    error->details.data = details.out;
    error->details.len  = r->error_details.size;
    envelope->error     = error;
    if (patio__v1__envelope__get_packed_size(envelope) > HEAD_MAX_BYTES) {
        error->details.len = 0;
    }
    return PATIO_OK;
}

patio_status pt_encode_reply(const patio_allocator *mem, const pt_reply *r,
                             const patio_payload *payload, uint64_t max_bytes, patio_buf **out,
                             patio_error *err)
{
    _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
    pt_arena             arena;
    pt_payload_plan      plan;
    Patio__V1__TaskError error;
    Patio__V1__Envelope  envelope;
    pt_encode_scratch(&arena, mem, scratch, sizeof(scratch), max_bytes);
    patio__v1__envelope__init(&envelope);

    patio_status st = pt_payload_plan_make(&plan, &arena, payload, err);
    if (st == PATIO_OK) {
        envelope.kind         = PATIO__V1__KIND__KIND_REPLY;
        envelope.content_type = plan.content_type;
        set_id(&envelope, &r->id);
        if (r->status != PATIO_OK) {
            st = add_error(&envelope, &error, r, &arena, err);
        }
    }
    if (st == PATIO_OK) {
        size_t bound =
            r->status == PATIO_OK ? HEAD_FIXED_BYTES + strlen(plan.content_type) : SIZE_MAX;
        st = assemble(mem, &envelope, bound, &plan, max_bytes, out, err);
    }
    pt_arena_reset(&arena);
    return st;
}

patio_status pt_encode_progress(const patio_allocator *mem, const patio_id *id,
                                const patio_progress *p, patio_buf **out, patio_error *err)
{
    _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
    const patio_value    values[] = {patio_uint(p->numerator), patio_uint(p->denominator),
                                     patio_string(p->note)};
    const patio_payload  payload  = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                     .values      = values,
                                     .value_count = sizeof(values) / sizeof(values[0])};
    pt_arena             arena;
    pt_payload_plan      plan;
    Patio__V1__Envelope  envelope;
    pt_encode_scratch(&arena, mem, scratch, sizeof(scratch), sizeof(*p));
    patio__v1__envelope__init(&envelope);
    patio_status st = pt_payload_plan_make(&plan, &arena, &payload, err);
    if (st == PATIO_OK) {
        envelope.kind         = PATIO__V1__KIND__KIND_PROGRESS;
        envelope.content_type = plan.content_type;
        set_id(&envelope, id);
        st = assemble(mem, &envelope, HEAD_FIXED_BYTES, &plan, SIZE_MAX, out, err);
    }
    pt_arena_reset(&arena);
    return st;
}
