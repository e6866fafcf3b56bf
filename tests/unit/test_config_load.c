/* Files, texts and the environment as sources of a configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "failing_alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static patio_bytes bytes_of(const char *text)
{
    return (patio_bytes){(const uint8_t *)text, strlen(text)};
}

static patio_config *make(void)
{
    patio_config *config = NULL;
    assert_int_equal(patio_config_create(&config, NULL), PATIO_OK);
    return config;
}

static patio_config *load(const char *yaml)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = make();
    if (patio_config_load_text(config, bytes_of(yaml), "patio.yaml", &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    return config;
}

static void assert_value(const patio_config *config, const char *key, const char *value,
                         const char *origin)
{
    pt_setting setting = {0};
    if (!pt_config_find(config, key, &setting)) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_string_equal(setting.value, value);
    assert_string_equal(setting.origin, origin);
}

static void a_whole_file_becomes_keys_with_lines(void **state)
{
    (void)state;
    patio_config *config = load("# a comment\n"
                                "project: shop\n"
                                "broker:\n"
                                "  - tcp://a:1\n"
                                "  - \"tcp://b:2\"\n"
                                "transport: {max_queued: 10, name: 'it''s'}\n"
                                "executor:\n"
                                "  name: thread\n"
                                "  workers: 8\n"
                                "executors:\n"
                                "  gpu: {name: process, workers: 1}\n"
                                "modules: [libmath.so, ./tasks]\n"
                                "tasks:\n"
                                "  shop.pay:\n"
                                "    queue: money\n"
                                "    attempt_timeout_ms: 90s\n"
                                "  shop:\n"
                                "    mail: {priority: 3}\n"
                                "queues: {mail: {weight: 3}}\n"
                                "log:\n"
                                "  level: debug\n"
                                "  format: json\n"
                                "plugin_path: \"\"\n"
                                "call_timeout_ms: 1h\n"
                                "tasks.x.ack: on_start\n");
    assert_value(config, "project", "shop", "patio.yaml:2");
    assert_value(config, "broker.0", "tcp://a:1", "patio.yaml:4");
    assert_value(config, "broker.1", "tcp://b:2", "patio.yaml:5");
    assert_value(config, "transport.max_queued", "10", "patio.yaml:6");
    assert_value(config, "transport.name", "it's", "patio.yaml:6");
    assert_value(config, "executor.name", "thread", "patio.yaml:8");
    assert_value(config, "executor.workers", "8", "patio.yaml:9");
    assert_value(config, "executors.gpu.name", "process", "patio.yaml:11");
    assert_value(config, "modules.1", "./tasks", "patio.yaml:12");
    assert_value(config, "tasks.shop.pay.queue", "money", "patio.yaml:15");
    assert_value(config, "tasks.shop.mail.priority", "3", "patio.yaml:18");
    assert_value(config, "queues.mail.weight", "3", "patio.yaml:19");
    assert_value(config, "log.format", "json", "patio.yaml:22");
    assert_value(config, "plugin_path", "", "patio.yaml:23");
    assert_value(config, "call_timeout_ms", "1h", "patio.yaml:24");
    assert_value(config, "tasks.x.ack", "on_start", "patio.yaml:25");
    patio_config_destroy(config);
}

static void short_and_empty_files_are_fine(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "# nothing\n",
                                        "---\n",
                                        "--- {}\n...\n",
                                        "~\n",
                                        "transport:\nlog: ~\ntasks:\n  a:\nexecutors: {}\n",
                                        "\xef\xbb\xbfproject: x\n",
                                        "%YAML 1.1\n---\nproject: x\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        patio_config_destroy(load(texts[i]));
    }
    patio_config *config = make();
    assert_int_equal(patio_config_load_text(config, (patio_bytes){NULL, 0}, "n", NULL), PATIO_OK);
    patio_config_destroy(config);

    config = load("executor: thread\nmodules: one.so\nbroker: memory://\n");
    assert_value(config, "executor.name", "thread", "patio.yaml:1");
    assert_value(config, "modules.0", "one.so", "patio.yaml:2");
    assert_value(config, "broker", "memory://", "patio.yaml:3");
    patio_config_destroy(config);
}

static void wrong_files_are_refused_with_line_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *message;
    } rows[] = {
        {"a: 1\n", "patio.yaml:1: unknown key \"a\"; docs/configuration.md lists the keys"},
        {"project: x\n\nexectuor: y\n",
         "patio.yaml:3: unknown key \"exectuor\"; did you mean \"executor\"?"},
        {"exectuor:\n  name: y\n",
         "patio.yaml:1: unknown key \"exectuor\"; did you mean \"executor\"?"},
        {"modlues: [a]\n", "patio.yaml:1: unknown key \"modlues\"; did you mean \"modules\"?"},
        {"log:\n  levle: info\n",
         "patio.yaml:2: unknown key \"log.levle\"; did you mean \"log.level\"?"},
        {"project: x\nproject: y\n",
         "patio.yaml:2: key \"project\" is given twice, first at patio.yaml:1"},
        {"tasks: {a: {queue: x}}\ntasks: {b: {queue: x}}\n",
         "patio.yaml:2: key \"tasks\" is given twice, first at patio.yaml:1"},
        {"tasks:\n  a.b: {queue: x}\n  a: {b: {queue: x}}\n",
         "patio.yaml:3: key \"tasks.a.b\" is given twice, first at patio.yaml:2"},
        {"executor: a\nexecutor.name: b\n",
         "patio.yaml:2: key \"executor.name\" is given twice, first at patio.yaml:1"},
        {"broker: x\nbroker.0: y\n",
         "patio.yaml:2: key \"broker.0\" is an item of a list; write the list as a whole"},
        {"broker: {2: y}\n",
         "patio.yaml:1: key \"broker\" is a text or a list of texts, not a map"},
        {"transport:\ntransport:\n",
         "patio.yaml:2: key \"transport\" is given twice, first at patio.yaml:1"},
        {"project:\n", "patio.yaml:1: key \"project\" has no value; write \"\" for an empty text"},
        {"broker: ~\n", "patio.yaml:1: key \"broker\" has no value"},
        {"project: {a: 1}\n", "patio.yaml:1: key \"project\" takes one value, not a map"},
        {"project: {}\n", "patio.yaml:1: key \"project\" takes one value, not a map"},
        {"project: [a]\n", "patio.yaml:1: key \"project\" takes one value, not a list"},
        {"transport: [a]\n", "patio.yaml:1: key \"transport\" is a map, not a list"},
        {"transport: memory\n", "patio.yaml:1: key \"transport\" holds no value itself"},
        {"broker: {a: b}\n",
         "patio.yaml:1: key \"broker\" is a text or a list of texts, not a map"},
        {"broker: []\n", "patio.yaml:1: key \"broker\" is an empty list; leave it out"},
        {"broker: [[a]]\n",
         "patio.yaml:1: key \"broker\" is a list of texts, not of maps or lists"},
        {"broker:\n- a\n- b: c\n", "patio.yaml:3: key \"broker\" is a list of texts"},
        {"broker: [~]\n", "patio.yaml:1: key \"broker.0\" has no value"},
        {"executors: {a: x}\n", "patio.yaml:1: key \"executors.a\" holds no value itself"},
        {"tasks: {a: x}\n", "patio.yaml:1: key \"tasks.a\" holds no value itself; write"},
        {"executors: {a: {b: {c: 1}}}\n",
         "patio.yaml:1: key \"executors.a.b\" takes one value, not a map"},
        {"transport: {a: {b: 1}}\n",
         "patio.yaml:1: key \"transport.a\" takes one value, not a map"},
        {"- a\n", "patio.yaml:1: the file must be a map of keys, not a list"},
        {"text\n", "patio.yaml:1: the file must be a map of keys"},
        {"? [a]\n: b\n", "patio.yaml:1: a key must be a text, not a map or list"},
        {"{{a: b}: c}\n", "patio.yaml:1: a key must be a text, not a map or list"},
        {"\"\": x\n", "patio.yaml:1: a key is empty or holds a NUL character"},
        {"\"a\\0b\": x\n", "patio.yaml:1: a key is empty or holds a NUL character"},
        {"project: \"a\\0b\"\n", "patio.yaml:1: key \"project\" has a value that holds a NUL"},
        {"project: &a x\n", "patio.yaml:1: anchors and aliases (\"&\", \"*\") are not supported"},
        {"log: &a {}\n", "patio.yaml:1: anchors and aliases"},
        {"&a project: x\n", "patio.yaml:1: anchors and aliases"},
        {"project: x\nbroker: *a\n", "patio.yaml:2: anchors and aliases"},
        {"<<: *a\n", "patio.yaml:1: anchors and aliases"},
        {"project: !!str x\n", "patio.yaml:1: tags (\"!...\") are not supported"},
        {"log: !x {level: info}\n", "patio.yaml:1: tags"},
        {"project: x\n---\nproject: y\n",
         "patio.yaml:2: a second document begins; a configuration has one"},
        {"--- {}\n--- {}\n", "patio.yaml:2: a second document begins"},
        {"project: x\n  bad: y\n", "patio.yaml:2: not valid YAML: mapping values are not allowed"},
        {"log: {level: info\n", "patio.yaml:2: not valid YAML: did not find expected ',' or '}' "
                                "(while parsing a flow mapping in line 1)"},
        {"\tproject: x\n", "patio.yaml:1: not valid YAML: found character that cannot start"},
        {"project: \"x\n", "patio.yaml:2: not valid YAML: found unexpected end of stream"},
        {"project: \x01\n", "patio.yaml: not valid YAML: control characters are not allowed (byte"},
        {"project: \xff\n", "patio.yaml: not valid YAML: invalid leading UTF-8 octet (byte"},
        {"tasks: {a: {b: {c: {d: {e: {f: {g: {}}}}}}}}\n",
         "patio.yaml:1: maps are nested deeper than 8"},
        {"[[[[[[[[[[[[[[[[[[[[", "patio.yaml:1: the file must be a map of keys, not a list"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        patio_error   err    = PATIO_ERROR_INIT;
        patio_config *config = make();
        assert_int_equal(patio_config_set(config, "project", "before", "o", NULL), PATIO_OK);
        patio_status status =
            patio_config_load_text(config, bytes_of(rows[i].yaml), "patio.yaml", &err);
        if (status != PATIO_CONFIG ||
            strncmp(err.message, rows[i].message, strlen(rows[i].message)) != 0) {
            fail_msg("%s: \"%s\" is not \"%s\"", rows[i].yaml, err.message, rows[i].message);
        }
        assert_int_equal(err.status, PATIO_CONFIG);
        assert_int_equal(patio_config_load_text(config, bytes_of(rows[i].yaml), "p", NULL),
                         PATIO_CONFIG);
        assert_value(config, "project", "before", "o"); /* all or nothing */
        patio_config_destroy(config);
    }
}

