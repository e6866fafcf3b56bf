/* A whole life of a broker with its n-th allocation failing, for every n: each failure is a clean
 * status, nothing leaks, nothing hangs. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

enum { DEADLINE_MS = 2000, NO_MORE_THAN = 5000 };

static _Atomic uint32_t callbacks;

static patio_status task_retry_once(patio_context *ctx)
{
    if (patio_task_attempt(ctx) == 1) {
        return patio_task_retry(ctx, 1, "once more");
    }
    void *memory = patio_task_alloc(ctx, 5000); /* beyond the first scratch */
    return memory != NULL ? PATIO_RETURN(ctx, "second") : PATIO_NO_MEMORY;
}

static patio_status task_fail(patio_context *ctx)
{
    return patio_task_fail_with(ctx, 4, "Detailed", "with details",
                                PATIO_ARGS(PATIO_MAP("a", 1, "b", PATIO_LIST(1, 2, 3))));
}

static void add_tasks(patio_registry *registry)
{
    patio_task_options mine = {PATIO_SIZED(patio_task_options), .queue = "mine"};
    add_common_tasks(registry);
    add_task(registry, "retry_once", task_retry_once, NULL);
    add_task(registry, "fail", task_fail, NULL);
    add_task(registry, "mul_in_mine", task_mul, &mine);
}

/* What a call or send may end with when memory runs out somewhere on its way: here, at the worker
 * (who then cannot read it, or answer), or where the answer is read. */
static bool is_clean(patio_status st)
{
    switch (st) {
    case PATIO_OK:
    case PATIO_NO_MEMORY:
    case PATIO_TOO_LARGE: /* decoding beyond its budget and beyond memory look the same */
    case PATIO_PROTOCOL:
    case PATIO_TASK_FAILED:
    case PATIO_TIMEOUT: /* not even an error could be sent: the deadline speaks */
        return true;
    default:
        return false;
    }
}

static void expect_clean(patio_status st, const char *what)
{
    if (!is_clean(st)) {
        fail_msg("%s ended as %s", what, patio_status_name(st));
    }
}

static void on_done(patio_future *future, void *arg)
{
    (void)arg;
    (void)patio_future_value(future);
    patio_future_destroy(future);
    atomic_fetch_add(&callbacks, 1);
}

/* ---- the scenario, in parts; each may fail, and the next goes on all the same ---- */

static void call_with_values(patio_broker *broker)
{
    const patio_header headers[] = {{"tenant", "acme"}, {"user", "ann"}};
    patio_call_options options   = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                    .headers = headers, .header_count = 2};
    patio_future      *future    = NULL;
    static char        text[3000];
    memset(text, 'x', sizeof(text) - 1);
    patio_value  nested = PATIO_MAP("list", PATIO_LIST(1, 2.5, "three", PATIO_LIST(patio_null())),
                                    "text", (const char *)text);
    patio_status st     = patio_call(broker, "echo", PATIO_ARGS_KW((nested, 2), ("width", 128)),
                                     &options, &future, NULL);
    expect_clean(st, "call");
    if (st == PATIO_OK) {
        assert_value(patio_future_value(future), nested);
    }
    patio_future_destroy(future);
}

static void call_with_error(patio_broker *broker)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS};
    patio_future      *future  = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_status       st = patio_start(broker, "fail", PATIO_NO_ARGS, &options, &future, &err);
    expect_clean(st, "start");
    if (st == PATIO_OK) {
        assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
        expect_clean(patio_future_status(future, &err), "failing call");
        (void)patio_future_error(future);
        patio_future_destroy(future);
    }
}

static void call_others(patio_broker *broker)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS};
    patio_call_options other   = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                  .queue = "mine"};
    expect_clean(patio_call(broker, "retry_once", PATIO_NO_ARGS, &options, NULL, NULL), "retry");
    expect_clean(patio_call(broker, "mul_in_mine", PATIO_ARGS(6, 7), &other, NULL, NULL), "queue");
    expect_clean(patio_call(broker, "echo", PATIO_RAW("x/y", "abc", 3), &options, NULL, NULL),
                 "raw");
}

static void send_with_delay(patio_broker *broker)
{
    patio_call_options later  = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                 .delay_ms = 1};
    patio_call_options never  = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                 .delay_ms = 3600000};
    uint32_t           before = atomic_load(&runs);
    patio_status       st     = patio_send(broker, "count", PATIO_NO_ARGS, &later, NULL, NULL);
    expect_clean(st, "send");
    expect_clean(patio_send(broker, "count", PATIO_NO_ARGS, &never, NULL, NULL), "send");
    if (st == PATIO_OK) {
        AWAIT(atomic_load(&runs) > before ||
              counts_of(broker, NULL).dead > 0); /* executed or visibly dead */
    }
    expect_clean(patio_send(broker, "fail", PATIO_NO_ARGS, NULL, NULL, NULL), "send");
}

