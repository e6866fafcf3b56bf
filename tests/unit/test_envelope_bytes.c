/* Bytes that no encoder of ours writes: other orders, unknown fields, cut ends, wrong numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "wire/envelope.h"
#include "wire_bytes.h"

enum { BUDGET = 1 << 20, BODY_MAX = 1 << 20, PAYLOAD = 100 };

typedef struct fixture {
    pt_arena        arena;
    wire_bytes      bytes;
    pt_request      request;
    pt_payload_view payload;
    patio_error     err;
} fixture;

static const patio_id some_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

/* All that a request must have. */
static void put_head(wire_bytes *w)
{
    wire_put_number(w, 2, PT_KIND_CALL);
    wire_put_bytes(w, 3, some_id.bytes, 16);
    wire_put_text(w, 4, "task");
    wire_put_text(w, 7, "x/raw");
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->err.struct_size = sizeof(f->err);
    pt_arena_init(&f->arena, &pt_malloc_allocator, NULL, 0, BUDGET);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pt_arena_reset(&f->arena);
    wire_free(&f->bytes);
    free(f);
    return 0;
}

/* Decode what was put together so far, from memory that ends where it ends; then start anew. */
static patio_status decode(fixture *f)
{
    uint8_t     *exact = wire_exact(wire_view(&f->bytes));
    patio_status st = pt_decode_request(&f->arena, (patio_bytes){exact, f->bytes.size}, &f->request,
                                        &f->payload, &f->err);
    free(exact); /* the result may point into it: look at its size, or use `bytes` directly */
    wire_free(&f->bytes);
    return st;
}

static void refused(fixture *f, const char *says)
{
    assert_int_equal(decode(f), PATIO_PROTOCOL);
    assert_non_null(strstr(f->err.message, says));
}

/* ---- the payload's place ---- */

static void payload_is(fixture *f, const char *want, bool in_place)
{
    patio_bytes in = wire_view(&f->bytes);
    assert_int_equal(pt_decode_request(&f->arena, in, &f->request, &f->payload, &f->err), PATIO_OK);
    assert_int_equal(f->payload.bytes.size, strlen(want));
    if (want[0] != '\0') {
        assert_memory_equal(f->payload.bytes.data, want, strlen(want));
        bool inside = f->payload.bytes.data >= in.data && f->payload.bytes.data < in.data + in.size;
        assert_int_equal(inside, in_place);
    }
    assert_string_equal(f->request.task, "task");
    wire_free(&f->bytes);
}

static void a_payload_at_the_end_is_left_in_place(void **state)
{
    fixture *f = *state;
    put_head(&f->bytes);
    wire_put_text(&f->bytes, PAYLOAD, "here");
    payload_is(f, "here", true);
}

static void the_encoder_puts_the_payload_at_the_end(void **state)
{
    fixture   *f       = *state;
    patio_buf *buf     = NULL;
    pt_request request = {.kind        = PT_KIND_SEND,
                          .task        = "t",
                          .project     = "p",
                          .queue       = "q",
                          .traceparent = "",
                          .tracestate  = "",
                          .dedup_key   = ""};
    for (size_t size = 1; size < 40000; size = size * 3 + 1) {
        uint8_t *data = calloc(1, size);
        assert_non_null(data);
        assert_int_equal(pt_encode_request(&pt_malloc_allocator, &request,
                                           PATIO_RAW("x/y", data, size), BODY_MAX, &buf, &f->err),
                         PATIO_OK);
        patio_bytes in = pt_buf_view(buf);
        assert_int_equal(pt_decode_request(&f->arena, in, &f->request, &f->payload, &f->err),
                         PATIO_OK);
        assert_ptr_equal(f->payload.bytes.data, in.data + in.size - size);
        assert_int_equal(f->payload.bytes.size, size);
        pt_buf_drop(buf);
        free(data);
    }
}

static void a_payload_elsewhere_is_found(void **state)
{
    fixture *f = *state;
    wire_put_text(&f->bytes, PAYLOAD, "first");
    put_head(&f->bytes);
    payload_is(f, "first", false);
    put_head(&f->bytes);
    wire_put_text(&f->bytes, PAYLOAD, "middle");
    wire_put_number(&f->bytes, 6, 1000);
    payload_is(f, "middle", false);
}

static void of_several_payloads_the_last_counts(void **state)
{
    fixture *f = *state;
    wire_put_text(&f->bytes, PAYLOAD, "one");
    put_head(&f->bytes);
    wire_put_text(&f->bytes, PAYLOAD, "two");
    payload_is(f, "two", true);
    wire_put_text(&f->bytes, PAYLOAD, "one");
    wire_put_text(&f->bytes, PAYLOAD, "two");
    put_head(&f->bytes);
    payload_is(f, "two", false);
    wire_put_text(&f->bytes, PAYLOAD, "one");
    put_head(&f->bytes);
    wire_put_text(&f->bytes, PAYLOAD, "");
    payload_is(f, "", false);
}

