/* Task modules: found, loaded, checked, refused. CMake builds the libraries from tests/modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/registry.h"

#define MODULES PATIO_TEST_MODULES

static int make(void **state)
{
    patio_registry *registry = NULL;
    patio_status    st       = patio_registry_create(NULL, &registry, NULL);
    *state                   = registry;
    (void)unsetenv("PATIO_TASK_PATH");
    return st;
}

static int drop(void **state)
{
    patio_registry_destroy(*state);
    return 0;
}

static void expect(patio_registry *registry, const char *path, patio_status status,
                   const char *words)
{
    patio_error err = PATIO_ERROR_INIT;
    assert_int_equal(status, patio_registry_load(registry, path, &err));
    if (strstr(err.message, words) == NULL) {
        fail_msg("<%s> does not say <%s>", err.message, words);
    }
    assert_int_equal(status, err.status);
    assert_int_equal(status, patio_registry_load(registry, path, NULL));
}

static void must_load(patio_registry *registry, const char *path)
{
    patio_error err = PATIO_ERROR_INIT;
    if (patio_registry_load(registry, path, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(2, patio_registry_count(registry));
    assert_true(patio_registry_contains(registry, "hello"));
    assert_true(patio_registry_contains(registry, "default.good.greet"));
    assert_int_equal(PATIO_OK, pt_registry_lookup(registry, "hello")->fn(NULL));
}

static void a_module_by_path(void **state)
{
    must_load(*state, MODULES "/good.so");
}

static void a_module_by_path_without_ending(void **state)
{
    must_load(*state, MODULES "/good");
}

static void a_module_by_name_in_the_task_path(void **state)
{
    (void)setenv("PATIO_TASK_PATH", "/nonexistent::" MODULES ":", 1);
    must_load(*state, "good");
}

static void a_module_by_name_in_the_current_folder(void **state)
{
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(0, chdir(MODULES));
    must_load(*state, "good.so");
    assert_int_equal(0, chdir(before));
}

static void a_module_outlives_its_registry(void **state)
{
    patio_registry *other = NULL;
    assert_int_equal(PATIO_OK, patio_registry_create(NULL, &other, NULL));
    must_load(other, MODULES "/good.so");
    patio_task_fn fn = pt_registry_lookup(other, "hello")->fn;
    patio_registry_destroy(other);
    assert_int_equal(PATIO_OK, fn(NULL));
    must_load(*state, MODULES "/good.so");
}

static void adding_twice_is_a_duplicate(void **state)
{
    must_load(*state, MODULES "/good.so");
    expect(*state, MODULES "/good.so", PATIO_EXISTS,
           "task \"default.good.greet\" is already registered by greet (module good)");
    assert_int_equal(2, patio_registry_count(*state));
}

static void a_locked_registry_loads_nothing(void **state)
{
    patio_registry_lock(*state);
    expect(*state, MODULES "/good.so", PATIO_STATE, "/good.so\"): the registry is locked");
    assert_int_equal(0, patio_registry_count(*state));
}

static void a_missing_module_lists_the_places(void **state)
{
    expect(*state, "/nonexistent/demo", PATIO_NOT_FOUND,
           "no task module /nonexistent/demo: there is no such file");
    (void)setenv("PATIO_TASK_PATH", "/nowhere:/elsewhere", 1);
    expect(*state, "absent", PATIO_NOT_FOUND,
           "no task module \"absent\", looked for absent.so and absent in: /nowhere "
           "(PATIO_TASK_PATH), "
           "/elsewhere (PATIO_TASK_PATH), ");
    expect(*state, "absent", PATIO_NOT_FOUND, "/tasks (built in), . (current folder)");
    expect(*state, "", PATIO_INVALID, "it has no name");
    assert_int_equal(PATIO_INVALID, patio_registry_load(*state, NULL, NULL));
    /* a folder of that name is no module */
    expect(*state, MODULES, PATIO_NOT_FOUND, "there is no such file");
}

static void names_of_any_length_are_survived(void **state)
{
    static char name[10000];
    memset(name, 'n', sizeof(name) - 1);
    expect(*state, name, PATIO_NOT_FOUND, "no task module \"nnn");
    name[0] = '/';
    expect(*state, name, PATIO_NOT_FOUND, "no task module /nnn");
    (void)setenv("PATIO_TASK_PATH", name, 1);
    expect(*state, "absent", PATIO_NOT_FOUND, ". (current folder)");
}

static void a_text_file_is_no_module(void **state)
{
    char path[] = "/tmp/patio-text-XXXXXX";
    int  fd     = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(5, write(fd, "tasks", 5));
    assert_int_equal(0, close(fd));
    expect(*state, path, PATIO_ABI, path);
    assert_int_equal(0, unlink(path));
}

static void what_is_no_module_of_this_patio_is_refused(void **state)
{
    expect(*state, MODULES "/no_entry.so", PATIO_ABI, "it has no patio_module_entry");
    expect(*state, MODULES "/no_table.so", PATIO_ABI, "returned something else");
    expect(*state, MODULES "/wrong_magic.so", PATIO_ABI, "returned something else");
    expect(*state, MODULES "/short_table.so", PATIO_ABI, "has no registration function");
    expect(*state, MODULES "/no_function.so", PATIO_ABI, "has no registration function");
    expect(*state, MODULES "/other_major.so", PATIO_ABI, "was built with patio 99.");
    expect(*state, MODULES "/newer_minor.so", PATIO_ABI, ".99, this is ");
    assert_int_equal(0, patio_registry_count(*state));
}

static void a_failing_function_speaks_for_itself(void **state)
{
    patio_error err = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_INVALID, patio_registry_load(*state, MODULES "/failing.so", &err));
    assert_non_null(strstr(err.message, "task module " MODULES "/failing.so: bad task name"));
    assert_true(patio_registry_contains(*state, "half"));
    assert_int_equal(PATIO_OK, patio_registry_remove(*state, "half", NULL));
    (void)setenv("PATIO_TEST_SILENT", "1", 1);
    assert_int_equal(PATIO_IO, patio_registry_load(*state, MODULES "/failing.so", &err));
    assert_non_null(strstr(err.message, "/failing.so: input or output failed"));
    (void)unsetenv("PATIO_TEST_SILENT");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_module_by_path),
        TEST(a_module_by_path_without_ending),
        TEST(a_module_by_name_in_the_task_path),
        TEST(a_module_by_name_in_the_current_folder),
        TEST(a_module_outlives_its_registry),
        TEST(adding_twice_is_a_duplicate),
        TEST(a_locked_registry_loads_nothing),
        TEST(a_missing_module_lists_the_places),
        TEST(names_of_any_length_are_survived),
        TEST(a_text_file_is_no_module),
        TEST(what_is_no_module_of_this_patio_is_refused),
        TEST(a_failing_function_speaks_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
