/* Values there and back: what can be written arrives, and what cannot is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "wire/envelope.h"
#include "wire_bytes.h"

enum { BUDGET = 1 << 20 };

typedef struct fixture {
    pt_arena    arena;
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
    free(f);
    return 0;
}

static void there_and_back(fixture *f, const patio_payload *payload)
{
    patio_bytes encoded;
    assert_int_equal(pt_encode_values(&f->arena, payload, &encoded, &f->err), PATIO_OK);
    uint8_t *exact = wire_exact(encoded);
    assert_int_equal(
        pt_decode_values(&f->arena, (patio_bytes){exact, encoded.size}, &f->values, &f->err),
        PATIO_OK);
    assert_int_equal(f->values.count, payload->value_count);
    for (size_t i = 0; i < payload->value_count; i++) {
        assert_true(patio_value_equal(&f->values.positional[i], &payload->values[i]));
    }
    patio_value keywords = patio_map(payload->keywords, payload->keyword_count);
    assert_true(patio_value_equal(&f->values.keywords, &keywords));
    free(exact); /* bytes lie in it, texts are copies */
}

static void refused(fixture *f, const patio_payload *payload, const char *says)
{
    patio_bytes encoded;
    assert_int_equal(pt_encode_values(&f->arena, payload, &encoded, &f->err), PATIO_INVALID);
    assert_non_null(strstr(f->err.message, says));
}

static void every_type_survives_at_its_borders(void **state)
{
    fixture *f = *state;
    there_and_back(f, PATIO_ARGS(patio_null(), patio_bool(true), patio_bool(false)));
    there_and_back(f, PATIO_ARGS(0, 1, -1, INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX));
    there_and_back(f, PATIO_ARGS(0u, UINT32_MAX, UINT64_MAX));
    there_and_back(f, PATIO_ARGS(0.0, -0.0, 0.1, DBL_MAX, DBL_TRUE_MIN, (double)INFINITY,
                                 -(double)INFINITY, (double)NAN));
    assert_true(signbit(f->values.positional[1].as.f64) != 0);
    there_and_back(f, PATIO_ARGS("", "text", "gr\xc3\xbc\xc3\x9f", "\xf4\x8f\xbf\xbf"));
    there_and_back(f, PATIO_ARGS(patio_blob("\x00\xff\xfe", 3), patio_blob(NULL, 0)));
}

static void zero_is_not_null_and_int_is_not_uint(void **state)
{
    fixture *f = *state;
    there_and_back(f, PATIO_ARGS(0, 0u, 0.0, patio_bool(false), "", patio_null()));
    static const uint32_t types[] = {PATIO_TYPE_INT64, PATIO_TYPE_UINT64, PATIO_TYPE_DOUBLE,
                                     PATIO_TYPE_BOOL,  PATIO_TYPE_STRING, PATIO_TYPE_NULL};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(f->values.positional[i].type, types[i]);
    }
}

static void trees_survive(void **state)
{
    fixture *f = *state;
    there_and_back(f, PATIO_ARGS(patio_list(NULL, 0), patio_map(NULL, 0), 1));
    there_and_back(f, PATIO_ARGS(PATIO_LIST(1, PATIO_MAP("a", patio_bool(true)))));
    there_and_back(f, PATIO_ARGS_KW((PATIO_LIST(PATIO_LIST(1, 2), PATIO_LIST(3)), "last"),
                                    ("map", PATIO_MAP("k", PATIO_LIST(patio_null())), "x", 1.5)));
    there_and_back(f, PATIO_KW("only", "keywords"));
}

static void nul_inside_a_string_survives(void **state)
{
    fixture *f = *state;
    there_and_back(f, PATIO_ARGS(patio_string_n("a\0b\0", 4)));
    assert_int_equal(f->values.positional[0].size, 4);
    assert_int_equal(f->values.positional[0].as.string[4], '\0'); /* and one more behind it */
    patio_value pairs[] = {patio_string_n("k\0y", 3), patio_int(1)};
    there_and_back(f, PATIO_ARGS(patio_map(pairs, 1)));
}

static void strings_that_are_not_utf8_are_refused(void **state)
{
    static const char *const bad[] = {
        "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abcdefgh\xff", "cut \xe2\x82"};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refused(f, PATIO_ARGS(bad[i]), "not UTF-8; use bytes");
        refused(f, PATIO_ARGS(PATIO_MAP(bad[i], 1)), "not UTF-8");
    }
}

static void keys_of_maps_are_strings(void **state)
{
    fixture    *f       = *state;
    patio_value pairs[] = {patio_int(1), patio_int(2)};
    refused(f, PATIO_ARGS(patio_map(pairs, 1)), "key 0 of a map is int64, not a string");
    refused(f,
            &(const patio_payload){PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                   .keywords = pairs, .keyword_count = 1},
            "not a string");
}

static void a_value_of_no_type_is_refused(void **state)
{
    fixture    *f     = *state;
    patio_value value = patio_int(1);
    value.type        = 99;
    refused(f, PATIO_ARGS(value), "unknown type 99");
    value = patio_string_n(NULL, 3);
    refused(f, PATIO_ARGS(value), "not UTF-8");
    value = patio_blob(NULL, 3);
    refused(f, PATIO_ARGS(value), "no data");
    value = patio_list(NULL, 3);
    refused(f, PATIO_ARGS(value), "without items");
    value = patio_map(&value, (size_t)UINT32_MAX + 1);
    refused(f, PATIO_ARGS(value), "items");
}

/* A value inside `depth` lists or maps; storage holds 2 * depth values. */
static patio_value nest(patio_value *storage, unsigned depth, bool maps)
{
    patio_value v = patio_int(1);
    for (unsigned i = 0; i < depth; i++) {
        patio_value *items = &storage[(size_t)2 * i];
        items[0]           = maps ? patio_string("k") : v;
        items[1]           = v;
        v                  = maps ? patio_map(items, 1) : patio_list(items, 1);
    }
    return v;
}

static void thirty_two_levels_and_not_one_more(void **state)
{
    fixture    *f = *state;
    patio_value storage[2 * 40];
    for (int maps = 0; maps <= 1; maps++) {
        there_and_back(f, PATIO_ARGS(nest(storage, PATIO_VALUE_DEPTH_MAX, maps != 0)));
        refused(f, PATIO_ARGS(nest(storage, PATIO_VALUE_DEPTH_MAX + 1, maps != 0)),
                "nest deeper than 32");
        /* keywords are a map themselves */
        there_and_back(f, PATIO_KW("k", nest(storage, PATIO_VALUE_DEPTH_MAX - 1, maps != 0)));
        refused(f, PATIO_KW("k", nest(storage, PATIO_VALUE_DEPTH_MAX, maps != 0)),
                "nest deeper than 32");
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(every_type_survives_at_its_borders),
        T(zero_is_not_null_and_int_is_not_uint),
        T(trees_survive),
        T(nul_inside_a_string_survives),
        T(strings_that_are_not_utf8_are_refused),
        T(keys_of_maps_are_strings),
        T(a_value_of_no_type_is_refused),
        T(thirty_two_levels_and_not_one_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
