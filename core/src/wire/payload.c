#include "wire/payload.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "wire/scan.h"
#include "wire/write.h"

enum { PACK_AT_ONCE_BYTES = 512 };

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

patio_status pt_arena_fail(const pt_arena *arena, const char *origin, const char *what,
                           patio_error *err)
{
    if (arena->failed == PATIO_NO_MEMORY) {
        return pt_no_memory(err, origin);
    }
    return pt_fail(err, PATIO_TOO_LARGE, origin, "%s: more memory is needed than the budget of %zu",
                   what, arena->budget_bytes);
}

const char *pt_clean_text(pt_arena *arena, const char *text, size_t max_bytes)
{
    size_t size = strlen(text);
    if (size <= max_bytes && pt_is_utf8(text, size)) {
        return text;
    }
    if (size > max_bytes) {
        size = max_bytes;
        for (int back = 0; back < 3 && size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80;
             back++) {
            size--; /* not in the middle of a character */
        }
    }
    char *clean = pt_arena_alloc(arena, size + 1);
    if (clean == NULL) {
        return NULL;
    }
    memcpy(clean, text, size);
    clean[size] = '\0';
    for (size_t at = 0; at < size; at++) {
        at += pt_utf8_prefix(clean + at, size - at);
        if (at < size) {
            clean[at] = '?';
        }
    }
    return clean;
}

patio_status pt_unpack(pt_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                       patio_bytes bytes, const char *origin, ProtobufCMessage **out,
                       patio_error *err)
{
    ProtobufCAllocator allocator = pt_arena_allocator(arena);
    arena->failed                = PATIO_OK;
    *out = protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
    if (*out != NULL) {
        return PATIO_OK;
    }
    if (arena->failed != PATIO_OK) {
        return pt_arena_fail(arena, origin, descriptor->name, err);
    }
    return pt_fail(err, PATIO_PROTOCOL, origin, "%zu bytes are not a %s", bytes.size,
                   descriptor->name);
}

static patio_status plan_raw(pt_payload_plan *plan, const patio_payload *payload, patio_error *err)
{
    const char *type = payload->content_type;
    if (type == NULL || type[0] == '\0') {
        type = "application/octet-stream";
    }
    if (strlen(type) > 255 || !pt_is_utf8(type, strlen(type))) {
        return pt_fail(err, PATIO_INVALID, "values",
                       "a content type is UTF-8 of at most 255 bytes");
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

/* Small values are packed at once into the arena, where they need not be measured first. */
static patio_status plan_values(pt_payload_plan *plan, pt_arena *arena)
{
    size_t   bound = pt_values_bound(&plan->values, PACK_AT_ONCE_BYTES);
    uint8_t *data  = bound <= PACK_AT_ONCE_BYTES ? pt_arena_alloc(arena, bound) : NULL;
    if (data == NULL) {
        plan->message    = &plan->values.base;
        plan->size_bytes = protobuf_c_message_get_packed_size(plan->message);
        return PATIO_OK;
    }
    plan->raw        = (patio_bytes){data, pt_write_values(&plan->values, data)};
    plan->size_bytes = plan->raw.size;
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
        return plan_values(plan, arena);
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

/* Does a message nest at most `max` messages deep? protobuf-c recurses once per level, so bytes
 * from elsewhere must not choose how often. Bytes that are no message do not. */
static bool is_shallow(const ProtobufCMessageDescriptor *descriptor, patio_bytes bytes)
{
    struct {
        const ProtobufCMessageDescriptor *descriptor;
        patio_bytes                       bytes;
        size_t                            at;
    } levels[PT_MESSAGE_DEPTH_MAX];
    unsigned depth       = 1;
    levels[0].descriptor = descriptor;
    levels[0].bytes      = bytes;
    levels[0].at         = 0;
    while (depth > 0) {
        descriptor  = levels[depth - 1].descriptor;
        bytes       = levels[depth - 1].bytes;
        size_t  *at = &levels[depth - 1].at;
        pt_field field;
        if (*at == bytes.size) {
            depth--;
            continue;
        }
        if (!pt_scan_field(bytes, at, &field)) {
            return false;
        }
        const ProtobufCFieldDescriptor *known =
            (field.tag & 7u) == PT_WIRE_BYTES && field.tag >> 3 <= UINT32_MAX
                ? protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(field.tag >> 3))
                : NULL;
        if (known == NULL || known->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        if (depth == PT_MESSAGE_DEPTH_MAX) {
            return false;
        }
        levels[depth].descriptor = known->descriptor;
        levels[depth].bytes      = field.bytes;
        levels[depth].at         = 0;
        depth++;
    }
    return true;
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
    if (!is_shallow(descriptor, payload->bytes)) {
        return pt_fail(err, PATIO_PROTOCOL, "values",
                       "%zu bytes are not a %s, or messages nest deeper than %d in it",
                       payload->bytes.size, descriptor->name, PT_MESSAGE_DEPTH_MAX);
    }
    return pt_unpack(arena, descriptor, payload->bytes, "values", out, err);
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
        return pt_arena_fail(arena, "values", "encoding", err);
    }
    (void)patio__v1__values__pack(&values, data);
    *out = (patio_bytes){data, size};
    return PATIO_OK;
}
