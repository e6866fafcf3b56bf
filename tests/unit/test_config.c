#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <patio/registry.h>

#include "config/config.h"
#include "config/config_table.h"
#include "failing_alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static patio_config *make(void)
{
    patio_config *config = NULL;
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    return config;
}

static void set(patio_config *config, const char *key, const char *value)
{
    patio_error err = PATIO_ERROR_INIT;
    if (patio_config_set(config, key, value, "test", &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
}

static void assert_value(const patio_config *config, const char *key, const char *value)
{
    const char *actual = patio_config_get(config, key);
    if (value == NULL) {
        assert_null(actual);
    } else {
        assert_non_null(actual);
        assert_string_equal(actual, value);
    }
}

static size_t count_under(const patio_config *config, const char *prefix)
{
    pt_setting *settings = NULL;
    size_t      count    = 0;
    assert_int_equal(pt_config_under(&pt_malloc_allocator, config, prefix, &settings, &count, NULL),
                     PATIO_OK);
    pt_free(&pt_malloc_allocator, settings);
    return count;
}

/* ---- keys ---- */

static void every_kind_of_key_can_be_set_and_read(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "project",
        "broker",
        "transport.max_queued",
        "executor.name",
        "executor.workers",
        "executors.gpu.name",
        "executors.gpu.workers",
        "modules.0",
        "tasks.mul.queue",
        "tasks.shop.orders.pay.priority",
        "tasks.with space.ack",
        "queues.mail.weight",
        "queues.a.b-c.weight",
        "log.level",
        "log.format",
        "plugin_path",
        "connect_timeout_ms",
        "enqueue_timeout_ms",
        "call_timeout_ms",
        "drain_timeout_ms",
        "max_body_bytes",
        "max_decode_bytes",
        "max_pending",
        "lookahead",
    };
    patio_config *config = make();
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_value(config, keys[i], NULL);
        set(config, keys[i], keys[i]);
        set(config, keys[i], keys[i]);
        assert_value(config, keys[i], keys[i]);
    }
    patio_config_destroy(config);
    patio_config_destroy(NULL);
}

static void wrong_keys_are_refused_with_the_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *message;
    } rows[] = {
        {"exectuor", "here: unknown key \"exectuor\"; did you mean \"executor\"?"},
        {"prject", "here: unknown key \"prject\"; did you mean \"project\"?"},
        {"call_timeout", "here: unknown key \"call_timeout\"; did you mean \"call_timeout_ms\"?"},
        {"log_level", "here: unknown key \"log_level\"; did you mean \"log.level\"?"},
        {"trasport.max", "here: unknown key \"trasport.max\"; did you mean \"transport.max\"?"},
        {"log.levl", "here: unknown key \"log.levl\"; did you mean \"log.level\"?"},
        {"log.zzz", "here: unknown key \"log.zzz\"; it may be level, format"},
        {"tasks.a.b.prioritty",
         "here: unknown key \"tasks.a.b.prioritty\"; did you mean \"tasks.a.b.priority\"?"},
        {"tasks.mul", "here: key \"tasks.mul\" holds no value itself; write tasks.NAME.OPTION"},
        {"tasks", "here: key \"tasks\" holds no value itself; write tasks.NAME.OPTION"},
        {"tasks..queue", "here: key \"tasks..queue\": \"\" is not a name"},
        {"tasks.a\nb.queue", "here: key \"tasks.a?b.queue\": \"a?b\" is not a name"},
        {"transport", "here: key \"transport\" holds no value itself; write transport.OPTION"},
        {"transport.", "here: unknown key \"transport.\"; an option has a-z, 0-9 and _ only"},
        {"transport.a.b", "here: unknown key \"transport.a.b\"; an option has a-z, 0-9 and _ only"},
        {"transport.Max", "here: unknown key \"transport.Max\"; an option has a-z, 0-9 and _ only"},
        {"executors.gpu",
         "here: key \"executors.gpu\" holds no value itself; write executors.NAME.OPTION"},
        {"executors.a.b.c", "here: key \"executors.a.b.c\": \"a.b\" is not a name"},
        {"queues.mail.weigt",
         "here: unknown key \"queues.mail.weigt\"; did you mean \"queues.mail.weight\"?"},
        {"queues.a b.weight", "here: key \"queues.a b.weight\": \"a b\" is not a name"},
        {"project.x", "here: unknown key \"project.x\"; docs/configuration.md lists the keys"},
        {"plugin_path.x", "here: unknown key \"plugin_path.x\""},
        {"trasport.a\x1b[2J",
         "here: unknown key \"trasport.a?[2J\"; did you mean \"transport.a?[2J\"?"},
        {"trasport."
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaa",
         "here: unknown key "
         "\"trasport."
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"; "
         "did you mean \"transport\"?"},
        {"executors", "here: key \"executors\" holds no value itself; write executors.NAME.OPTION"},
        {"queues.", "here: key \"queues.\" holds no value itself; write queues.NAME.OPTION"},
        {"broker.x", "here: unknown key \"broker.x\""},
        {"broker.00", "here: unknown key \"broker.00\""},
        {"broker.-1", "here: unknown key \"broker.-1\""},
        {"broker.999999", "here: unknown key \"broker.999999\""},
        {"broker.1", "here: set \"broker.0\" before \"broker.1\""},
        {"", "here: unknown key \"\"; docs/configuration.md lists the keys"},
        {".", "here: unknown key \".\"; docs/configuration.md lists the keys"},
        {"\xff\x1b[2J", "here: unknown key \"??[2J\"; docs/configuration.md lists the keys"},
    };
    patio_config *config = make();
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error err = PATIO_ERROR_INIT;
        assert_int_equal(patio_config_set(config, rows[i].key, "hunter2", "here", &err),
                         PATIO_CONFIG);
        assert_string_equal(err.message, rows[i].message);
        assert_int_equal(patio_config_set(config, rows[i].key, "hunter2", NULL, NULL),
                         PATIO_CONFIG);
        assert_null(patio_config_get(config, rows[i].key));
    }
    assert_int_equal(count_under(config, ""), 0);
    patio_config_destroy(config);
}

