#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/options.h"
#include "failing_alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { HOST, MAX_QUEUED, KEEP, GRACE_MS, BUFFER_BYTES, PASSWORD, MODE, NAME };

static const patio_option *const table[] = {
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_STRING, "host", "localhost",
                          "where to connect", NULL, 0, 0},
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_INT, "max_queued", "100",
                          "most tasks", NULL, 1, 1000},
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_BOOL, "keep", "no", "keep them",
                          NULL, 0, 0},
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_MS, "grace_ms", "1500",
                          "how long", NULL, 0, 0},
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_SIZE, "buffer_bytes", "64KiB",
                          "how much", NULL, 0, 0},
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_SECRET, "password", "", "secret",
                          NULL, 0, 0},
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_CHOICE, "mode", "fast", "how",
                          "fast|safe|slow", 0, 0},
    &(const patio_option){PATIO_SIZED(patio_option), PATIO_OPTION_STRING, "name", NULL,
                          "who we are", NULL, 0, 0},
    NULL,
};

static patio_status parse(const pt_setting *settings, size_t count, patio_option_value **out,
                          patio_error *err)
{
    return pt_options_parse(&pt_malloc_allocator, table, "transport test", settings, count, out,
                            err);
}

static void what_is_not_set_gets_its_default(void **state)
{
    (void)state;
    patio_option_value *values = NULL;
    const pt_setting    set[]  = {{"name", "me", NULL}};
    assert_int_equal(parse(set, 1, &values, NULL), PATIO_OK);
    assert_string_equal(values[HOST].text, "localhost");
    assert_int_equal(values[HOST].given, 0);
    assert_int_equal(values[MAX_QUEUED].number, 100);
    assert_string_equal(values[MAX_QUEUED].text, "100");
    assert_int_equal(values[KEEP].number, 0);
    assert_int_equal(values[GRACE_MS].number, 1500);
    assert_int_equal(values[BUFFER_BYTES].number, 65536);
    assert_string_equal(values[PASSWORD].text, "");
    assert_int_equal(values[MODE].number, 0);
    assert_string_equal(values[NAME].text, "me");
    assert_int_equal(values[NAME].given, 1);
    pt_options_free(&pt_malloc_allocator, table, values);
}

static void the_last_setting_of_a_key_wins(void **state)
{
    (void)state;
    patio_option_value *values = NULL;
    const pt_setting    set[]  = {{"name", "a", "f:1"},
                                  {"max_queued", "wrong", "f:2"},
                                  {"max_queued", "7", "f:3"},
                                  {"mode", "slow", "f:4"},
                                  {"name", "b", "f:5"}};
    assert_int_equal(parse(set, COUNT(set), &values, NULL), PATIO_OK);
    assert_int_equal(values[MAX_QUEUED].number, 7);
    assert_int_equal(values[MODE].number, 2);
    assert_string_equal(values[MODE].text, "slow");
    assert_string_equal(values[NAME].text, "b");
    pt_options_free(&pt_malloc_allocator, table, values);
}

static void an_empty_table_has_no_values(void **state)
{
    (void)state;
    static const patio_option *const none[] = {NULL};
    patio_error                      err    = PATIO_ERROR_INIT;
    const pt_setting                 set    = {"x", "1", "patio.yaml:3"};
    patio_option_value              *values = NULL;
    assert_int_equal(pt_options_count(NULL), 0);
    assert_int_equal(pt_options_count(table), 8);
    assert_int_equal(pt_options_parse(&pt_malloc_allocator, NULL, "w", NULL, 0, &values, &err),
                     PATIO_OK);
    assert_null(values);
    assert_int_equal(
        pt_options_parse(&pt_malloc_allocator, none, "executor null", &set, 1, &values, &err),
        PATIO_CONFIG);
    assert_string_equal(err.message,
                        "patio.yaml:3: executor null: unknown option \"x\"; it has no options");
    pt_options_free(&pt_malloc_allocator, NULL, NULL);
}

