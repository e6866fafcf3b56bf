/* payload.h: bytes that differ from call to call, so that a reply to another call cannot pass. */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patio/value.h>

/* The first 8 bytes (fewer if it is shorter) are the call's stamp, the rest is a fixed pattern. */
typedef struct bench_payload {
    uint8_t *data;
    size_t   size;
} bench_payload;

/* False: out of memory. */
bool bench_payload_init(bench_payload *p, size_t size);
void bench_payload_fini(bench_payload *p);

/* Unique per lane and call, as long as at least 8 bytes carry it. */
static inline uint64_t bench_stamp(uint32_t lane, uint64_t sequence)
{
    return (uint64_t)lane << 48 | sequence;
}
static inline uint64_t bench_stamp_sequence(uint64_t stamp)
{
    return stamp & ((UINT64_C(1) << 48) - 1);
}
void bench_payload_stamp(bench_payload *p, uint64_t stamp);
/* Is `value` the bytes that were sent with that stamp? Reads only the pattern of `p`, so another
 * thread may stamp it meanwhile. */
bool bench_payload_matches(const bench_payload *p, uint64_t stamp, const patio_value *value);

/* What a task saw, as one number. Sums of these over all tasks agree only if each was seen as often
 * as it was sent. */
uint64_t bench_payload_digest(const uint8_t *data, size_t size);

#endif
