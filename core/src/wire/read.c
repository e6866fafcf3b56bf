#include "wire/read.h"

#include <string.h>

#include "wire/payload.h"
#include "wire/scan.h"

#define TAG(number, wire_type) ((uint64_t)(number) << 3 | (wire_type))

/* The generated structs want uint8_t *; readers of them only read. */
static ProtobufCBinaryData in_place(patio_bytes bytes)
{
    union {
        const uint8_t *in;
        uint8_t       *out;
    } cast = {.in = bytes.data};
    return (ProtobufCBinaryData){.len = bytes.size, .data = cast.out};
}

static uint8_t *copy(pt_arena *arena, patio_bytes bytes)
{
    uint8_t *p = bytes.size < SIZE_MAX ? pt_arena_alloc(arena, bytes.size + 1) : NULL;
    if (p != NULL) {
        if (bytes.size > 0) {
            memcpy(p, bytes.data, bytes.size);
        }
        p[bytes.size] = 0;
    }
    return p;
}

static bool read_text(pt_arena *arena, const pt_field *field, char **out)
{
    *out = (char *)copy(arena, field->bytes);
    return *out != NULL;
}

static bool read_u32(const pt_field *field, uint32_t *out)
{
    *out = (uint32_t)field->number;
    return field->number <= UINT32_MAX;
}

/* A nested message, and only one of them: several would have to be merged. */
static bool read_nested(pt_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                        const pt_field *field, ProtobufCMessage **out)
{
    ProtobufCAllocator allocator = pt_arena_allocator(arena);
    if (*out != NULL) {
        return false;
    }
    *out = protobuf_c_message_unpack(descriptor, &allocator, field->bytes.size, field->bytes.data);
    return *out != NULL;
}

static bool read_envelope_field(pt_arena *arena, const pt_field *field, Patio__V1__Envelope *out)
{
    uint32_t          kind   = 0;
    ProtobufCMessage *nested = NULL;
    switch (field->tag) {
    case TAG(1, PT_WIRE_VARINT):
        return read_u32(field, &out->version);
    case TAG(2, PT_WIRE_VARINT):
        out->kind = (Patio__V1__Kind)field->number;
        return read_u32(field, &kind) && kind <= INT32_MAX;
    case TAG(3, PT_WIRE_BYTES):
        out->id = in_place(field->bytes);
        return true;
    case TAG(4, PT_WIRE_BYTES):
        return read_text(arena, field, &out->task);
    case TAG(5, PT_WIRE_BYTES):
        return read_text(arena, field, &out->project);
    case TAG(6, PT_WIRE_VARINT):
        out->ttl_ms = field->number;
        return true;
    case TAG(7, PT_WIRE_BYTES):
        return read_text(arena, field, &out->content_type);
    case TAG(8, PT_WIRE_BYTES):
        nested = out->extra != NULL ? &out->extra->base : NULL;
        if (!read_nested(arena, &patio__v1__extra__descriptor, field, &nested)) {
            return false;
        }
        out->extra = (Patio__V1__Extra *)(void *)nested;
        return true;
    case TAG(9, PT_WIRE_BYTES):
        nested = out->error != NULL ? &out->error->base : NULL;
        if (!read_nested(arena, &patio__v1__task_error__descriptor, field, &nested)) {
            return false;
        }
        out->error = (Patio__V1__TaskError *)(void *)nested;
        return true;
    default:
        return false;
    }
}

bool pt_read_envelope(pt_arena *arena, patio_bytes bytes, Patio__V1__Envelope *out,
                      patio_bytes *payload)
{
    size_t   at = 0;
    pt_field field;
    patio__v1__envelope__init(out);
    *payload = (patio_bytes){NULL, 0};
    while (at < bytes.size) {
        if (!pt_scan_field(bytes, &at, &field)) {
            return false;
        }
        if (field.tag == TAG(100, PT_WIRE_BYTES)) {
            *payload = field.bytes;
            return at == bytes.size;
        }
        if (!read_envelope_field(arena, &field, out)) {
            return false;
        }
    }
    return true;
}

/* ---- values ---- */

/* How many varints; each ends in a byte below 0x80. */
static size_t count_varints(patio_bytes in)
{
    size_t count = 0;
    for (size_t i = 0; i < in.size; i++) {
        count += in.data[i] < 0x80;
    }
    return count;
}

