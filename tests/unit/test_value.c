/* Values: reading, converting, comparing. The macros that write them down: test_value_macros.c. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <patio/value.h>

static void constructors_set_type_size_and_content(void **state)
{
    (void)state;
    assert_int_equal(PATIO_TYPE_NULL, patio_null().type);
    assert_int_equal(PATIO_TYPE_BOOL, patio_bool(true).type);
    assert_true(patio_bool(true).as.boolean);
    assert_int_equal(INT64_MIN, patio_int(INT64_MIN).as.i64);
    assert_true(patio_uint(UINT64_MAX).as.u64 == UINT64_MAX);
    assert_true(patio_double(0.5).as.f64 == 0.5);
    assert_int_equal(3, patio_string("abc").size);
    assert_int_equal(PATIO_TYPE_NULL, patio_string(NULL).type);
    assert_int_equal(5, patio_string_n("ab\0cd", 5).size);
    patio_value blob = patio_blob("\0\1", 2);
    assert_int_equal(PATIO_TYPE_BYTES, blob.type);
    assert_int_equal(2, blob.size);
    assert_int_equal(0, patio_list(NULL, 0).size);
    assert_int_equal(PATIO_TYPE_MAP, patio_map(NULL, 0).type);
}

static void every_getter_refuses_other_types(void **state)
{
    (void)state;
    const patio_value all[] = {patio_null(),       patio_bool(true),    patio_int(-1),
                               patio_uint(1),      patio_double(2),     patio_string("1"),
                               patio_blob("1", 1), patio_list(NULL, 0), patio_map(NULL, 0)};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        uint32_t    t       = all[i].type;
        bool        integer = t == PATIO_TYPE_INT64 || t == PATIO_TYPE_UINT64;
        bool        b       = false;
        int64_t     i64     = 0;
        uint64_t    u64     = 0;
        double      f64     = 0;
        const char *text    = NULL;
        patio_bytes bytes   = {0};
        assert_int_equal(t == PATIO_TYPE_BOOL, patio_value_get_bool(&all[i], &b) == PATIO_OK);
        assert_int_equal(integer, patio_value_get_int64(&all[i], &i64) == PATIO_OK);
        assert_int_equal(t == PATIO_TYPE_UINT64, patio_value_get_uint64(&all[i], &u64) == PATIO_OK);
        assert_int_equal(integer || t == PATIO_TYPE_DOUBLE,
                         patio_value_get_double(&all[i], &f64) == PATIO_OK);
        assert_int_equal(t == PATIO_TYPE_STRING,
                         patio_value_get_string(&all[i], &text) == PATIO_OK);
        assert_int_equal(t == PATIO_TYPE_BYTES, patio_value_get_bytes(&all[i], &bytes) == PATIO_OK);
    }
}

static void nothing_reads_as_nothing(void **state)
{
    (void)state;
    bool        b     = true;
    int64_t     i64   = 7;
    uint64_t    u64   = 7;
    double      f64   = 7;
    const char *text  = "7";
    patio_bytes bytes = {.size = 7};
    assert_int_equal(PATIO_TYPE, patio_value_get_bool(NULL, &b));
    assert_int_equal(PATIO_TYPE, patio_value_get_int64(NULL, &i64));
    assert_int_equal(PATIO_TYPE, patio_value_get_uint64(NULL, &u64));
    assert_int_equal(PATIO_TYPE, patio_value_get_double(NULL, &f64));
    assert_int_equal(PATIO_TYPE, patio_value_get_string(NULL, &text));
    assert_int_equal(PATIO_TYPE, patio_value_get_bytes(NULL, &bytes));
    assert_true(b && i64 == 7 && u64 == 7 && f64 == 7 && text[0] == '7' && bytes.size == 7);
}

static void integers_convert_where_they_fit(void **state)
{
    (void)state;
    int64_t     i64 = 7;
    uint64_t    u64 = 7;
    patio_value v   = patio_uint(INT64_MAX);
    assert_int_equal(PATIO_OK, patio_value_get_int64(&v, &i64));
    assert_true(i64 == INT64_MAX);
    v = patio_uint((uint64_t)INT64_MAX + 1);
    assert_int_equal(PATIO_TYPE, patio_value_get_int64(&v, &i64));
    assert_true(i64 == INT64_MAX);
    v = patio_int(0);
    assert_int_equal(PATIO_OK, patio_value_get_uint64(&v, &u64));
    assert_true(u64 == 0);
    v = patio_int(-1);
    assert_int_equal(PATIO_TYPE, patio_value_get_uint64(&v, &u64));
    assert_true(u64 == 0);
    v = patio_double(5.0);
    assert_int_equal(PATIO_TYPE, patio_value_get_int64(&v, &i64));
    assert_int_equal(PATIO_TYPE, patio_value_get_uint64(&v, &u64));
}

static void expect_double(bool exact, patio_value v, double expected)
{
    double out = 0.25;
    assert_int_equal(exact ? PATIO_OK : PATIO_TYPE, patio_value_get_double(&v, &out));
    assert_true(out == (exact ? expected : 0.25));
}

static void integers_become_doubles_only_without_loss(void **state)
{
    (void)state;
    const int64_t two53 = INT64_C(1) << 53;
    expect_double(true, patio_int(0), 0.0);
    expect_double(true, patio_int(5), 5.0);
    expect_double(true, patio_int(-two53), -9007199254740992.0);
    expect_double(false, patio_int(-two53 - 1), 0);
    expect_double(true, patio_int(-two53 - 2), -9007199254740994.0);
    expect_double(false, patio_int(two53 + 1), 0);
    expect_double(true, patio_int(INT64_MIN), -9223372036854775808.0);
    expect_double(false, patio_int(INT64_MAX), 0);
    expect_double(true, patio_uint((uint64_t)two53), 9007199254740992.0);
    expect_double(false, patio_uint((uint64_t)two53 + 1), 0);
    expect_double(true, patio_uint(UINT64_C(1) << 63), 9223372036854775808.0);
    expect_double(false, patio_uint(UINT64_MAX), 0);
    expect_double(true, patio_uint(UINT64_MAX - 2047), 18446744073709549568.0);
    expect_double(true, patio_double(DBL_MAX), DBL_MAX);
}

static void strings_may_hold_nul_characters(void **state)
{
    (void)state;
    const char *text = NULL;
    patio_value v    = patio_string_n("ab\0cd", 5);
    assert_int_equal(PATIO_OK, patio_value_get_string(&v, &text));
    assert_memory_equal("ab\0cd", text, 6);
    v = patio_string_n(NULL, 0);
    assert_int_equal(PATIO_OK, patio_value_get_string(&v, &text));
    assert_string_equal("", text);
    const patio_value items[] = {patio_string_n("a\0b", 3), patio_int(1), patio_string("a"),
                                 patio_int(2)};
    patio_value       map     = patio_map(items, 2);
    assert_int_equal(2, patio_value_key(&map, "a")->as.i64);
    const patio_value a = patio_string_n("a\0b", 3);
    const patio_value b = patio_string_n("a\0c", 3);
    assert_true(patio_value_equal(&a, &items[0]));
    assert_false(patio_value_equal(&a, &b));
    assert_false(patio_value_equal(&a, &items[2]));
}

static void items_and_keys_are_found_or_null(void **state)
{
    (void)state;
    patio_value list = PATIO_LIST(10, 20);
    assert_int_equal(20, patio_value_at(&list, 1)->as.i64);
    assert_null(patio_value_at(&list, 2));
    assert_null(patio_value_at(&list, SIZE_MAX));
    assert_null(patio_value_at(NULL, 0));
    patio_value map = PATIO_MAP("width", 128, "", 2, "name", "x");
    assert_null(patio_value_at(&map, 0));
    assert_int_equal(128, patio_value_key(&map, "width")->as.i64);
    assert_int_equal(2, patio_value_key(&map, "")->as.i64);
    assert_null(patio_value_key(&map, "widt"));
    assert_null(patio_value_key(&map, "128"));
    assert_null(patio_value_key(&map, NULL));
    assert_null(patio_value_key(&list, "width"));
    assert_null(patio_value_key(NULL, "width"));
}

static void equal_means_same_type_and_content(void **state)
{
    (void)state;
    const patio_value all[] = {patio_null(),
                               patio_bool(false),
                               patio_bool(true),
                               patio_int(1),
                               patio_int(2),
                               patio_uint(1),
                               patio_double(1.0),
                               patio_double(NAN),
                               patio_string("1"),
                               patio_string(""),
                               patio_blob("1", 1),
                               patio_blob(NULL, 0),
                               patio_list(NULL, 0),
                               patio_map(NULL, 0),
                               PATIO_LIST(1),
                               PATIO_LIST(1u),
                               PATIO_LIST(1, 2),
                               PATIO_LIST(2, 1),
                               PATIO_MAP("a", 1),
                               PATIO_MAP("a", 2),
                               PATIO_MAP("b", 1),
                               PATIO_LIST("a", 1),
                               PATIO_LIST(PATIO_LIST(1)),
                               PATIO_MAP("a", 1, "b", 2),
                               PATIO_MAP("b", 2, "a", 1)};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++) {
            assert_int_equal(i == j, patio_value_equal(&all[i], &all[j]));
        }
        assert_false(patio_value_equal(&all[i], NULL));
        assert_false(patio_value_equal(NULL, &all[i]));
    }
    assert_true(patio_value_equal(NULL, NULL));
    const patio_value a = PATIO_LIST(1, PATIO_MAP("k", PATIO_LIST("x", 2.5)), patio_null());
    const patio_value b = PATIO_LIST(1, PATIO_MAP("k", PATIO_LIST("x", 2.5)), patio_null());
    assert_true(patio_value_equal(&a, &b));
    const patio_value zero     = patio_double(0.0);
    const patio_value negative = patio_double(-0.0);
    assert_true(patio_value_equal(&zero, &negative));
    patio_value strange = patio_null();
    strange.type        = 99;
    assert_false(patio_value_equal(&strange, &strange));
}

static void equality_ends_at_the_greatest_depth(void **state)
{
    (void)state;
    patio_value levels[PATIO_VALUE_DEPTH_MAX + 2];
    levels[0] = patio_int(1);
    for (size_t i = 1; i < sizeof(levels) / sizeof(levels[0]); i++) {
        levels[i] = patio_list(&levels[i - 1], 1);
    }
    assert_true(patio_value_equal(&levels[PATIO_VALUE_DEPTH_MAX], &levels[PATIO_VALUE_DEPTH_MAX]));
    assert_false(
        patio_value_equal(&levels[PATIO_VALUE_DEPTH_MAX + 1], &levels[PATIO_VALUE_DEPTH_MAX + 1]));
    patio_value endless = patio_null();
    endless             = patio_list(&endless, 1);
    assert_false(patio_value_equal(&endless, &endless));
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    static const char *const names[] = {"null",   "bool",  "int64", "uint64", "double",
                                        "string", "bytes", "list",  "map",    "unknown"};
    for (uint32_t type = 0; type < 10; type++) {
        assert_string_equal(names[type], patio_type_name(type));
    }
    assert_string_equal("unknown", patio_type_name(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constructors_set_type_size_and_content),
        cmocka_unit_test(every_getter_refuses_other_types),
        cmocka_unit_test(nothing_reads_as_nothing),
        cmocka_unit_test(integers_convert_where_they_fit),
        cmocka_unit_test(integers_become_doubles_only_without_loss),
        cmocka_unit_test(strings_may_hold_nul_characters),
        cmocka_unit_test(items_and_keys_are_found_or_null),
        cmocka_unit_test(equal_means_same_type_and_content),
        cmocka_unit_test(equality_ends_at_the_greatest_depth),
        cmocka_unit_test(every_type_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
