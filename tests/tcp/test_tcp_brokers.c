/* Brokers that meet over sockets: who listens, who connects, who calls and who executes do not
 * depend on each other. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { MOST_URLS = 4 };

static _Atomic uint32_t runs;
static _Atomic uint32_t gate_waits;
static _Atomic bool     gate_open;

static patio_status add(patio_context *ctx)
{
    int64_t      a  = 0;
    int64_t      b  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    st              = st == PATIO_OK ? patio_arg_int64(ctx, 1, &b) : st;
    atomic_fetch_add(&runs, 1);
    return st == PATIO_OK ? PATIO_RETURN(ctx, a + b) : st;
}

static patio_status length(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    return st == PATIO_OK ? patio_return(ctx, patio_blob(bytes.data, bytes.size)) : st;
}

/* Waits for the gate, or for its cancellation. */
static patio_status gate(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open) && !patio_task_cancelled(ctx)) {
        usleep(1000);
    }
    atomic_fetch_sub(&gate_waits, 1);
    return PATIO_RETURN(ctx, (int64_t)getpid());
}

/* Asks the other side, from inside a task. */
static patio_status there(patio_context *ctx)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_status       st =
        patio_call(patio_task_broker(ctx), "back", PATIO_ARGS(20, 1), &options, &f, NULL);
    int64_t sum = st == PATIO_OK ? patio_future_value(f)->as.i64 : 0;
    patio_future_destroy(f);
    return st == PATIO_OK ? PATIO_RETURN(ctx, 2 * sum) : patio_task_fail(ctx, 1, "Nested", "no");
}

static patio_status second_time(patio_context *ctx)
{
    uint32_t attempt = patio_task_attempt(ctx);
    return attempt < 2 ? patio_task_retry(ctx, 20, "again") : PATIO_RETURN(ctx, (int64_t)attempt);
}

static patio_status broken(patio_context *ctx)
{
    return patio_task_fail(ctx, 7, "Broken", "on purpose");
}

typedef struct side {
    patio_registry *registry;
    patio_broker   *broker;
} side;

typedef struct named {
    const char   *name;
    patio_task_fn fn;
} named;

/* A broker with some tasks on some URLs; %s in a URL stands for the test's folder. */
static patio_status open_side(side *s, const named *tasks, size_t count, const char *const *urls,
                              patio_error *err)
{
    patio_config *config = NULL;
    *s                   = (side){NULL, NULL};
    assert_int_equal(patio_config_create(&config, err), PATIO_OK);
    for (size_t i = 0; urls[i] != NULL; i++) {
        char key[32];
        char url[256];
        (void)snprintf(key, sizeof(key), "broker.%zu", i);
        const char *mark = strstr(urls[i], "%s");
        (void)snprintf(url, sizeof(url), "%.*s%s%s", mark ? (int)(mark - urls[i]) : 0, urls[i],
                       mark ? folder : "", mark ? mark + 2 : urls[i]);
        assert_int_equal(patio_config_set(config, key, url, "test", err), PATIO_OK);
    }
    assert_int_equal(patio_config_set(config, "log.level", "off", "test", err), PATIO_OK);
    assert_int_equal(patio_config_set(config, "executor.workers", "2", "test", err), PATIO_OK);
    assert_int_equal(patio_config_set(config, "max_body_bytes", "15MiB", "test", err), PATIO_OK);
    if (count > 0) {
        assert_int_equal(patio_registry_create(NULL, &s->registry, err), PATIO_OK);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(PATIO_ADD_AS(s->registry, tasks[i].name, tasks[i].fn, err), PATIO_OK);
    }
    patio_status st = patio_broker_create(NULL, s->registry, config, &s->broker, err);
    patio_config_destroy(config);
    return st == PATIO_OK ? patio_broker_start(s->broker, err) : st;
}

