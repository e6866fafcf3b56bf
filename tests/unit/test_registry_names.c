/* Names: automatic, strict, forbidden, bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "runtime/registry.h"

static patio_status mul(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

/* clang-format off */
/* A body as people write them: commas, literals, macros, comments. */
PATIO_STRICT(strict_mul,
static patio_status strict_mul(patio_context *ctx)
{
    int64_t a = 0, b = 2; /* two numbers, */ // in one line
    const patio_value v = PATIO_VALUE(21);
    patio_status st = patio_value_get_int64(&v, &a);
    if (ctx != NULL || st != PATIO_OK) { return st; }
    const char *text = "a, \"b\" /* stays */";
    return text[0] == ',' || a * b != 42 ? PATIO_TASK_FAILED : PATIO_OK;
}
)
/* clang-format on */

static patio_registry *make(uint32_t flags)
{
    patio_registry_options options  = {PATIO_SIZED(patio_registry_options), .flags = flags,
                                       .project = "shop"};
    patio_registry        *registry = NULL;
    assert_int_equal(PATIO_OK, patio_registry_create(&options, &registry, NULL));
    return registry;
}

static void expect_auto_name(const char *expected, const char *module, const char *option_module)
{
    patio_registry    *registry = make(0);
    patio_task_options options  = {PATIO_SIZED(patio_task_options), .module = option_module};
    assert_int_equal(PATIO_OK,
                     patio_registry_add(registry, NULL, mul, module, "mul", &options, NULL));
    assert_string_equal(expected, pt_registry_task(registry, 0)->name);
    patio_registry_destroy(registry);
}

static void automatic_names_are_project_module_function(void **state)
{
    (void)state;
    patio_registry *registry = make(0);
    assert_int_equal(PATIO_OK, PATIO_ADD(registry, mul, NULL));
    assert_string_equal("shop.test_registry_names.mul", pt_registry_task(registry, 0)->name);
    assert_int_equal(PATIO_OK, PATIO_ADD_AS(registry, "times", mul, NULL));
    assert_string_equal("times", pt_registry_task(registry, 1)->name);
    const patio_task_options options = {PATIO_SIZED(patio_task_options), .module = "other"};
    assert_int_equal(PATIO_OK, PATIO_ADD_OPTIONS(registry, mul, &options, NULL));
    assert_string_equal("shop.other.mul", pt_registry_task(registry, 2)->name);
    assert_int_equal(PATIO_EXISTS, PATIO_ADD(registry, mul, NULL));
    patio_registry_destroy(registry);
}

static void the_module_is_a_file_without_folders_and_ending(void **state)
{
    (void)state;
    expect_auto_name("shop.math.mul", "math.c", NULL);
    expect_auto_name("shop.math.mul", "/src/../lib/math.cpp", NULL);
    expect_auto_name("shop.math.mul", "math", NULL);
    expect_auto_name("shop.math.tab.mul", "gen/math.tab.c", NULL);
    expect_auto_name("shop.shop.orders.mul", "shop.orders", NULL);
    expect_auto_name("shop.a/b.c.mul", "math.c", "a/b.c");
}

static void an_automatic_name_needs_its_parts(void **state)
{
    (void)state;
    patio_registry   *registry = make(0);
    const char *const bad[][2] = {
        {"math.c", NULL}, {"math.c", ""}, {"math.c", "&mul"}, {"math.c", "1st"}, {"math.c", "a.b"},
        {NULL, "mul"},    {"", "mul"},    {"dir/", "mul"},    {".c", "mul"},     {"a\nb.c", "mul"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        patio_error err = PATIO_ERROR_INIT;
        assert_int_equal(PATIO_INVALID,
                         patio_registry_add(registry, NULL, mul, bad[i][0], bad[i][1], NULL, &err));
        assert_non_null(strstr(err.message, "automatic name"));
    }
    char module[300];
    memset(module, 'm', sizeof(module));
    module[299] = '\0';
    assert_int_equal(PATIO_INVALID,
                     patio_registry_add(registry, NULL, mul, module, "mul", NULL, NULL));
    module[255 - strlen("shop..mul")] = '\0';
    assert_int_equal(PATIO_OK, patio_registry_add(registry, NULL, mul, module, "mul", NULL, NULL));
    assert_int_equal(255, strlen(pt_registry_task(registry, 0)->name));
    patio_registry_destroy(registry);
}

static void forbidden_automatic_names_are_refused(void **state)
{
    (void)state;
    patio_registry *registry = make(PATIO_REGISTRY_NO_AUTO_NAMES);
    patio_error     err      = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_INVALID, PATIO_ADD(registry, mul, &err));
    assert_string_equal("mul needs a name: the registry of project shop forbids automatic ones",
                        err.message);
    assert_int_equal(PATIO_INVALID, PATIO_ADD_STRICT(registry, strict_mul, &err));
    assert_int_equal(PATIO_OK, PATIO_ADD_AS(registry, "mul", mul, &err));
    patio_registry_destroy(registry);
}