static void wrong_settings_are_refused_with_origin_and_reason(void **state)
{
    (void)state;
    static const struct {
        pt_setting  setting;
        const char *message;
    } rows[] = {
        {{"max_qeued", "1", "patio.yaml:9"},
         "patio.yaml:9: transport test: unknown option \"max_qeued\"; did you mean "
         "\"max_queued\"?"},
        {{"zzzzzz", "1", NULL},
         "transport test: unknown option \"zzzzzz\"; it has host, max_queued, keep, grace_ms, "
         "buffer_bytes, password, mode, name"},
        {{"max_queued", "lots", "patio.yaml:9"},
         "patio.yaml:9: transport test: option max_queued: \"lots\" is not an integer"},
        {{"max_queued", "0", "the URL"},
         "the URL: transport test: option max_queued: \"0\" is less than the smallest allowed, 1"},
        {{"max_queued", "1001", NULL},
         "transport test: option max_queued: \"1001\" is more than the largest allowed, 1000"},
        {{"mode", "sfae", "f:1"},
         "f:1: transport test: option mode: \"sfae\" is not one of fast|safe|slow; did you mean "
         "\"safe\"?"},
        {{"mode", "medium", NULL},
         "transport test: option mode: \"medium\" is not one of fast|safe|slow"},
        {{"password", "env:PATIO_TEST_NOT_SET", "f:2"},
         "f:2: transport test: option password: environment variable \"PATIO_TEST_NOT_SET\" is not "
         "set"},
        {{"password", "env:hunter 2", "f:2"},
         "f:2: transport test: option password: \"env:\" is not followed by the name of an "
         "environment variable"},
        {{"keep", "a\nb\x1b[31m\xff", NULL},
         "transport test: option keep: \"a?b?[31m?\" is not a boolean; write true, false, yes, no, "
         "on, off, 1 or 0"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error         err    = PATIO_ERROR_INIT;
        patio_option_value *values = NULL;
        const pt_setting    set[]  = {{"name", "me", NULL}, rows[i].setting};
        assert_int_equal(parse(set, 2, &values, &err), PATIO_CONFIG);
        assert_int_equal(err.status, PATIO_CONFIG);
        assert_string_equal(err.message, rows[i].message);
        assert_null(values);
        assert_int_equal(parse(set, 2, &values, NULL), PATIO_CONFIG);
    }
}

static void a_missing_option_is_named_with_its_help(void **state)
{
    (void)state;
    patio_error         err    = PATIO_ERROR_INIT;
    patio_option_value *values = NULL;
    assert_int_equal(parse(NULL, 0, &values, &err), PATIO_CONFIG);
    assert_string_equal(err.message, "transport test: option name must be given: who we are");
}

static void a_bad_table_is_a_bug_and_says_so(void **state)
{
    (void)state;
    static const patio_option no_integer = {PATIO_SIZED(patio_option), .type = PATIO_OPTION_INT,
                                            .name = "n", .fallback = "many"};
    static const patio_option no_type    = {PATIO_SIZED(patio_option), .type = 77, .name = "n",
                                            .fallback = "1"};
    static const patio_option *const bad_default[] = {&no_integer, NULL};
    static const patio_option *const bad_type[]    = {&no_type, NULL};
    patio_error                      err           = PATIO_ERROR_INIT;
    patio_option_value              *values        = NULL;
    assert_int_equal(
        pt_options_parse(&pt_malloc_allocator, bad_default, "w", NULL, 0, &values, &err),
        PATIO_INTERNAL);
    assert_int_equal(err.status, PATIO_INTERNAL);
    assert_non_null(strstr(err.message, "w: option n: \"many\" is not an integer (its default"));
    assert_int_equal(pt_options_parse(&pt_malloc_allocator, bad_type, "w", NULL, 0, &values, &err),
                     PATIO_INTERNAL);
    assert_non_null(strstr(err.message, "option type 77"));
    assert_string_equal(pt_option_type_name(77), "unknown type");
    assert_string_equal(pt_option_type_name(PATIO_OPTION_MS), "duration");
}

/* ---- numbers ---- */

typedef struct number_row {
    uint32_t    type;
    const char *text;
    int64_t     number;
} number_row;

static void texts_become_numbers(void **state)
{
    (void)state;
    static const number_row rows[] = {
        {PATIO_OPTION_INT, "0", 0},
        {PATIO_OPTION_INT, "-12", -12},
        {PATIO_OPTION_INT, "007", 7},
        {PATIO_OPTION_INT, "9223372036854775807", INT64_MAX},
        {PATIO_OPTION_INT, "-9223372036854775808", INT64_MIN},
        {PATIO_OPTION_BOOL, "true", 1},
        {PATIO_OPTION_BOOL, "yes", 1},
        {PATIO_OPTION_BOOL, "on", 1},
        {PATIO_OPTION_BOOL, "1", 1},
        {PATIO_OPTION_BOOL, "false", 0},
        {PATIO_OPTION_BOOL, "no", 0},
        {PATIO_OPTION_BOOL, "off", 0},
        {PATIO_OPTION_BOOL, "0", 0},
        {PATIO_OPTION_MS, "250", 250},
        {PATIO_OPTION_MS, "250ms", 250},
        {PATIO_OPTION_MS, "5s", 5000},
        {PATIO_OPTION_MS, "1.5s", 1500},
        {PATIO_OPTION_MS, "0.001s", 1},
        {PATIO_OPTION_MS, "2.000000000000000s", 2000},
        {PATIO_OPTION_MS, "10min", 600000},
        {PATIO_OPTION_MS, "0.5min", 30000},
        {PATIO_OPTION_MS, "2h", 7200000},
        {PATIO_OPTION_MS, "1d", 86400000},
        {PATIO_OPTION_MS, "none", INT64_MAX},
        {PATIO_OPTION_MS, "forever", INT64_MAX},
        {PATIO_OPTION_MS, "infinite", INT64_MAX},
        {PATIO_OPTION_MS, "9223372036854775s", INT64_C(9223372036854775000)},
        {PATIO_OPTION_SIZE, "512", 512},
        {PATIO_OPTION_SIZE, "512B", 512},
        {PATIO_OPTION_SIZE, "64KiB", 65536},
        {PATIO_OPTION_SIZE, "16MiB", 16777216},
        {PATIO_OPTION_SIZE, "2GiB", INT64_C(2147483648)},
        {PATIO_OPTION_SIZE, "1KB", 1000},
        {PATIO_OPTION_SIZE, "1MB", 1000000},
        {PATIO_OPTION_SIZE, "3GB", INT64_C(3000000000)},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error  err    = PATIO_ERROR_INIT;
        patio_option option = {PATIO_SIZED(patio_option), .type = rows[i].type};
        int64_t      number = -1;
        patio_status status = pt_option_parse_number(&option, rows[i].text, &number, &err);
        if (status != PATIO_OK) {
            fail_msg("%s: %s", rows[i].text, err.message);
        }
        assert_true(number == rows[i].number);
    }
}

static void texts_that_are_no_numbers_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t    type;
        const char *text;
        const char *why;
    } rows[] = {
        {PATIO_OPTION_INT, "", "\"\" is not an integer"},
        {PATIO_OPTION_INT, "-", "is not an integer"},
        {PATIO_OPTION_INT, "+1", "is not an integer"},
        {PATIO_OPTION_INT, " 1", "is not an integer"},
        {PATIO_OPTION_INT, "1 ", "is not an integer"},
        {PATIO_OPTION_INT, "0x10", "is not an integer"},
        {PATIO_OPTION_INT, "1.0", "is not an integer"},
        {PATIO_OPTION_INT, "9223372036854775808", "is too large"},
        {PATIO_OPTION_INT, "-9223372036854775809", "is too large"},
        {PATIO_OPTION_BOOL, "True", "is not a boolean; write true, false"},
        {PATIO_OPTION_BOOL, "2", "is not a boolean"},
        {PATIO_OPTION_BOOL, "", "is not a boolean"},
        {PATIO_OPTION_MS, "", "is not a duration; write it like 250ms, 5s, 10min, 2h or 1d"},
        {PATIO_OPTION_MS, "5m", "is not a duration"},
        {PATIO_OPTION_MS, "5 s", "is not a duration"},
        {PATIO_OPTION_MS, "-5s", "is not a duration"},
        {PATIO_OPTION_MS, "5ns", "is not a duration"},
        {PATIO_OPTION_MS, "s", "is not a duration"},
        {PATIO_OPTION_MS, ".5s", "is not a duration"},
        {PATIO_OPTION_MS, "1.s", "is not a duration"},
        {PATIO_OPTION_MS, "1.5.5s", "is not a duration"},
        {PATIO_OPTION_MS, "1e3", "is not a duration"},
        {PATIO_OPTION_MS, "5S", "is not a duration"},
        {PATIO_OPTION_MS, "1.5", "is not a whole number of milliseconds"},
        {PATIO_OPTION_MS, "0.0001s", "is not a whole number of milliseconds"},
        {PATIO_OPTION_MS, "0.999999999d", "is not a whole number of milliseconds"},
        {PATIO_OPTION_MS, "0.0000000001d", "is not a whole number of milliseconds"},
        {PATIO_OPTION_MS, "9223372036854776s", "is too large"},
        {PATIO_OPTION_MS, "106751991168d", "is too large"},
        {PATIO_OPTION_MS, "99999999999999999999ms", "is too large"},
        {PATIO_OPTION_MS, "99999999999999999999x", "is not a duration"},
        {PATIO_OPTION_SIZE, "1.5MiB", "is not a size; write it like 512B"},
        {PATIO_OPTION_SIZE, "64K", "is not a size"},
        {PATIO_OPTION_SIZE, "64kib", "is not a size"},
        {PATIO_OPTION_SIZE, "-1", "is not a size"},
        {PATIO_OPTION_SIZE, "none", "is not a size"},
        {PATIO_OPTION_SIZE, "8589934592GiB", "is too large"},
        {PATIO_OPTION_CHOICE, "x", "\"x\" is not one of"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error  err    = PATIO_ERROR_INIT;
        patio_option option = {PATIO_SIZED(patio_option), .type = rows[i].type};
        int64_t      number = -1;
        assert_int_equal(pt_option_parse_number(&option, rows[i].text, &number, &err),
                         PATIO_CONFIG);
        if (strstr(err.message, rows[i].why) == NULL) {
            fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].text, err.message, rows[i].why);
        }
        assert_int_equal(number, -1);
    }
}

