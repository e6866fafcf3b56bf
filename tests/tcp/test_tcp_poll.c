/* One thread that calls and waits, again and again, reads its replies itself (patio/poll.h). Here
 * is what must go on all the same while it does: deadlines, cancels, stops, lost peers, other
 * threads. Whether the loop is lent at a given moment is the transport's to decide, so each test
 * first calls until it was, and all hold either way.
 *
 * The program is also its own worker ("worker URL"), for what a kill does. "URL THREAD": all but
 * that over another transport, whose I/O threads have that name. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "tcp_world.h"

enum { LONG_MS = 60000, ROUNDS = 5, CALLS = 300 };

static char        connect_url[160];
static char        listen_url[160];
static const char *program;
static const char *io_thread = "patio-tcp";

static _Atomic uint32_t gate_waits;
static _Atomic bool     gate_open;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- the worker ---- */

static patio_status twice(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    return st == PATIO_OK ? PATIO_RETURN(ctx, 2 * n) : st;
}

/* Waits for the gate, or for its cancellation. */
static patio_status gate(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open) && !patio_task_cancelled(ctx)) {
        usleep(1000);
    }
    atomic_fetch_sub(&gate_waits, 1);
    return PATIO_RETURN(ctx, 1);
}

/* The same, but it does not listen: whoever waits for it has to end by itself. */
static patio_status stay(patio_context *ctx)
{
    atomic_fetch_add(&gate_waits, 1);
    while (!atomic_load(&gate_open)) {
        usleep(1000);
    }
    atomic_fetch_sub(&gate_waits, 1);
    return PATIO_RETURN(ctx, 1);
}

static patio_broker *open_worker(patio_registry **registry, const char *url)
{
    if (patio_registry_create(NULL, registry, NULL) != PATIO_OK ||
        PATIO_ADD_AS(*registry, "twice", twice, NULL) != PATIO_OK ||
        PATIO_ADD_AS(*registry, "gate", gate, NULL) != PATIO_OK ||
        PATIO_ADD_AS(*registry, "stay", stay, NULL) != PATIO_OK) {
        return NULL;
    }
    return open_quiet_broker(*registry, url, "3");
}

static int be_worker(const char *url)
{
    patio_registry *registry = NULL;
    patio_broker   *broker   = open_worker(&registry, url);
    if (broker == NULL) {
        return 1;
    }
    patio_broker_join(broker);
    return 0;
}

/* ---- the caller ---- */

typedef struct world {
    patio_registry *registry;
    patio_broker   *worker;
    patio_broker   *caller;
} world;

static world open_world(const char *prefix)
{
    world w = {NULL, NULL, NULL};
    char  url[240];
    (void)snprintf(url, sizeof(url), "%s%s", prefix, connect_url);
    atomic_store(&gate_open, false);
    w.worker = open_worker(&w.registry, listen_url);
    assert_non_null(w.worker);
    w.caller = open_quiet_broker(NULL, url, "3");
    assert_non_null(w.caller);
    return w;
}

static void close_world(world *w)
{
    atomic_store(&gate_open, true);
    patio_broker_destroy(w->caller);
    patio_broker_destroy(w->worker);
    patio_registry_destroy(w->registry);
}

static patio_status call(patio_broker *b, const char *task, int64_t n, uint64_t timeout_ms,
                         int64_t *out)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = timeout_ms};
    patio_status       st      = patio_call(b, task, PATIO_ARGS(n), &options, &f, NULL);
    if (st == PATIO_OK && out != NULL) {
        *out = patio_future_value(f)->as.i64;
    }
    patio_future_destroy(f);
    return st;
}

static void call_twice(patio_broker *b, int64_t n)
{
    int64_t result = 0;
    assert_int_equal(call(b, "twice", n, LONG_MS, &result), PATIO_OK);
    assert_int_equal(result, 2 * n);
}

typedef struct heard {
    pthread_t        thread;
    _Atomic uint32_t count;
} heard;

