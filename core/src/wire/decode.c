#include <patio/v1/envelope.pb-c.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "wire/payload.h"
#include "wire/read.h"
#include "wire/scan.h"

#define PROTOBUF_TYPE "application/protobuf; proto="

enum { PAYLOAD_TAG = 100 << 3 | PT_WIRE_BYTES };

/* Split `in` before a payload that is its last field. Where it is not, *head is all of `in` and the
 * unpacker copies the payload: correct, only slower. Of several payloads the last one counts. */
static bool split_payload(patio_bytes in, patio_bytes *head, patio_bytes *payload)
{
    size_t   at = 0;
    pt_field field;
    *head    = in;
    *payload = (patio_bytes){NULL, 0};
    while (at < in.size) {
        if (!pt_scan_field(in, &at, &field)) {
            return false;
        }
        if (field.tag == PAYLOAD_TAG && at == in.size) {
            *head    = (patio_bytes){in.data, field.start};
            *payload = field.bytes;
        }
    }
    return true;
}

/* Any envelope that protobuf knows. */
static patio_status unpack_any(pt_arena *arena, patio_bytes bytes, Patio__V1__Envelope **out,
                               pt_payload_view *payload, patio_error *err)
{
    patio_bytes head;
    if (!split_payload(bytes, &head, &payload->bytes)) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope", "%zu bytes are not an envelope",
                       bytes.size);
    }
    ProtobufCMessage *message = NULL;
    patio_status      st =
        pt_unpack(arena, &patio__v1__envelope__descriptor, head, "envelope", &message, err);
    if (st != PATIO_OK) {
        return st;
    }
    *out = (Patio__V1__Envelope *)(void *)message;
    if (head.size == bytes.size) {
        payload->bytes = (patio_bytes){(*out)->payload.data, (*out)->payload.len};
    }
    return PATIO_OK;
}

static patio_status unpack(pt_arena *arena, patio_bytes bytes, Patio__V1__Envelope **out,
                           pt_payload_view *payload, patio_error *err)
{
    Patio__V1__Envelope *envelope = pt_arena_alloc(arena, sizeof(*envelope));
    if (envelope == NULL) {
        return pt_arena_fail(arena, "envelope", "decoding", err);
    }
    arena->failed = PATIO_OK;
    if (!pt_read_envelope(arena, bytes, envelope, &payload->bytes)) {
        if (arena->failed != PATIO_OK) {
            return pt_arena_fail(arena, "envelope", "decoding", err);
        }
        patio_status st = unpack_any(arena, bytes, &envelope, payload, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    if (envelope->version > PT_PROTOCOL_VERSION) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope",
                       "envelope of protocol version %u, this patio speaks up to %u",
                       envelope->version, PT_PROTOCOL_VERSION);
    }
    if (envelope->id.len != sizeof(patio_id)) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope", "id of %zu bytes, expected 16",
                       envelope->id.len);
    }
    *out = envelope;
    return PATIO_OK;
}

static void view_payload(const Patio__V1__Envelope *envelope, pt_payload_view *payload)
{
    size_t      prefix = strlen(PROTOBUF_TYPE);
    const char *type   = envelope->content_type;
    if (type[0] == '\0') {
        payload->kind         = PATIO_PAYLOAD_VALUES;
        payload->content_type = "";
    } else if (strncmp(type, PROTOBUF_TYPE, prefix) == 0) {
        payload->kind         = PATIO_PAYLOAD_PROTOBUF;
        payload->content_type = type + prefix;
    } else {
        payload->kind         = PATIO_PAYLOAD_RAW;
        payload->content_type = type;
    }
}

static patio_status check_text(const char *text, const char *name, patio_error *err)
{
    return text[0] == '\0' || pt_is_utf8(text, strlen(text))
               ? PATIO_OK
               : pt_fail(err, PATIO_PROTOCOL, "envelope", "%s is not UTF-8", name);
}

static patio_status check_extra(const Patio__V1__Extra *extra, patio_error *err)
{
    const char *const texts[] = {extra->queue, extra->dedup_key, extra->traceparent,
                                 extra->tracestate};
    const char *const names[] = {"queue", "dedup_key", "traceparent", "tracestate"};
    patio_status      st      = PATIO_OK;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && st == PATIO_OK; i++) {
        st = check_text(texts[i], names[i], err);
    }
    for (size_t i = 0; i < extra->n_headers && st == PATIO_OK; i++) {
        st = check_text(extra->headers[i]->name, "a header's name", err);
        st = st == PATIO_OK ? check_text(extra->headers[i]->value, "a header's value", err) : st;
    }
    return st;
}

static patio_status check_codecs(const Patio__V1__Extra *extra, patio_error *err)
{
    if (extra == NULL || extra->n_codecs == 0) {
        return PATIO_OK;
    }
    return pt_fail(err, PATIO_UNSUPPORTED, "envelope",
                   "payload is encoded with \"%.64s\", which this patio does not have",
                   extra->codecs[0]);
}