static void eight_levels_are_allowed(void **state)
{
    (void)state;
    patio_config *config = load("tasks: {a: {b: {c: {d: {e: {f: {queue: x}}}}}}}\n");
    assert_value(config, "tasks.a.b.c.d.e.f.queue", "x", "patio.yaml:1");
    patio_config_destroy(config);
}

static void a_key_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char          yaml[1200];
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = make();
    memset(yaml, 'k', sizeof(yaml));
    memcpy(yaml + 1000, ": x\n", 5);
    assert_int_equal(patio_config_load_text(config, bytes_of(yaml), "f", &err), PATIO_CONFIG);
    assert_string_equal(err.message, "f:1: a key is too long");
    patio_config_destroy(config);
}

static void a_text_of_more_than_1_mib_is_refused(void **state)
{
    (void)state;
    const size_t  limit  = 1024 * 1024;
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = make();
    char         *yaml   = malloc(limit + 2);
    char          path[] = "/tmp/patio_yaml_XXXXXX";
    int           fd     = mkstemp(path);
    assert_true(fd >= 0);
    assert_non_null(yaml);
    memset(yaml, '#', limit + 1);
    yaml[limit + 1] = '\0';
    assert_int_equal(write(fd, yaml, limit + 1), limit + 1);
    assert_int_equal(patio_config_load_text(config, bytes_of(yaml), "big", &err), PATIO_CONFIG);
    assert_string_equal(err.message, "big: it has more than 1048576 bytes");
    assert_int_equal(patio_config_load_file(config, path, &err), PATIO_CONFIG);
    assert_non_null(strstr(err.message, "it has more than 1048576 bytes"));
    yaml[limit] = '\0';
    assert_int_equal(patio_config_load_text(config, bytes_of(yaml), "big", &err), PATIO_OK);
    assert_int_equal(ftruncate(fd, (off_t)limit), 0);
    assert_int_equal(patio_config_load_file(config, path, &err), PATIO_OK);
    (void)close(fd);
    (void)unlink(path);
    free(yaml);
    patio_config_destroy(config);
}

