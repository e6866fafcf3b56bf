/* What an application may get wrong, and what it is told. */
#include "fixture.h"

#include <string.h>

/* ---- configuration ---- */

/* A broker from YAML: expects it to fail, and texts in the error. */
static void expect_config_error(const char *yaml, patio_status status, const char *where,
                                const char *what)
{
    fixture       f;
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    patio_bytes   text   = {(const uint8_t *)yaml, strlen(yaml)};
    fixture_init(&f);
    add_common_tasks(f.registry);
    assert_ok(patio_config_create(&config, &f.err), f.err);
    patio_status st = patio_config_load_text(config, text, "demo.yaml", &f.err);
    if (st == PATIO_OK) {
        st = patio_broker_create(f.runtime, f.registry, config, &broker, &f.err);
    }
    assert_null(broker);
    assert_status(st, status);
    assert_int_equal(f.err.status, status);
    assert_contains(f.err.message, where);
    assert_contains(f.err.message, what);
    patio_config_destroy(config);
    fixture_close(&f);
}

static void a_plugin_that_does_not_exist_is_named(void **state)
{
    (void)state;
    expect_config_error("broker: pigeon://loft\n", PATIO_NOT_FOUND, "pigeon", "transport");
    expect_config_error("broker: memori://\n", PATIO_NOT_FOUND, "memori", "memory");
    expect_config_error("executor: treads\n", PATIO_NOT_FOUND, "treads", "executor");
    expect_config_error("tasks:\n  mul:\n    executor: gpu\n", PATIO_NOT_FOUND, "gpu", "executor");
}

static void a_bad_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "memory",
        "://x",
        "memory:/x",
        "memory://a:99999",
        "memory://a:7",
        "memory://a,b",
        "memory://u:p@a",
        "memory://a/path",
        "memory://a?b=1",
        "memory://%zz",
        "memory://a?max_dead=many",
        "",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        patio_broker *broker = NULL;
        patio_error   err    = PATIO_ERROR_INIT;
        patio_status  st     = patio_broker_open(NULL, urls[i], &broker, &err);
        if (st != PATIO_CONFIG && st != PATIO_INVALID) {
            fail_msg("\"%s\": %s", urls[i], patio_status_name(st));
        }
        assert_null(broker);
        assert_int_not_equal(strlen(err.message), 0);
    }
}

static void a_wrong_value_is_refused_with_file_and_line(void **state)
{
    (void)state;
    expect_config_error("project: default\nexecutor:\n  workers: many\n", PATIO_CONFIG,
                        "demo.yaml:3", "workers");
    expect_config_error("executor:\n\n  workers: 0\n", PATIO_CONFIG, "demo.yaml:3", "workers");
    expect_config_error("transport:\n  max_queued: 1MiB\n", PATIO_CONFIG, "demo.yaml:2",
                        "max_queued");
    expect_config_error("max_body_bytes: 5s\n", PATIO_CONFIG, "demo.yaml:1", "max_body_bytes");
    expect_config_error("\ncall_timeout_ms: 5MiB\n", PATIO_CONFIG, "demo.yaml:2",
                        "call_timeout_ms");
    expect_config_error("tasks:\n  mul:\n    priority: 10\n", PATIO_CONFIG, "demo.yaml:3",
                        "priority");
    expect_config_error("tasks:\n  mul:\n    ack: never\n", PATIO_CONFIG, "demo.yaml:3", "ack");
    expect_config_error("project: \"a b\"\n", PATIO_CONFIG, "a b", "name");
}

static void an_unknown_option_is_refused_with_file_line_and_the_nearest(void **state)
{
    (void)state;
    expect_config_error("broker: memory://\nexecutor:\n  worker: 4\n", PATIO_CONFIG, "demo.yaml:3",
                        "workers");
    expect_config_error("transport:\n  max_ded: 4\n", PATIO_CONFIG, "demo.yaml:2", "max_dead");
    expect_config_error("max_body_byte: 4\n", PATIO_CONFIG, "demo.yaml:1", "max_body_bytes");
    expect_config_error("tasks:\n  mul:\n    prio: 3\n", PATIO_CONFIG, "demo.yaml:3", "prio");
    expect_config_error("a: [\n", PATIO_CONFIG, "demo.yaml", "");
}