static void names_in_keys_have_a_longest_size(void **state)
{
    (void)state;
    patio_config *config = make();
    patio_error   err    = PATIO_ERROR_INIT;
    char          key[600];
    char          name[400];
    memset(name, 'n', sizeof(name));
    (void)snprintf(key, sizeof(key), "tasks.%.255s.attempt_timeout_ms", name);
    set(config, key, "1");
    assert_value(config, key, "1");
    (void)snprintf(key, sizeof(key), "tasks.%.256s.queue", name);
    assert_int_equal(patio_config_set(config, key, "1", NULL, &err), PATIO_CONFIG);
    assert_non_null(strstr(err.message, "a name has at most 255 bytes"));
    (void)snprintf(key, sizeof(key), "tasks.%.400s.queue", name);
    assert_int_equal(patio_config_set(config, key, "1", NULL, &err), PATIO_CONFIG);
    assert_non_null(strstr(err.message, "is longer than 319 bytes"));
    (void)snprintf(key, sizeof(key), "transport.%.33s", name);
    assert_int_equal(patio_config_set(config, key, "1", NULL, &err), PATIO_CONFIG);
    patio_config_destroy(config);
}

static void executor_and_modules_have_short_forms(void **state)
{
    (void)state;
    patio_config *config = make();
    set(config, "executor", "thread");
    assert_value(config, "executor.name", "thread");
    assert_value(config, "executor", "thread");
    set(config, "modules.0", "a");
    set(config, "modules.1", "b");
    set(config, "modules", "c");
    assert_value(config, "modules.0", "c");
    assert_value(config, "modules.1", NULL);
    assert_value(config, "modules", "c");
    patio_config_destroy(config);
}

static void a_broker_is_a_text_or_a_list(void **state)
{
    (void)state;
    patio_config *config = make();
    set(config, "broker.0", "tcp://a");
    set(config, "broker.1", "tcp://b");
    set(config, "broker.2", "tcp://c");
    assert_int_equal(count_under(config, "broker."), 3);
    set(config, "broker.1", "tcp://d");
    assert_value(config, "broker.1", "tcp://d");
    assert_int_equal(count_under(config, "broker."), 3);
    set(config, "broker.0", "tcp://e"); /* begins the list anew */
    assert_int_equal(count_under(config, "broker."), 1);
    set(config, "broker", "tcp://f");
    assert_int_equal(count_under(config, "broker."), 0);
    assert_value(config, "broker", "tcp://f");
    set(config, "broker.0", "tcp://g");
    assert_value(config, "broker", NULL);
    patio_config_destroy(config);
}