#define URLS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void open_well(side *s, const named *tasks, size_t count, const char *const *urls)
{
    patio_error err = PATIO_ERROR_INIT;
    if (open_side(s, tasks, count, urls, &err) != PATIO_OK) {
        fail_msg("open: %s", err.message);
    }
}

static void close_side(side *s)
{
    patio_broker_destroy(s->broker);
    patio_registry_destroy(s->registry);
    *s = (side){NULL, NULL};
}

static patio_status call_add(const side *s, const char *task, int64_t *sum, uint64_t timeout_ms,
                             uint32_t flags)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = timeout_ms,
                                  .flags = flags};
    patio_status       st      = patio_call(s->broker, task, PATIO_ARGS(20, 3), &options, &f, NULL);
    if (st == PATIO_OK) {
        *sum = patio_future_value(f)->as.i64;
    }
    patio_future_destroy(f);
    return st;
}

static void expect_add(const side *s, const char *task)
{
    int64_t sum = 0;
    assert_int_equal(call_add(s, task, &sum, 60000, PATIO_CALL_WAIT_ROUTE), PATIO_OK);
    assert_int_equal(sum, 23);
}

static patio_counts count(const side *s)
{
    patio_counts c = {PATIO_SIZED(patio_counts)};
    assert_int_equal(patio_broker_counts(s->broker, NULL, 20000, &c, NULL), PATIO_OK);
    return c;
}

static bool until(bool (*holds)(const void *arg), const void *arg)
{
    for (int i = 0; i < 5000; i++) {
        if (holds(arg)) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

static const named adder[]  = {{"add", add}};
static const named gated[]  = {{"gate", gate}, {"add", add}};
static const named caller[] = {{"back", add}};
static const named asker[]  = {{"there", there}};

static void both_sides_call_and_execute(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, caller, 1, URLS("unix+listen://%s/1"));
    open_well(&b, asker, 1, URLS("unix://%s/1"));
    expect_add(&b, "back");
    int64_t sum = 0;
    assert_int_equal(call_add(&a, "there", &sum, 60000, PATIO_CALL_WAIT_ROUTE), PATIO_OK);
    assert_int_equal(sum, 42); /* which called back while it ran */
    close_side(&b);
    close_side(&a);
}

static bool none_ready(const void *arg)
{
    patio_counts c = count(arg);
    return c.ready == 0 && c.leased == 0;
}

static void nobody_there_is_no_route_at_once(void **state)
{
    (void)state;
    side    a;
    int64_t sum = 0;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/2"));
    assert_int_equal(call_add(&a, "add", &sum, 60000, 0), PATIO_NO_ROUTE);
    assert_int_equal(call_add(&a, "add", &sum, 50, PATIO_CALL_WAIT_ROUTE), PATIO_TIMEOUT);
    assert_true(until(none_ready, &a));
    assert_int_equal(count(&a).dead, 0);
    close_side(&a);
}

static void sends_wait_for_a_worker(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/3"));
    atomic_store(&runs, 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(patio_send(a.broker, "add", PATIO_ARGS(1, 2), NULL, NULL, NULL), PATIO_OK);
    }
    assert_int_equal(count(&a).ready, 300);
    open_well(&b, adder, 1, URLS("unix://%s/3"));
    assert_true(until(none_ready, &a));
    assert_int_equal(atomic_load(&runs), 300);
    assert_int_equal(count(&a).consumers, 1);
    close_side(&b);
    close_side(&a);
}

static void an_unknown_task_delays_nobody(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/4"));
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(patio_send(a.broker, "unknown", PATIO_NO_ARGS, NULL, NULL, NULL),
                         PATIO_OK);
    }
    open_well(&b, adder, 1, URLS("unix://%s/4"));
    expect_add(&a, "add");
    assert_int_equal(count(&a).ready, 1000);
    close_side(&b);
    close_side(&a);
}

