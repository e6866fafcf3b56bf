/* Any bytes as a request. What is one can be encoded again, and is then the same request. */
#include <demo.pb-c.h>

#include "wire_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const pt_request *r)
{
    require(r->kind == PT_KIND_CALL || r->kind == PT_KIND_SEND);
    require(pt_is_task_name(r->task));
    require_text(r->project);
    require_text(r->queue);
    require_text(r->traceparent);
    require_text(r->tracestate);
    require_text(r->dedup_key);
    for (size_t i = 0; i < r->header_count; i++) {
        require_text(r->headers[i].name);
        require_text(r->headers[i].value);
    }
}

static void same(const pt_request *a, const pt_request *b)
{
    require(a->kind == b->kind && a->ttl_ms == b->ttl_ms);
    require(memcmp(&a->id, &b->id, sizeof(a->id)) == 0);
    require(strcmp(a->task, b->task) == 0 && strcmp(a->project, b->project) == 0);
    require(a->task_version == b->task_version && a->priority == b->priority);
    require(strcmp(a->queue, b->queue) == 0 && strcmp(a->dedup_key, b->dedup_key) == 0);
    require(strcmp(a->traceparent, b->traceparent) == 0);
    require(a->header_count == b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        require(strcmp(a->headers[i].name, b->headers[i].name) == 0);
        require(strcmp(a->headers[i].value, b->headers[i].value) == 0);
    }
    /* these say nothing without the fields they belong to, and are not written then */
    require(a->attempt == b->attempt || (a->attempt <= 1 && b->attempt <= 1));
    require(a->dedup_key[0] == '\0' ||
            (a->dedup_window_ms == b->dedup_window_ms && a->dedup_conflict == b->dedup_conflict));
    require(a->traceparent[0] == '\0' || strcmp(a->tracestate, b->tracestate) == 0);
}

static void encode_again(const pt_request *r, const fuzz_payload *p)
{
    pt_request      again;
    pt_payload_view view;
    patio_buf      *buf = NULL;
    pt_arena        arena;
    patio_status    st =
        pt_encode_request(&pt_malloc_allocator, r, &p->payload, FUZZ_BODY_MAX, &buf, NULL);
    if (st != PATIO_OK) {
        require(st == PATIO_TOO_LARGE); /* a reader takes longer heads than a writer makes */
        return;
    }
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, SIZE_MAX / 2);
    require(pt_decode_request(&arena, pt_buf_view(buf), &again, &view, NULL) == PATIO_OK);
    same(r, &again);
    fuzz_payload_check(p, &arena, &view);
    pt_arena_reset(&arena);
    pt_buf_drop(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    patio_error     err = PATIO_ERROR_INIT;
    pt_request      request;
    pt_payload_view view;
    fuzz_payload    payload;
    fuzz_budget     b;
    fuzz_budget_begin(&b);
    patio_status st = pt_decode_request(&b.arena, (patio_bytes){data, size}, &request, &view, &err);
    if (st != PATIO_OK) {
        require_refusal(st, &err);
    } else {
        check(&request);
        if (fuzz_payload_make(&payload, &b.arena, &view)) {
            encode_again(&request, &payload);
        }
        if (view.kind == PATIO_PAYLOAD_PROTOBUF) {
            ProtobufCMessage *message = NULL;
            view.content_type         = demo__v1__tree__descriptor.name;
            st = pt_decode_message(&b.arena, &view, &demo__v1__tree__descriptor, &message, &err);
            require(st == PATIO_OK || st == PATIO_PROTOCOL || st == PATIO_TOO_LARGE);
        }
    }
    fuzz_budget_end(&b);
    return 0;
}
