/* Tasks under the executor async, as a program sees them. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <uv.h>

static _Atomic uint32_t waiting;
static char             logged[4096];
static pthread_mutex_t  logging = PTHREAD_MUTEX_INITIALIZER;

static uint64_t arg(patio_context *ctx, size_t i)
{
    uint64_t x = 0;
    return patio_arg_uint64(ctx, i, &x) == PATIO_OK ? x : 0;
}

/* ---- tasks ---- */

/* The sum of 1 to n, by a task that calls itself. */
static patio_status task_sum(patio_context *ctx)
{
    uint64_t      n    = arg(ctx, 0);
    uint64_t      rest = 0;
    patio_future *f    = NULL;
    if (n == 0) {
        return PATIO_RETURN(ctx, 0u);
    }
    patio_status st = patio_call(patio_task_broker(ctx), "sum", PATIO_ARGS(n - 1), NULL, &f, NULL);
    if (st == PATIO_OK) {
        st = patio_value_get_uint64(patio_future_value(f), &rest);
    }
    patio_future_destroy(f);
    return st == PATIO_OK ? PATIO_RETURN(ctx, rest + n) : st;
}

/* How many of its kind wait at once, when it has waited. */
static patio_status task_crowd(patio_context *ctx)
{
    uint64_t     n  = arg(ctx, 0);
    patio_status st = PATIO_OK;
    atomic_fetch_add(&waiting, 1);
    while (atomic_load(&waiting) < n && st == PATIO_OK) {
        st = patio_sleep_ms(ctx, 1);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, n) : st;
}

/* With one loop a counter needs no lock, as long as nothing waits in between. */
static uint64_t     unlocked;
static patio_status task_unlocked(patio_context *ctx)
{
    for (int i = 0; i < 100; i++) {
        unlocked++;
        patio_status st = patio_yield(ctx);
        if (st != PATIO_OK) {
            return st;
        }
    }
    return PATIO_OK;
}

static void on_timer(uv_timer_t *timer)
{
    (void)patio_resume(*(patio_waker *)timer->data);
}

static void on_closed(uv_handle_t *handle)
{
    (void)patio_resume(*(patio_waker *)handle->data);
}

/* A libuv timer on the task's own stack, awaited; then closed, which is awaited shielded. */
static patio_status task_uv_timer(patio_context *ctx)
{
    uv_timer_t  timer;
    patio_waker waker = patio_waker_new(ctx);
    if (patio_task_loop(ctx) == NULL || uv_timer_init(patio_task_loop(ctx), &timer) != 0) {
        return PATIO_UNSUPPORTED;
    }
    timer.data = &waker;
    (void)uv_timer_start(&timer, on_timer, arg(ctx, 0), 0);
    patio_status st = patio_suspend(ctx, PATIO_FOREVER, 0);
    waker           = patio_waker_new(ctx);
    uv_close((uv_handle_t *)&timer, on_closed);
    patio_status closed = patio_suspend(ctx, PATIO_FOREVER, PATIO_SUSPEND_SHIELDED);
    return st != PATIO_OK ? st : closed;
}

static void on_name(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    (void)status;
    uv_freeaddrinfo(found);
    (void)patio_resume(*(patio_waker *)request->data);
}

/* A name is looked up on a thread of libuv's pool while the task waits. */
static patio_status task_look_up(patio_context *ctx)
{
    uv_getaddrinfo_t request;
    patio_waker      waker = patio_waker_new(ctx);
    request.data           = &waker;
    int rc = uv_getaddrinfo(patio_task_loop(ctx), &request, on_name, "127.0.0.1", "80", NULL);
    return rc == 0 ? patio_suspend(ctx, PATIO_FOREVER, PATIO_SUSPEND_SHIELDED) : PATIO_IO;
}

static patio_status task_block(patio_context *ctx)
{
    uint64_t until = test_now_ms() + arg(ctx, 0);
    while (test_now_ms() < until) {
        test_pause();
    }
    return PATIO_OK;
}

static patio_status task_deep(patio_context *ctx)
{
    /* most of a stack of 64 KiB, and what was there is there after a wait */
    char volatile frame[40 * 1024];
    for (size_t i = 0; i < sizeof(frame); i++) {
        frame[i] = (char)i;
    }
    patio_status st = patio_sleep_ms(ctx, 5);
    for (size_t i = 0; i < sizeof(frame) && st == PATIO_OK; i++) {
        st = frame[i] == (char)i ? PATIO_OK : PATIO_INTERNAL;
    }
    return st;
}

static patio_status task_where(patio_context *ctx)
{
    return PATIO_RETURN(ctx, patio_task_loop(ctx) != NULL);
}

static patio_status task_call_elsewhere(patio_context *ctx)
{
    patio_future *f  = NULL;
    bool          on = true;
    patio_status  st =
        patio_call(patio_task_broker(ctx), "where_thread", PATIO_NO_ARGS, NULL, &f, NULL);
    if (st == PATIO_OK) {
        int64_t loop = 1;
        st           = patio_value_get_int64(patio_future_value(f), &loop);
        on           = loop != 0;
    }
    patio_future_destroy(f);
    return st == PATIO_OK ? PATIO_RETURN(ctx, on ? 0 : 1) : st;
}

