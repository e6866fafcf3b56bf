/* test_json.c: JSON text <-> values: what is taken, what is refused, what survives the way and
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "json.h"

static patio_value parse(const char *text)
{
    patio_error err = PATIO_ERROR_INIT;
    patio_value value;
    if (cli_json_parse(text, &value, &err) != CLI_JSON_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    return value;
}

/* The text of a value, in memory of the test until the next call. */
static const char *write_down(const patio_value *value)
{
    static char  text[65536];
    patio_error  err  = PATIO_ERROR_INIT;
    json_object *tree = NULL;
    if (cli_json_write(value, &tree, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    (void)snprintf(text, sizeof(text), "%s", cli_json_line(tree));
    json_object_put(tree);
    return text;
}

static void assert_same(const char *text, const char *expected)
{
    patio_value value = parse(text);
    assert_string_equal(write_down(&value), expected);
    cli_value_free(&value);
}

static void assert_refused(const char *text, const char *reason)
{
    patio_error err = PATIO_ERROR_INIT;
    patio_value value;
    if (cli_json_parse(text, &value, &err) != CLI_JSON_REFUSED) {
        fail_msg("%s should have been refused", text);
    }
    if (strstr(err.message, reason) == NULL) {
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err.message, reason);
    }
}

static void canonical_texts_come_back_unchanged(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "0.1",
        "-2.5",
        "1.0",
        "-0.0",
        "1e+300",
        "5e-324",
        "1.7976931348623157e+308",
        "\"\"",
        "\"a/b\"",
        "\"\\u0000\"",
        "\"\\n\\t\\\"\\\\\"",
        "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb4\"",
        "[]",
        "{}",
        "[1,[2,[3]],{\"a\":null}]",
        "{\"b\":1,\"a\":2}",
        "{\"$bytes\":\"AAEC/w==\"}",
        "{\"$bytes\":\"\"}",
        "{\"$double\":\"NaN\"}",
        "{\"$double\":\"-Infinity\"}",
        "{\"$map\":{\"$bytes\":\"x\"}}",
        "{\"$map\":{\"$map\":1}}",
        "{\"$bytes\":\"x\",\"more\":1}",
        "{\"$other\":1}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_same(texts[i], texts[i]);
    }
}

static void other_spellings_become_canonical(void **state)
{
    (void)state;
    assert_same(" [ 1 , 2 ] \n", "[1,2]");
    assert_same("1E2", "100.0");
    assert_same("0.1000", "0.1");
    assert_same("123456789012345680000.0", "1.2345678901234568e+20");
    assert_same("\"\\u00e4\\ud83c\\udf34\"", "\"\xc3\xa4\xf0\x9f\x8c\xb4\"");
    assert_same("{\"a\":1,\"a\":2}", "{\"a\":2}");
    assert_same("-0", "0");
}

static void integers_get_the_type_that_fits(void **state)
{
    (void)state;
    patio_value value = parse("9223372036854775807");
    assert_int_equal(value.type, PATIO_TYPE_INT64);
    assert_true(value.as.i64 == INT64_MAX);
    value = parse("9223372036854775808");
    assert_int_equal(value.type, PATIO_TYPE_UINT64);
    assert_true(value.as.u64 == (uint64_t)INT64_MAX + 1);
    value = parse("1.0");
    assert_int_equal(value.type, PATIO_TYPE_DOUBLE);
}

static void words_that_are_no_json_are_told_apart(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",         " ",         "hello",
        "{a",       "{",         "[1,2",
        "[1] x",    "1 2",       "012",
        "00",       "-01",       "+1",
        "1.",       ".5",        "1e",
        "-",        "0x10",      "NaN",
        "Infinity", "-Infinity", "[NaN]",
        "nul",      "nulll",     "True",
        "'a'",      "\"a",       "\"a\"b",
        "\"\\x\"",  "\"\\u12\"", "\"\t\"",
        "[1,]",     "[,1]",      "{\"a\":1,}",
        "{\"a\"}",  "{1:2}",     "[1 2]",
        "]",        "//x",       "99999999999999999999x",
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        patio_value value;
        if (cli_json_parse(words[i], &value, NULL) != CLI_JSON_NOT) {
            fail_msg("\"%s\" was taken for JSON", words[i]);
        }
    }
}

