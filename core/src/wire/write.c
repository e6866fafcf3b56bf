#include "wire/write.h"

#include <string.h>

#include "wire/scan.h"

#define TAG(number, wire_type) ((uint8_t)((number) << 3 | (wire_type)))

static uint8_t *put_number(uint8_t *out, uint8_t tag, uint64_t n)
{
    if (n == 0) {
        return out; /* the default is not written */
    }
    *out++ = tag;
    return pt_put_varint(out, n);
}

static uint8_t *put_bytes(uint8_t *out, uint8_t tag, const void *data, size_t size)
{
    *out++ = tag;
    out    = pt_put_varint(out, size);
    if (size > 0) {
        memcpy(out, data, size);
    }
    return out + size;
}

static uint8_t *put_text(uint8_t *out, uint8_t tag, const char *text)
{
    size_t size = strlen(text);
    return size > 0 ? put_bytes(out, tag, text, size) : out;
}

size_t pt_write_envelope_head(const Patio__V1__Envelope *e, uint8_t *out)
{
    uint8_t *at = put_number(out, TAG(1, PT_WIRE_VARINT), e->version);
    at          = put_number(at, TAG(2, PT_WIRE_VARINT), (uint64_t)e->kind);
    if (e->id.len > 0) {
        at = put_bytes(at, TAG(3, PT_WIRE_BYTES), e->id.data, e->id.len);
    }
    at = put_text(at, TAG(4, PT_WIRE_BYTES), e->task);
    at = put_text(at, TAG(5, PT_WIRE_BYTES), e->project);
    at = put_number(at, TAG(6, PT_WIRE_VARINT), e->ttl_ms);
    at = put_text(at, TAG(7, PT_WIRE_BYTES), e->content_type);
    return (size_t)(at - out);
}

static uint64_t zigzag(int64_t n)
{
    return (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
}

/* A packed column: its numbers first, where they may end, then its length before them. */
static uint8_t *close_column(uint8_t *start, uint8_t *numbers, uint8_t *end)
{
    size_t   size = (size_t)(end - numbers);
    uint8_t *at   = pt_put_varint(start, size);
    memmove(at, numbers, size);
    return at + size;
}

enum { LENGTH_MAX = 10 };

size_t pt_write_values(const Patio__V1__Values *v, uint8_t *out)
{
    uint8_t *at = out;
    if (v->kinds.len > 0) {
        at = put_bytes(at, TAG(1, PT_WIRE_BYTES), v->kinds.data, v->kinds.len);
    }
    if (v->n_ints > 0) {
        *at++        = TAG(2, PT_WIRE_BYTES);
        uint8_t *end = at + LENGTH_MAX;
        for (size_t i = 0; i < v->n_ints; i++) {
            end = pt_put_varint(end, zigzag(v->ints[i]));
        }
        at = close_column(at, at + LENGTH_MAX, end);
    }
    if (v->n_uints > 0) {
        *at++        = TAG(3, PT_WIRE_BYTES);
        uint8_t *end = at + LENGTH_MAX;
        for (size_t i = 0; i < v->n_uints; i++) {
            end = pt_put_varint(end, v->uints[i]);
        }
        at = close_column(at, at + LENGTH_MAX, end);
    }
    if (v->n_reals > 0) {
        *at++ = TAG(4, PT_WIRE_BYTES);
        at    = pt_put_varint(at, 8 * v->n_reals);
        for (size_t i = 0; i < v->n_reals; i++) {
            uint64_t bits = 0;
            memcpy(&bits, &v->reals[i], sizeof(bits));
            for (unsigned k = 0; k < 8; k++) {
                *at++ = (uint8_t)(bits >> (8 * k)); /* little-endian on the wire */
            }
        }
    }
    for (size_t i = 0; i < v->n_blobs; i++) {
        at = put_bytes(at, TAG(5, PT_WIRE_BYTES), v->blobs[i].data, v->blobs[i].len);
    }
    if (v->n_sizes > 0) {
        *at++        = TAG(6, PT_WIRE_BYTES);
        uint8_t *end = at + LENGTH_MAX;
        for (size_t i = 0; i < v->n_sizes; i++) {
            end = pt_put_varint(end, v->sizes[i]);
        }
        at = close_column(at, at + LENGTH_MAX, end);
    }
    at = put_number(at, TAG(7, PT_WIRE_VARINT), v->positional);
    at = put_number(at, TAG(8, PT_WIRE_VARINT), v->keyword);
    return (size_t)(at - out);
}