static void too_many_keys_are_refused(void **state)
{
    (void)state;
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = make();
    char         *yaml   = malloc(400000);
    size_t        used   = 0;
    assert_non_null(yaml);
    used += (size_t)snprintf(yaml, 400000, "transport:\n");
    for (int i = 0; i < 20000; i++) {
        used += (size_t)snprintf(yaml + used, 400000 - used, "  o%d: x\n", i);
    }
    assert_int_equal(patio_config_load_text(config, bytes_of(yaml), "f", &err), PATIO_CONFIG);
    assert_string_equal(err.message, "f:16385: more than 16384 keys");
    free(yaml);
    patio_config_destroy(config);
}

static void a_later_source_wins_key_by_key_and_list_by_list(void **state)
{
    (void)state;
    patio_config *config =
        load("project: a\nbroker: [x, y]\nmodules: [m, n]\nlog: {level: info}\n");
    const char *second = "project: b\nbroker: [z]\nmodules: o\n";
    assert_int_equal(patio_config_load_text(config, bytes_of(second), "two", NULL), PATIO_OK);
    assert_value(config, "project", "b", "two:1");
    assert_value(config, "broker.0", "z", "two:2");
    assert_value(config, "broker.1", NULL, NULL);
    assert_value(config, "modules.0", "o", "two:3");
    assert_value(config, "modules.1", NULL, NULL);
    assert_value(config, "log.level", "info", "patio.yaml:4");
    const char *third = "broker: w\n";
    assert_int_equal(patio_config_load_text(config, bytes_of(third), "three", NULL), PATIO_OK);
    assert_value(config, "broker", "w", "three:1");
    assert_value(config, "broker.0", NULL, NULL);
    patio_config_destroy(config);
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = make();
    assert_int_equal(patio_config_load_file(config, "/nonexistent/patio.yaml", &err), PATIO_IO);
    assert_string_equal(err.message, "read \"/nonexistent/patio.yaml\": No such file or directory");
    assert_true(err.os_errno != 0);
    assert_int_equal(patio_config_load_file(config, "/tmp", &err), PATIO_IO);
    assert_string_equal(err.message, "read \"/tmp\": Is a directory");
    patio_config_destroy(config);
}