static patio_status view_extra(pt_arena *arena, const Patio__V1__Extra *extra, pt_request *r,
                               patio_error *err)
{
    patio_status st = check_codecs(extra, err);
    st              = st == PATIO_OK ? check_extra(extra, err) : st;
    if (st != PATIO_OK) {
        return st;
    }
    r->task_version    = extra->task_version;
    r->queue           = extra->queue;
    r->dedup_key       = extra->dedup_key;
    r->dedup_window_ms = extra->dedup_window_ms;
    r->dedup_conflict  = extra->dedup_conflict;
    r->traceparent     = extra->traceparent;
    r->tracestate      = extra->tracestate;
    r->attempt         = extra->attempt;
    r->priority        = extra->priority_plus_one;
    r->wants_progress  = extra->wants_progress != 0;
    if (extra->n_headers == 0) {
        return PATIO_OK;
    }
    patio_header *headers = pt_arena_alloc(arena, extra->n_headers * sizeof(*headers));
    if (headers == NULL) {
        return pt_arena_fail(arena, "envelope", "headers", err);
    }
    for (size_t i = 0; i < extra->n_headers; i++) {
        headers[i] = (patio_header){extra->headers[i]->name, extra->headers[i]->value};
    }
    r->headers      = headers;
    r->header_count = extra->n_headers;
    return PATIO_OK;
}

patio_status pt_decode_request(pt_arena *arena, patio_bytes bytes, pt_request *request,
                               pt_payload_view *payload, patio_error *err)
{
    Patio__V1__Envelope *envelope = NULL;
    patio_status         st       = unpack(arena, bytes, &envelope, payload, err);
    if (st != PATIO_OK) {
        return st;
    }
    if (envelope->kind != PATIO__V1__KIND__KIND_CALL &&
        envelope->kind != PATIO__V1__KIND__KIND_SEND) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope", "envelope of kind %d is not a request",
                       (int)envelope->kind);
    }
    if (!pt_is_task_name(envelope->task)) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope",
                       "a task name is 1 to 255 bytes of UTF-8 without control characters");
    }
    st = check_text(envelope->project, "project", err);
    st = st == PATIO_OK ? check_text(envelope->content_type, "content_type", err) : st;
    if (st != PATIO_OK) {
        return st;
    }
    pt_request r = {
        .kind        = (uint32_t)envelope->kind,
        .task        = envelope->task,
        .project     = envelope->project,
        .ttl_ms      = envelope->ttl_ms,
        .queue       = "",
        .traceparent = "",
        .tracestate  = "",
        .dedup_key   = "",
    };
    memcpy(r.id.bytes, envelope->id.data, sizeof(r.id.bytes));
    view_payload(envelope, payload);
    if (envelope->extra != NULL) {
        st = view_extra(arena, envelope->extra, &r, err);
    }
    *request = r;
    return st;
}

patio_status pt_decode_reply(pt_arena *arena, patio_bytes bytes, pt_reply *reply,
                             pt_payload_view *payload, patio_error *err)
{
    Patio__V1__Envelope *envelope = NULL;
    patio_status         st       = unpack(arena, bytes, &envelope, payload, err);
    if (st != PATIO_OK) {
        return st;
    }
    if (envelope->kind != PATIO__V1__KIND__KIND_REPLY) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope", "envelope of kind %d is not a reply",
                       (int)envelope->kind);
    }
    st = check_codecs(envelope->extra, err);
    st = st == PATIO_OK ? check_text(envelope->content_type, "content_type", err) : st;
    if (st != PATIO_OK) {
        return st;
    }
    pt_reply r = {.status = PATIO_OK, .error_type = "", .error_message = ""};
    memcpy(r.id.bytes, envelope->id.data, sizeof(r.id.bytes));
    if (envelope->error != NULL) {
        /* an error is an error, whatever number it carries */
        r.status =
            envelope->error->status != PATIO_OK ? envelope->error->status : PATIO_TASK_FAILED;
        r.code          = envelope->error->code;
        r.error_type    = pt_clean_text(arena, envelope->error->type, SIZE_MAX);
        r.error_message = pt_clean_text(arena, envelope->error->message, SIZE_MAX);
        if (r.error_type == NULL || r.error_message == NULL) {
            return pt_arena_fail(arena, "envelope", "error", err);
        }
        r.error_details =
            (patio_bytes){envelope->error->details.data, envelope->error->details.len};
    }
    view_payload(envelope, payload);
    *reply = r;
    return PATIO_OK;
}

patio_status pt_decode_progress(pt_arena *arena, patio_bytes bytes, patio_progress *out,
                                patio_error *err)
{
    Patio__V1__Envelope *envelope = NULL;
    pt_payload_view      payload;
    pt_values            values;
    patio_progress       p  = {PATIO_SIZED(patio_progress)};
    patio_status         st = unpack(arena, bytes, &envelope, &payload, err);
    if (st != PATIO_OK) {
        return st;
    }
    view_payload(envelope, &payload);
    if (envelope->kind != PATIO__V1__KIND__KIND_PROGRESS || payload.kind != PATIO_PAYLOAD_VALUES) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope", "envelope of kind %d is not a report",
                       (int)envelope->kind);
    }
    st = check_codecs(envelope->extra, err);
    st = st == PATIO_OK ? pt_decode_values(arena, payload.bytes, &values, err) : st;
    if (st != PATIO_OK) {
        return st;
    }
    const char *note = NULL;
    if (values.count < 3 ||
        patio_value_get_uint64(&values.positional[0], &p.numerator) != PATIO_OK ||
        patio_value_get_uint64(&values.positional[1], &p.denominator) != PATIO_OK ||
        patio_value_get_string(&values.positional[2], &note) != PATIO_OK) {
        return pt_fail(err, PATIO_PROTOCOL, "envelope",
                       "a report is a numerator, a denominator and a note");
    }
    pt_text_cut(p.note, sizeof(p.note), note);
    *out = p;
    return PATIO_OK;
}
