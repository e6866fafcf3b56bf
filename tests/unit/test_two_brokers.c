/* Brokers of one runtime come and go in any order; what they sent each other stays readable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <patio/patio.h>

static patio_status echo(patio_context *ctx)
{
    const char  *text = NULL;
    patio_status st   = patio_arg_string(ctx, 0, &text);
    return st == PATIO_OK ? PATIO_RETURN(ctx, text) : st;
}

static patio_broker *open_broker(patio_runtime *runtime, patio_registry *registry)
{
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    assert_int_equal(patio_config_set(config, "broker", "memory://here", NULL, NULL), PATIO_OK);
    assert_int_equal(patio_broker_create(runtime, registry, config, &broker, NULL), PATIO_OK);
    assert_int_equal(patio_broker_start(broker, NULL), PATIO_OK);
    patio_config_destroy(config);
    return broker;
}

typedef struct two {
    patio_runtime  *runtime;
    patio_registry *registry;
    patio_broker   *caller;
    patio_broker   *worker;
} two;

static void open_two(two *t)
{
    assert_int_equal(patio_runtime_create(NULL, &t->runtime, NULL), PATIO_OK);
    assert_int_equal(patio_registry_create(NULL, &t->registry, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(t->registry, "echo", echo, NULL), PATIO_OK);
    t->caller = open_broker(t->runtime, NULL);
    t->worker = open_broker(t->runtime, t->registry);
}

static void close_two(two *t)
{
    patio_broker_destroy(t->caller);
    patio_broker_destroy(t->worker);
    patio_registry_destroy(t->registry);
    patio_runtime_destroy(t->runtime);
}

/* The address sanitizer sees it if the reply still needs the worker. */
static void a_result_outlives_the_broker_that_computed_it(void **state)
{
    two           t      = {0};
    patio_future *future = NULL;
    const char   *text   = NULL;
    (void)state;
    open_two(&t);
    assert_int_equal(patio_call(t.caller, "echo", PATIO_ARGS("hello"), NULL, &future, NULL),
                     PATIO_OK);
    patio_broker_destroy(t.worker);
    t.worker = NULL;
    assert_int_equal(patio_value_get_string(patio_future_value(future), &text), PATIO_OK);
    assert_string_equal(text, "hello");
    patio_future_destroy(future);
    close_two(&t);
}

/* A send is accepted; its sender goes before it is run, and the worker lets go of it last. */
static void a_task_outlives_the_broker_that_sent_it(void **state)
{
    two                t     = {0};
    patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
    patio_call_options later = {PATIO_SIZED(patio_call_options), .delay_ms = 50};
    (void)state;
    open_two(&t);
    assert_int_equal(patio_send(t.caller, "echo", PATIO_ARGS("hello"), &later, NULL, NULL),
                     PATIO_OK);
    patio_broker_destroy(t.caller);
    t.caller = NULL;
    while (stats.tasks_ok == 0) {
        patio_broker_get_stats(t.worker, &stats);
    }
    close_two(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_outlives_the_broker_that_computed_it),
        cmocka_unit_test(a_task_outlives_the_broker_that_sent_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
