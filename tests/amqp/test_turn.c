/* Who reads the replies: by itself a thread of the transport, and a thread that calls again and
 * again where nobody else wants anything (transports/turn/turn.h). */
#include "world.h"

#include <pthread.h>

enum { BURSTS = 8, BURST = 60 };

typedef struct witness {
    _Atomic uint32_t own; /* it came on the caller's thread */
    pthread_t        caller;
} witness;

static void note(patio_future *future, void *arg)
{
    witness *w = arg;
    (void)future;
    if (pthread_equal(pthread_self(), w->caller)) {
        atomic_store(&w->own, 1);
    }
}

static void call_noting(patio_broker *broker, witness *who)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 30000,
                                  .flags = PATIO_CALL_WAIT_ROUTE, .on_done = note,
                                  .on_done_arg = who};
    assert_ok(patio_start(broker, "mul", PATIO_ARGS(6, 7), &options, &f, &err), err);
    assert_int_equal(patio_future_wait(f, PATIO_FOREVER), PATIO_OK);
    assert_ok(patio_future_status(f, &err), err);
    patio_future_destroy(f);
}

static bool calls_end_here(patio_broker *broker, witness *who)
{
    for (int i = 0; i < BURST; i++) {
        call_noting(broker, who);
    }
    return atomic_load(&who->own) != 0;
}

static void a_thread_that_calls_again_and_again_reads_its_replies_itself(void **state)
{
    (void)state;
    world   w;
    witness who = {.caller = pthread_self()};
    world_init(&w, "");
    patio_broker *worker = world_worker(&w, NULL);
    w.f.broker           = world_caller(&w);
    AWAIT(calls_end_here(w.f.broker, &who));
    close_broker(worker);
    world_close(&w);
}

static void *call_in_bursts(void *arg)
{
    patio_broker *broker = arg;
    uintptr_t     wrong  = 0;
    for (int64_t i = 0; i < BURSTS * BURST; i++) {
        patio_error err = PATIO_ERROR_INIT;
        int64_t     got = 0;
        wrong += call_mul(broker, i, 2, &got, &err) != PATIO_OK || got != 2 * i;
        if (i % BURST == BURST - 1) {
            struct timespec pause = {.tv_nsec = 10000000}; /* longer than a guest is waited for */
            (void)nanosleep(&pause, NULL);
        }
    }
    return (void *)wrong;
}

static void everybody_is_answered_while_the_reader_changes(void **state)
{
    (void)state;
    world     w;
    pthread_t threads[2];
    world_init(&w, "");
    patio_broker *worker = world_worker(&w, NULL);
    w.f.broker           = world_caller(&w);
    assert_null(call_in_bursts(w.f.broker));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_in_bursts, w.f.broker), 0);
    }
    for (int i = 0; i < 2; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    close_broker(worker);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_calls_again_and_again_reads_its_replies_itself),
        cmocka_unit_test(everybody_is_answered_while_the_reader_changes),
    };
    return RUN_TESTS("amqp: turn", tests);
}