static void limits_hold_at_their_edges(void **state)
{
    (void)state;
    static const struct {
        uint32_t    type;
        int64_t     min;
        int64_t     max;
        const char *text;
        const char *why; /* NULL: allowed */
    } rows[] = {
        {PATIO_OPTION_INT, -5, 5, "-5", NULL},
        {PATIO_OPTION_INT, -5, 5, "5", NULL},
        {PATIO_OPTION_INT, -5, 5, "-6", "less than the smallest allowed, -5"},
        {PATIO_OPTION_INT, -5, 5, "6", "more than the largest allowed, 5"},
        {PATIO_OPTION_INT, 0, 0, "-1", NULL},
        {PATIO_OPTION_INT, 1, 0, "99", NULL},
        {PATIO_OPTION_INT, 1, 0, "0", "less than the smallest allowed, 1"},
        {PATIO_OPTION_INT, -9, 0, "1", "more than the largest allowed, 0"},
        {PATIO_OPTION_MS, 10, 1000, "1s", NULL},
        {PATIO_OPTION_MS, 10, 1000, "1001ms", "more than the largest allowed, 1000 ms"},
        {PATIO_OPTION_MS, 10, 1000, "none", "\"none\" is more than the largest allowed"},
        {PATIO_OPTION_MS, 1, INT64_MAX, "none", NULL},
        {PATIO_OPTION_SIZE, 1024, 2048, "1023B", "less than the smallest allowed, 1024 bytes"},
        {PATIO_OPTION_SIZE, 1024, 2048, "2KiB", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error  err    = PATIO_ERROR_INIT;
        patio_option option = {PATIO_SIZED(patio_option), .type = rows[i].type, .min = rows[i].min,
                               .max = rows[i].max};
        int64_t      number = 0;
        patio_status status = pt_option_parse_number(&option, rows[i].text, &number, &err);
        assert_int_equal(status, rows[i].why == NULL ? PATIO_OK : PATIO_CONFIG);
        if (rows[i].why != NULL && strstr(err.message, rows[i].why) == NULL) {
            fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].text, err.message, rows[i].why);
        }
    }
}

