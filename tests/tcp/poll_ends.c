/* What ends the wait of a thread that reads: deadlines, cancels, stops, a peer that dies. */
#include "poll_world.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void a_deadline_comes_while_its_thread_reads(void **state)
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

static void *cancel_it(void *arg)
{
    other *o = arg;
    await_count(&gate_waits, 1);
    patio_future_cancel(o->f);
    return NULL;
}

void another_thread_cancels_what_its_thread_reads_for(void **state)
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

void another_thread_stops_the_broker(void **state)
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

void a_broker_is_stopped_between_two_calls(void **state)
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

void the_worker_is_killed_while_its_thread_reads(void **state)
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