static void missing_arguments_are_refused(void **state)
{
    (void)state;
    patio_config     *config = make();
    const patio_bytes none   = {NULL, 1};
    assert_int_equal(patio_config_create(NULL, NULL), PATIO_INVALID);
    assert_int_equal(patio_config_set(NULL, "project", "x", NULL, NULL), PATIO_INVALID);
    assert_int_equal(patio_config_set(config, NULL, "x", NULL, NULL), PATIO_INVALID);
    assert_int_equal(patio_config_set(config, "project", NULL, NULL, NULL), PATIO_INVALID);
    assert_int_equal(patio_config_load_file(config, NULL, NULL), PATIO_INVALID);
    assert_int_equal(patio_config_load_text(config, none, "n", NULL), PATIO_INVALID);
    assert_int_equal(patio_config_load_env(NULL, NULL), PATIO_INVALID);
    assert_null(patio_config_get(NULL, "project"));
    assert_null(patio_config_get(config, NULL));
    patio_config_destroy(config);
}

static void settings_below_a_prefix_come_in_order_with_origins(void **state)
{
    (void)state;
    patio_config *config   = make();
    pt_setting   *settings = NULL;
    size_t        count    = 0;
    set(config, "transport.b", "1");
    set(config, "executor.b", "2");
    assert_int_equal(patio_config_set(config, "transport.a", "3", NULL, NULL), PATIO_OK);
    assert_int_equal(
        pt_config_under(&pt_malloc_allocator, config, "transport.", &settings, &count, NULL),
        PATIO_OK);
    assert_int_equal(count, 2);
    assert_string_equal(settings[0].key, "b");
    assert_string_equal(settings[0].value, "1");
    assert_string_equal(settings[0].origin, "test");
    assert_string_equal(settings[1].key, "a");
    assert_string_equal(settings[1].origin, "patio_config_set");
    pt_free(&pt_malloc_allocator, settings);
    assert_int_equal(
        pt_config_under(&pt_malloc_allocator, config, "queues.", &settings, &count, NULL),
        PATIO_OK);
    assert_null(settings);
    assert_int_equal(count, 0);
    patio_config_destroy(config);
}

static void collect_name(void *arg, const char *name, const char *origin)
{
    char *all = arg;
    (void)snprintf(all + strlen(all), 200 - strlen(all), "%s@%s ", name, origin);
}

static void keep_name(void *arg, const char *name, const char *origin)
{
    const char **kept = arg;
    kept[0]           = name;
    kept[1]           = origin;
}

static void a_visited_name_lives_until_the_next_change(void **state)
{
    (void)state;
    const char   *kept[2] = {NULL, NULL};
    patio_config *config  = make();
    set(config, "tasks.shop.pay.queue", "q");
    pt_config_each_task(config, keep_name, kept);
    assert_string_equal(kept[0], "shop.pay");
    assert_string_equal(kept[1], "test");
    patio_config_destroy(config);
}

static void each_task_is_visited_once(void **state)
{
    (void)state;
    char          all[200] = "";
    patio_config *config   = make();
    set(config, "tasks.b.queue", "q");
    set(config, "log.level", "info");
    set(config, "tasks.a.queue", "q");
    set(config, "tasks.b.priority", "1");
    set(config, "tasks.b.c.priority", "1");
    set(config, "tasks.a.b.queue", "1");
    set(config, "tasks.a.b.ack", "1");
    pt_config_each_task(config, collect_name, all);
    assert_string_equal(all, "b@test a@test b.c@test a.b@test ");
    patio_config_destroy(config);
}