static void cancel_one(patio_broker *broker)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS};
    patio_future      *future  = NULL;
    patio_status       st =
        patio_start(broker, "until_cancelled", PATIO_NO_ARGS, &options, &future, NULL);
    expect_clean(st, "start");
    if (st == PATIO_OK) {
        patio_future_cancel(future);
        assert_true(patio_future_done(future));
        patio_future_destroy(future);
    }
}

static void callbacks_of_calls_and_sends(patio_broker *broker)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                  .on_done = on_done};
    patio_future      *ignored = NULL;
    uint32_t           owed    = atomic_load(&callbacks);
    patio_status       st = patio_start(broker, "mul", PATIO_ARGS(1), &options, &ignored, NULL);
    expect_clean(st, "start");
    owed += st == PATIO_OK;
    st = patio_send_start(broker, "count", PATIO_NO_ARGS, &options, &ignored, NULL);
    expect_clean(st, "send_start");
    owed += st == PATIO_OK;
    AWAIT(atomic_load(&callbacks) == owed);
}

/* The first may find no memory for a look at the deadlines; then the second asks for one. */
static void deadlines_nobody_waits_for(patio_broker *broker)
{
    uint32_t owed = atomic_load(&callbacks);
    for (int i = 0; i < 2; i++) {
        patio_call_options soon    = {PATIO_SIZED(patio_call_options), .timeout_ms = 5,
                                      .delay_ms = 3600000, .on_done = on_done};
        patio_future      *ignored = NULL;
        patio_status       st = patio_start(broker, "mul", PATIO_NO_ARGS, &soon, &ignored, NULL);
        expect_clean(st, "start");
        owed += st == PATIO_OK;
    }
    AWAIT(atomic_load(&callbacks) == owed);
}

static void use(patio_broker *broker)
{
    deadlines_nobody_waits_for(broker);
    call_with_values(broker);
    call_with_error(broker);
    call_others(broker);
    send_with_delay(broker);
    cancel_one(broker);
    callbacks_of_calls_and_sends(broker);
}

/* Brings a broker up, and uses it. */
static patio_status live(failing_alloc *memory, patio_registry *registry, patio_config *config)
{
    patio_runtime_options options = {PATIO_SIZED(patio_runtime_options), .log_level = PATIO_LOG_OFF,
                                     .allocator = &memory->mem};
    patio_runtime        *runtime = NULL;
    patio_broker         *broker  = NULL;
    patio_error           err     = PATIO_ERROR_INIT;
    patio_status          st      = patio_runtime_create(&options, &runtime, &err);
    if (st == PATIO_OK) {
        st = patio_broker_create(runtime, registry, config, &broker, &err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_start(broker, &err);
    }
    if (st != PATIO_OK && st != PATIO_NO_MEMORY) {
        fail_msg("bringing up ended as %s: %s", patio_status_name(st), err.message);
    }
    if (st == PATIO_OK) {
        use(broker);
        assert_status(patio_broker_stop(broker, 20000, NULL), PATIO_OK);
    }
    patio_broker_destroy(broker);
    patio_runtime_destroy(runtime);
    return st;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    size_t          n        = 0;
    bool            failed   = true;
    uint64_t        slow     = 0;
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_config   *config   = NULL;
    assert_ok(patio_registry_create(NULL, &registry, &err), err);
    add_tasks(registry);
    assert_ok(patio_config_create(&config, &err), err);
    static const char *const settings[][2] = {
        {"broker", "memory://no_memory?max_dead=10"},
        {"executor.workers", "2"},
        {"transport.max_queued", "1000"},
        {"tasks.mul.priority", "7"},
        {"tasks.echo.queue", "mine"},
        {"executor.stack_bytes", "256KiB"},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        assert_ok(patio_config_set(config, settings[i][0], settings[i][1], "test", &err), err);
    }
    while (failed) {
        failing_alloc memory;
        failing_alloc_init(&memory, ++n);
        gate_reset(&the_gate);
        uint64_t from = test_now_ms();
        (void)live(&memory, registry, config);
        slow += test_now_ms() - from > DEADLINE_MS;
        if (atomic_load(&memory.live) != 0) {
            fail_msg("with allocation %zu failing %zu are left", n, atomic_load(&memory.live));
        }
        failed = atomic_load(&memory.failed);
        assert_true(n < NO_MORE_THAN);
    }
    print_message("%zu allocations failed in turn; %u runs waited for a deadline\n", n - 1,
                  (unsigned)slow);
    assert_true(n > 50);
    patio_config_destroy(config);
    patio_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };
    return RUN_TESTS("no memory", tests);
}
