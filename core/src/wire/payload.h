/* wire/payload.h: the payload part of an envelope, between its two encoders. */
#ifndef PT_PAYLOAD_H
#define PT_PAYLOAD_H

#include <patio/v1/values.pb-c.h>

#include "wire/envelope.h"

/* A payload that knows its size before it is written. */
typedef struct pt_payload_plan {
    const ProtobufCMessage *message; /* NULL: raw */
    patio_bytes             raw;
    Patio__V1__Values       values;
    char                    content_type[320]; /* as in the envelope; "" for values */
    size_t                  size_bytes;
} pt_payload_plan;

/* Memory comes from the arena. */
patio_status pt_payload_plan_make(pt_payload_plan *plan, pt_arena *arena,
                                  const patio_payload *payload, patio_error *err);
void         pt_payload_plan_write(const pt_payload_plan *plan, uint8_t *out);

/* An arena over `first` in which a payload of up to max_bytes can be planned and encoded. */
void pt_encode_scratch(pt_arena *arena, const patio_allocator *mem, void *first, size_t size,
                       uint64_t max_bytes);

/* Values as columns in pre-order. */
patio_status pt_values_from_payload(Patio__V1__Values *out, pt_arena *arena,
                                    const patio_payload *payload, patio_error *err);

/* At least as many bytes as they pack into, if that is not more than `enough`. */
size_t pt_values_bound(const Patio__V1__Values *values, size_t enough);

/* protobuf-c's allocator over an arena; valid as long as the arena stays where it is. */
ProtobufCAllocator pt_arena_allocator(pt_arena *arena);

/* Unpack into the arena. PROTOCOL: not such a message; TOO_LARGE: over the budget; NO_MEMORY. */
patio_status pt_unpack(pt_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                       patio_bytes bytes, const char *origin, ProtobufCMessage **out,
                       patio_error *err);
/* protobuf-c's generated structs want char *; the packer only reads. */
static inline char *pt_packed_text(const char *text)
{
    union {
        const char *in;
        char       *out;
    } cast = {.in = text};
    return cast.out;
}

/* Text fit for a protobuf string: what is no UTF-8 becomes '?', what is over max_bytes is cut. The
 * text itself where nothing is to be done, else a copy in the arena; NULL: no memory. */
const char *pt_clean_text(pt_arena *arena, const char *text, size_t max_bytes);
/* The arena gave nothing for `what`: TOO_LARGE or NO_MEMORY. */
patio_status pt_arena_fail(const pt_arena *arena, const char *origin, const char *what,
                           patio_error *err);

#endif