static void a_payload_of_another_wire_type_is_no_payload(void **state)
{
    fixture *f = *state;
    put_head(&f->bytes);
    wire_put_number(&f->bytes, PAYLOAD, 5);
    refused(f, "not a patio.v1.Envelope");
}

static void unknown_fields_are_stepped_over(void **state)
{
    fixture *f = *state;
    wire_put_number(&f->bytes, 50, UINT64_MAX);
    put_head(&f->bytes);
    wire_put_varint(&f->bytes, 51u << 3 | 1u); /* 64 bits */
    wire_put(&f->bytes, "12345678", 8);
    wire_put_varint(&f->bytes, 52u << 3 | 5u); /* 32 bits */
    wire_put(&f->bytes, "1234", 4);
    wire_put_text(&f->bytes, 536870911, "the largest field number");
    wire_put_text(&f->bytes, PAYLOAD, "p");
    payload_is(f, "p", true);
    wire_put_text(&f->bytes, PAYLOAD, "p");
    put_head(&f->bytes);
    wire_put_text(&f->bytes, 101, "after the payload");
    payload_is(f, "p", false);
}

static void groups_are_refused(void **state)
{
    fixture *f = *state;
    put_head(&f->bytes);
    wire_put_varint(&f->bytes, 50u << 3 | 3u);
    wire_put_varint(&f->bytes, 50u << 3 | 4u);
    refused(f, "not an envelope");
}

/* ---- every cut ---- */

static void no_prefix_is_taken_for_the_whole(void **state)
{
    fixture   *f     = *state;
    wire_bytes extra = {NULL, 0, 0};
    wire_bytes whole = {NULL, 0, 0};
    wire_put_text(&extra, 3, "slow");
    wire_put_text(&extra, 6, "00-11-22-01");
    put_head(&whole);
    wire_put_message(&whole, 8, &extra);
    wire_put_text(&whole, PAYLOAD, "payload");
    /* A prefix that ends where a field ends is an envelope of fewer fields: OK exactly if kind, id
     * and task are in it. Any other cut is refused. Nothing in an envelope says where it ends, so
     * transports frame it. */
    size_t ends[16];
    size_t fields = 0;
    for (size_t at = 0; at < whole.size;) {
        size_t tag = whole.data[at] >= 0x80 ? 2 : 1;
        at += tag;
        bool number = (whole.data[at - tag] & 7u) == 0;
        at += number ? 1 : 1u + whole.data[at];
        ends[fields++] = at;
    }
    assert_int_equal(fields, 6); /* kind, id, task, content_type, extra, payload */
    for (size_t size = 0, next = 0; size <= whole.size; size++) {
        uint8_t     *exact  = wire_exact((patio_bytes){whole.data, size});
        patio_status st     = pt_decode_request(&f->arena, (patio_bytes){exact, size}, &f->request,
                                                &f->payload, &f->err);
        bool         at_end = next < fields && size == ends[next];
        next += at_end ? 1 : 0;
        assert_int_equal(st, at_end && next >= 3 ? PATIO_OK : PATIO_PROTOCOL);
        assert_true(st != PATIO_OK || size == whole.size || f->payload.bytes.size == 0);
        pt_arena_reset(&f->arena);
        free(exact);
    }
    wire_free(&whole);
}

static void no_flipped_bit_crashes_it(void **state)
{
    fixture   *f     = *state;
    wire_bytes whole = {NULL, 0, 0};
    pt_values  values;
    put_head(&whole);
    wire_put_bytes(&whole, 8, "\x1a\x01q\x52\x06\x0a\x01h\x12\x01v", 11);
    wire_put_bytes(&whole, PAYLOAD, "\x0a\x03\x08\x03\x06\x12\x01\x0c\x2a\x01k\x32\x01\x02\x38\x01",
                   16);
    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        uint8_t *exact = wire_exact(wire_view(&whole));
        exact[bit / 8] = (uint8_t)(exact[bit / 8] ^ 1u << bit % 8);
        if (pt_decode_request(&f->arena, (patio_bytes){exact, whole.size}, &f->request, &f->payload,
                              &f->err) == PATIO_OK) {
            (void)pt_decode_values(&f->arena, f->payload.bytes, &values, &f->err);
        }
        pt_arena_reset(&f->arena);
        free(exact);
    }
    wire_free(&whole);
}

/* ---- numbers ---- */