static void three_workers_share(void **state)
{
    (void)state;
    side          a;
    side          w[3];
    patio_future *f[12];
    atomic_store(&gate_open, false);
    open_well(&a, NULL, 0, URLS("unix+listen://%s/5"));
    for (int i = 0; i < 3; i++) {
        open_well(&w[i], gated, 2, URLS("unix://%s/5"));
        expect_add(&a, "add");
    }
    for (int i = 0; i < 500 && count(&a).consumers < 3; i++) {
        usleep(2000);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal(patio_start(a.broker, "gate", PATIO_NO_ARGS, NULL, &f[i], NULL), PATIO_OK);
    }
    for (int i = 0; i < 5000 && atomic_load(&gate_waits) < 6; i++) {
        usleep(1000);
    }
    for (int i = 0; i < 3; i++) {
        patio_broker_stats stats = {PATIO_SIZED(patio_broker_stats)};
        patio_broker_get_stats(w[i].broker, &stats);
        assert_int_equal(stats.tasks_running, 2);
    }
    atomic_store(&gate_open, true);
    assert_int_equal(patio_future_wait_all(f, 12, 10000), PATIO_OK);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(patio_future_status(f[i], NULL), PATIO_OK);
        patio_future_destroy(f[i]);
    }
    for (int i = 0; i < 3; i++) {
        close_side(&w[i]);
    }
    close_side(&a);
}

static void a_mesh_of_three(void **state)
{
    (void)state;
    static const named one[]   = {{"one", add}};
    static const named two[]   = {{"two", add}};
    static const named three[] = {{"three", add}};
    side               s[3];
    open_well(&s[0], one, 1, URLS("unix+listen://%s/m1", "unix://%s/m2", "unix://%s/m3"));
    open_well(&s[1], two, 1, URLS("unix+listen://%s/m2", "unix://%s/m1", "unix://%s/m3"));
    open_well(&s[2], three, 1, URLS("unix+listen://%s/m3", "unix://%s/m1", "unix://%s/m2"));
    for (int i = 0; i < 3; i++) {
        expect_add(&s[i], "one");
        expect_add(&s[i], "two");
        expect_add(&s[i], "three");
    }
    for (int i = 0; i < 3; i++) {
        close_side(&s[i]);
    }
}

static void large_payloads_arrive_whole_beside_small_ones(void **state)
{
    (void)state;
    enum { LARGE = 10 * 1024 * 1024, COUNT = 6 };
    static const named echoes[] = {{"length", length}, {"add", add}};
    side               a;
    side               b;
    patio_future      *f[COUNT];
    uint8_t           *data = malloc(LARGE);
    assert_non_null(data);
    for (size_t i = 0; i < LARGE; i++) {
        data[i] = (uint8_t)(i * 7 + i / 65536);
    }
    open_well(&a, NULL, 0, URLS("unix+listen://%s/6"));
    open_well(&b, echoes, 2, URLS("unix://%s/6"));
    expect_add(&a, "add");
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(patio_start(a.broker, "length", PATIO_ARGS(patio_blob(data, LARGE - i)),
                                     NULL, &f[i], NULL),
                         PATIO_OK);
    }
    for (int i = 0; i < 20; i++) {
        expect_add(&a, "add");
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(patio_future_wait(f[i], 60000), PATIO_OK);
        assert_int_equal(patio_future_status(f[i], NULL), PATIO_OK);
        const patio_value *v = patio_future_value(f[i]);
        assert_int_equal(v->size, LARGE - i);
        assert_memory_equal(v->as.bytes, data, LARGE - i);
        patio_future_destroy(f[i]);
    }
    free(data);
    close_side(&b);
    close_side(&a);
}