/* ---- environment ---- */

static const char *const variables[] = {
    "PATIO_CONFIG",  "PATIO_BROKER",    "PATIO_PROJECT",    "PATIO_EXECUTOR",
    "PATIO_WORKERS", "PATIO_LOG_LEVEL", "PATIO_LOG_FORMAT", "PATIO_PLUGIN_PATH",
};

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(variables); i++) {
        (void)unsetenv(variables[i]);
    }
    return 0;
}

static void variables_become_keys(void **state)
{
    (void)state;
    static const struct {
        const char *variable;
        const char *value;
        const char *key;
    } rows[] = {
        {"PATIO_BROKER", "tcp://h", "broker"},      {"PATIO_PROJECT", "p", "project"},
        {"PATIO_EXECUTOR", "x", "executor.name"},   {"PATIO_WORKERS", "3", "executor.workers"},
        {"PATIO_LOG_LEVEL", "warn", "log.level"},   {"PATIO_LOG_FORMAT", "json", "log.format"},
        {"PATIO_PLUGIN_PATH", "/p", "plugin_path"},
    };
    patio_config *config = make();
    assert_int_equal(patio_config_load_env(config, NULL), PATIO_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_value(config, rows[i].key, NULL, NULL);
        assert_int_equal(setenv(rows[i].variable, rows[i].value, 1), 0);
    }
    assert_int_equal(patio_config_load_env(config, NULL), PATIO_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_value(config, rows[i].key, rows[i].value, rows[i].variable);
        assert_int_equal(setenv(rows[i].variable, "", 1), 0);
    }
    assert_int_equal(patio_config_load_env(config, NULL), PATIO_OK);
    assert_value(config, "project", "p", "PATIO_PROJECT"); /* an empty one is not set */
    patio_config_destroy(config);
}