/* ---- */

static void log_line(void *self, const patio_log_line *line)
{
    (void)self;
    pthread_mutex_lock(&logging);
    size_t used = strlen(logged);
    (void)snprintf(logged + used, sizeof(logged) - used, "%s\n", line->text);
    pthread_mutex_unlock(&logging);
}

static bool was_logged(const char *text)
{
    pthread_mutex_lock(&logging);
    bool found = strstr(logged, text) != NULL;
    pthread_mutex_unlock(&logging);
    return found;
}

static void add_tasks(patio_registry *registry)
{
    const patio_task_options thread = {PATIO_SIZED(patio_task_options), .executor = "thread"};
    add_common_tasks(registry);
    add_task(registry, "sum", task_sum, NULL);
    add_task(registry, "crowd", task_crowd, NULL);
    add_task(registry, "unlocked", task_unlocked, NULL);
    add_task(registry, "uv_timer", task_uv_timer, NULL);
    add_task(registry, "look_up", task_look_up, NULL);
    add_task(registry, "block", task_block, NULL);
    add_task(registry, "deep", task_deep, NULL);
    add_task(registry, "where", task_where, NULL);
    add_task(registry, "where_thread", task_where, &thread);
    add_task(registry, "call_elsewhere", task_call_elsewhere, NULL);
}

static void open_world(fixture *f, const char *workers, const char *loops)
{
    fixture_init(f);
    add_tasks(f->registry);
    f->broker = start_broker(f, f->registry,
                             SETTINGS("broker=memory://", "executor=async", workers, loops));
    atomic_store(&waiting, 0);
}

static patio_future *start(fixture *f, const char *task, const patio_payload *payload)
{
    patio_future *future = NULL;
    assert_ok(patio_start(f->broker, task, payload, NULL, &future, &f->err), f->err);
    return future;
}

static void expect_ok(fixture *f, patio_future *future)
{
    assert_status(patio_future_wait(future, 60000), PATIO_OK);
    assert_ok(patio_future_status(future, &f->err), f->err);
    patio_future_destroy(future);
}

static void nested_calls_on_one_loop_do_not_deadlock(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[5];
#if defined(__SANITIZE_THREAD__)
    enum { DEPTH = 50 }; /* each stack is a thread for it, and takes milliseconds to make */
#else
    enum { DEPTH = 200 };
#endif
    open_world(&f, "executor.workers=1024", "executor.loops=1");
    for (int i = 0; i < 5; i++) {
        futures[i] = start(&f, "sum", PATIO_ARGS(DEPTH));
    }
    for (int i = 0; i < 5; i++) {
        assert_status(patio_future_wait(futures[i], 60000), PATIO_OK);
        assert_value(patio_future_value(futures[i]), patio_uint(DEPTH * (DEPTH + 1) / 2));
        patio_future_destroy(futures[i]);
    }
    fixture_close(&f);
}

static void thousands_wait_at_once(void **state)
{
    (void)state;
#if defined(__SANITIZE_THREAD__)
    enum { MANY = 300 }; /* each stack is a thread for it, and takes a millisecond to make */
#else
    enum { MANY = 3000 };
#endif
    fixture              f;
    static patio_future *futures[MANY];
    open_world(&f, "executor.max_workers=3000", "executor.loops=2");
    for (int i = 0; i < MANY; i++) {
        futures[i] = start(&f, "crowd", PATIO_ARGS((unsigned)MANY));
    }
    for (int i = 0; i < MANY; i++) {
        expect_ok(&f, futures[i]);
    }
    fixture_close(&f);
}

static void a_hundred_at_once_all_answer(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[100];
    open_world(&f, "executor.workers=100", "executor.loops=1");
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++) {
            futures[i] = start(&f, "mul", PATIO_ARGS(i, round));
        }
        for (int i = 0; i < 100; i++) {
            assert_status(patio_future_wait(futures[i], 60000), PATIO_OK);
            assert_value(patio_future_value(futures[i]), patio_int(i * round));
            patio_future_destroy(futures[i]);
        }
    }
    fixture_close(&f);
}

static void with_one_loop_no_two_tasks_run_at_once(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[50];
    open_world(&f, "executor.workers=50", "executor.loops=1");
    unlocked = 0;
    for (int i = 0; i < 50; i++) {
        futures[i] = start(&f, "unlocked", PATIO_NO_ARGS);
    }
    for (int i = 0; i < 50; i++) {
        expect_ok(&f, futures[i]);
    }
    assert_int_equal(unlocked, 5000);
    fixture_close(&f);
}