static void version_1_may_be_said_or_left_out(void **state)
{
    static const uint64_t known[] = {0, 1};
    static const uint64_t later[] = {2, 3, UINT32_MAX};
    fixture              *f       = *state;
    for (size_t i = 0; i < 2; i++) {
        wire_put_number(&f->bytes, 1, known[i]);
        put_head(&f->bytes);
        assert_int_equal(decode(f), PATIO_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        char says[64];
        wire_put_number(&f->bytes, 1, later[i]);
        put_head(&f->bytes);
        (void)snprintf(says, sizeof(says), "version %u, this patio speaks up to 1",
                       (unsigned)later[i]);
        refused(f, says);
    }
}

static void only_calls_and_sends_are_requests(void **state)
{
    static const uint64_t kinds[] = {0, 3, 4, 5, 99, UINT64_MAX};
    fixture              *f       = *state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        put_head(&f->bytes);
        wire_put_number(&f->bytes, 2, kinds[i]); /* the last one counts */
        refused(f, "is not a request");
    }
}

static void an_id_has_16_bytes(void **state)
{
    fixture *f = *state;
    for (size_t size = 0; size <= 40; size++) {
        put_head(&f->bytes);
        wire_put_bytes(&f->bytes, 3, "0123456789012345678901234567890123456789", size);
        if (size == 16) {
            assert_int_equal(decode(f), PATIO_OK);
        } else {
            refused(f, "expected 16");
        }
    }
    wire_put_number(&f->bytes, 2, PT_KIND_CALL);
    wire_put_text(&f->bytes, 4, "task");
    refused(f, "id of 0 bytes");
}

static void a_task_has_a_name(void **state)
{
    static char        most[257];
    static const char *bad[] = {"", "a\nb", "\xff", "\x7f", most};
    fixture           *f     = *state;
    memset(most, 'n', 256);
    for (size_t i = 0; i < 5; i++) {
        put_head(&f->bytes);
        wire_put_text(&f->bytes, 4, bad[i]);
        refused(f, "a task name is 1 to 255 bytes");
    }
    most[255] = '\0';
    put_head(&f->bytes);
    wire_put_text(&f->bytes, 4, most);
    assert_int_equal(decode(f), PATIO_OK);
}

static void texts_must_be_utf8(void **state)
{
    static const struct {
        uint32_t    field; /* of Extra; 0: `outer` of the envelope */
        uint32_t    outer;
        const char *says;
    } texts[]  = {{0, 5, "project"},   {0, 7, "content_type"}, {3, 0, "queue"},
                  {4, 0, "dedup_key"}, {6, 0, "traceparent"},  {7, 0, "tracestate"}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put_head(&f->bytes);
        if (texts[i].field == 0) {
            wire_put_text(&f->bytes, texts[i].outer, "\xe0\x80\x80");
        } else {
            wire_bytes extra = {NULL, 0, 0};
            wire_put_text(&extra, texts[i].field, "\xe0\x80\x80");
            wire_put_message(&f->bytes, 8, &extra);
        }
        refused(f, texts[i].says);
    }
    for (uint32_t part = 1; part <= 2; part++) {
        wire_bytes header = {NULL, 0, 0};
        wire_bytes extra  = {NULL, 0, 0};
        wire_put_text(&header, part, "\xff");
        wire_put_message(&extra, 10, &header);
        put_head(&f->bytes);
        wire_put_message(&f->bytes, 8, &extra);
        refused(f, "header");
    }
}

static void a_codec_is_refused_by_name_and_the_id_is_known(void **state)
{
    fixture   *f     = *state;
    wire_bytes extra = {NULL, 0, 0};
    wire_put_text(&extra, 9, "zstd");
    wire_put_text(&extra, 9, "aes");
    put_head(&f->bytes);
    wire_put_message(&f->bytes, 8, &extra);
    assert_int_equal(decode(f), PATIO_UNSUPPORTED);
    assert_non_null(strstr(f->err.message, "\"zstd\""));
    assert_memory_equal(&f->request.id, &some_id, sizeof(some_id));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_payload_at_the_end_is_left_in_place),
        T(the_encoder_puts_the_payload_at_the_end),
        T(a_payload_elsewhere_is_found),
        T(of_several_payloads_the_last_counts),
        T(a_payload_of_another_wire_type_is_no_payload),
        T(unknown_fields_are_stepped_over),
        T(groups_are_refused),
        T(no_prefix_is_taken_for_the_whole),
        T(no_flipped_bit_crashes_it),
        T(version_1_may_be_said_or_left_out),
        T(only_calls_and_sends_are_requests),
        T(an_id_has_16_bytes),
        T(a_task_has_a_name),
        T(texts_must_be_utf8),
        T(a_codec_is_refused_by_name_and_the_id_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