static void strict_names_end_in_a_hash_of_the_source(void **state)
{
    (void)state;
    patio_registry *registry = make(PATIO_REGISTRY_STRICT);
    patio_error     err      = PATIO_ERROR_INIT;
    char            expected[128];
    char            hex[17];
    assert_int_equal(PATIO_OK, PATIO_ADD_STRICT(registry, strict_mul, &err));
    assert_true(pt_source_hash(patio_source_strict_mul, hex));
    (void)snprintf(expected, sizeof(expected), "shop.test_registry_names.strict_mul-%s", hex);
    assert_string_equal(expected, pt_registry_task(registry, 0)->name);
    assert_ptr_equal(strict_mul, pt_registry_task(registry, 0)->fn);
    assert_int_equal(PATIO_INVALID, PATIO_ADD(registry, mul, &err));
    assert_non_null(strstr(err.message, "PATIO_ADD_STRICT"));
    assert_int_equal(PATIO_OK, PATIO_ADD_AS(registry, "mul", mul, &err));
    patio_registry_destroy(registry);
}

static void the_macro_keeps_the_code_and_drops_the_comments(void **state)
{
    (void)state;
    /* the same function as a file has it, with its comments, laid out in another way */
    static const char file[] = "static patio_status\tstrict_mul( patio_context *ctx ) {\n"
                               "int64_t a=0, b=2; // nothing\n"
                               "const patio_value v=PATIO_VALUE(21);\r\n"
                               "patio_status st=patio_value_get_int64(&v,&a); /* the first */\n"
                               "if(ctx!=NULL||st!=PATIO_OK){return st;}\n"
                               "const char*text=\"a, \\\"b\\\" /* stays */\";"
                               "return text[0]==','||a*b!=42?PATIO_TASK_FAILED:PATIO_OK;}";
    char              from_macro[17];
    char              from_file[17];
    assert_true(pt_source_hash(patio_source_strict_mul, from_macro));
    assert_true(pt_source_hash(file, from_file));
    assert_string_equal(from_macro, from_file);
    assert_int_equal(PATIO_OK, strict_mul(NULL));
}

static void a_strict_function_works_in_a_lenient_registry(void **state)
{
    (void)state;
    patio_registry *registry = make(0);
    assert_int_equal(PATIO_OK, PATIO_ADD_STRICT(registry, strict_mul, NULL));
    assert_non_null(strchr(pt_registry_task(registry, 0)->name, '-'));
    assert_string_equal(patio_source_strict_mul, pt_registry_task(registry, 0)->options.source);
    patio_registry_destroy(registry);
}

static void bad_names_say_what_is_wrong(void **state)
{
    (void)state;
    patio_registry *registry = make(0);
    char            name[257];
    memset(name, 'n', sizeof(name));
    name[256]                  = '\0';
    const char *const bad[][2] = {{"", "it is empty"},
                                  {name, "it is longer than 255 bytes"},
                                  {"a\tb", "it holds a control character"},
                                  {"a\x7f", "it holds a control character"},
                                  {"\xff", "it is not UTF-8"},
                                  {"\xc0\xaf", "it is not UTF-8"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        patio_error err = PATIO_ERROR_INIT;
        assert_int_equal(PATIO_INVALID, PATIO_ADD_AS(registry, bad[i][0], mul, &err));
        assert_non_null(strstr(err.message, "bad task name for mul: "));
        assert_non_null(strstr(err.message, bad[i][1]));
    }
    name[255] = '\0';
    assert_int_equal(PATIO_OK, PATIO_ADD_AS(registry, name, mul, NULL));
    assert_int_equal(PATIO_OK, PATIO_ADD_AS(registry, "größe / 大きさ", mul, NULL));
    assert_true(patio_registry_contains(registry, "größe / 大きさ"));
    patio_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(automatic_names_are_project_module_function),
        cmocka_unit_test(the_module_is_a_file_without_folders_and_ending),
        cmocka_unit_test(an_automatic_name_needs_its_parts),
        cmocka_unit_test(forbidden_automatic_names_are_refused),
        cmocka_unit_test(strict_names_end_in_a_hash_of_the_source),
        cmocka_unit_test(the_macro_keeps_the_code_and_drops_the_comments),
        cmocka_unit_test(a_strict_function_works_in_a_lenient_registry),
        cmocka_unit_test(bad_names_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