static void long_values_are_cut_in_errors_at_a_character(void **state)
{
    (void)state;
    patio_error  err    = PATIO_ERROR_INIT;
    patio_option option = {PATIO_SIZED(patio_option), .type = PATIO_OPTION_INT};
    int64_t      number = 0;
    char         text[2000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3) {
            memcpy(text + i, "\xe2\x82\xac", 4);
        }
        assert_int_equal(pt_option_parse_number(&option, text, &number, &err), PATIO_CONFIG);
        assert_true(strlen(err.message) < 130);
        assert_non_null(strstr(err.message, "\xe2\x82\xac...\" is not an integer"));
    }
}

/* ---- secrets ---- */

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void assert_secret(const char *given, const char *expected)
{
    patio_error         err    = PATIO_ERROR_INIT;
    patio_option_value *values = NULL;
    const pt_setting    set[]  = {{"name", "me", NULL}, {"password", given, "f:3"}};
    if (parse(set, 2, &values, &err) != PATIO_OK) {
        fail_msg("%s: %s", given, err.message);
    }
    assert_string_equal(values[PASSWORD].text, expected);
    pt_options_free(&pt_malloc_allocator, table, values);
}

static void secrets_are_read_from_environment_and_file(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        const char *secret;
    } rows[] = {
        {"hunter2", "hunter2"},
        {"hunter2\n", "hunter2"},
        {"hunter2\r\n", "hunter2"},
        {"two\nlines\n", "two\nlines"},
        {"end\n\n", "end\n"},
        {"", ""},
        {"\n", ""},
        {"\r", "\r"},
    };
    char path[] = "/tmp/patio_secret_XXXXXX";
    char given[64];
    int  fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(given, sizeof(given), "file:%s", path);
    for (size_t i = 0; i < COUNT(rows); i++) {
        write_file(path, rows[i].data, strlen(rows[i].data));
        assert_secret(given, rows[i].secret);
    }
    (void)unlink(path);
    assert_int_equal(setenv("PATIO_TEST_SECRET", "hunter2", 1), 0);
    assert_secret("env:PATIO_TEST_SECRET", "hunter2");
    assert_int_equal(setenv("PATIO_TEST_SECRET", "", 1), 0);
    assert_secret("env:PATIO_TEST_SECRET", "");
    assert_int_equal(unsetenv("PATIO_TEST_SECRET"), 0);
    assert_secret("plain", "plain");
    assert_secret("environment", "environment");
}