static void the_number_of_keys_is_bounded(void **state)
{
    (void)state;
    patio_config *config = make();
    patio_error   err    = PATIO_ERROR_INIT;
    char          key[64];
    for (int i = 0; i < 16384; i++) {
        (void)snprintf(key, sizeof(key), "tasks.t%d.queue", i);
        assert_int_equal(patio_config_set(config, key, "q", NULL, NULL), PATIO_OK);
    }
    assert_int_equal(patio_config_set(config, "project", "p", "here", &err), PATIO_CONFIG);
    assert_string_equal(err.message, "here: more than 16384 keys");
    assert_int_equal(patio_config_set(config, key, "other", NULL, NULL), PATIO_OK);
    assert_value(config, key, "other");
    patio_config_destroy(config);
}

/* ---- values ---- */

static void core_values_have_defaults_and_are_parsed(void **state)
{
    (void)state;
    patio_config       *config = make();
    patio_option_value *values = NULL;
    assert_int_equal(pt_config_core(&pt_malloc_allocator, config, &values, NULL), PATIO_OK);
    assert_string_equal(values[PT_CORE_PROJECT].text, "default");
    assert_int_equal(values[PT_CORE_PROJECT].given, 0);
    assert_int_equal(values[PT_CORE_CONNECT_TIMEOUT_MS].number, 5000);
    assert_int_equal(values[PT_CORE_ENQUEUE_TIMEOUT_MS].number, 5000);
    assert_int_equal(values[PT_CORE_CALL_TIMEOUT_MS].number, 30000);
    assert_int_equal(values[PT_CORE_DRAIN_TIMEOUT_MS].number, 25000);
    assert_int_equal(values[PT_CORE_MAX_BODY_BYTES].number, 1048576);
    assert_int_equal(values[PT_CORE_MAX_DECODE_BYTES].number, 67108864);
    assert_int_equal(values[PT_CORE_MAX_PENDING].number, 1048576);
    assert_int_equal(values[PT_CORE_LOOKAHEAD].number, 0);
    pt_options_free(&pt_malloc_allocator, pt_core_options, values);

    set(config, "project", "shop");
    set(config, "call_timeout_ms", "1.5s");
    set(config, "drain_timeout_ms", "none");
    set(config, "max_body_bytes", "1GiB");
    assert_int_equal(pt_config_core(&pt_malloc_allocator, config, &values, NULL), PATIO_OK);
    assert_string_equal(values[PT_CORE_PROJECT].text, "shop");
    assert_int_equal(values[PT_CORE_CALL_TIMEOUT_MS].number, 1500);
    assert_int_equal(values[PT_CORE_CALL_TIMEOUT_MS].given, 1);
    assert_true(values[PT_CORE_DRAIN_TIMEOUT_MS].number == INT64_MAX);
    assert_int_equal(values[PT_CORE_MAX_BODY_BYTES].number, 1 << 30);
    pt_options_free(&pt_malloc_allocator, pt_core_options, values);
    patio_config_destroy(config);
}

static void wrong_core_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *value;
        const char *message;
    } rows[] = {
        {"max_body_bytes", "1073741825",
         "test: patio: option max_body_bytes: \"1073741825\" is more than the largest allowed, "
         "1073741824 bytes"},
        {"max_body_bytes", "0", "is less than the smallest allowed, 1 bytes"},
        {"max_pending", "1048577", "is more than the largest allowed, 1048576"},
        {"max_pending", "0", "is less than the smallest allowed, 1"},
        {"lookahead", "-1", "is less than the smallest allowed, 0"},
        {"call_timeout_ms", "soon",
         "test: patio: option call_timeout_ms: \"soon\" is not a duration"},
        {"project", "a b", "test: patio: option project: \"a b\" is not a name: 1 to 128 of"},
        {"project", "", "\"\" is not a name"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error         err    = PATIO_ERROR_INIT;
        patio_option_value *values = NULL;
        patio_config       *config = make();
        set(config, rows[i].key, rows[i].value);
        assert_int_equal(pt_config_core(&pt_malloc_allocator, config, &values, &err), PATIO_CONFIG);
        assert_null(values);
        if (strstr(err.message, rows[i].message) == NULL) {
            fail_msg("\"%s\" lacks \"%s\"", err.message, rows[i].message);
        }
        patio_config_destroy(config);
    }
}

