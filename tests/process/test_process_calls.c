/* What a task can do in a child process is what it can do anywhere. */
#include "world.h"

#include <string.h>
#include <unistd.h>

static void a_task_runs_in_another_process(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    expect_good(&f);
    assert_true(number_of(call_it(&f, "who", PATIO_NO_ARGS, 0)) != getpid());
    world_close(&f, 5000);
}

static void errors_and_retries_come_back_as_from_a_thread(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    patio_future *future = call_it(&f, "fails", PATIO_NO_ARGS, 0);
    assert_status(patio_future_status(future, &f.err), PATIO_TASK_FAILED);
    const patio_task_error *error = patio_future_error(future);
    assert_int_equal(error->code, 7);
    assert_string_equal(error->type, "Wrong");
    assert_string_equal(error->message, "attempt 1");
    patio_future_destroy(future);
    assert_int_equal(number_of(call_it(&f, "retries", PATIO_NO_ARGS, 0)), 3);
    world_close(&f, 5000);
}

static void a_hundred_at_once_are_all_right(void **state)
{
    (void)state;
    enum { N = 2000 };
    static patio_future *futures[N];
    fixture              f;
    world_open(&f, WORLD("lookahead=128"));
    for (int i = 0; i < N; i++) {
        assert_ok(patio_start(f.broker, "add", PATIO_ARGS(i, 1), NULL, &futures[i], &f.err), f.err);
    }
    for (int i = 0; i < N; i++) {
        assert_status(patio_future_wait(futures[i], 30000), PATIO_OK);
        assert_int_equal(number_of(futures[i]), i + 1);
    }
    world_close(&f, 5000);
}

static void check_reversed(fixture *f, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 31 >> 3);
    }
    patio_value   value = patio_blob(bytes, size);
    patio_payload p = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES, .values = &value,
                       .value_count = 1};
    patio_future *future = call_it(f, "reverse", &p, 0);
    patio_bytes   got;
    assert_ok(patio_future_status(future, &f->err), f->err);
    assert_ok(patio_value_get_bytes(patio_future_value(future), &got), f->err);
    assert_int_equal(got.size, size);
    for (size_t i = 0; i < size; i++) {
        if (got.data[i] != bytes[size - 1 - i]) {
            fail_msg("byte %zu of %zu", i, size);
        }
    }
    patio_future_destroy(future);
    free(bytes);
}

static void arguments_of_any_size_come_and_go(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,     1023,  1024,  16384,  32600,  32767,
                                   32768, 32769, 48000, 65536, 100000, 200000, 4 << 20};
    fixture             f;
    world_open(&f, WORLD("max_body_bytes=8MiB", "lookahead=8"));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_reversed(&f, sizes[i]);
    }
    world_close(&f, 5000);
}

static void a_task_calls_another_through_its_parent(void **state)
{
    (void)state;
    fixture f;
    world_open(&f, WORLD("max_pending=100"));
    assert_int_equal(number_of(call_it(&f, "nested", PATIO_NO_ARGS, 0)), 42);
    assert_int_equal(number_of(call_it(&f, "nested_nobody", PATIO_NO_ARGS, 0)), PATIO_NO_ROUTE);
    world_close(&f, 5000);
}

static void a_cancelled_task_is_told(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    world_open(&f, WORLD("executor.kill_grace_ms=30s"));
    assert_ok(patio_start(f.broker, "slow", PATIO_ARGS(60000), NULL, &future, &f.err), f.err);
    AWAIT(stats_of(f.broker).tasks_started == 1);
    patio_future_cancel(future);
    assert_status(patio_future_status(future, &f.err), PATIO_CANCELLED);
    patio_future_destroy(future);
    AWAIT(stats_of(f.broker).tasks_running == 0);
    expect_good(&f);
    world_close(&f, 5000);
}

/* ---- log and progress ---- */

typedef struct heard {
    pthread_mutex_t lock;
    char            text[4096];
    unsigned        with_id;
} heard;

static void hear(void *self, const patio_log_line *line)
{
    heard *h = self;
    pthread_mutex_lock(&h->lock);
    strncat(h->text, line->text, sizeof(h->text) - strlen(h->text) - 1);
    strncat(h->text, "|", sizeof(h->text) - strlen(h->text) - 1);
    h->with_id += strlen(line->task_id) == 32 ? 1 : 0;
    pthread_mutex_unlock(&h->lock);
}