static patio_status parse_secret(const char *given, patio_error *err)
{
    patio_option_value *values = NULL;
    const pt_setting    set[]  = {{"name", "me", NULL}, {"password", given, "f:3"}};
    patio_status        status = parse(set, 2, &values, err);
    assert_null(values);
    return status;
}

static void unreadable_secret_files_are_refused(void **state)
{
    (void)state;
    patio_error err    = PATIO_ERROR_INIT;
    char        path[] = "/tmp/patio_secret_XXXXXX";
    char        given[64];
    char       *large = malloc(65537);
    int         fd    = mkstemp(path);
    assert_non_null(large);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(given, sizeof(given), "file:%s", path);

    write_file(path, "hun\0ter", 7);
    assert_int_equal(parse_secret(given, &err), PATIO_CONFIG);
    assert_non_null(strstr(err.message, "f:3: transport test: option password: read secret from"));
    assert_non_null(strstr(err.message, "holds a NUL byte"));
    assert_null(strstr(err.message, "hun\""));

    memset(large, 'x', 65537);
    write_file(path, large, 65536);
    large[65536] = '\0';
    assert_secret(given, large);
    write_file(path, large, 65537);
    assert_int_equal(parse_secret(given, &err), PATIO_CONFIG);
    assert_non_null(strstr(err.message, "more than 65536 bytes"));

    (void)unlink(path);
    assert_int_equal(parse_secret(given, &err), PATIO_IO);
    assert_int_equal(err.status, PATIO_IO);
    assert_true(err.os_errno != 0);
    assert_non_null(strstr(err.message, "f:3: transport test: option password: read \"/tmp/"));
    assert_non_null(strstr(err.message, "No such file"));
    assert_int_equal(parse_secret("file:/tmp", &err), PATIO_IO);
    assert_int_equal(parse_secret("file:", NULL), PATIO_IO);
    free(large);
}

static patio_status parse_all(const patio_allocator *mem, void *arg)
{
    patio_option_value *values = NULL;
    const pt_setting    set[]  = {{"name", "me", NULL}, {"password", arg, "f:3"}};
    patio_error         err    = PATIO_ERROR_INIT;
    patio_status        status = pt_options_parse(mem, table, "w", set, 2, &values, &err);
    assert_int_equal(err.status, status);
    pt_options_free(mem, table, values);
    return status;
}

static void parsing_survives_every_failed_allocation(void **state)
{
    (void)state;
    char literal[] = "hunter2";
    char file[]    = "file:/dev/null";
    assert_int_equal(fail_each_allocation(parse_all, literal), 9);
    assert_int_equal(fail_each_allocation(parse_all, file), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_set_gets_its_default),
        cmocka_unit_test(the_last_setting_of_a_key_wins),
        cmocka_unit_test(an_empty_table_has_no_values),
        cmocka_unit_test(wrong_settings_are_refused_with_origin_and_reason),
        cmocka_unit_test(a_missing_option_is_named_with_its_help),
        cmocka_unit_test(a_bad_table_is_a_bug_and_says_so),
        cmocka_unit_test(texts_become_numbers),
        cmocka_unit_test(texts_that_are_no_numbers_are_refused),
        cmocka_unit_test(limits_hold_at_their_edges),
        cmocka_unit_test(long_values_are_cut_in_errors_at_a_character),
        cmocka_unit_test(secrets_are_read_from_environment_and_file),
        cmocka_unit_test(unreadable_secret_files_are_refused),
        cmocka_unit_test(parsing_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
