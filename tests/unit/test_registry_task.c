/* What a registry makes of a task's options. */
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

static patio_task_info must_find(const patio_registry *registry, const char *name)
{
    patio_task_info info = {PATIO_SIZED(patio_task_info)};
    assert_int_equal(PATIO_OK, patio_registry_find(registry, name, &info, NULL));
    return info;
}

static void zero_options_become_the_documented_defaults(void **state)
{
    patio_registry *registry = *state;
    assert_int_equal(PATIO_OK, patio_registry_add(registry, "mul", mul, NULL, NULL, NULL, NULL));
    const patio_task_options *options = must_find(registry, "mul").options;
    assert_int_equal(sizeof(*options), options->struct_size);
    assert_int_equal(5 * 60 * 1000, options->attempt_timeout_ms);
    assert_int_equal(30 * 1000, options->call_timeout_ms);
    assert_int_equal(5, options->max_attempts);
    assert_int_equal(3, options->max_crashes);
    assert_int_equal(1000, options->backoff_base_ms);
    assert_int_equal(10 * 60 * 1000, options->backoff_cap_ms);
    assert_int_equal(PATIO_ACK_ON_DONE, options->ack);
    assert_int_equal(PATIO_PRIORITY(4), options->priority);
    assert_string_equal("default", options->queue);
    assert_null(options->executor);
    assert_int_equal(0, options->version);
}

static void options_are_copied_with_their_texts(void **state)
{
    patio_registry    *registry = *state;
    char               queue[]  = "slow";
    char               name[]   = "mul";
    char               exec_[]  = "process";
    patio_task_options given    = {PATIO_SIZED(patio_task_options),
                                   .flags              = PATIO_TASK_IDEMPOTENT,
                                   .attempt_timeout_ms = PATIO_FOREVER,
                                   .max_attempts       = 1,
                                   .ack                = PATIO_ACK_ON_START,
                                   .priority           = PATIO_PRIORITY(0),
                                   .queue              = queue,
                                   .executor           = exec_,
                                   .version            = 7};
    assert_int_equal(PATIO_OK, patio_registry_add(registry, name, mul, NULL, NULL, &given, NULL));
    queue[0] = name[0] = exec_[0]     = 'X';
    const patio_task_options *options = must_find(registry, "mul").options;
    assert_int_equal(PATIO_TASK_IDEMPOTENT, options->flags);
    assert_int_equal(PATIO_FOREVER, options->attempt_timeout_ms);
    assert_int_equal(1, options->max_attempts);
    assert_int_equal(PATIO_ACK_ON_START, options->ack);
    assert_int_equal(PATIO_PRIORITY(0), options->priority);
    assert_string_equal("slow", options->queue);
    assert_string_equal("process", options->executor);
    assert_int_equal(7, options->version);
    assert_int_equal(30 * 1000, options->call_timeout_ms);
}

static void bad_task_options_are_refused(void **state)
{
    patio_registry          *registry = *state;
    const patio_task_options bad[]    = {
           {.struct_size = 0},
           {PATIO_SIZED(patio_task_options), .flags = 1u << 30},
           {PATIO_SIZED(patio_task_options), .ack = 3},
           {PATIO_SIZED(patio_task_options), .priority = PATIO_PRIORITY(10)},
           {PATIO_SIZED(patio_task_options), .queue = ""},
           {PATIO_SIZED(patio_task_options), .queue = "a queue"},
           {PATIO_SIZED(patio_task_options), .executor = "a/b"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        patio_error err = PATIO_ERROR_INIT;
        assert_int_equal(PATIO_INVALID,
                         patio_registry_add(registry, "mul", mul, NULL, NULL, &bad[i], &err));
        assert_non_null(strstr(err.message, "bad options for task mul: "));
    }
    assert_int_equal(PATIO_INVALID,
                     patio_registry_add(registry, "mul", NULL, NULL, NULL, NULL, NULL));
    assert_int_equal(0, patio_registry_count(registry));
}

static void options_of_an_older_patio_end_earlier(void **state)
{
    patio_registry    *registry = *state;
    patio_task_options old      = {.struct_size  = offsetof(patio_task_options, queue),
                                   .max_attempts = 2,
                                   .queue        = "not/looked/at"};
    assert_int_equal(PATIO_OK, patio_registry_add(registry, "mul", mul, NULL, NULL, &old, NULL));
    assert_int_equal(2, must_find(registry, "mul").options->max_attempts);
    assert_string_equal("default", must_find(registry, "mul").options->queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(zero_options_become_the_documented_defaults, make, drop),
        cmocka_unit_test_setup_teardown(options_are_copied_with_their_texts, make, drop),
        cmocka_unit_test_setup_teardown(bad_task_options_are_refused, make, drop),
        cmocka_unit_test_setup_teardown(options_of_an_older_patio_end_earlier, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
