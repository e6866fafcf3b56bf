/* The hash of strict names: over tokens, so layout does not count and code does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/registry.h"

static void expect(bool same, const char *a, const char *b)
{
    char hash_a[17];
    char hash_b[17];
    assert_true(pt_source_hash(a, hash_a));
    assert_true(pt_source_hash(b, hash_b));
    if ((strcmp(hash_a, hash_b) == 0) != same) {
        fail_msg("<%s> and <%s> should %s", a, b, same ? "be the same" : "differ");
    }
}

typedef struct pair {
    const char *a;
    const char *b;
} pair;

static void expect_all(bool same, const pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect(same, pairs[i].a, pairs[i].b);
    }
}

static void a_hash_is_16_hex_digits_and_never_changes(void **state)
{
    (void)state;
    char hex[17];
    assert_true(pt_source_hash("", hex));
    assert_string_equal("e3b0c44298fc1c14", hex); /* SHA-256 of nothing */
    assert_true(pt_source_hash("int x;", hex));
    assert_string_equal("33211da0b13f691f", hex);
    assert_int_equal(16, strspn(hex, "0123456789abcdef"));
}

static void white_space_does_not_count(void **state)
{
    (void)state;
    static const pair same[] = {
        {"a+b", "a + b"},
        {"a+b", " \t\n\v\f\r a\n+\r\nb \n"},
        {"", "  \n "},
        {"int main(void){return 0;}", "int main (void)\n{\n    return 0;\n}\n"},
        {"f(a,b)", "f ( a , b )"},
        {"a b", "a \\\n b"},
        {"a b", "a \\\r\n b"},
        {"x=L\"a\"", "x = L\"a\""},
    };
    expect_all(true, same, sizeof(same) / sizeof(same[0]));
}

static void comments_do_not_count(void **state)
{
    (void)state;
    static const pair same[] = {
        {"a b", "a/**/b"},
        {"a b", "a /* x */ /* y */ b // end"},
        {"a b", "// first\na // then\nb"},
        {"a b", "a // goes on \\\n here\nb"},
        {"a b", "a b /* never closed"},
        {"a b", "a/*/ still inside */b"},
        {"a/b", "a / b"},
    };
    expect_all(true, same, sizeof(same) / sizeof(same[0]));
    static const pair differ[] = {
        {"ab", "a/**/b"},
        {"\"/* text */\"", "\"\""},
        {"\"// text\"", "\""},
        {"a\nb", "a // b"},
    };
    expect_all(false, differ, sizeof(differ) / sizeof(differ[0]));
}

static void code_counts(void **state)
{
    (void)state;
    static const pair differ[] = {
        {"a+b", "a-b"},     {"a+b", "b+a"},     {"a+b", "a+b;"},      {"return 1", "return1"},
        {"int x", "intx"},  {"x = 1", "x = 2"}, {"f(a,b)", "f(b,a)"}, {"a;b", "a;"},
        {"int_x", "int x"}, {"X", "x"},         {"1", "1u"},          {"0x10", "16"},
    };
    expect_all(false, differ, sizeof(differ) / sizeof(differ[0]));
}

static void punctuators_are_as_long_as_possible(void **state)
{
    (void)state;
    static const pair differ[] = {
        {"a+ +b", "a++b"}, {"a- -b", "a--b"}, {"a- >b", "a->b"},     {"a< <=b", "a<<=b"},
        {"a> >b", "a>>b"}, {"a= =b", "a==b"}, {"a& &b", "a&&b"},     {"a| |b", "a||b"},
        {". . .", "..."},  {"# #", "##"},     {"a==  =b", "a= ==b"}, {"%: %:", "%:%:"},
        {"< :", "<:"},     {"! =", "!="},     {"^ =", "^="},         {"a / *b", "a /b"},
    };
    expect_all(false, differ, sizeof(differ) / sizeof(differ[0]));
    static const pair same[] = {
        {"a+++b", "a++ + b"},   {"a<==b", "a<= = b"}, {"a>>=b", "a >>= b"},
        {"a---b", "a -- - b"},  {"a->b", "a -> b"},   {"a<<<b", "a << < b"},
        {"f(...)", "f( ... )"}, {"a=-b", "a = - b"},  {"a?b:c", "a ? b : c"},
    };
    expect_all(true, same, sizeof(same) / sizeof(same[0]));
}

static void numbers_are_preprocessing_numbers(void **state)
{
    (void)state;
    static const pair differ[] = {
        {"1e+5", "1e +5"}, {"1 .5", "1.5"}, {"0x1p-3", "0x1p - 3"}, {".5", ". 5"}, {"1.f", "1. f"},
    };
    expect_all(false, differ, sizeof(differ) / sizeof(differ[0]));
    static const pair same[] = {{"1+5", "1 + 5"}, {"a.b", "a . b"}, {"1.5-x", "1.5 - x"}};
    expect_all(true, same, sizeof(same) / sizeof(same[0]));
}

static void literals_count_byte_for_byte(void **state)
{
    (void)state;
    static const pair differ[] = {
        {"\"a b\"", "\"a  b\""},   {"\"ab\"", "\"a b\""},           {"' '", "'  '"},
        {"\"a\" \"b\"", "\"ab\""}, {"L\"a\"", "L \"a\""},           {"u8\"a\"", "u8 \"a\""},
        {"L'a'", "L 'a'"},         {"\"\\\"a\"", "\"\\\" a\""},     {"\"\\\\\" a", "\"\\\\ \" a"},
        {"'a'", "\"a\""},          {"'\"' x '\"'", "'\"'x  x'\"'"},
    };
    expect_all(false, differ, sizeof(differ) / sizeof(differ[0]));
    static const pair same[] = {
        {"f(\"a b\",'c')", "f ( \"a b\" , 'c' )"},
        {"\"\\\\\" a", "\"\\\\\"a"},
        {"'\\'' a", "'\\''a"},
        {"xL\"a\"", "xL \"a\""}, /* xL is no prefix */
        {"\"open\n a", "\"open\na"},
        {"\"open\\", "\"open\\"},
    };
    expect_all(true, same, sizeof(same) / sizeof(same[0]));
}

static void identifiers_may_hold_more_than_ascii(void **state)
{
    (void)state;
    expect(false, "größe", "grö ße");
    expect(false, "a\\u00e9b", "a \\u00e9b");
    expect(false, "a\\u00e9b", "a\\u00e9 b");
    expect(false, "a$b", "a $b");
    expect(true, "größe=1", "größe = 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_16_hex_digits_and_never_changes),
        cmocka_unit_test(white_space_does_not_count),
        cmocka_unit_test(comments_do_not_count),
        cmocka_unit_test(code_counts),
        cmocka_unit_test(punctuators_are_as_long_as_possible),
        cmocka_unit_test(numbers_are_preprocessing_numbers),
        cmocka_unit_test(literals_count_byte_for_byte),
        cmocka_unit_test(identifiers_may_hold_more_than_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