static void errors_retries_and_dead_letters(void **state)
{
    (void)state;
    static const named tasks[] = {{"second", second_time}, {"broken", broken}};
    side               a;
    side               b;
    open_well(&a, NULL, 0, URLS("unix+listen://%s/7"));
    open_well(&b, tasks, 2, URLS("unix://%s/7"));
    int64_t attempt = 0;
    assert_int_equal(call_add(&a, "second", &attempt, 60000, PATIO_CALL_WAIT_ROUTE), PATIO_OK);
    assert_int_equal(attempt, 2);
    assert_int_equal(call_add(&a, "broken", &attempt, 60000, 0), PATIO_TASK_FAILED);
    assert_int_equal(count(&a).dead, 0);
    assert_int_equal(patio_send(a.broker, "broken", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_OK);
    for (int i = 0; i < 5000 && count(&a).dead == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(count(&a).dead, 1);
    close_side(&b);
    close_side(&a);
}

static void a_delay_is_kept(void **state)
{
    (void)state;
    side               a;
    side               b;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .delay_ms = 150};
    open_well(&a, NULL, 0, URLS("unix+listen://%s/8"));
    open_well(&b, adder, 1, URLS("unix://%s/8"));
    expect_add(&a, "add");
    atomic_store(&runs, 0);
    assert_int_equal(patio_send(a.broker, "add", PATIO_ARGS(1, 2), &options, NULL, NULL), PATIO_OK);
    assert_int_equal(count(&a).delayed, 1);
    usleep(50 * 1000);
    assert_int_equal(atomic_load(&runs), 0);
    for (int i = 0; i < 5000 && atomic_load(&runs) == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&runs), 1);
    close_side(&b);
    close_side(&a);
}

static bool none_waits(const void *arg)
{
    (void)arg;
    return atomic_load(&gate_waits) == 0;
}

static void a_cancel_reaches_queued_and_running(void **state)
{
    (void)state;
    side          a;
    side          b;
    patio_future *f[6];
    atomic_store(&gate_open, false);
    open_well(&a, NULL, 0, URLS("unix+listen://%s/9"));
    open_well(&b, gated, 2, URLS("unix://%s/9"));
    expect_add(&a, "add");
    for (int i = 0; i < 6; i++) {
        assert_int_equal(patio_start(a.broker, "gate", PATIO_NO_ARGS, NULL, &f[i], NULL), PATIO_OK);
    }
    for (int i = 0; i < 5000 && atomic_load(&gate_waits) < 2; i++) {
        usleep(1000);
    }
    for (int i = 5; i >= 0; i--) {
        patio_future_cancel(f[i]);
        assert_int_equal(patio_future_status(f[i], NULL), PATIO_CANCELLED);
        patio_future_destroy(f[i]);
    }
    assert_true(until(none_waits, NULL));
    assert_true(until(none_ready, &a));
    atomic_store(&gate_open, true);
    close_side(&b);
    close_side(&a);
}

static void the_listener_may_be_restarted(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, caller, 1, URLS("unix+listen://%s/10"));
    open_well(&b, adder, 1, URLS("unix://%s/10?reconnect_max_ms=50"));
    for (int i = 0; i < 10; i++) {
        expect_add(&a, "add");
        close_side(&a);
        open_well(&a, caller, 1, URLS("unix+listen://%s/10"));
        expect_add(&b, "back");
    }
    close_side(&b);
    close_side(&a);
}

static void a_wrong_key_is_seen_by_who_connects(void **state)
{
    (void)state;
    side        a;
    side        b;
    patio_error err = PATIO_ERROR_INIT;
    open_well(&a, adder, 1, URLS("unix+listen://%s/11?key=sesame"));
    open_well(&b, NULL, 0, URLS("unix://%s/11?key=sesame"));
    expect_add(&b, "add");
    close_side(&b);
    assert_int_equal(open_side(&b, NULL, 0, URLS("unix://%s/11?key=simsim"), &err), PATIO_AUTH);
    assert_null(strstr(err.message, "simsim"));
    close_side(&b);
    assert_int_equal(open_side(&b, NULL, 0, URLS("unix://%s/11"), &err), PATIO_AUTH);
    close_side(&b);
    close_side(&a);
}

