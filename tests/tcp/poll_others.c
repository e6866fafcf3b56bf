/* Others beside a thread that reads: threads that call, callbacks, replies from elsewhere. */
#include "poll_world.h"

#include <stdio.h>

static void *call_too(void *arg)
{
    other *o = arg;
    for (uint32_t i = 0; i < o->calls; i++) {
        call_twice(o->w->caller, i);
    }
    return NULL;
}

void several_threads_call_at_once(void **state)
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

void others_are_served_while_one_waits_for_long(void **state)
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

void callbacks_come_without_anybody_who_waits(void **state)
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
void a_reply_may_come_from_elsewhere(void **state)
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