static int64_t unzigzag(uint64_t n)
{
    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

/* A packed column of varints into an array of `width` bytes each. */
static void *read_varints(pt_arena *arena, patio_bytes in, size_t width, bool zigzag, size_t *count)
{
    size_t   wanted = count_varints(in);
    size_t   at     = 0;
    uint8_t *out    = wanted <= SIZE_MAX / width ? pt_arena_alloc(arena, wanted * width) : NULL;
    for (size_t i = 0; out != NULL && i < wanted; i++) {
        uint64_t n = 0;
        if (!pt_scan_varint(in, &at, &n) || (width == sizeof(uint32_t) && n > UINT32_MAX)) {
            return NULL;
        }
        if (zigzag) {
            int64_t i64 = unzigzag(n);
            memcpy(out + i * width, &i64, sizeof(i64));
        } else if (width == sizeof(uint32_t)) {
            uint32_t u32 = (uint32_t)n;
            memcpy(out + i * width, &u32, sizeof(u32));
        } else {
            memcpy(out + i * width, &n, sizeof(n));
        }
    }
    *count = wanted;
    return at == in.size ? out : NULL;
}

/* A packed column of doubles, little-endian on the wire. */
static double *read_reals(pt_arena *arena, patio_bytes in, size_t *count)
{
    double *out = in.size % 8 == 0 ? pt_arena_alloc(arena, in.size) : NULL;
    *count      = in.size / 8;
    for (size_t i = 0; out != NULL && i < *count; i++) {
        uint64_t bits = 0;
        for (unsigned k = 0; k < 8; k++) {
            bits |= (uint64_t)in.data[8 * i + k] << (8 * k);
        }
        memcpy(&out[i], &bits, sizeof(bits));
    }
    return out;
}

/* `last` is the last of them: of one alone, all there is to read. */
static bool read_blobs(pt_arena *arena, patio_bytes bytes, size_t count, const pt_field *last,
                       Patio__V1__Values *out)
{
    size_t   at = 0;
    pt_field field;
    out->blobs = count <= SIZE_MAX / sizeof(*out->blobs)
                     ? pt_arena_alloc(arena, count * sizeof(*out->blobs))
                     : NULL;
    if (out->blobs != NULL && count == 1) {
        out->blobs[out->n_blobs++] = in_place(last->bytes);
        return true;
    }
    while (out->blobs != NULL && pt_scan_field(bytes, &at, &field)) {
        if (field.tag == TAG(5, PT_WIRE_BYTES)) {
            out->blobs[out->n_blobs++] = in_place(field.bytes);
        }
    }
    return out->n_blobs == count;
}

/* One field but blobs. A column that comes in parts is left to protobuf-c. */
static bool read_column(pt_arena *arena, const pt_field *field, Patio__V1__Values *out)
{
    switch (field->tag) {
    case TAG(1, PT_WIRE_BYTES):
        out->kinds = in_place(field->bytes);
        return true;
    case TAG(2, PT_WIRE_BYTES):
        return out->n_ints == 0 && (out->ints = read_varints(arena, field->bytes, sizeof(int64_t),
                                                             true, &out->n_ints)) != NULL;
    case TAG(3, PT_WIRE_BYTES):
        return out->n_uints == 0 &&
               (out->uints = read_varints(arena, field->bytes, sizeof(uint64_t), false,
                                          &out->n_uints)) != NULL;
    case TAG(4, PT_WIRE_BYTES):
        return out->n_reals == 0 &&
               (out->reals = read_reals(arena, field->bytes, &out->n_reals)) != NULL;
    case TAG(6, PT_WIRE_BYTES):
        return out->n_sizes == 0 &&
               (out->sizes = read_varints(arena, field->bytes, sizeof(uint32_t), false,
                                          &out->n_sizes)) != NULL;
    case TAG(7, PT_WIRE_VARINT):
        return read_u32(field, &out->positional);
    case TAG(8, PT_WIRE_VARINT):
        return read_u32(field, &out->keyword);
    default:
        return false;
    }
}

bool pt_read_values(pt_arena *arena, patio_bytes bytes, Patio__V1__Values *out)
{
    size_t   at    = 0;
    size_t   blobs = 0;
    pt_field field;
    pt_field last = {.tag = 0};
    patio__v1__values__init(out);
    while (at < bytes.size) {
        if (!pt_scan_field(bytes, &at, &field)) {
            return false;
        }
        if (field.tag == TAG(5, PT_WIRE_BYTES)) {
            last = field;
            blobs++;
        } else if (!read_column(arena, &field, out)) {
            return false;
        }
    }
    return blobs == 0 || read_blobs(arena, bytes, blobs, &last, out);
}
