/* wire/envelope.h: envelopes as plain structs; only core/src/wire knows protobuf-c's types.
 *
 * Encoding makes one buffer, in one allocation, with the payload written in place. Decoding takes
 * nothing but arena memory, bounded by the arena's budget, and leaves the payload where it is.
 */
#ifndef PT_ENVELOPE_H
#define PT_ENVELOPE_H

#include <patio/call.h>

#include "base/arena.h"
#include "base/buf.h"
#include "wire/policy.h"

#define PT_PROTOCOL_VERSION 1u
/* All of an envelope but its payload, whose own limit is max_body_bytes. */
#define PT_ENVELOPE_HEAD_MAX 65536u
/* An error's texts are cut to these many bytes. */
#define PT_ERROR_TYPE_MAX    255u
#define PT_ERROR_MESSAGE_MAX 16384u

/* Deepest nesting of messages in a user's message; protobuf's other readers have the same. */
enum { PT_MESSAGE_DEPTH_MAX = 100 };

enum {
    PT_KIND_CALL     = 1,
    PT_KIND_SEND     = 2,
    PT_KIND_REPLY    = 3,
    PT_KIND_PROGRESS = 4,
};

/* What goes into a request, and what came in one. Texts are never NULL. */
typedef struct pt_request {
    uint32_t            kind; /* PT_KIND_CALL, PT_KIND_SEND */
    uint32_t            attempt;
    patio_id            id;
    const char         *task;
    const char         *project;
    const char         *queue; /* "": default */
    uint64_t            ttl_ms;
    uint32_t            priority; /* shifted: 0 default */
    uint32_t            task_version;
    const char         *traceparent;
    const char         *tracestate;
    const char         *dedup_key;
    uint64_t            dedup_window_ms;
    uint32_t            dedup_conflict;
    const patio_header *headers;
    size_t              header_count;
    bool                wants_progress;
    const pt_policy    *policy; /* to be encoded: what the caller says; NULL: nothing */
} pt_request;

/* "args:" and 128 bits in hex, with the NUL. */
enum { PT_ARGS_KEY_BYTES = 38 };

/* A dedup key that calls of one task with the same arguments share: a hash over both as they are
 * encoded. Fails as encoding the payload does. */
patio_status pt_args_key(const patio_allocator *mem, const char *task, const patio_payload *payload,
                         uint64_t max_bytes, char key[PT_ARGS_KEY_BYTES], patio_error *err);

typedef struct pt_reply {
    patio_id     id;
    patio_status status;
    int32_t      code;
    const char  *error_type;
    const char  *error_message;
    patio_bytes  error_details; /* encoded values */
} pt_reply;

/* A payload as it lies in an envelope. */
typedef struct pt_payload_view {
    uint32_t    kind;         /* PATIO_PAYLOAD_… */
    const char *content_type; /* RAW: content type; PROTOBUF: type name; VALUES: "" */
    patio_bytes bytes;
} pt_payload_view;

/* Decoded arguments. */
typedef struct pt_values {
    const patio_value *positional;
    size_t             count;
    patio_value        keywords; /* a map */
} pt_values;

/* payload may be NULL (no values). INVALID: values or message that cannot be encoded (too deep, not
 * UTF-8, key not a string); TOO_LARGE: the envelope would exceed max_bytes. */
patio_status pt_encode_request(const patio_allocator *mem, const pt_request *request,
                               const patio_payload *payload, uint64_t max_bytes, patio_buf **out,
                               patio_error *err);
/* An error always fits: what its texts have too much is cut, details that are too large are left
 * out. */
patio_status pt_encode_reply(const patio_allocator *mem, const pt_reply *reply,
                             const patio_payload *payload, uint64_t max_bytes, patio_buf **out,
                             patio_error *err);

/* A report of a running task: values numerator, denominator, note. */
patio_status pt_encode_progress(const patio_allocator *mem, const patio_id *id,
                                const patio_progress *progress, patio_buf **out, patio_error *err);

/* PROTOCOL: not an envelope, of a later version, or not of the wanted kind; TOO_LARGE: over the
 * arena's budget; NO_MEMORY: says nothing about the bytes; UNSUPPORTED: names a codec this build
 * lacks. Results borrow from the arena and from `bytes`. */
patio_status pt_decode_request(pt_arena *arena, patio_bytes bytes, pt_request *request,
                               pt_payload_view *payload, patio_error *err);
patio_status pt_decode_reply(pt_arena *arena, patio_bytes bytes, pt_reply *reply,
                             pt_payload_view *payload, patio_error *err);

/* As pt_decode_reply; the note is cut to what *progress holds. */
patio_status pt_decode_progress(pt_arena *arena, patio_bytes bytes, patio_progress *progress,
                                patio_error *err);

/* Values out of a payload's bytes: PROTOCOL (counts do not fit, too deep, not UTF-8), TOO_LARGE. */
patio_status pt_decode_values(pt_arena *arena, patio_bytes bytes, pt_values *out, patio_error *err);
/* A user's message; TYPE if the payload holds another; PROTOCOL: not one, or messages nest deeper
 * than PT_MESSAGE_DEPTH_MAX. Lives in the arena. */
patio_status pt_decode_message(pt_arena *arena, const pt_payload_view *payload,
                               const struct ProtobufCMessageDescriptor *descriptor,
                               struct ProtobufCMessage **out, patio_error *err);
/* Encode values alone, into the arena (for error details). */
patio_status pt_encode_values(pt_arena *arena, const patio_payload *payload, patio_bytes *out,
                              patio_error *err);

#endif
