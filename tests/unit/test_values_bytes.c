/* Columns written by hand: orders that are allowed, and counts that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "wire/envelope.h"
#include "wire_bytes.h"

enum { BUDGET = 1 << 20 };
/* Fields of Values. */
enum {
    KINDS      = 1,
    INTS       = 2,
    UINTS      = 3,
    REALS      = 4,
    BLOBS      = 5,
    SIZES      = 6,
    POSITIONAL = 7,
    KEYWORD    = 8
};

typedef struct fixture {
    pt_arena    arena;
    wire_bytes  bytes;
    uint8_t    *exact; /* what was decoded last: bytes lie in it */
    pt_values   values;
    patio_error err;
} fixture;

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
    free(f->exact);
    free(f);
    return 0;
}

/* ---- by hand: columns ---- */

/* Kinds as a text of their digits: "396". */
static void put_kinds(wire_bytes *w, const char *digits)
{
    uint8_t kinds[64];
    size_t  count = strlen(digits);
    assert_true(count <= sizeof(kinds));
    for (size_t i = 0; i < count; i++) {
        kinds[i] = (uint8_t)(digits[i] - '0');
    }
    wire_put_bytes(w, KINDS, kinds, count);
}

/* A packed column of up to two numbers. */
static void put_packed(wire_bytes *w, uint32_t field, size_t count, uint64_t a, uint64_t b)
{
    wire_bytes numbers = {NULL, 0, 0};
    wire_put_varint(&numbers, a);
    if (count > 1) {
        wire_put_varint(&numbers, b);
    }
    wire_put_message(w, field, &numbers);
}

static patio_status decode(fixture *f)
{
    free(f->exact);
    f->exact = wire_exact(wire_view(&f->bytes));
    patio_status st =
        pt_decode_values(&f->arena, (patio_bytes){f->exact, f->bytes.size}, &f->values, &f->err);
    wire_free(&f->bytes);
    return st;
}

static void is_protocol(fixture *f, const char *says)
{
    assert_int_equal(decode(f), PATIO_PROTOCOL);
    assert_non_null(strstr(f->err.message, says));
}

static void texts_must_be_utf8_and_blobs_need_not(void **state)
{
    static const char *const bad[] = {
        "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abcdefgh\xff", "cut \xe2\x82"};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put_kinds(&f->bytes, "6");
        wire_put_text(&f->bytes, BLOBS, bad[i]);
        wire_put_number(&f->bytes, POSITIONAL, 1);
        is_protocol(f, "not UTF-8");
        put_kinds(&f->bytes, "7"); /* as bytes they are welcome */
        wire_put_text(&f->bytes, BLOBS, bad[i]);
        wire_put_number(&f->bytes, POSITIONAL, 1);
        assert_int_equal(decode(f), PATIO_OK);
    }
}

static void keys_must_be_texts(void **state)
{
    fixture *f = *state;
    put_kinds(&f->bytes, "933");
    put_packed(&f->bytes, SIZES, 1, 1, 0);
    put_packed(&f->bytes, INTS, 2, 2, 4);
    wire_put_number(&f->bytes, POSITIONAL, 1);
    is_protocol(f, "key that is not text");
    put_kinds(&f->bytes, "76"); /* a blob is not a text either */
    wire_put_text(&f->bytes, BLOBS, "k");
    wire_put_text(&f->bytes, BLOBS, "v");
    wire_put_number(&f->bytes, KEYWORD, 1);
    is_protocol(f, "key that is not text");
}

static void deeper_bytes_are_refused(void **state)
{
    fixture *f = *state;
    uint8_t  kinds[1002];
    uint8_t  ones[1001];
    memset(ones, 1, sizeof(ones));
    for (unsigned keyword = 0; keyword <= 1; keyword++) {
        for (unsigned depth = 31; depth <= 1000; depth = depth < 40 ? depth + 1 : depth * 2) {
            memset(kinds, 8, sizeof(kinds));
            kinds[0]               = keyword != 0 ? 6 : 8;
            kinds[depth + keyword] = 2;
            wire_put_bytes(&f->bytes, KINDS, kinds, depth + keyword + 1);
            wire_put_bytes(&f->bytes, SIZES, ones, depth);
            if (keyword != 0) {
                wire_put_text(&f->bytes, BLOBS, "k");
            }
            wire_put_number(&f->bytes, keyword != 0 ? KEYWORD : POSITIONAL, 1);
            if (depth <= PATIO_VALUE_DEPTH_MAX - keyword) {
                assert_int_equal(decode(f), PATIO_OK);
            } else {
                is_protocol(f, "nest deeper than 32");
            }
        }
    }
}

