/* Memory of the wire: hostile amounts against the budget, and none at all. */
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

/* One MiB of each column's cheapest values; only then whether they would fit together is asked. */
static void cheap_values_cannot_fill_the_heap(void **state)
{
    (void)state;
    size_t   size  = MIB + 8; /* of reals, MIB would just fit */
    uint8_t *zeros = calloc(1, size);
    assert_non_null(zeros);
    for (uint32_t column = 1; column <= 6; column++) {
        wire_bytes w = {NULL, 0, 0};
        if (column == 5) {
            for (size_t i = 0; i < MIB / 2; i++) {
                wire_put_bytes(&w, column, NULL, 0);
            }
        } else {
            wire_put_bytes(&w, column, zeros, size);
        }
        wire_put_number(&w, 7, MIB);
        /* a copy of any column is already more than the budget */
        bounded(decode_values, &w, PATIO_TOO_LARGE);
        wire_free(&w);
    }
    free(zeros);
}

static void numbers_that_are_not_packed_cannot_fill_the_heap(void **state)
{
    (void)state;
    for (uint32_t column = 2; column <= 6; column++) {
        wire_bytes w = {NULL, 0, 0};
        for (size_t i = 0; i < MIB / 2 && column != 4 && column != 5; i++) {
            wire_put_number(&w, column, 0);
        }
        if (w.size > 0) {
            bounded(decode_values, &w, PATIO_TOO_LARGE);
        }
        wire_free(&w);
    }
}

/* A value takes 32 bytes of memory for its one on the wire, and no list adds to that. */
static void nested_lists_cost_no_more_than_flat_ones(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    uint8_t   *kinds = malloc(COUNT);
    wire_bytes sizes = {NULL, 0, 0};
    wire_bytes w     = {NULL, 0, 0};
    assert_non_null(kinds);
    memset(kinds, 0, COUNT);
    for (size_t i = 0; i < 31; i++) {
        kinds[i] = 8;
        wire_put_varint(&sizes, i < 30 ? 1 : COUNT - 31);
    }
    wire_put_bytes(&w, 1, kinds, COUNT);
    wire_put_message(&w, 6, &sizes);
    wire_put_number(&w, 7, 1);
    bounded(decode_values, &w, PATIO_OK);
    wire_free(&w);
    free(kinds);
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

static patio_status request_both_ways(const patio_allocator *mem, void *arg)
{
    static patio_value many[1000]; /* more than the encoder's stack holds */
    patio_payload      payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                  .values = many, .value_count = 1000};
    patio_header       header  = {"a", "1"};
    pt_request         request = plain_request();
    pt_payload_view    view;
    pt_values          values;
    patio_buf         *buf = NULL;
    pt_arena           arena;
    (void)arg;
    for (size_t i = 0; i < 1000; i++) {
        many[i] = patio_int(-1);
    }
    request.headers      = &header;
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
    assert_true(fail_each_allocation(request_both_ways, NULL) >= 5);
    assert_true(fail_each_allocation(reply_both_ways, NULL) >= 4);
    assert_true(fail_each_allocation(message_and_details, &tree) >= 3);
    wire_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cheap_values_cannot_fill_the_heap),
        cmocka_unit_test(numbers_that_are_not_packed_cannot_fill_the_heap),
        cmocka_unit_test(nested_lists_cost_no_more_than_flat_ones),
        cmocka_unit_test(two_byte_fields_cannot_fill_the_heap),
        cmocka_unit_test(a_large_payload_in_place_costs_no_heap),
        cmocka_unit_test(a_message_may_nest_100_deep),
        cmocka_unit_test(a_message_cut_anywhere_is_refused_or_whole),
        cmocka_unit_test(every_failed_allocation_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
