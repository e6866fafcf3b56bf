/* Memory of the wire: limits at their borders, hostile amounts against the budget, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <demo.pb-c.h>

#include "base/alloc.h"
#include "counted_alloc.h"
#include "failing_alloc.h"
#include "wire/envelope.h"
#include "wire_bytes.h"

enum { MIB = 1 << 20, CHUNK_HEAD = 16 };

static pt_request plain_request(void)
{
    return (pt_request){.kind        = PT_KIND_CALL,
                        .task        = "t",
                        .project     = "p",
                        .queue       = "",
                        .traceparent = "",
                        .tracestate  = "",
                        .dedup_key   = ""};
}

/* ---- limits ---- */

static void the_payload_may_be_max_bytes_long(void **state)
{
    (void)state;
    uint8_t     data[1001] = {0};
    pt_request  request    = plain_request();
    pt_reply    reply      = {.status = PATIO_OK};
    patio_buf  *buf        = NULL;
    patio_error err        = PATIO_ERROR_INIT;
    for (size_t size = 999; size <= 1001; size++) {
        patio_status want = size <= 1000 ? PATIO_OK : PATIO_TOO_LARGE;
        assert_int_equal(pt_encode_request(&pt_malloc_allocator, &request,
                                           PATIO_RAW("x", data, size), 1000, &buf, &err),
                         want);
        pt_buf_drop(buf);
        buf = NULL;
        assert_int_equal(pt_encode_reply(&pt_malloc_allocator, &reply, PATIO_RAW("x", data, size),
                                         1000, &buf, &err),
                         want);
        pt_buf_drop(buf);
        buf = NULL;
    }
    assert_non_null(strstr(err.message, "1001 bytes exceeds max_body_bytes (1000)"));
}

static void values_above_max_bytes_are_too_large(void **state)
{
    (void)state;
    static patio_value many[200000]; /* nulls: two bytes each, the cheapest there are */
    pt_request         request = plain_request();
    patio_buf         *buf     = NULL;
    patio_payload      payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                  .values = many, .value_count = 200000};
    counted_alloc      ca;
    counted_alloc_init(&ca);
    assert_int_equal(pt_encode_request(&ca.mem, &request, &payload, 1000, &buf, NULL),
                     PATIO_TOO_LARGE);
    assert_int_equal(ca.live_blocks, 0);
    assert_int_equal(pt_encode_request(&ca.mem, &request, &payload, 400004, &buf, NULL), PATIO_OK);
    assert_int_equal(ca.live_blocks, 1);
    pt_buf_drop(buf);
    assert_int_equal(ca.live_blocks, 0);
}

static void a_head_may_be_64_kib_long(void **state)
{
    (void)state;
    static char  value[70000];
    patio_header header  = {"h", value};
    pt_request   request = plain_request();
    patio_buf   *buf     = NULL;
    patio_error  err     = PATIO_ERROR_INIT;
    size_t       most    = 0;
    request.headers      = &header;
    request.header_count = 1;
    memset(value, 'v', sizeof(value));
    for (size_t size = PT_ENVELOPE_HEAD_MAX - 100; size <= PT_ENVELOPE_HEAD_MAX; size++) {
        value[size]     = '\0';
        patio_status st = pt_encode_request(&pt_malloc_allocator, &request,
                                            PATIO_RAW("x", "payload", 7), MIB, &buf, &err);
        value[size]     = 'v';
        if (st == PATIO_OK) {
            assert_int_equal(most, size == PT_ENVELOPE_HEAD_MAX - 100 ? 0 : size - 1);
            most = size;
            /* the whole with its payload's tag and length stays below limit + payload */
            assert_true(pt_buf_view(buf).size <= PT_ENVELOPE_HEAD_MAX + 7);
            pt_buf_drop(buf);
            buf = NULL;
        } else {
            assert_int_equal(st, PATIO_TOO_LARGE);
            assert_non_null(strstr(err.message, "at most 65524 are allowed"));
        }
    }
    /* kind 2, id 18, task 3, project 3, type 3; extra 4, header 4, name 3, value 4 */
    assert_int_equal(most, PT_ENVELOPE_HEAD_MAX - 12 - 44);
}

static void many_headers_are_too_large_not_out_of_memory(void **state)
{
    (void)state;
    static patio_header headers[20000];
    pt_request          request = plain_request();
    patio_buf          *buf     = NULL;
    for (size_t i = 0; i < 20000; i++) {
        headers[i] = (patio_header){"n", ""};
    }
    request.headers      = headers;
    request.header_count = 20000;
    assert_int_equal(
        pt_encode_request(&pt_malloc_allocator, &request, PATIO_NO_ARGS, 1, &buf, NULL),
        PATIO_TOO_LARGE);
    request.header_count = 1000; /* a small body limit does not limit headers */
    assert_int_equal(
        pt_encode_request(&pt_malloc_allocator, &request, PATIO_NO_ARGS, 1, &buf, NULL), PATIO_OK);
    pt_buf_drop(buf);
}

/* ---- hostile amounts ---- */