static void counts_that_lie_are_refused(void **state)
{
    static const uint64_t lies[] = {3, 1000, INT32_MAX, (uint64_t)INT32_MAX + 1, UINT32_MAX};
    fixture              *f      = *state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        put_kinds(&f->bytes, "812");
        put_packed(&f->bytes, SIZES, 1, lies[i], 0);
        wire_put_number(&f->bytes, POSITIONAL, 1);
        is_protocol(f, "are promised where 2 are left");
        put_kinds(&f->bytes, "962");
        put_packed(&f->bytes, SIZES, 1, lies[i], 0);
        wire_put_text(&f->bytes, BLOBS, "k");
        wire_put_number(&f->bytes, POSITIONAL, 1);
        is_protocol(f, "are promised where 2 are left");
        for (uint32_t count = POSITIONAL; count <= KEYWORD; count++) {
            put_kinds(&f->bytes, "62");
            wire_put_text(&f->bytes, BLOBS, "k");
            wire_put_number(&f->bytes, count, lies[i]);
            is_protocol(f, "are promised where 2 are left");
        }
    }
    assert_true(f->arena.chunk_bytes < 100000); /* nothing was allocated by what was promised */
}

static void siblings_cannot_share_their_values(void **state)
{
    fixture *f = *state;
    put_kinds(&f->bytes, "881");
    put_packed(&f->bytes, SIZES, 2, 2, 1);
    wire_put_number(&f->bytes, POSITIONAL, 1);
    is_protocol(f, "1 values are promised where 0 are left");
}

static void columns_that_end_early_are_refused(void **state)
{
    static const struct {
        const char *kinds;
        const char *says;
    } cases[]  = {{"3", "ints end early"},  {"4", "uints end early"}, {"5", "reals end early"},
                  {"6", "blobs end early"}, {"7", "blobs end early"}, {"8", "sizes end early"},
                  {"9", "sizes end early"}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put_kinds(&f->bytes, cases[i].kinds);
        wire_put_number(&f->bytes, POSITIONAL, 1);
        is_protocol(f, cases[i].says);
    }
}

static void what_belongs_to_nothing_is_refused(void **state)
{
    fixture *f = *state;
    put_kinds(&f->bytes, "0");
    is_protocol(f, "belong to nothing");
    put_kinds(&f->bytes, "00");
    wire_put_number(&f->bytes, POSITIONAL, 1);
    is_protocol(f, "belong to nothing");
    for (uint32_t column = INTS; column <= SIZES; column++) {
        put_kinds(&f->bytes, "0");
        wire_put_bytes(&f->bytes, column, "\0\0\0\0\0\0\0\0", 8);
        wire_put_number(&f->bytes, POSITIONAL, 1);
        is_protocol(f, "belong to nothing");
    }
    wire_put_bytes(&f->bytes, BLOBS, NULL, 0);
    is_protocol(f, "belong to nothing");
}

static void unknown_kinds_are_refused(void **state)
{
    fixture *f = *state;
    for (unsigned kind = 10; kind <= 255; kind++) {
        uint8_t byte = (uint8_t)kind;
        wire_put_bytes(&f->bytes, KINDS, &byte, 1);
        wire_put_number(&f->bytes, POSITIONAL, 1);
        is_protocol(f, "unknown kind");
    }
}

static void columns_may_come_in_any_order_and_in_pieces(void **state)
{
    fixture *f = *state;
    wire_put_number(&f->bytes, POSITIONAL, 3);
    put_packed(&f->bytes, INTS, 1, 2, 0); /* packed */
    wire_put_number(&f->bytes, INTS, 4);  /* and not */
    wire_put_text(&f->bytes, 77, "unknown");
    put_packed(&f->bytes, INTS, 1, 6, 0);
    put_kinds(&f->bytes, "0"); /* the last one counts */
    put_kinds(&f->bytes, "333");
    assert_int_equal(decode(f), PATIO_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(f->values.positional[i].as.i64, i + 1);
    }
}

static void no_bytes_are_no_values(void **state)
{
    fixture *f = *state;
    assert_int_equal(decode(f), PATIO_OK);
    assert_int_equal(f->values.count, 0);
    assert_int_equal(f->values.keywords.type, PATIO_TYPE_MAP);
    assert_int_equal(f->values.keywords.size, 0);
}

static void no_prefix_is_taken_for_the_whole(void **state)
{
    fixture    *f = *state;
    patio_bytes all;
    assert_int_equal(pt_encode_values(&f->arena,
                                      PATIO_ARGS_KW((PATIO_LIST(1, "two", 3.0), patio_blob("b", 1)),
                                                    ("k", PATIO_MAP("a", 1))),
                                      &all, &f->err),
                     PATIO_OK);
    /* The counts come last, so a cut leaves values that belong to nothing; only no bytes at all are
     * again values: none. */
    for (size_t size = 0; size <= all.size; size++) {
        uint8_t *exact = wire_exact((patio_bytes){all.data, size});
        assert_int_equal(
            pt_decode_values(&f->arena, (patio_bytes){exact, size}, &f->values, &f->err),
            size == 0 || size == all.size ? PATIO_OK : PATIO_PROTOCOL);
        free(exact);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(texts_must_be_utf8_and_blobs_need_not),
        T(keys_must_be_texts),
        T(deeper_bytes_are_refused),
        T(counts_that_lie_are_refused),
        T(siblings_cannot_share_their_values),
        T(columns_that_end_early_are_refused),
        T(what_belongs_to_nothing_is_refused),
        T(unknown_kinds_are_refused),
        T(columns_may_come_in_any_order_and_in_pieces),
        T(no_bytes_are_no_values),
        T(no_prefix_is_taken_for_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
