/* The macros that write values and payloads down, with every type and every number of arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <protobuf-c/protobuf-c.h>

#include <patio/value.h>

/* clang-format off */
/* N3: 1, 2, 3 */
#define N1 1
#define N2 N1, 2
#define N3 N2, 3
#define N4 N3, 4
#define N5 N4, 5
#define N6 N5, 6
#define N7 N6, 7
#define N8 N7, 8
#define N9 N8, 9
#define N10 N9, 10
#define N11 N10, 11
#define N12 N11, 12
#define N13 N12, 13
#define N14 N13, 14
#define N15 N14, 15
#define N16 N15, 16
#define N17 N16, 17
#define N18 N17, 18
#define N19 N18, 19
#define N20 N19, 20
#define N21 N20, 21
#define N22 N21, 22
#define N23 N22, 23
#define N24 N23, 24
#define N25 N24, 25
#define N26 N25, 26
#define N27 N26, 27
#define N28 N27, 28
#define N29 N28, 29
#define N30 N29, 30
#define N31 N30, 31
#define N32 N31, 32
/* P2: "k1", 1, "k2", 2 */
#define P1 "k1", 1
#define P2 P1, "k2", 2
#define P3 P2, "k3", 3
#define P4 P3, "k4", 4
#define P5 P4, "k5", 5
#define P6 P5, "k6", 6
#define P7 P6, "k7", 7
#define P8 P7, "k8", 8
#define P9 P8, "k9", 9
#define P10 P9, "k10", 10
#define P11 P10, "k11", 11
#define P12 P11, "k12", 12
#define P13 P12, "k13", 13
#define P14 P13, "k14", 14
#define P15 P14, "k15", 15
#define P16 P15, "k16", 16
#define UP_TO_16(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
#define UP_TO_32(X) UP_TO_16(X) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) \
                    X(29) X(30) X(31) X(32)
#define ARGS(i) expect_args(PATIO_ARGS(N##i), i, 0);
#define LIST(i) expect_list(PATIO_LIST(N##i), i);
#define MAP(i)  expect_map(PATIO_MAP(P##i), i);
#define KW(i)   expect_args(PATIO_KW(P##i), 0, i);
/* clang-format on */

static void expect_numbers(const patio_value *values, size_t count, size_t expected)
{
    assert_int_equal(expected, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(PATIO_TYPE_INT64, values[i].type);
        assert_int_equal(i + 1, values[i].as.i64);
    }
}

static void expect_pairs(const patio_value *items, size_t pairs, size_t expected)
{
    assert_int_equal(expected, pairs);
    for (size_t i = 0; i < pairs; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "k%zu", i + 1);
        assert_string_equal(key, items[2 * i].as.string);
        assert_int_equal(i + 1, items[2 * i + 1].as.i64);
    }
}

static void expect_args(const patio_payload *p, size_t values, size_t pairs)
{
    assert_int_equal(sizeof(*p), p->struct_size);
    assert_int_equal(PATIO_PAYLOAD_VALUES, p->kind);
    expect_numbers(p->values, p->value_count, values);
    expect_pairs(p->keywords, p->keyword_count, pairs);
}

static void expect_list(patio_value v, size_t count)
{
    assert_int_equal(PATIO_TYPE_LIST, v.type);
    expect_numbers(v.as.items, v.size, count);
}

static void expect_map(patio_value v, size_t pairs)
{
    assert_int_equal(PATIO_TYPE_MAP, v.type);
    expect_pairs(v.as.items, v.size, pairs);
}