static bool has_heard(heard *h, const char *part)
{
    pthread_mutex_lock(&h->lock);
    bool has = strstr(h->text, part) != NULL;
    pthread_mutex_unlock(&h->lock);
    return has;
}

static _Atomic uint32_t progress_heard;

static void note_progress(patio_future *future, const patio_progress *p, void *arg)
{
    (void)future;
    (void)arg;
    if (p->numerator == 1 && p->denominator == 2 && strcmp(p->note, "half") == 0) {
        progress_heard++;
    }
}

static void what_a_task_says_is_heard_with_its_id(void **state)
{
    (void)state;
    static heard          h        = {.lock = PTHREAD_MUTEX_INITIALIZER};
    patio_error           err      = PATIO_ERROR_INIT;
    patio_runtime        *runtime  = NULL;
    patio_registry       *registry = NULL;
    patio_config         *config   = NULL;
    patio_broker         *broker   = NULL;
    patio_future         *future   = NULL;
    patio_runtime_options options  = {PATIO_SIZED(patio_runtime_options),
                                      .log_level = PATIO_LOG_INFO, .log = hear, .log_self = &h};
    patio_call_options    call = {PATIO_SIZED(patio_call_options), .on_progress = note_progress};
    assert_ok(patio_runtime_create(&options, &runtime, &err), err);
    assert_ok(make_registry(&registry, &err), err);
    assert_ok(patio_config_create(&config, &err), err);
    assert_ok(patio_config_set(config, "executor", "process", NULL, &err), err);
    assert_ok(patio_config_set(config, "executors.process.start_timeout_ms", "120s", NULL, &err),
              err);
    assert_ok(patio_broker_create(runtime, registry, config, &broker, &err), err);
    assert_ok(patio_broker_start(broker, &err), err);
    assert_ok(patio_call(broker, "talks", PATIO_NO_ARGS, &call, &future, &err), err);
    patio_future_destroy(future);
    AWAIT(has_heard(&h, "stdout: a line of talks|"));
    AWAIT(has_heard(&h, "a line for the log|"));
    AWAIT(progress_heard == 1);
    assert_true(h.with_id >= 2);
    assert_ok(patio_broker_stop(broker, 5000, &err), err);
    assert_true(has_heard(&h, "stderr: an error without end|"));
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    patio_config_destroy(config);
    patio_runtime_destroy(runtime);
}

/* ---- another registry ---- */

static patio_status nothing(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

static void another_registry_is_an_error_at_the_start(void **state)
{
    (void)state;
    fixture       f;
    patio_broker *broker = NULL;
    fixture_init(&f);
    patio_registry_destroy(f.registry);
    f.registry = NULL;
    assert_ok(make_registry(&f.registry, &f.err), f.err);
    add_task(f.registry, "only.here", nothing, NULL);
    broker = make_broker(&f, f.registry, WORLD("max_pending=100"));
    assert_status(patio_broker_start(broker, &f.err), PATIO_CONFIG);
    assert_contains(f.err.message, "another registry");
    patio_broker_destroy(broker);
    assert_int_equal(count_children(), 0);
    fixture_close(&f);
}

static void a_program_that_is_not_there_is_named(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    patio_registry_destroy(f.registry);
    f.registry = NULL;
    assert_ok(make_registry(&f.registry, &f.err), f.err);
    patio_broker *broker = make_broker(&f, f.registry, WORLD("executor.program=/no/such/program"));
    assert_true(patio_broker_start(broker, &f.err) != PATIO_OK);
    assert_contains(f.err.message, "/no/such/program");
    patio_broker_destroy(broker);
    fixture_close(&f);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make_registry);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_runs_in_another_process),
        cmocka_unit_test(errors_and_retries_come_back_as_from_a_thread),
        cmocka_unit_test(a_hundred_at_once_are_all_right),
        cmocka_unit_test(arguments_of_any_size_come_and_go),
        cmocka_unit_test(a_task_calls_another_through_its_parent),
        cmocka_unit_test(a_cancelled_task_is_told),
        cmocka_unit_test(what_a_task_says_is_heard_with_its_id),
        cmocka_unit_test(another_registry_is_an_error_at_the_start),
        cmocka_unit_test(a_program_that_is_not_there_is_named),
    };
    return RUN_TESTS("process: calls", tests);
}