static void on_done(patio_future *f, void *arg)
{
    heard *h = arg;
    (void)f;
    h->thread = pthread_self();
    atomic_fetch_add(&h->count, 1);
}

static void await_count(_Atomic uint32_t *count, uint32_t wanted)
{
    for (uint64_t end = now_ms() + LONG_MS; atomic_load(count) != wanted;) {
        assert_true(now_ms() < end);
        usleep(100);
    }
}

static patio_future *start(patio_broker *b, const char *task, int64_t n, heard *h)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS,
                                  .on_done = h != NULL ? on_done : NULL, .on_done_arg = h};
    assert_int_equal(patio_start(b, task, PATIO_ARGS(n), &options, &f, NULL), PATIO_OK);
    return f;
}

/* Does a call that this thread waits for end on this thread? */
static bool reads_itself(patio_broker *b)
{
    heard         h = {.count = 0};
    patio_future *f = start(b, "twice", 4, &h);
    assert_int_equal(patio_future_wait(f, PATIO_FOREVER), PATIO_OK);
    await_count(&h.count, 1);
    assert_int_equal(patio_future_status(f, NULL), PATIO_OK);
    patio_future_destroy(f);
    return pthread_equal(h.thread, pthread_self()) != 0;
}

/* Call until the loop is lent. */
static void be_guest(patio_broker *b)
{
    for (uint64_t end = now_ms() + LONG_MS; !reads_itself(b);) {
        assert_true(now_ms() < end);
    }
}

static void a_thread_that_calls_again_and_again_reads_its_replies(void **state)
{
    (void)state;
    world w = open_world("");
    be_guest(w.caller);
    for (int64_t i = 0; i < CALLS; i++) {
        call_twice(w.caller, i);
    }
    be_guest(w.caller);
    close_world(&w);
}

static void a_deadline_comes_while_its_thread_reads(void **state)
{
    (void)state;
    world w = open_world("");
    for (int round = 0; round < ROUNDS; round++) {
        static const uint64_t timeouts_ms[ROUNDS] = {1, 2, 20, 300, 700};
        atomic_store(&gate_open, false);
        be_guest(w.caller);
        uint64_t from = now_ms();
        assert_int_equal(call(w.caller, "stay", 0, timeouts_ms[round], NULL), PATIO_TIMEOUT);
        uint64_t took = now_ms() - from;
        assert_in_range(took + 1, timeouts_ms[round], timeouts_ms[round] + LONG_MS / 4);
        call_twice(w.caller, round);
        /* and a wait that is shorter than its call */
        patio_future *f = start(w.caller, "stay", 0, NULL);
        assert_int_equal(patio_future_wait(f, timeouts_ms[round]), PATIO_TIMEOUT);
        assert_false(patio_future_done(f));
        patio_future_cancel(f);
        assert_int_equal(patio_future_status(f, NULL), PATIO_CANCELLED);
        patio_future_destroy(f);
        atomic_store(&gate_open, true);
        await_count(&gate_waits, 0);
    }
    close_world(&w);
}

typedef struct other {
    world        *w;
    patio_future *f;
    uint32_t      calls;
} other;

static void *cancel_it(void *arg)
{
    other *o = arg;
    await_count(&gate_waits, 1);
    patio_future_cancel(o->f);
    return NULL;
}

static void another_thread_cancels_what_its_thread_reads_for(void **state)
{
    (void)state;
    world w = open_world("");
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread;
        be_guest(w.caller);
        other o = {.w = &w, .f = start(w.caller, "gate", 0, NULL)};
        assert_int_equal(pthread_create(&thread, NULL, cancel_it, &o), 0);
        assert_int_equal(patio_future_wait(o.f, LONG_MS / 2), PATIO_OK);
        assert_int_equal(patio_future_status(o.f, NULL), PATIO_CANCELLED);
        pthread_join(thread, NULL);
        patio_future_destroy(o.f);
        await_count(&gate_waits, 0); /* its task has heard of it */
        call_twice(w.caller, round);
    }
    close_world(&w);
}

