/* A registry as a mapping: adding, finding, order, removing, lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/registry.h"

static patio_status mul(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

static patio_status mul2(patio_context *ctx)
{
    (void)ctx;
    return PATIO_TASK_FAILED;
}

static int make(void **state)
{
    patio_registry_options options  = {PATIO_SIZED(patio_registry_options), .project = "shop"};
    patio_registry        *registry = NULL;
    patio_status           st       = patio_registry_create(&options, &registry, NULL);
    *state                          = registry;
    return st;
}

static int drop(void **state)
{
    patio_registry_destroy(*state);
    return 0;
}

static void must_add(patio_registry *registry, const char *name, patio_task_fn fn)
{
    assert_int_equal(PATIO_OK, patio_registry_add(registry, name, fn, "test.c", "mul", NULL, NULL));
}

static patio_task_info must_find(const patio_registry *registry, const char *name)
{
    patio_task_info info = {PATIO_SIZED(patio_task_info)};
    assert_int_equal(PATIO_OK, patio_registry_find(registry, name, &info, NULL));
    return info;
}

static void a_new_registry_is_empty_and_open(void **state)
{
    (void)state;
    patio_registry *registry = NULL;
    assert_int_equal(PATIO_OK, patio_registry_create(NULL, &registry, NULL));
    assert_string_equal("default", patio_registry_project(registry));
    assert_int_equal(0, patio_registry_count(registry));
    assert_false(patio_registry_is_locked(registry));
    assert_false(patio_registry_contains(registry, "mul"));
    assert_false(patio_registry_contains(registry, NULL));
    assert_null(pt_registry_lookup(registry, "mul"));
    assert_null(pt_registry_lookup_fn(registry, mul));
    assert_null(pt_registry_task(registry, 0));
    patio_registry_destroy(registry);
    patio_registry_destroy(NULL);
}

static void bad_registry_options_are_refused(void **state)
{
    (void)state;
    char long_project[130];
    memset(long_project, 'p', sizeof(long_project) - 1);
    long_project[129]                  = '\0';
    const patio_registry_options bad[] = {
        {PATIO_SIZED(patio_registry_options), .project = ""},
        {PATIO_SIZED(patio_registry_options), .project = "a project"},
        {PATIO_SIZED(patio_registry_options), .project = long_project},
        {PATIO_SIZED(patio_registry_options), .flags = 1u << 31},
        {.struct_size = 0, .project = "shop"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        patio_registry *registry = NULL;
        patio_error     err      = PATIO_ERROR_INIT;
        assert_int_equal(PATIO_INVALID, patio_registry_create(&bad[i], &registry, &err));
        assert_null(registry);
        assert_string_equal("registry", err.origin);
        assert_non_null(strstr(err.message, "registry options: "));
    }
    long_project[128]              = '\0';
    patio_registry_options longest = {PATIO_SIZED(patio_registry_options), .project = long_project};
    patio_registry        *registry = NULL;
    assert_int_equal(PATIO_OK, patio_registry_create(&longest, &registry, NULL));
    assert_string_equal(long_project, patio_registry_project(registry));
    patio_registry_destroy(registry);
}

static void what_is_added_is_found(void **state)
{
    patio_registry *registry = *state;
    must_add(registry, "mul", mul);
    assert_int_equal(1, patio_registry_count(registry));
    assert_true(patio_registry_contains(registry, "mul"));
    assert_false(patio_registry_contains(registry, "mu"));
    patio_task_info info = must_find(registry, "mul");
    assert_string_equal("mul", info.name);
    assert_ptr_equal(mul, info.fn);
    const pt_task *task = pt_registry_lookup(registry, "mul");
    assert_string_equal("test", task->module);
    assert_string_equal("mul", task->function);
    assert_int_equal(0, task->index);
}

static void a_taken_name_names_both_functions(void **state)
{
    patio_registry *registry = *state;
    patio_error     err      = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_OK,
                     patio_registry_add(registry, "mul", mul2, "src/demo.c", "mul2", NULL, NULL));
    assert_int_equal(PATIO_EXISTS,
                     patio_registry_add(registry, "mul", mul, "/a/b/math.cpp", "mul", NULL, &err));
    assert_string_equal("task \"mul\" is already registered by mul2 (module demo); cannot add mul "
                        "(module math)",
                        err.message);
    assert_int_equal(PATIO_EXISTS, err.status);
    assert_ptr_equal(mul2, must_find(registry, "mul").fn);
    assert_int_equal(PATIO_EXISTS,
                     patio_registry_add(registry, "mul", mul2, NULL, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "cannot add a function without a name"));
    assert_int_equal(1, patio_registry_count(registry));
}

static void iteration_follows_the_order_of_adding(void **state)
{
    patio_registry   *registry = *state;
    const char *const names[]  = {"zebra", "ant", "mole", "bee"};
    patio_task_info   info     = {PATIO_SIZED(patio_task_info)};
    patio_error       err      = PATIO_ERROR_INIT;
    for (size_t i = 0; i < 4; i++) {
        must_add(registry, names[i], mul);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(PATIO_OK, patio_registry_at(registry, i, &info, NULL));
        assert_string_equal(names[i], info.name);
        assert_int_equal(i, pt_registry_task(registry, i)->index);
    }
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_at(registry, 4, &info, &err));
    assert_string_equal("no task at position 4: there are 4", err.message);
}

static void removing_keeps_the_order_of_the_others(void **state)
{
    patio_registry *registry = *state;
    must_add(registry, "a", mul);
    must_add(registry, "b", mul);
    must_add(registry, "c", mul2);
    assert_int_equal(PATIO_OK, patio_registry_remove(registry, "b", NULL));
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_remove(registry, "b", NULL));
    assert_int_equal(PATIO_INVALID, patio_registry_remove(registry, NULL, NULL));
    assert_int_equal(2, patio_registry_count(registry));
    assert_false(patio_registry_contains(registry, "b"));
    assert_string_equal("c", pt_registry_task(registry, 1)->name);
    assert_int_equal(1, pt_registry_task(registry, 1)->index);
    must_add(registry, "b", mul2);
    assert_string_equal("b", pt_registry_task(registry, 2)->name);
}

static void a_function_is_found_by_its_first_name(void **state)
{
    patio_registry *registry = *state;
    patio_task_info info     = {PATIO_SIZED(patio_task_info)};
    patio_error     err      = PATIO_ERROR_INIT;
    must_add(registry, "first", mul);
    must_add(registry, "other", mul2);
    must_add(registry, "second", mul);
    assert_int_equal(PATIO_OK, patio_registry_find_fn(registry, mul, &info, NULL));
    assert_string_equal("first", info.name);
    assert_string_equal("other", pt_registry_lookup_fn(registry, mul2)->name);
    assert_int_equal(PATIO_OK, patio_registry_remove(registry, "first", NULL));
    assert_string_equal("second", pt_registry_lookup_fn(registry, mul)->name);
    assert_int_equal(PATIO_OK, patio_registry_remove(registry, "second", NULL));
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_find_fn(registry, mul, &info, &err));
    assert_string_equal("the function has no name in project shop", err.message);
}

static void not_found_names_near_ones(void **state)
{
    patio_registry *registry = *state;
    patio_task_info info     = {PATIO_SIZED(patio_task_info)};
    patio_error     err      = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_find(registry, "resize", &info, &err));
    assert_string_equal("no task \"resize\" in project shop; its registry is empty", err.message);
    must_add(registry, "resize_image", mul2);
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_find(registry, "resize_imgae", &info, &err));
    assert_string_equal("no task \"resize_imgae\" in project shop; did you mean \"resize_image\"?",
                        err.message);
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_find(registry, "mul", &info, &err));
    assert_non_null(strstr(err.message, "did you mean \"resize_image\"?"));
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_find(registry, "deploy", &info, &err));
    assert_string_equal("no task \"deploy\" in project shop", err.message);
    assert_int_equal(PATIO_NOT_FOUND, patio_registry_find(registry, "a\nb", &info, &err));
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(PATIO_INVALID, patio_registry_find(registry, NULL, &info, &err));
    info.struct_size = 0;
    assert_int_equal(PATIO_INVALID, patio_registry_find(registry, "resize_image", &info, &err));
}

static void a_locked_registry_changes_no_more(void **state)
{
    patio_registry *registry = *state;
    patio_error     err      = PATIO_ERROR_INIT;
    must_add(registry, "mul", mul);
    patio_registry_lock(registry);
    patio_registry_lock(registry);
    assert_true(patio_registry_is_locked(registry));
    assert_int_equal(PATIO_STATE,
                     patio_registry_add(registry, "two", mul2, NULL, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "patio_registry_add(\"two\"): the registry is locked"));
    assert_int_equal(PATIO_STATE, patio_registry_remove(registry, "mul", &err));
    assert_non_null(strstr(err.message, "patio_registry_remove(\"mul\"): the registry is locked"));
    assert_int_equal(1, patio_registry_count(registry));
    assert_ptr_equal(mul, must_find(registry, "mul").fn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_registry_is_empty_and_open),
        cmocka_unit_test(bad_registry_options_are_refused),
        cmocka_unit_test_setup_teardown(what_is_added_is_found, make, drop),
        cmocka_unit_test_setup_teardown(a_taken_name_names_both_functions, make, drop),
        cmocka_unit_test_setup_teardown(iteration_follows_the_order_of_adding, make, drop),
        cmocka_unit_test_setup_teardown(removing_keeps_the_order_of_the_others, make, drop),
        cmocka_unit_test_setup_teardown(a_function_is_found_by_its_first_name, make, drop),
        cmocka_unit_test_setup_teardown(not_found_names_near_ones, make, drop),
        cmocka_unit_test_setup_teardown(a_locked_registry_changes_no_more, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