static void log_values_are_choices(void **state)
{
    (void)state;
    patio_error         err    = PATIO_ERROR_INIT;
    patio_config       *config = make();
    patio_option_value *values = NULL;
    assert_int_equal(pt_config_log(&pt_malloc_allocator, config, &values, NULL), PATIO_OK);
    assert_int_equal(values[PT_LOG_LEVEL].number, PATIO_LOG_WARN);
    assert_int_equal(values[PT_LOG_FORMAT].number, 0);
    pt_options_free(&pt_malloc_allocator, pt_log_options, values);
    set(config, "log.level", "off");
    set(config, "log.format", "josn");
    assert_int_equal(pt_config_log(&pt_malloc_allocator, config, &values, &err), PATIO_CONFIG);
    assert_string_equal(err.message, "test: log: option format: \"josn\" is not one of text|json; "
                                     "did you mean \"json\"?");
    set(config, "log.format", "json");
    assert_int_equal(pt_config_log(&pt_malloc_allocator, config, &values, NULL), PATIO_OK);
    assert_int_equal(values[PT_LOG_LEVEL].number, PATIO_LOG_OFF);
    assert_int_equal(values[PT_LOG_FORMAT].number, 1);
    pt_options_free(&pt_malloc_allocator, pt_log_options, values);
    patio_config_destroy(config);
}

static void task_settings_are_laid_over_the_code(void **state)
{
    (void)state;
    patio_config      *config  = make();
    patio_task_options options = {PATIO_SIZED(patio_task_options), .queue = "code",
                                  .max_attempts = 9, .flags = PATIO_TASK_IDEMPOTENT};
    set(config, "tasks.a.b.priority", "9");
    assert_int_equal(pt_config_task(&pt_malloc_allocator, config, "a", &options, NULL), PATIO_OK);
    assert_string_equal(options.queue, "code");
    assert_int_equal(options.max_attempts, 9);
    assert_int_equal(options.priority, 0);
    assert_int_equal(options.flags, PATIO_TASK_IDEMPOTENT);

    set(config, "tasks.a.executor", "gpu");
    set(config, "tasks.a.queue", "mail");
    set(config, "tasks.a.priority", "0");
    set(config, "tasks.a.attempt_timeout_ms", "forever");
    set(config, "tasks.a.call_timeout_ms", "1min");
    set(config, "tasks.a.max_attempts", "4294967295");
    set(config, "tasks.a.max_crashes", "1");
    set(config, "tasks.a.backoff_base_ms", "2s");
    set(config, "tasks.a.backoff_cap_ms", "1h");
    set(config, "tasks.a.idempotent", "no");
    set(config, "tasks.a.ack", "on_receive");
    set(config, "tasks.a.version", "3");
    assert_int_equal(pt_config_task(&pt_malloc_allocator, config, "a", &options, NULL), PATIO_OK);
    assert_ptr_equal(options.executor, patio_config_get(config, "tasks.a.executor"));
    assert_ptr_equal(options.queue, patio_config_get(config, "tasks.a.queue"));
    assert_int_equal(options.priority, PATIO_PRIORITY(0));
    assert_true(options.attempt_timeout_ms == PATIO_FOREVER);
    assert_int_equal(options.call_timeout_ms, 60000);
    assert_int_equal(options.max_attempts, UINT32_MAX);
    assert_int_equal(options.max_crashes, 1);
    assert_int_equal(options.backoff_base_ms, 2000);
    assert_int_equal(options.backoff_cap_ms, 3600000);
    assert_int_equal(options.flags, 0);
    assert_int_equal(options.ack, PATIO_ACK_ON_RECEIVE);
    assert_int_equal(options.version, 3);
    set(config, "tasks.a.idempotent", "yes");
    assert_int_equal(pt_config_task(&pt_malloc_allocator, config, "a", &options, NULL), PATIO_OK);
    assert_int_equal(options.flags, PATIO_TASK_IDEMPOTENT);
    patio_config_destroy(config);
}