/* A decode with a budget of 1 MiB; whatever it says, the heap stays within the budget. */
typedef patio_status (*decode_fn)(pt_arena *arena, patio_bytes bytes, patio_error *err);

static void bounded(decode_fn decode, const wire_bytes *w, patio_status want)
{
    counted_alloc ca;
    pt_arena      arena;
    patio_error   err = PATIO_ERROR_INIT;
    counted_alloc_init(&ca);
    pt_arena_init(&arena, &ca.mem, NULL, 0, MIB);
    assert_int_equal(decode(&arena, wire_view(w), &err), want);
    assert_true(ca.peak_bytes <= MIB + ca.live_blocks * CHUNK_HEAD);
    if (want == PATIO_TOO_LARGE) {
        assert_non_null(strstr(err.message, "budget of 1048576"));
    }
    pt_arena_reset(&arena);
    assert_int_equal(ca.live_blocks, 0);
}

static patio_status decode_values(pt_arena *arena, patio_bytes bytes, patio_error *err)
{
    pt_values values;
    return pt_decode_values(arena, bytes, &values, err);
}

static patio_status decode_request(pt_arena *arena, patio_bytes bytes, patio_error *err)
{
    pt_request      request;
    pt_payload_view payload;
    return pt_decode_request(arena, bytes, &request, &payload, err);
}

static patio_status decode_reply(pt_arena *arena, patio_bytes bytes, patio_error *err)
{
    pt_reply        reply;
    pt_payload_view payload;
    return pt_decode_reply(arena, bytes, &reply, &payload, err);
}

static patio_status decode_tree(pt_arena *arena, patio_bytes bytes, patio_error *err)
{
    pt_payload_view   payload = {PATIO_PAYLOAD_PROTOBUF, "demo.v1.Tree", bytes};
    ProtobufCMessage *out     = NULL;
    return pt_decode_message(arena, &payload, &demo__v1__tree__descriptor, &out, err);
}

static void two_byte_nodes_cannot_fill_the_heap(void **state)
{
    (void)state;
    wire_bytes w = {NULL, 0, 0};
    for (size_t i = 0; i < MIB / 2; i++) {
        wire_put_bytes(&w, 1, NULL, 0);
    }
    wire_put_number(&w, 2, MIB / 2);
    bounded(decode_values, &w, PATIO_TOO_LARGE);
    wire_free(&w);
}

static void nested_lists_cannot_fill_the_heap(void **state)
{
    (void)state;
    wire_bytes w = {NULL, 0, 0};
    /* each list claims all that follows it: every level allocates for all of it */
    for (size_t i = 0; i < 5000; i++) {
        wire_bytes node = {NULL, 0, 0};
        wire_put_number(&node, 7, i < 31 ? 4999 - i : 0);
        wire_put_message(&w, 1, &node);
    }
    wire_put_number(&w, 2, 1);
    bounded(decode_values, &w, PATIO_TOO_LARGE);
    wire_free(&w);
}

static void two_byte_fields_cannot_fill_the_heap(void **state)
{
    (void)state;
    static const struct {
        uint32_t  field; /* of Extra, repeated; 0: an unknown one of the envelope */
        decode_fn decode;
    } cases[] = {{0, decode_request},
                 {0, decode_reply},
                 {9, decode_request},
                 {9, decode_reply},
                 {10, decode_request}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wire_bytes many = {NULL, 0, 0};
        wire_bytes w    = {NULL, 0, 0};
        for (size_t k = 0; k < MIB / 2; k++) {
            wire_put_bytes(&many, cases[i].field != 0 ? cases[i].field : 15, NULL, 0);
        }
        wire_put_number(&w, 2, cases[i].decode == decode_reply ? PT_KIND_REPLY : PT_KIND_CALL);
        wire_put_bytes(&w, 3, "0123456789abcdef", 16);
        wire_put_text(&w, 4, "t");
        if (cases[i].field != 0) {
            wire_put_message(&w, 8, &many);
        } else {
            wire_put(&w, many.data, many.size);
            wire_free(&many);
        }
        bounded(cases[i].decode, &w, PATIO_TOO_LARGE);
        wire_free(&w);
    }
}

static void a_large_payload_in_place_costs_no_heap(void **state)
{
    (void)state;
    uint8_t   *data = calloc(1, 4 * MIB);
    wire_bytes w    = {NULL, 0, 0};
    wire_put_number(&w, 2, PT_KIND_CALL);
    wire_put_bytes(&w, 3, "0123456789abcdef", 16);
    wire_put_text(&w, 4, "t");
    wire_put_text(&w, 7, "x/raw");
    wire_put_bytes(&w, 100, data, 4 * MIB);
    bounded(decode_request, &w, PATIO_OK);
    wire_put_number(&w, 6, 1); /* not last: it would have to be copied */
    bounded(decode_request, &w, PATIO_TOO_LARGE);
    wire_free(&w);
    free(data);
}

/* ---- messages of users ---- */