static void json_that_no_value_can_hold_is_refused_aloud(void **state)
{
    (void)state;
    assert_refused("18446744073709551616", "64 bits");
    assert_refused("-9223372036854775809", "64 bits");
    assert_refused("[99999999999999999999999]", "64 bits");
    assert_refused("1e999", "double");
    assert_refused("{\"a\\u0000b\":1}", "NUL");
    assert_refused("\"\\ud800\"", "surrogate");
    assert_refused("\"\\udc00x\"", "surrogate");
    assert_refused("\"\\ud800\\u0041\"", "surrogate");
    assert_refused("\"\xff\"", "utf-8");
    assert_refused("{\"$bytes\":5}", "base64");
    assert_refused("{\"$bytes\":\"AAE\"}", "base64");
    assert_refused("{\"$bytes\":\"A===\"}", "base64");
    assert_refused("{\"$bytes\":\"AB==\"}", "base64");
    assert_refused("{\"$bytes\":\"AA==AA==\"}", "base64");
    assert_refused("{\"$double\":\"nan\"}", "NaN");
    assert_refused("{\"$map\":[]}", "object");
    assert_refused("[1,{\"a\":{\"$map\":1}}]", "object");
}

/* `depth` brackets around `core`. */
static char *nest(size_t depth, const char *open, const char *core, const char *close)
{
    char *text = calloc(depth * (strlen(open) + strlen(close)) + strlen(core) + 1, 1);
    assert_non_null(text);
    char *end = text;
    for (size_t i = 0; i < depth; i++) {
        end = stpcpy(end, open);
    }
    end = stpcpy(end, core);
    for (size_t i = 0; i < depth; i++) {
        end = stpcpy(end, close);
    }
    return text;
}

static void nesting_is_bounded_at_32(void **state)
{
    (void)state;
    char *deepest = nest(32, "[", "{\"$bytes\":\"AA==\"}", "]");
    assert_same(deepest, deepest);
    char *maps = nest(32, "{\"$map\":{\"$map\":", "{\"$bytes\":\"AA==\"}", "}}");
    assert_same(maps, maps);
    char *too_deep = nest(33, "[", "1", "]");
    assert_refused(too_deep, "32");
    char *bomb = nest(100000, "[", "1", "]");
    assert_refused(bomb, "32");
    free(deepest);
    free(maps);
    free(too_deep);
    free(bomb);
}

static void doubles_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double      number;
        const char *text;
    } rows[] = {{0.1, "0.1"},
                {100000.0, "100000.0"},
                {1.0 / 3, "0.3333333333333333"},
                {1e15, "1000000000000000.0"},
                {1e16, "1e+16"},
                {0.00001, "0.00001"},
                {1e-6, "1e-06"},
                {123456.789, "123456.789"},
                {INFINITY, "inf"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[CLI_DOUBLE_TEXT];
        cli_double_text(rows[i].number, text);
        assert_string_equal(text, rows[i].text);
    }
    uint64_t bits = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double number;
        memcpy(&number, &bits, sizeof(number));
        char text[CLI_DOUBLE_TEXT];
        cli_double_text(number, text);
        double back = strtod(text, NULL);
        assert_true(isnan(number) ? isnan(back) : memcmp(&back, &number, sizeof(back)) == 0);
    }
}

static void a_key_with_a_nul_cannot_be_written(void **state)
{
    (void)state;
    const patio_value pair[] = {patio_string_n("a\0b", 3), patio_int(1)};
    const patio_value map    = patio_map(pair, 1);
    json_object      *tree   = NULL;
    assert_int_equal(cli_json_write(&map, &tree, NULL), PATIO_INVALID);
    assert_null(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_texts_come_back_unchanged),
        cmocka_unit_test(other_spellings_become_canonical),
        cmocka_unit_test(integers_get_the_type_that_fits),
        cmocka_unit_test(words_that_are_no_json_are_told_apart),
        cmocka_unit_test(json_that_no_value_can_hold_is_refused_aloud),
        cmocka_unit_test(nesting_is_bounded_at_32),
        cmocka_unit_test(doubles_are_short_and_exact),
        cmocka_unit_test(a_key_with_a_nul_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
