/* wire/write.h: the two messages of every call, written field by field; the counterpart of read.h,
 * for the same reason. The bytes are those that protobuf-c would write (tests/unit/test_read.c). */
#ifndef PT_WRITE_H
#define PT_WRITE_H

#include <stdint.h>

#include <patio/v1/envelope.pb-c.h>
#include <patio/v1/values.pb-c.h>

/* Seven bits a byte, the low ones first; returns what follows. */
static inline uint8_t *pt_put_varint(uint8_t *out, uint64_t n)
{
    for (; n >= 0x80; n >>= 7) {
        *out++ = (uint8_t)(n | 0x80);
    }
    *out++ = (uint8_t)n;
    return out;
}

/* An envelope without extra, error and payload, in the order of its fields; returns the bytes
 * written. `out` has room for 96 bytes and the texts. */
size_t pt_write_envelope_head(const Patio__V1__Envelope *envelope, uint8_t *out);
/* `out` has room for pt_values_bound. */
size_t pt_write_values(const Patio__V1__Values *values, uint8_t *out);

#endif
