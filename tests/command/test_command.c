/* Programs as tasks: what goes in, what comes out, and what each of them is told. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static void input_is_the_payload_and_output_the_result(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    patio_bytes   bytes;
    const char   *type = NULL;
    world_open(&f, SETTINGS("tasks.cat.command=cat", "tasks.png.command=printf x",
                            "tasks.png.content_type=image/png", "tasks.none.command=true"));
    expect_output(&f, "cat", PATIO_RAW("text/plain", "two\nlines", 9), "two\nlines");
    expect_output(&f, "cat", PATIO_ARGS("one text"), "one text");
    expect_output(&f, "cat", PATIO_NO_ARGS, "");
    expect_output(&f, "none", PATIO_RAW(NULL, "unread", 6), "");
    assert_ok(patio_call(f.broker, "png", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_raw(future, &bytes, &type), PATIO_OK);
    assert_string_equal(type, "image/png");
    patio_future_destroy(future);
    world_close(&f);
}

static void a_large_payload_goes_through_in_both_directions(void **state)
{
    (void)state;
    enum { BYTES = 8 << 20 };
    fixture       f;
    patio_future *future = NULL;
    patio_bytes   bytes;
    world_open(&f, SETTINGS("max_body_bytes=16MiB", "tasks.cat.command=cat",
                            "tasks.cat.max_output_bytes=16MiB"));
    uint8_t *data = malloc(BYTES);
    assert_non_null(data);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    assert_ok(patio_call(f.broker, "cat", PATIO_RAW(NULL, data, BYTES), NULL, &future, &f.err),
              f.err);
    assert_status(patio_future_raw(future, &bytes, NULL), PATIO_OK);
    assert_int_equal(bytes.size, BYTES);
    assert_memory_equal(bytes.data, data, BYTES);
    patio_future_destroy(future);
    free(data);
    world_close(&f);
}

static void arguments_stand_where_the_command_has_a_place_for_them(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, SETTINGS("tasks.two.command=printf '%s|' {0} \"<{1}>\" pre{name}post",
                            "tasks.literal.command=printf %s '{{name}} {print $1} {}' {0}",
                            "tasks.plain.command=echo {print"));
    expect_output(&f, "two", PATIO_ARGS_KW((1, "a b"), ("name", 2.5)), "1|<a b>|pre2.5post|");
    expect_output(&f, "two", PATIO_ARGS_KW((patio_bool(true), "$(id) `id` ; '\""), ("name", "{0}")),
                  "true|<$(id) `id` ; '\">|pre{0}post|");
    expect_output(&f, "literal", PATIO_ARGS(""), "{name} {print $1} {}");
    expect_output(&f, "plain", PATIO_NO_ARGS, "{print\n");
    expect_error(&f, "two", PATIO_ARGS(1, 2), "ArgumentError", PATIO_INVALID, "name is missing");
    expect_error(&f, "two", PATIO_ARGS_KW((1, 2, 3), ("name", 1)), "ArgumentError", PATIO_INVALID,
                 "argument 2 has no place");
    expect_error(&f, "two", PATIO_ARGS_KW((1, PATIO_LIST(1)), ("name", 1)), "ArgumentError",
                 PATIO_INVALID, "argument 1 is neither a text nor a number");
    expect_error(&f, "plain", PATIO_ARGS(1, 2), "ArgumentError", PATIO_INVALID, "no place");
    const patio_value nul = patio_string_n("a\0b", 3);
    expect_error(&f, "two", PATIO_ARGS_KW((1, nul), ("name", 1)), "ArgumentError", PATIO_INVALID,
                 "NUL");
    world_close(&f);
}

static void a_shell_is_asked_for_and_gets_arguments_as_its_own(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, SETTINGS("tasks.sh.command=printf '%s-%s' \"$1\" \"$2\" | tr a-z A-Z",
                            "tasks.sh.shell=true"));
    expect_output(&f, "sh", PATIO_ARGS("x; echo y", "$(z)"), "X; ECHO Y-$(Z)");
    expect_error(&f, "sh", PATIO_KW("a", 1), "ArgumentError", PATIO_INVALID, "keyword");
    world_close(&f);
}

static void exit_codes_say_how_it_ended(void **state)
{
    (void)state;
    fixture f;
    world_open(&f,
               SETTINGS("tasks.three.command=echo first >&2; echo last >&2; exit 3",
                        "tasks.three.shell=true", "tasks.quiet.command=exit 1",
                        "tasks.quiet.shell=true",
                        "tasks.retry.command=test $PATIO_ATTEMPT -ge 3 || exit 75",
                        "tasks.retry.shell=true", "tasks.retry.backoff_base_ms=1ms",
                        "tasks.never.command=echo not yet >&2; exit 75", "tasks.never.shell=true",
                        "tasks.never.max_attempts=2", "tasks.never.backoff_base_ms=1ms",
                        "tasks.own.command=exit 9", "tasks.own.shell=true",
                        "tasks.own.retry_exit=9", "tasks.own.max_attempts=1"));
    expect_error(&f, "three", PATIO_NO_ARGS, "ExitCode", 3, "exit code 3: first\nlast");
    expect_error(&f, "quiet", PATIO_NO_ARGS, "ExitCode", 1, "exit code 1");
    expect_output(&f, "retry", PATIO_NO_ARGS, "");
    expect_error(&f, "never", PATIO_NO_ARGS, "ExitCode", 75, "not yet");
    assert_int_equal(stats_of(f.broker).tasks_retried, 3);
    expect_error(&f, "own", PATIO_NO_ARGS, "ExitCode", 9, "exit code 9");
    world_close(&f);
}

static void the_environment_is_what_the_configuration_says(void **state)
{
    (void)state;
    fixture f;
    assert_int_equal(setenv("TEST_SECRET", "hidden", 1), 0);
    assert_int_equal(setenv("TEST_SHOWN", "shown", 1), 0);
    world_open(&f, SETTINGS("tasks.env.command=env", "tasks.env.env=TEST_SHOWN, MODE=a=b,ABSENT",
                            "tasks.cwd.command=pwd", "tasks.cwd.directory=/",
                            "tasks.usual.command=env"));
    patio_future      *future = NULL;
    patio_bytes        bytes;
    char               text[2048];
    char               id[33];
    patio_call_options options = {PATIO_SIZED(patio_call_options),
                                  .traceparent =
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    assert_ok(patio_call(f.broker, "env", PATIO_RAW("text/csv", "a", 1), &options, &future, &f.err),
              f.err);
    assert_status(patio_future_raw(future, &bytes, NULL), PATIO_OK);
    assert_true(bytes.size < sizeof(text));
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    patio_id_format(patio_future_id(future), id);
    assert_contains(text, id);
    assert_contains(text, "TEST_SHOWN=shown\nMODE=a=b\nPATIO_TASK_ID=");
    assert_contains(text, "PATIO_TASK=env\nPATIO_PROJECT=default\nPATIO_ATTEMPT=1\nPATIO_FENCE=");
    assert_contains(text, "PATIO_CONTENT_TYPE=text/csv\nPATIO_REMAINING_MS=");
    assert_contains(text, "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_null(strstr(text, "hidden"));
    assert_null(strstr(text, "PATH="));
    assert_null(strstr(text, "ABSENT"));
    patio_future_destroy(future);
    expect_output(&f, "cwd", PATIO_NO_ARGS, "/\n");
    /* without a word about it: a few names, and none of ours */
    assert_ok(patio_call(f.broker, "usual", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_status(patio_future_raw(future, &bytes, NULL), PATIO_OK);
    assert_true(bytes.size < sizeof(text));
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    assert_contains(text, "PATH=");
    assert_null(strstr(text, "TEST_S"));
    patio_future_destroy(future);
    world_close(&f);
}

static void what_cannot_work_is_refused_when_the_broker_is_made(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *part;
    } rows[] = {
        {"tasks.x.command=no-such-program-here a",
         "there is no program \"no-such-program-here\" in PATH"},
        {"tasks.x.command=/no/such", "there is no program \"/no/such\""},
        {"tasks.x.command=echo 'a", "a quote is not closed"},
        {"tasks.x.command= ", "the command is empty"},
        {"tasks.x.command={0}", "the program itself cannot be an argument"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture            f;
        patio_broker      *broker  = NULL;
        patio_task_options options = {PATIO_SIZED(patio_task_options), .executor = "command"};
        fixture_init(&f);
        assert_ok(patio_registry_add_external(f.registry, "x", &options, &f.err), f.err);
        assert_status(try_broker(&f, f.registry, SETTINGS(rows[i].command), &broker), PATIO_CONFIG);
        assert_contains(f.err.message, rows[i].part);
        fixture_close(&f);
    }
}

static void executors_and_tasks_must_fit_each_other(void **state)
{
    (void)state;
    fixture       f;
    patio_broker *broker = NULL;
    fixture_init(&f);
    assert_ok(patio_registry_add_external(f.registry, "x", NULL, &f.err), f.err);
    assert_status(try_broker(&f, f.registry, NULL, &broker), PATIO_CONFIG);
    assert_contains(f.err.message, "task \"x\" is a command, and executor thread runs functions");
    assert_status(try_broker(&f, f.registry, SETTINGS("executor=command"), &broker), PATIO_CONFIG);
    assert_contains(f.err.message, "task \"x\": option command must be given");
    /* null runs nothing, so that a caller may have the names of a worker; and says so */
    f.broker = start_broker(&f, f.registry, SETTINGS("executor=null"));
    assert_status(patio_call(f.broker, "x", PATIO_NO_ARGS, NULL, NULL, &f.err), PATIO_NO_ROUTE);
    fixture_close(&f);
}

static void executors_work_side_by_side_behind_one_broker(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    add_common_tasks(f.registry);
    patio_task_options options = {PATIO_SIZED(patio_task_options), .executor = "command"};
    assert_ok(patio_registry_add_external(f.registry, "up", &options, &f.err), f.err);
    f.broker = start_broker(&f, f.registry,
                            SETTINGS("tasks.up.command=tr a-z A-Z", "executors.command.workers=2"));
    for (int i = 0; i < 20; i++) {
        patio_future *future = NULL;
        expect_output(&f, "up", PATIO_ARGS("side"), "SIDE");
        assert_ok(patio_call(f.broker, "mul", PATIO_ARGS(6, 7), NULL, &future, &f.err), f.err);
        assert_value(patio_future_value(future), patio_int(42));
        patio_future_destroy(future);
    }
    fixture_close(&f);
}

static void a_hundred_at_once_all_come_back(void **state)
{
    (void)state;
    enum { CALLS = 100 };
    fixture       f;
    patio_future *futures[CALLS] = {NULL};
    world_open(&f, SETTINGS("executor=command", "executor.workers=16", "lookahead=64",
                            "tasks.echo.command=printf %s {0}"));
    for (int i = 0; i < CALLS; i++) {
        assert_ok(patio_start(f.broker, "echo", PATIO_ARGS(i), NULL, &futures[i], &f.err), f.err);
    }
    for (int i = 0; i < CALLS; i++) {
        char        expected[16];
        patio_bytes bytes;
        assert_status(patio_future_wait(futures[i], 20000), PATIO_OK);
        assert_ok(patio_future_status(futures[i], &f.err), f.err);
        assert_status(patio_future_raw(futures[i], &bytes, NULL), PATIO_OK);
        int size = snprintf(expected, sizeof(expected), "%d", i);
        assert_int_equal(bytes.size, size);
        assert_memory_equal(bytes.data, expected, bytes.size);
        patio_future_destroy(futures[i]);
    }
    world_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_is_the_payload_and_output_the_result),
        cmocka_unit_test(a_large_payload_goes_through_in_both_directions),
        cmocka_unit_test(arguments_stand_where_the_command_has_a_place_for_them),
        cmocka_unit_test(a_shell_is_asked_for_and_gets_arguments_as_its_own),
        cmocka_unit_test(exit_codes_say_how_it_ended),
        cmocka_unit_test(the_environment_is_what_the_configuration_says),
        cmocka_unit_test(what_cannot_work_is_refused_when_the_broker_is_made),
        cmocka_unit_test(executors_and_tasks_must_fit_each_other),
        cmocka_unit_test(executors_work_side_by_side_behind_one_broker),
        cmocka_unit_test(a_hundred_at_once_all_come_back),
    };
    return RUN_TESTS("command", tests);
}