static wire_bytes tree_of_depth(unsigned depth)
{
    wire_bytes tree = {NULL, 0, 0};
    wire_put_text(&tree, 1, "leaf");
    for (unsigned i = 1; i < depth; i++) {
        wire_bytes parent = {NULL, 0, 0};
        wire_put_text(&parent, 1, "n");
        wire_put_message(&parent, 2, &tree);
        wire_put_text(&parent, 1, "after");
        tree = parent;
    }
    return tree;
}

static void a_message_may_nest_100_deep(void **state)
{
    (void)state;
    static const unsigned depths[] = {1, 2, 99, 100, 101, 1000, 5000};
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        wire_bytes tree = tree_of_depth(depths[i]);
        bounded(decode_tree, &tree, depths[i] <= PT_MESSAGE_DEPTH_MAX ? PATIO_OK : PATIO_PROTOCOL);
        wire_free(&tree);
    }
}

static void a_message_cut_anywhere_is_refused_or_whole(void **state)
{
    (void)state;
    wire_bytes tree = tree_of_depth(5);
    for (size_t size = 0; size < tree.size; size++) {
        patio_error err = PATIO_ERROR_INIT;
        pt_arena    arena;
        uint8_t    *exact = wire_exact((patio_bytes){tree.data, size});
        pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, MIB);
        patio_status st = decode_tree(&arena, (patio_bytes){exact, size}, &err);
        assert_true(st == PATIO_OK || st == PATIO_PROTOCOL);
        pt_arena_reset(&arena);
        free(exact);
    }
    wire_free(&tree);
}

/* ---- no memory ---- */

static const patio_header two_headers[] = {{"a", "1"}, {"b", "\xff"}};

static patio_status request_both_ways(const patio_allocator *mem, void *arg)
{
    static patio_value many[500]; /* more than the encoder's stack holds */
    patio_payload      payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                  .values = many, .value_count = 500};
    pt_request         request = plain_request();
    pt_payload_view    view;
    pt_values          values;
    patio_buf         *buf = NULL;
    pt_arena           arena;
    (void)arg;
    request.headers      = two_headers;
    request.header_count = 1;
    patio_status st      = pt_encode_request(mem, &request, &payload, MIB, &buf, NULL);
    pt_arena_init(&arena, mem, NULL, 0, MIB);
    if (st == PATIO_OK) {
        st = pt_decode_request(&arena, pt_buf_view(buf), &request, &view, NULL);
    }
    if (st == PATIO_OK) {
        st = pt_decode_values(&arena, view.bytes, &values, NULL);
    }
    pt_arena_reset(&arena);
    pt_buf_drop(buf);
    return st;
}

static patio_status reply_both_ways(const patio_allocator *mem, void *arg)
{
    static char message[20000];
    pt_reply    reply = {.status = PATIO_TASK_FAILED, .error_type = "T", .error_message = message};
    pt_payload_view view;
    patio_buf      *buf = NULL;
    pt_arena        arena;
    (void)arg;
    memset(message, '\xff', sizeof(message) - 1); /* repaired: needs a copy */
    patio_status st = pt_encode_reply(mem, &reply, PATIO_NO_ARGS, MIB, &buf, NULL);
    pt_arena_init(&arena, mem, NULL, 0, MIB);
    if (st == PATIO_OK) {
        st = pt_decode_reply(&arena, pt_buf_view(buf), &reply, &view, NULL);
    }
    pt_arena_reset(&arena);
    pt_buf_drop(buf);
    return st;
}

static patio_status message_and_details(const patio_allocator *mem, void *tree)
{
    pt_arena    arena;
    patio_bytes details;
    pt_arena_init(&arena, mem, NULL, 0, MIB);
    patio_status st = decode_tree(&arena, wire_view(tree), NULL);
    pt_arena_reset(&arena);
    if (st == PATIO_OK) {
        st = pt_encode_values(&arena, PATIO_ARGS(PATIO_LIST(1, 2)), &details, NULL);
    }
    pt_arena_reset(&arena);
    return st;
}

static void every_failed_allocation_is_no_memory(void **state)
{
    (void)state;
    wire_bytes tree = tree_of_depth(60);
    assert_true(fail_each_allocation(request_both_ways, NULL) >= 10);
    assert_true(fail_each_allocation(reply_both_ways, NULL) >= 4);
    assert_true(fail_each_allocation(message_and_details, &tree) >= 3);
    wire_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_may_be_max_bytes_long),
        cmocka_unit_test(values_above_max_bytes_are_too_large),
        cmocka_unit_test(a_head_may_be_64_kib_long),
        cmocka_unit_test(many_headers_are_too_large_not_out_of_memory),
        cmocka_unit_test(two_byte_nodes_cannot_fill_the_heap),
        cmocka_unit_test(nested_lists_cannot_fill_the_heap),
        cmocka_unit_test(two_byte_fields_cannot_fill_the_heap),
        cmocka_unit_test(a_large_payload_in_place_costs_no_heap),
        cmocka_unit_test(a_message_may_nest_100_deep),
        cmocka_unit_test(a_message_cut_anywhere_is_refused_or_whole),
        cmocka_unit_test(every_failed_allocation_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