/* A worker process, killed with a hundred calls in flight: each of them ends, and at once. */
static void a_killed_worker_ends_its_calls(void **state)
{
    (void)state;
    enum { CALLS = 100 };
    const char *patio = getenv("PATIO");
    if (patio == NULL) {
        skip();
    }
    side          a;
    patio_future *f[CALLS];
    char          url[128];
    open_well(&a, NULL, 0, URLS("unix+listen://%s/12"));
    (void)snprintf(url, sizeof(url), "unix://%s/12", folder);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(patio, "patio", "worker", "-b", url, "-m", "demo", "-j", "4", "--log-level", "off",
              (char *)NULL);
        _exit(127);
    }
    patio_call_options options = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE,
                                  .timeout_ms = 20000};
    patio_future      *first   = NULL;
    assert_int_equal(patio_call(a.broker, "mul", PATIO_ARGS(2, 3), &options, &first, NULL),
                     PATIO_OK);
    patio_future_destroy(first);
    options.flags = 0;
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(patio_start(a.broker, "sleep", PATIO_ARGS(10.0), &options, &f[i], NULL),
                         PATIO_OK);
    }
    usleep(100 * 1000);
    (void)kill(pid, SIGKILL);
    assert_int_equal(patio_future_wait_all(f, CALLS, 5000), PATIO_OK);
    uint32_t lost = 0;
    for (int i = 0; i < CALLS; i++) {
        patio_status st = patio_future_status(f[i], NULL);
        assert_true(st == PATIO_PEER_LOST || st == PATIO_NO_ROUTE);
        lost += st == PATIO_PEER_LOST ? 1 : 0;
        patio_future_destroy(f[i]);
    }
    assert_true(lost >= 4);
    (void)waitpid(pid, NULL, 0);
    close_side(&a);
}

/* An idempotent call and a send go to the next worker. */
static void what_a_lost_worker_had_goes_to_another(void **state)
{
    (void)state;
    side          a;
    side          w;
    patio_future *f    = NULL;
    const char   *path = getenv("PATIO");
    char          url[128];
    if (path == NULL) {
        skip();
    }
    open_well(&a, NULL, 0, URLS("unix+listen://%s/13"));
    (void)snprintf(url, sizeof(url), "unix://%s/13", folder);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(path, "patio", "worker", "-b", url, "-m", "demo", "--log-level", "off", (char *)NULL);
        _exit(127);
    }
    patio_call_options options = {
        PATIO_SIZED(patio_call_options),
        .flags      = PATIO_CALL_WAIT_ROUTE | PATIO_CALL_IDEMPOTENT,
        .timeout_ms = 20000,
    };
    assert_int_equal(patio_start(a.broker, "sleep", PATIO_ARGS(1000.0, 1), &options, &f, NULL),
                     PATIO_OK);
    for (int i = 0; i < 5000 && count(&a).leased == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(count(&a).leased, 1);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    static const named sleeper[] = {{"sleep", second_time}};
    open_well(&w, sleeper, 1, URLS("unix://%s/13"));
    assert_int_equal(patio_future_wait(f, 10000), PATIO_OK);
    assert_int_equal(patio_future_status(f, NULL), PATIO_OK);
    patio_future_destroy(f);
    close_side(&w);
    close_side(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_call_and_execute),
        cmocka_unit_test(nobody_there_is_no_route_at_once),
        cmocka_unit_test(sends_wait_for_a_worker),
        cmocka_unit_test(an_unknown_task_delays_nobody),
        cmocka_unit_test(three_workers_share),
        cmocka_unit_test(a_mesh_of_three),
        cmocka_unit_test(large_payloads_arrive_whole_beside_small_ones),
        cmocka_unit_test(errors_retries_and_dead_letters),
        cmocka_unit_test(a_delay_is_kept),
        cmocka_unit_test(a_cancel_reaches_queued_and_running),
        cmocka_unit_test(the_listener_may_be_restarted),
        cmocka_unit_test(a_wrong_key_is_seen_by_who_connects),
        cmocka_unit_test(a_killed_worker_ends_its_calls),
        cmocka_unit_test(what_a_lost_worker_had_goes_to_another),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