static void the_file_of_the_environment_is_read_first(void **state)
{
    (void)state;
    char        path[] = "/tmp/patio_yaml_XXXXXX";
    char        origin[64];
    patio_error err  = PATIO_ERROR_INIT;
    int         fd   = mkstemp(path);
    const char *yaml = "project: file\nlog: {level: info}\nbroker: [a, b]\n";
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    (void)snprintf(origin, sizeof(origin), "%s:2", path);
    patio_config *config = make();
    (void)setenv("PATIO_CONFIG", path, 1);
    (void)setenv("PATIO_PROJECT", "variable", 1);
    (void)setenv("PATIO_BROKER", "c", 1);
    assert_int_equal(patio_config_load_env(config, &err), PATIO_OK);
    assert_value(config, "project", "variable", "PATIO_PROJECT");
    assert_value(config, "log.level", "info", origin);
    assert_value(config, "broker", "c", "PATIO_BROKER");
    assert_value(config, "broker.0", NULL, NULL);

    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "prject: x\n", 10, 0), 10);
    (void)setenv("PATIO_PROJECT", "other", 1);
    assert_int_equal(patio_config_load_env(config, &err), PATIO_CONFIG);
    assert_memory_equal(err.message, "PATIO_CONFIG: /tmp/patio_yaml_", 30);
    assert_non_null(strstr(err.message, ":1: unknown key \"prject\"; did you mean \"project\"?"));
    assert_value(config, "project", "variable", "PATIO_PROJECT"); /* all or nothing */

    (void)close(fd);
    (void)unlink(path);
    assert_int_equal(patio_config_load_env(config, &err), PATIO_IO);
    assert_memory_equal(err.message, "PATIO_CONFIG: read \"/tmp/", 25);
    patio_config_destroy(config);
}

/* ---- memory ---- */

static patio_status load_twice(const patio_allocator *mem, void *arg)
{
    patio_config *config = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    patio_status  status = pt_config_create(mem, &config, &err);
    for (int i = 0; i < 2 && status == PATIO_OK; i++) {
        status = patio_config_load_text(config, bytes_of(arg), "f", &err);
    }
    if (status == PATIO_OK) {
        status = patio_config_load_env(config, &err);
    }
    assert_int_equal(err.status, status);
    patio_config_destroy(config);
    return status;
}

static void loading_survives_every_failed_allocation(void **state)
{
    (void)state;
    char yaml[] = "project: a\nbroker: [x, y]\ntasks: {a: {queue: q, ack: on_done}}\n";
    (void)setenv("PATIO_CONFIG", "/dev/null", 1);
    (void)setenv("PATIO_BROKER", "c", 1);
    assert_true(fail_each_allocation(load_twice, yaml) > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_becomes_keys_with_lines),
        cmocka_unit_test(short_and_empty_files_are_fine),
        cmocka_unit_test(wrong_files_are_refused_with_line_and_reason),
        cmocka_unit_test(eight_levels_are_allowed),
        cmocka_unit_test(a_key_that_is_too_long_is_refused),
        cmocka_unit_test(a_text_of_more_than_1_mib_is_refused),
        cmocka_unit_test(too_many_keys_are_refused),
        cmocka_unit_test(a_later_source_wins_key_by_key_and_list_by_list),
        cmocka_unit_test(a_file_that_cannot_be_read_says_why),
        cmocka_unit_test_setup_teardown(variables_become_keys, clear_environment,
                                        clear_environment),
        cmocka_unit_test_setup_teardown(the_file_of_the_environment_is_read_first,
                                        clear_environment, clear_environment),
        cmocka_unit_test_setup_teardown(loading_survives_every_failed_allocation, clear_environment,
                                        clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