static void wrong_task_settings_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *value;
        const char *message;
    } rows[] = {
        {"tasks.a.priority", "10", "test: task \"a\": option priority: \"10\" is more than the"},
        {"tasks.a.attempt_timeout_ms", "0", "option attempt_timeout_ms: \"0\" is less than"},
        {"tasks.a.backoff_cap_ms", "none", "option backoff_cap_ms: \"none\" is more than"},
        {"tasks.a.max_attempts", "4294967296", "option max_attempts: \"4294967296\" is more"},
        {"tasks.a.ack", "on_don", "did you mean \"on_done\"?"},
        {"tasks.a.queue", "a b", "test: task \"a\": option queue: \"a b\" is not a name: 1 to 255"},
        {"tasks.a.executor", "", "test: task \"a\": option executor: \"\" is not a name"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error        err     = PATIO_ERROR_INIT;
        patio_config      *config  = make();
        patio_task_options options = {PATIO_SIZED(patio_task_options), .queue = "code"};
        set(config, "tasks.a.version", "7");
        set(config, rows[i].key, rows[i].value);
        assert_int_equal(pt_config_task(&pt_malloc_allocator, config, "a", &options, &err),
                         PATIO_CONFIG);
        if (strstr(err.message, rows[i].message) == NULL) {
            fail_msg("\"%s\" lacks \"%s\"", err.message, rows[i].message);
        }
        assert_string_equal(options.queue, "code");
        assert_int_equal(options.version, 0);
        patio_config_destroy(config);
    }
}

static void the_tables_are_complete(void **state)
{
    (void)state;
    assert_int_equal(pt_options_count(pt_core_options), PT_CORE_OPTION_COUNT);
    assert_int_equal(pt_options_count(pt_log_options), PT_LOG_OPTION_COUNT);
    assert_int_equal(pt_options_count(pt_task_option_table), PT_TASK_OPTION_COUNT);
}

/* ---- memory ---- */

static patio_status use_everything(const patio_allocator *mem, void *arg)
{
    (void)arg;
    patio_config       *config   = NULL;
    pt_setting         *settings = NULL;
    size_t              count    = 0;
    patio_option_value *values   = NULL;
    patio_task_options  options  = {PATIO_SIZED(patio_task_options)};
    patio_status        status   = pt_config_create(mem, &config, NULL);
    if (status != PATIO_OK) {
        return status;
    }
    if (status == PATIO_OK) {
        status = patio_config_set(config, "broker.0", "memory://", "here", NULL);
    }
    if (status == PATIO_OK) {
        status = patio_config_set(config, "tasks.a.queue", "q", NULL, NULL);
    }
    if (status == PATIO_OK) {
        status = patio_config_set(config, "broker", "tcp://h", "here", NULL);
        /* a change that failed changed nothing */
        assert_int_equal(patio_config_get(config, "broker.0") != NULL, status != PATIO_OK);
    }
    if (status == PATIO_OK) {
        status = pt_config_under(mem, config, "tasks.", &settings, &count, NULL);
        pt_free(mem, settings);
    }
    if (status == PATIO_OK) {
        status = pt_config_core(mem, config, &values, NULL);
        pt_options_free(mem, pt_core_options, values);
    }
    if (status == PATIO_OK) {
        status = pt_config_task(mem, config, "a", &options, NULL);
    }
    patio_config_destroy(config);
    return status;
}

static void configurations_survive_every_failed_allocation(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(use_everything, NULL) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_can_be_set_and_read),
        cmocka_unit_test(wrong_keys_are_refused_with_the_nearest),
        cmocka_unit_test(names_in_keys_have_a_longest_size),
        cmocka_unit_test(executor_and_modules_have_short_forms),
        cmocka_unit_test(a_broker_is_a_text_or_a_list),
        cmocka_unit_test(missing_arguments_are_refused),
        cmocka_unit_test(settings_below_a_prefix_come_in_order_with_origins),
        cmocka_unit_test(each_task_is_visited_once),
        cmocka_unit_test(a_visited_name_lives_until_the_next_change),
        cmocka_unit_test(the_number_of_keys_is_bounded),
        cmocka_unit_test(core_values_have_defaults_and_are_parsed),
        cmocka_unit_test(wrong_core_values_are_refused),
        cmocka_unit_test(log_values_are_choices),
        cmocka_unit_test(task_settings_are_laid_over_the_code),
        cmocka_unit_test(wrong_task_settings_are_refused_and_change_nothing),
        cmocka_unit_test(the_tables_are_complete),
        cmocka_unit_test(configurations_survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