static void operations_of_libuv_are_awaited(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[20];
    open_world(&f, "executor.workers=100", "executor.loops=2");
    for (unsigned i = 0; i < 20; i++) {
        futures[i] =
            i % 2 == 0 ? start(&f, "uv_timer", PATIO_ARGS(i)) : start(&f, "look_up", PATIO_NO_ARGS);
    }
    for (int i = 0; i < 20; i++) {
        expect_ok(&f, futures[i]);
    }
    /* cancelled while its handle is open: it closes it before it returns */
    patio_future *future = start(&f, "uv_timer", PATIO_ARGS(60000u));
    patio_future_cancel(future);
    patio_future_destroy(future);
    fixture_close(&f);
}

static void deep_tasks_have_their_stack(void **state)
{
    (void)state;
    fixture       f;
    patio_future *futures[50];
    open_world(&f, "executor.workers=50", "executor.loops=1");
    for (int i = 0; i < 50; i++) {
        futures[i] = start(&f, "deep", PATIO_NO_ARGS);
    }
    for (int i = 0; i < 50; i++) {
        expect_ok(&f, futures[i]);
    }
    fixture_close(&f);
}

static void tasks_of_several_executors_call_each_other(void **state)
{
    (void)state;
    fixture f;
    open_world(&f, "executor.workers=10", "executor.loops=1");
    patio_future *future = start(&f, "where", PATIO_NO_ARGS);
    assert_status(patio_future_wait(future, 60000), PATIO_OK);
    assert_value(patio_future_value(future), patio_int(1));
    patio_future_destroy(future);
    future = start(&f, "call_elsewhere", PATIO_NO_ARGS);
    assert_status(patio_future_wait(future, 60000), PATIO_OK);
    assert_value(patio_future_value(future), patio_int(1));
    patio_future_destroy(future);
    fixture_close(&f);
}

static void who_blocks_the_loop_is_named_in_the_log(void **state)
{
    (void)state;
    fixture               f;
    patio_runtime_options options = {PATIO_SIZED(patio_runtime_options),
                                     .log_level = PATIO_LOG_WARN, .log = log_line};
    fixture_init(&f);
    patio_runtime_destroy(f.runtime);
    options.allocator = &f.memory.mem;
    assert_ok(patio_runtime_create(&options, &f.runtime, &f.err), f.err);
    add_tasks(f.registry);
    f.broker =
        start_broker(&f, f.registry,
                     SETTINGS("broker=memory://", "executor=async", "executor.block_warn_ms=20ms"));
    logged[0] = '\0';
    expect_ok(&f, start(&f, "block", PATIO_ARGS(200u)));
    AWAIT(was_logged("task block has let go of event loop 0") ||
          was_logged("has let go of event loop 0"));
    assert_true(was_logged("task block ("));
    assert_true(was_logged("holds event loop 0"));
    fixture_close(&f);
}

/* What a call may end with when memory runs out somewhere on its way. */
static bool is_clean(patio_status st)
{
    return st == PATIO_OK || st == PATIO_NO_MEMORY || st == PATIO_TOO_LARGE ||
           st == PATIO_PROTOCOL || st == PATIO_TASK_FAILED || st == PATIO_TIMEOUT;
}

/* One life with each allocation failing in turn: every call ends, nothing leaks. */
static void live_once(size_t fail_at, bool *failed)
{
    fixture            f;
    patio_broker      *broker  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 2000};
    fixture_init(&f);
    add_tasks(f.registry);
    f.memory.fail_at = atomic_load(&f.memory.calls) + fail_at;
    patio_status st =
        try_broker(&f, f.registry,
                   SETTINGS("broker=memory://", "executor=async", "executor.workers=32"), &broker);
    if (st == PATIO_OK && patio_broker_start(broker, &f.err) == PATIO_OK) {
        st = patio_call(broker, "sum", PATIO_ARGS(3), &options, NULL, &f.err);
        assert_true(is_clean(st));
        st = patio_call(broker, "deep", PATIO_NO_ARGS, &options, NULL, &f.err);
        assert_true(is_clean(st));
        f.memory.fail_at = 0;
        assert_ok(patio_call(broker, "sum", PATIO_ARGS(3), NULL, NULL, &f.err), f.err);
    }
    *failed = atomic_load(&f.memory.failed);
    patio_broker_destroy(broker);
    f.broker = NULL;
    fixture_close(&f);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t i = 30; i < 800 && failed; i++) {
        live_once(i, &failed);
    }
    assert_false(failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_calls_on_one_loop_do_not_deadlock),
        cmocka_unit_test(thousands_wait_at_once),
        cmocka_unit_test(a_hundred_at_once_all_answer),
        cmocka_unit_test(with_one_loop_no_two_tasks_run_at_once),
        cmocka_unit_test(operations_of_libuv_are_awaited),
        cmocka_unit_test(deep_tasks_have_their_stack),
        cmocka_unit_test(tasks_of_several_executors_call_each_other),
        cmocka_unit_test(who_blocks_the_loop_is_named_in_the_log),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return RUN_TESTS("async tasks", tests);
}
