/* Any bytes as a reply, and as a report. What is a reply can be encoded again, and is then the same
 * reply. */
#include "wire_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_error(const pt_reply *a, const pt_reply *b)
{
    require(a->code == b->code);
    require(strlen(a->error_type) > PT_ERROR_TYPE_MAX || strcmp(a->error_type, b->error_type) == 0);
    require(strlen(a->error_message) > PT_ERROR_MESSAGE_MAX ||
            strcmp(a->error_message, b->error_message) == 0);
    require(same_bytes(a->error_details, b->error_details) || b->error_details.size == 0);
}

static void encode_again(const pt_reply *r, const fuzz_payload *p)
{
    pt_reply        again;
    pt_payload_view view;
    patio_buf      *buf = NULL;
    pt_arena        arena;
    /* an error always fits, and the payload was smaller than the limit before */
    require(pt_encode_reply(&pt_malloc_allocator, r, &p->payload, FUZZ_BODY_MAX, &buf, NULL) ==
            PATIO_OK);
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, SIZE_MAX / 2);
    require(pt_decode_reply(&arena, pt_buf_view(buf), &again, &view, NULL) == PATIO_OK);
    require(memcmp(&r->id, &again.id, sizeof(r->id)) == 0 && r->status == again.status);
    same_error(r, &again);
    fuzz_payload_check(p, &arena, &view);
    pt_arena_reset(&arena);
    pt_buf_drop(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    patio_error     err = PATIO_ERROR_INIT;
    pt_reply        reply;
    pt_payload_view view;
    pt_values       details;
    fuzz_payload    payload;
    fuzz_budget     b;
    fuzz_budget_begin(&b);
    patio_status st = pt_decode_reply(&b.arena, (patio_bytes){data, size}, &reply, &view, &err);
    if (st != PATIO_OK) {
        require_refusal(st, &err);
    } else {
        require_text(reply.error_type);
        require_text(reply.error_message);
        (void)pt_decode_values(&b.arena, reply.error_details, &details, &err);
        if (fuzz_payload_make(&payload, &b.arena, &view)) {
            encode_again(&reply, &payload);
        }
    }
    fuzz_budget_end(&b);
    fuzz_budget_begin(&b);
    patio_progress progress;
    st = pt_decode_progress(&b.arena, (patio_bytes){data, size}, &progress, &err);
    if (st != PATIO_OK) {
        require_refusal(st, &err);
    } else {
        require_text(progress.note);
    }
    fuzz_budget_end(&b);
    return 0;
}