static void *stop_it(void *arg)
{
    other *o = arg;
    await_count(&gate_waits, 1);
    assert_int_equal(patio_broker_stop(o->w->caller, 1000, NULL), PATIO_OK);
    return NULL;
}

static void another_thread_stops_the_broker(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread;
        world     w = open_world("");
        other     o = {.w = &w};
        be_guest(w.caller);
        assert_int_equal(pthread_create(&thread, NULL, stop_it, &o), 0);
        patio_status st = call(w.caller, "gate", 0, LONG_MS, NULL);
        assert_true(st == PATIO_CANCELLED || st == PATIO_PEER_LOST);
        pthread_join(thread, NULL);
        assert_int_equal(call(w.caller, "twice", 0, LONG_MS, NULL), PATIO_STATE);
        close_world(&w);
    }
}

static void a_broker_is_stopped_between_two_calls(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        world w = open_world("");
        be_guest(w.caller);
        uint64_t from = now_ms();
        assert_int_equal(patio_broker_stop(w.caller, LONG_MS, NULL), PATIO_OK);
        assert_in_range(now_ms() - from, 0, LONG_MS / 2);
        close_world(&w);
    }
}

static void *call_too(void *arg)
{
    other *o = arg;
    for (uint32_t i = 0; i < o->calls; i++) {
        call_twice(o->w->caller, i);
    }
    return NULL;
}

static void several_threads_call_at_once(void **state)
{
    enum { THREADS = 4 };
    (void)state;
    world w = open_world("");
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        other     o = {.w = &w, .calls = CALLS};
        be_guest(w.caller);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, call_too, &o), 0);
        }
        (void)call_too(&o);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    close_world(&w);
}

static void *call_and_open(void *arg)
{
    other *o = arg;
    await_count(&gate_waits, 1);
    (void)call_too(o);
    assert_false(patio_future_done(o->f));
    atomic_store(&gate_open, true);
    return NULL;
}

static void others_are_served_while_one_waits_for_long(void **state)
{
    (void)state;
    world w = open_world("");
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread;
        atomic_store(&gate_open, false);
        be_guest(w.caller);
        other o = {.w = &w, .f = start(w.caller, "gate", 0, NULL), .calls = CALLS / 10};
        assert_int_equal(pthread_create(&thread, NULL, call_and_open, &o), 0);
        assert_int_equal(patio_future_wait(o.f, LONG_MS), PATIO_OK);
        assert_int_equal(patio_future_status(o.f, NULL), PATIO_OK);
        pthread_join(thread, NULL);
        patio_future_destroy(o.f);
    }
    close_world(&w);
}

static void callbacks_come_without_anybody_who_waits(void **state)
{
    (void)state;
    world w = open_world("");
    heard h = {.count = 0};
    for (uint32_t i = 0; i < CALLS; i++) {
        if (i % 30 == 0) {
            be_guest(w.caller);
        }
        patio_future_destroy(start(w.caller, "twice", i, &h));
        if (i % 3 == 0) {
            call_twice(w.caller, i);
        } else {
            await_count(&h.count, i + 1);
        }
    }
    await_count(&h.count, CALLS);
    /* a send is settled by its worker with nobody waiting, too */
    be_guest(w.caller);
    assert_int_equal(patio_send(w.caller, "twice", PATIO_ARGS(1), NULL, NULL, NULL), PATIO_OK);
    assert_int_equal(patio_broker_stop(w.caller, LONG_MS, NULL), PATIO_OK);
    close_world(&w);
}