/* ---- values ---- */

static void expect_call_error(fixture *f, patio_value v, const char *what)
{
    patio_future *future = NULL;
    assert_status(patio_start(f->broker, "echo", PATIO_ARGS(v), NULL, &future, &f->err),
                  PATIO_INVALID);
    assert_contains(f->err.message, what);
    assert_null(future);
}

static void values_that_cannot_be_encoded_are_refused_before_they_leave(void **state)
{
    (void)state;
    fixture     f;
    patio_value levels[PATIO_VALUE_DEPTH_MAX + 2];
    fixture_open(&f, NULL);
    levels[0] = patio_int(7);
    for (unsigned i = 1; i < PATIO_VALUE_DEPTH_MAX + 2; i++) {
        levels[i] = patio_list(&levels[i - 1], 1);
    }
    expect_call_error(&f, levels[PATIO_VALUE_DEPTH_MAX + 1], "nest deeper than 32");

    patio_value unknown = patio_null();
    unknown.type        = 99;
    expect_call_error(&f, unknown, "unknown type 99");
    expect_call_error(&f, patio_string("caf\xe9"), "not UTF-8");
    expect_call_error(&f, PATIO_LIST(1, PATIO_MAP("k", patio_string("\xc0\x80"))), "not UTF-8");
    expect_call_error(&f, patio_string_n(NULL, 3), "");
    expect_call_error(&f, patio_blob(NULL, 3), "no data");
    expect_call_error(&f, patio_list(NULL, 3), "without items");
    patio_value keys[] = {patio_int(1), patio_int(2)};
    expect_call_error(&f, patio_map(keys, 1), "key 0 of a map is int64");
    assert_int_equal(stats_of(f.broker).calls_started, 0);
    assert_int_equal(stats_of(f.broker).calls_in_flight, 0);
    fixture_close(&f);
}

static patio_status task_bad_result(patio_context *ctx)
{
    return patio_return(ctx, patio_string("\xff"));
}

