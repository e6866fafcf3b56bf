/* What a configuration says of one task for its executor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static patio_config *make(void)
{
    patio_config *config = NULL;
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    return config;
}

static void set(patio_config *config, const char *key, const char *value)
{
    assert_int_equal(patio_config_set(config, key, value, "test", NULL), PATIO_OK);
}

static const patio_option limit_option = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_SIZE, .name = "memory_limit_bytes",
    .fallback = "1GiB",        .help = "most memory",     .min = 1,
    .max = INT64_MAX};
static const patio_option        nice_option      = {PATIO_SIZED(patio_option),
                                                     .type     = PATIO_OPTION_INT,
                                                     .name     = "nice",
                                                     .fallback = "0",
                                                     .help     = "how nice",
                                                     .min      = 0,
                                                     .max      = 19};
static const patio_option *const executor_table[] = {&limit_option, &nice_option, NULL};

static void an_executors_options_for_one_task_are_read_by_its_table(void **state)
{
    (void)state;
    patio_error         err    = PATIO_ERROR_INIT;
    patio_config       *config = make();
    patio_option_value *values = NULL;
    set(config, "tasks.a.b.nice", "7"); /* of another task */
    set(config, "tasks.a.queue", "mail");
    set(config, "tasks.a.memory_limit_bytes", "256MiB");
    assert_int_equal(pt_config_task_executor(&pt_malloc_allocator, config, "a", "process",
                                             executor_table, &values, &err),
                     PATIO_OK);
    assert_int_equal(values[0].number, 256 << 20);
    assert_int_equal(values[0].given, 1);
    assert_int_equal(values[1].number, 0);
    assert_int_equal(values[1].given, 0);
    pt_options_free(&pt_malloc_allocator, executor_table, values);
    assert_int_equal(
        pt_config_task_executor(&pt_malloc_allocator, config, "a", "thread", NULL, &values, &err),
        PATIO_CONFIG);
    assert_string_equal(err.message, "test: task \"a\": unknown option \"memory_limit_bytes\"; "
                                     "executor thread has no options for a single task");
    assert_null(values);
    set(config, "tasks.c.memory_limit_byte", "1");
    assert_int_equal(pt_config_task_executor(&pt_malloc_allocator, config, "c", "process",
                                             executor_table, &values, &err),
                     PATIO_CONFIG);
    assert_non_null(strstr(err.message, "did you mean \"memory_limit_bytes\"?"));
    set(config, "tasks.d.colour", "red");
    assert_int_equal(pt_config_task_executor(&pt_malloc_allocator, config, "d", "process",
                                             executor_table, &values, &err),
                     PATIO_CONFIG);
    assert_non_null(strstr(err.message, "has these for a single task: memory_limit_bytes, nice"));
    patio_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_executors_options_for_one_task_are_read_by_its_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