/* What a layer holds back is completed on a thread of its own. */
static void a_reply_may_come_from_elsewhere(void **state)
{
    (void)state;
    char url[320];
    (void)snprintf(url, sizeof(url), "fault+%s?delay=3ms", connect_url);
    world w = open_world("");
    patio_broker_destroy(w.caller);
    w.caller = open_quiet_broker(NULL, url, "3");
    assert_non_null(w.caller);
    for (int64_t i = 0; i < CALLS; i++) {
        call_twice(w.caller, i);
    }
    close_world(&w);
}

static void who_calls_no_more_costs_nothing(void **state)
{
    enum { TICKS = 2 * 2, SOME = 8 }; /* of two brokers, in half a second */
    (void)state;
    world w = open_world("");
    be_guest(w.caller);
    uint64_t before = sleeps_of(io_thread);
    uint64_t woken  = UINT64_MAX;
    for (uint64_t end = now_ms() + LONG_MS; woken > TICKS + SOME;) {
        assert_true(now_ms() < end);
        before = sleeps_of(io_thread);
        usleep(500 * 1000);
        woken = sleeps_of(io_thread) - before;
    }
    close_world(&w);
}

static pid_t start_worker(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(program, program, "worker", listen_url, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static void *kill_it(void *arg)
{
    usleep(20 * 1000); /* let it sleep; it holds without, too */
    (void)kill(*(pid_t *)arg, SIGKILL);
    return NULL;
}

static void the_worker_is_killed_while_its_thread_reads(void **state)
{
    (void)state;
    pid_t         pid    = start_worker();
    patio_broker *caller = open_quiet_broker(NULL, connect_url, "3");
    assert_non_null(caller);
    for (int round = 0; round < ROUNDS; round++) {
        patio_call_options wait   = {PATIO_SIZED(patio_call_options), .timeout_ms = LONG_MS,
                                     .flags = PATIO_CALL_WAIT_ROUTE};
        int                status = 0;
        pthread_t          thread;
        assert_int_equal(patio_call(caller, "twice", PATIO_ARGS(1), &wait, NULL, NULL), PATIO_OK);
        be_guest(caller);
        assert_int_equal(pthread_create(&thread, NULL, kill_it, &pid), 0);
        assert_int_equal(call(caller, "gate", 0, LONG_MS, NULL), PATIO_PEER_LOST);
        pthread_join(thread, NULL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        pid = start_worker();
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    patio_broker_destroy(caller);
}

static int over(const char *url, const struct CMUnitTest *tests, size_t count)
{
    (void)snprintf(listen_url, sizeof(listen_url), "%s", url);
    (void)snprintf(connect_url, sizeof(connect_url), "%s", url);
    return _cmocka_run_group_tests(url, tests, count, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "worker") == 0) {
        return be_worker(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_calls_again_and_again_reads_its_replies),
        cmocka_unit_test(a_deadline_comes_while_its_thread_reads),
        cmocka_unit_test(another_thread_cancels_what_its_thread_reads_for),
        cmocka_unit_test(another_thread_stops_the_broker),
        cmocka_unit_test(a_broker_is_stopped_between_two_calls),
        cmocka_unit_test(several_threads_call_at_once),
        cmocka_unit_test(others_are_served_while_one_waits_for_long),
        cmocka_unit_test(callbacks_come_without_anybody_who_waits),
        cmocka_unit_test(a_reply_may_come_from_elsewhere),
        cmocka_unit_test(who_calls_no_more_costs_nothing),
        cmocka_unit_test(the_worker_is_killed_while_its_thread_reads),
    };
    if (argc == 3) {
        io_thread = argv[2];
        return over(argv[1], tests, sizeof(tests) / sizeof(tests[0]) - 1); /* it loses no peer */
    }
    program = argv[0];
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(listen_url, sizeof(listen_url), "unix+listen://%s/socket", folder);
    (void)snprintf(connect_url, sizeof(connect_url), "unix://%s/socket", folder);
    int  failed = cmocka_run_group_tests(tests, NULL, NULL);
    char path[200];
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    (void)unlink(path);
    (void)rmdir(folder);
    return failed;
}