static void a_result_that_cannot_be_encoded_is_the_tasks_error(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_task(f.registry, "bad", task_bad_result, NULL);
    f.broker = start_broker(&f, f.registry, NULL);
    assert_status(patio_call(f.broker, "bad", PATIO_NO_ARGS, NULL, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_contains(f.err.message, "result of bad");
    assert_contains(f.err.message, "not UTF-8");
    fixture_close(&f);
}

/* ---- names and options ---- */

static void names_and_options_are_checked(void **state)
{
    (void)state;
    fixture f;
    char    long_name[257];
    fixture_open(&f, NULL);
    memset(long_name, 'x', 256);
    long_name[256]                   = '\0';
    static const char *const names[] = {"", "a\nb", "\xff", "tab\t"};
    for (size_t i = 0; i < 4; i++) {
        assert_status(patio_call(f.broker, names[i], PATIO_NO_ARGS, NULL, NULL, &f.err),
                      PATIO_INVALID);
        assert_contains(f.err.message, "task name");
    }
    assert_status(patio_call(f.broker, long_name, PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_INVALID);
    assert_status(patio_call(f.broker, long_name + 1, PATIO_NO_ARGS, NULL, NULL, NULL),
                  PATIO_NO_ROUTE); /* 255 bytes are a name */

    patio_call_options o = {PATIO_SIZED(patio_call_options), .queue = "no spaces"};
    assert_status(patio_call(f.broker, "mul", PATIO_NO_ARGS, &o, NULL, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "queue name");
    o = (patio_call_options){PATIO_SIZED(patio_call_options), .priority = PATIO_PRIORITY(10)};
    assert_status(patio_call(f.broker, "mul", PATIO_NO_ARGS, &o, NULL, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "priority");
    fixture_close(&f);
}

static void null_arguments_are_refused(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    patio_broker *broker = NULL;
    patio_config *config = NULL;
    fixture_open(&f, NULL);
    assert_status(patio_runtime_create(NULL, NULL, &f.err), PATIO_INVALID);
    assert_status(patio_registry_create(NULL, NULL, &f.err), PATIO_INVALID);
    assert_status(patio_config_create(NULL, &f.err), PATIO_INVALID);
    assert_ok(patio_config_create(&config, &f.err), f.err);
    assert_status(patio_broker_create(f.runtime, NULL, NULL, &broker, &f.err), PATIO_INVALID);
    assert_status(patio_broker_create(f.runtime, NULL, config, NULL, &f.err), PATIO_INVALID);
    assert_status(patio_broker_open(NULL, NULL, &broker, &f.err), PATIO_INVALID);
    assert_status(patio_broker_open(NULL, "memory://", NULL, &f.err), PATIO_INVALID);
    assert_status(patio_broker_start(NULL, &f.err), PATIO_INVALID);
    patio_config_destroy(config);

    assert_status(patio_start(f.broker, NULL, PATIO_NO_ARGS, NULL, &future, &f.err), PATIO_INVALID);
    assert_status(patio_start(f.broker, "mul", PATIO_NO_ARGS, NULL, NULL, &f.err), PATIO_INVALID);
    assert_status(patio_start(NULL, "mul", PATIO_NO_ARGS, NULL, &future, &f.err), PATIO_INVALID);
    assert_status(patio_start_fn(f.broker, NULL, PATIO_NO_ARGS, NULL, &future, &f.err),
                  PATIO_NOT_FOUND);
    assert_status(patio_call_fn(NULL, task_mul, PATIO_NO_ARGS, NULL, &future, &f.err),
                  PATIO_INVALID);
    assert_status(patio_call(NULL, "mul", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_INVALID);
    assert_status(patio_send(NULL, "mul", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_INVALID);
    assert_status(patio_send_start(f.broker, "mul", PATIO_NO_ARGS, NULL, NULL, NULL),
                  PATIO_INVALID);
    assert_status(patio_broker_counts(f.broker, NULL, 0, NULL, &f.err), PATIO_INVALID);
    patio_payload nothing = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_PROTOBUF};
    assert_status(patio_call(f.broker, "mul", &nothing, NULL, NULL, &f.err), PATIO_INVALID);
    nothing.kind     = PATIO_PAYLOAD_RAW;
    nothing.raw.size = 5;
    assert_status(patio_call(f.broker, "mul", &nothing, NULL, NULL, &f.err), PATIO_INVALID);
    nothing =
        (patio_payload){PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES, .value_count = 2};
    assert_status(patio_call(f.broker, "mul", &nothing, NULL, NULL, &f.err), PATIO_INVALID);
    nothing.value_count   = 0;
    nothing.keyword_count = 2;
    assert_status(patio_call(f.broker, "mul", &nothing, NULL, NULL, &f.err), PATIO_INVALID);
    nothing = (patio_payload){PATIO_SIZED(patio_payload), .kind = 7};
    assert_status(patio_call(f.broker, "mul", &nothing, NULL, NULL, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "kind 7");
    /* without an error to fill nothing else changes */
    assert_status(patio_start(f.broker, "nobody", PATIO_NO_ARGS, NULL, &future, NULL),
                  PATIO_NO_ROUTE);
    assert_null(future);
    fixture_close(&f);
}

/* ---- sizes of structs ---- */

static void a_struct_without_its_size_is_refused(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    patio_call_options     call     = {.timeout_ms = 5};
    patio_registry_options registry = {.project = "x"};
    patio_runtime_options  runtime  = {.log_level = PATIO_LOG_OFF};
    patio_task_options     task     = {.max_attempts = 1};
    patio_payload          payload  = {.kind = PATIO_PAYLOAD_VALUES};
    patio_registry        *r        = NULL;
    patio_runtime         *rt       = NULL;
    assert_status(patio_call(f.broker, "mul", PATIO_NO_ARGS, &call, NULL, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "struct_size");
    assert_status(patio_registry_create(&registry, &r, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "struct_size");
    assert_status(patio_runtime_create(&runtime, &rt, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "struct_size");
    assert_status(patio_call(f.broker, "mul", &payload, NULL, NULL, &f.err), PATIO_INVALID);
    assert_contains(f.err.message, "struct_size");
    patio_counts counts = {.ready = 7};
    assert_status(patio_broker_counts(f.broker, NULL, 0, &counts, &f.err), PATIO_INVALID);
    assert_int_equal(counts.ready, 7);
    patio_broker_stats stats = {.calls_started = 7};
    patio_broker_get_stats(f.broker, &stats); /* has nowhere to say so: it writes nothing */
    assert_int_equal(stats.calls_started, 7);
    assert_status(patio_registry_add(f.registry, "x", task_mul, NULL, NULL, &task, &f.err),
                  PATIO_INVALID);
    fixture_close(&f);
}

/* As if built against a later patio, whose structs have grown. */
static void structs_of_a_larger_future_size_work(void **state)
{
    (void)state;
    struct {
        patio_call_options now;
        uint64_t           later[8];
    } call = {{(uint32_t)sizeof(call), .timeout_ms = 10000, .priority = PATIO_PRIORITY(2)},
              {UINT64_MAX, UINT64_MAX}};
    struct {
        patio_task_options now;
        uint64_t           later[8];
    } task = {{(uint32_t)sizeof(task), .call_timeout_ms = 9000}, {UINT64_MAX, UINT64_MAX}};
    struct {
        patio_registry_options now;
        uint64_t               later[8];
    } registry = {{(uint32_t)sizeof(registry), .project = "later"}, {UINT64_MAX, UINT64_MAX}};
    struct {
        patio_runtime_options now;
        uint64_t              later[8];
    } runtime = {{(uint32_t)sizeof(runtime), .log_level = PATIO_LOG_OFF}, {UINT64_MAX, UINT64_MAX}};
    struct {
        patio_broker_stats now;
        uint64_t           later[8];
    } stats = {{.struct_size = sizeof(stats)}, {11, 11}};
    struct {
        patio_counts now;
        uint64_t     later[8];
    } counts = {{.struct_size = sizeof(counts)}, {11, 11}};
    struct {
        patio_payload now;
        uint64_t      later[8];
    } payload = {{(uint32_t)sizeof(payload), .kind = PATIO_PAYLOAD_VALUES}, {UINT64_MAX}};

    patio_error     err    = PATIO_ERROR_INIT;
    patio_runtime  *rt     = NULL;
    patio_registry *r      = NULL;
    patio_config   *config = NULL;
    patio_broker   *broker = NULL;
    assert_ok(patio_runtime_create(&runtime.now, &rt, &err), err);
    assert_ok(patio_registry_create(&registry.now, &r, &err), err);
    add_task(r, "mul", task_mul, &task.now);
    assert_ok(patio_config_create(&config, &err), err);
    assert_ok(patio_broker_create(rt, r, config, &broker, &err), err);
    assert_ok(patio_broker_start(broker, &err), err);
    assert_string_equal(patio_broker_project(broker), "later");
    assert_ok(patio_call(broker, "mul", &payload.now, &call.now, NULL, &err), err);
    patio_broker_get_stats(broker, &stats.now);
    assert_int_equal(stats.now.calls_started, 1);
    assert_int_equal(stats.later[0], 11); /* what it does not know it leaves alone */
    assert_int_equal(stats.now.struct_size, sizeof(stats));
    assert_ok(patio_broker_counts(broker, NULL, 0, &counts.now, &err), err);
    assert_int_equal(counts.now.consumers, 1);
    assert_int_equal(counts.later[0], 11);
    patio_broker_destroy(broker);
    patio_config_destroy(config);
    patio_registry_destroy(r);
    patio_runtime_destroy(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_that_does_not_exist_is_named),
        cmocka_unit_test(a_bad_url_is_refused),
        cmocka_unit_test(a_wrong_value_is_refused_with_file_and_line),
        cmocka_unit_test(an_unknown_option_is_refused_with_file_line_and_the_nearest),
        cmocka_unit_test(values_that_cannot_be_encoded_are_refused_before_they_leave),
        cmocka_unit_test(a_result_that_cannot_be_encoded_is_the_tasks_error),
        cmocka_unit_test(names_and_options_are_checked),
        cmocka_unit_test(null_arguments_are_refused),
        cmocka_unit_test(a_struct_without_its_size_is_refused),
        cmocka_unit_test(structs_of_a_larger_future_size_work),
    };
    return RUN_TESTS("bad input", tests);
}