static void a_value_of_each_c_type(void **state)
{
    (void)state;
    const bool        yes      = true;
    const char        letter   = 'a';
    char              text[]   = "mutable";
    const char *const constant = "constant";
    const char *const none     = NULL;
    assert_int_equal(PATIO_TYPE_BOOL, PATIO_VALUE(yes).type);
    assert_int_equal('a', PATIO_VALUE(letter).as.i64);
    assert_int_equal(-1, PATIO_VALUE((signed char)-1).as.i64);
    assert_int_equal(INT16_MIN, PATIO_VALUE((short)INT16_MIN).as.i64);
    assert_int_equal(-1, PATIO_VALUE(-1).as.i64);
    assert_int_equal(-1, PATIO_VALUE(-1L).as.i64);
    assert_true(PATIO_VALUE((long long)INT64_MIN).as.i64 == INT64_MIN);
    assert_int_equal(255, PATIO_VALUE((unsigned char)255).as.u64);
    assert_int_equal(65535, PATIO_VALUE((unsigned short)65535).as.u64);
    assert_int_equal(PATIO_TYPE_UINT64, PATIO_VALUE(1u).type);
    assert_int_equal(PATIO_TYPE_UINT64, PATIO_VALUE(1ul).type);
    assert_true(PATIO_VALUE((unsigned long long)UINT64_MAX).as.u64 == UINT64_MAX);
    assert_int_equal(PATIO_TYPE_UINT64, PATIO_VALUE(sizeof(int)).type);
    assert_true(PATIO_VALUE(0.5f).as.f64 == 0.5);
    assert_true(PATIO_VALUE(0.1).as.f64 == 0.1);
    assert_string_equal("literal", PATIO_VALUE("literal").as.string);
    assert_ptr_equal(text, PATIO_VALUE(text).as.string);
    assert_string_equal("constant", PATIO_VALUE(constant).as.string);
    assert_int_equal(PATIO_TYPE_NULL, PATIO_VALUE(none).type);
    assert_int_equal(PATIO_TYPE_BYTES, PATIO_VALUE(patio_blob("x", 1)).type);
    const patio_value v = patio_uint(3);
    assert_int_equal(3, PATIO_VALUE(v).as.u64);
}

static void an_argument_is_evaluated_once(void **state)
{
    (void)state;
    int               n = 0;
    const patio_value v = PATIO_VALUE(++n);
    assert_int_equal(1, v.as.i64);
    const patio_value list = PATIO_LIST(++n, 7);
    assert_int_equal(2, list.as.items[0].as.i64);
    const patio_payload *p = PATIO_KW("n", PATIO_LIST(++n));
    assert_int_equal(3, p->keywords[1].as.items[0].as.i64);
    assert_int_equal(3, n);
}

static void one_to_32_positional_arguments(void **state)
{
    (void)state;
    UP_TO_32(ARGS)
    assert_null(PATIO_NO_ARGS);
}

static void one_to_32_items(void **state)
{
    (void)state;
    UP_TO_32(LIST)
}

static void one_to_16_pairs(void **state)
{
    (void)state;
    UP_TO_16(MAP)
    UP_TO_16(KW)
}

static void positional_and_keyword_arguments_together(void **state)
{
    (void)state;
    expect_args(PATIO_ARGS_KW((1), ("k1", 1)), 1, 1);
    expect_args(PATIO_ARGS_KW((N3), (P2)), 3, 2);
    expect_args(PATIO_ARGS_KW((N32), (P16)), 32, 16);
}

static void lists_and_maps_nest(void **state)
{
    (void)state;
    const patio_payload *p =
        PATIO_ARGS(1, PATIO_LIST("two", PATIO_LIST(3.0, PATIO_MAP("four", patio_bool(true)))));
    assert_int_equal(2, p->value_count);
    const patio_value *inner = patio_value_at(patio_value_at(&p->values[1], 1), 1);
    assert_true(patio_value_key(inner, "four")->as.boolean);
}

static void raw_bytes_with_a_content_type(void **state)
{
    (void)state;
    const char           data[] = {'P', 'N', 'G'};
    const patio_payload *p      = PATIO_RAW("image/png", data, sizeof(data));
    assert_int_equal(PATIO_PAYLOAD_RAW, p->kind);
    assert_string_equal("image/png", p->content_type);
    assert_ptr_equal(data, p->raw.data);
    assert_int_equal(3, p->raw.size);
    assert_null(PATIO_RAW(NULL, NULL, 0)->content_type);
}

static void a_protobuf_message_by_its_base(void **state)
{
    (void)state;
    struct {
        ProtobufCMessage base;
        int              field;
    } message              = {.field = 1};
    const patio_payload *p = PATIO_PROTOBUF(&message);
    assert_int_equal(PATIO_PAYLOAD_PROTOBUF, p->kind);
    assert_ptr_equal(&message.base, p->message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_each_c_type),
        cmocka_unit_test(an_argument_is_evaluated_once),
        cmocka_unit_test(one_to_32_positional_arguments),
        cmocka_unit_test(one_to_32_items),
        cmocka_unit_test(one_to_16_pairs),
        cmocka_unit_test(positional_and_keyword_arguments_together),
        cmocka_unit_test(lists_and_maps_nest),
        cmocka_unit_test(raw_bytes_with_a_content_type),
        cmocka_unit_test(a_protobuf_message_by_its_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
