/* wire/scan.h: stepping over protobuf fields without unpacking them. */
#ifndef PT_SCAN_H
#define PT_SCAN_H

#include <patio/base.h>

#include <stdbool.h>

enum { PT_WIRE_VARINT = 0, PT_WIRE_64 = 1, PT_WIRE_BYTES = 2, PT_WIRE_32 = 5 };

/* One field as it lies in its message. */
typedef struct pt_field {
    uint64_t    tag;    /* number << 3 | wire type */
    size_t      start;  /* of the tag */
    uint64_t    number; /* of wire type PT_WIRE_VARINT: the value */
    patio_bytes bytes;  /* of wire type PT_WIRE_BYTES: the content */
} pt_field;

static inline bool pt_scan_varint(patio_bytes in, size_t *at, uint64_t *out)
{
    uint64_t n = 0;
    if (*at < in.size && in.data[*at] < 0x80) { /* most of them */
        *out = in.data[(*at)++];
        return true;
    }
    for (unsigned shift = 0; shift < 64 && *at < in.size; shift += 7) {
        uint8_t byte = in.data[(*at)++];
        n |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = n;
            return true;
        }
    }
    return false;
}

/* The field that begins at *at, and *at behind it. False if there is no whole one, or it is a
 * group, which this protocol does not have. */
static inline bool pt_scan_field(patio_bytes in, size_t *at, pt_field *out)
{
    uint64_t size = 0;
    out->start    = *at;
    out->number   = 0;
    out->bytes    = (patio_bytes){NULL, 0};
    if (!pt_scan_varint(in, at, &out->tag)) {
        return false;
    }
    switch (out->tag & 7u) {
    case PT_WIRE_VARINT:
        return pt_scan_varint(in, at, &out->number);
    case PT_WIRE_64:
        size = 8;
        break;
    case PT_WIRE_BYTES:
        if (!pt_scan_varint(in, at, &size)) {
            return false;
        }
        break;
    case PT_WIRE_32:
        size = 4;
        break;
    default:
        return false;
    }
    if (size > in.size - *at) {
        return false;
    }
    if ((out->tag & 7u) == PT_WIRE_BYTES) {
        out->bytes = (patio_bytes){in.data + *at, (size_t)size};
    }
    *at += (size_t)size;
    return true;
}

#endif
