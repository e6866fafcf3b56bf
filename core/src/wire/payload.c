#include "wire/payload.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define PROTOBUF_TYPE "application/protobuf; proto="

static void *arena_alloc(void *arena, size_t size_bytes)
{
    /* One byte more, zeroed: so text that protobuf-c stores as bytes ends in a NUL for free. */
    uint8_t *p = size_bytes < SIZE_MAX ? pt_arena_alloc(arena, size_bytes + 1) : NULL;
    if (p != NULL) {
        p[size_bytes] = 0;
    }
    return p;
}

static void arena_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

ProtobufCAllocator pt_arena_allocator(pt_arena *arena)
{
    return (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
}

static patio_status plan_raw(pt_payload_plan *plan, const patio_payload *payload, patio_error *err)
{
    const char *type = payload->content_type;
    if (type == NULL || type[0] == '\0') {
        type = "application/octet-stream";
    }
    if (strlen(type) > 255) {
        return pt_fail(err, PATIO_INVALID, "values", "content type is longer than 255 bytes");
    }
    if (payload->raw.data == NULL && payload->raw.size > 0) {
        return pt_fail(err, PATIO_INVALID, "values", "raw payload has a size but no data");
    }
    (void)snprintf(plan->content_type, sizeof(plan->content_type), "%s", type);
    plan->raw        = payload->raw;
    plan->size_bytes = payload->raw.size;
    return PATIO_OK;
}

static patio_status plan_message(pt_payload_plan *plan, const patio_payload *payload,
                                 patio_error *err)
{
    if (payload->message == NULL) {
        return pt_fail(err, PATIO_INVALID, "values", "protobuf payload without a message");
    }
    int size = snprintf(plan->content_type, sizeof(plan->content_type), PROTOBUF_TYPE "%s",
                        payload->message->descriptor->name);
    if (size < 0 || (size_t)size >= sizeof(plan->content_type)) {
        return pt_fail(err, PATIO_INVALID, "values", "protobuf type name is too long");
    }
    plan->message    = payload->message;
    plan->size_bytes = protobuf_c_message_get_packed_size(plan->message);
    return PATIO_OK;
}

patio_status pt_payload_plan_make(pt_payload_plan *plan, pt_arena *arena,
                                  const patio_payload *payload, patio_error *err)
{
    plan->message         = NULL;
    plan->raw             = (patio_bytes){NULL, 0};
    plan->content_type[0] = '\0';
    plan->size_bytes      = 0;
    if (payload == NULL) {
        return PATIO_OK;
    }
    if (!PATIO_HAS(patio_payload, payload, content_type)) {
        return pt_fail(err, PATIO_INVALID, "values",
                       "payload: struct_size is not set; use PATIO_SIZED");
    }
    switch (payload->kind) {
    case PATIO_PAYLOAD_RAW:
        return plan_raw(plan, payload, err);
    case PATIO_PAYLOAD_PROTOBUF:
        return plan_message(plan, payload, err);
    case PATIO_PAYLOAD_VALUES: {
        patio_status st = pt_values_from_payload(&plan->values, arena, payload, err);
        if (st != PATIO_OK) {
            return st;
        }
        plan->message    = &plan->values.base;
        plan->size_bytes = protobuf_c_message_get_packed_size(plan->message);
        return PATIO_OK;
    }
    default:
        return pt_fail(err, PATIO_INVALID, "values", "unknown payload kind %u", payload->kind);
    }
}

void pt_payload_plan_write(const pt_payload_plan *plan, uint8_t *out)
{
    if (plan->message != NULL) {
        (void)protobuf_c_message_pack(plan->message, out);
    } else if (plan->raw.size > 0) {
        memcpy(out, plan->raw.data, plan->raw.size);
    }
}

patio_status pt_decode_message(pt_arena *arena, const pt_payload_view *payload,
                               const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **out,
                               patio_error *err)
{
    if (payload->kind != PATIO_PAYLOAD_PROTOBUF ||
        strcmp(payload->content_type, descriptor->name) != 0) {
        return pt_fail(err, PATIO_TYPE, "values", "expected a protobuf message %s, got %s",
                       descriptor->name,
                       payload->kind == PATIO_PAYLOAD_VALUES ? "values" : payload->content_type);
    }
    ProtobufCAllocator allocator = pt_arena_allocator(arena);
    ProtobufCMessage  *message =
        protobuf_c_message_unpack(descriptor, &allocator, payload->bytes.size, payload->bytes.data);
    if (message == NULL) {
        return pt_fail(err, PATIO_PROTOCOL, "values",
                       "payload of %zu bytes is not a %s, or needs more memory than the budget",
                       payload->bytes.size, descriptor->name);
    }
    *out = message;
    return PATIO_OK;
}

patio_status pt_encode_values(pt_arena *arena, const patio_payload *payload, patio_bytes *out,
                              patio_error *err)
{
    Patio__V1__Values values;
    patio_status      st = pt_values_from_payload(&values, arena, payload, err);
    if (st != PATIO_OK) {
        return st;
    }
    size_t   size = patio__v1__values__get_packed_size(&values);
    uint8_t *data = pt_arena_alloc(arena, size);
    if (data == NULL) {
        return pt_no_memory(err, "values");
    }
    (void)patio__v1__values__pack(&values, data);
    *out = (patio_bytes){data, size};
    return PATIO_OK;
}
