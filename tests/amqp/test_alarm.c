/* A broker that runs out of memory or disk while nobody looks: who calls or sends hears BLOCKED
 * within his enqueue deadline, and all goes on when it is over, with the same brokers. A server of
 * its own: an alarm is for everybody. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENQUEUE_MS = 2000, SLACK_MS = 4000 };

static void server(const char *verb, const char *folder)
{
    char command[600];
    (void)snprintf(command, sizeof(command), "bash %s %s %s", getenv("PATIO_RABBITMQ"), verb,
                   folder);
    assert_int_equal(system(command), 0); /* NOLINT: a fixed command of the test's */
}

static _Atomic uint32_t ran;

static patio_status task_note(patio_context *ctx)
{
    (void)ctx;
    atomic_fetch_add(&ran, 1);
    return PATIO_OK;
}

/* The very first message of a connection finds the alarm, and nobody knows yet: RabbitMQ says so
 * only then. It is on its way, so whether it is taken is not known, and it is done when the alarm
 * is over. */
static void meets_blocked(world *w, patio_broker *caller, const char *on, const char *off,
                          const char *reason)
{
    int64_t            got     = 0;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000};
    assert_ok(call_mul(caller, 6, 7, &got, &w->f.err), w->f.err);
    broker_ctl(on);
    uint32_t before = atomic_load(&ran);
    for (int i = 0; i < 3; i++) { /* one that is on its way, and two that are not */
        patio_future *f    = NULL;
        uint64_t      from = test_now_ms();
        patio_status  st   = patio_call(caller, "note", PATIO_NO_ARGS, &options, &f, &w->f.err);
        uint64_t      ms   = test_now_ms() - from;
        patio_future_destroy(f);
        assert_int_equal(st, PATIO_BLOCKED);
        assert_non_null(strstr(w->f.err.message, reason));
        assert_true(ms < (i == 0 ? ENQUEUE_MS : 0) + SLACK_MS);
    }
    assert_int_equal(patio_send(caller, "note", PATIO_NO_ARGS, NULL, NULL, &w->f.err),
                     PATIO_BLOCKED);
    broker_ctl(off);
    AWAIT(call_mul(caller, 2, 9, &got, &w->f.err) == PATIO_OK);
    assert_int_equal(got, 18);
    AWAIT(atomic_load(&ran) == before + 1);
}

static void calls_meet_blocked_in_time(void **state)
{
    (void)state;
    world w;
    char  enqueue[64];
    (void)snprintf(enqueue, sizeof(enqueue), "?heartbeat_ms=2s&enqueue_ms=%d", ENQUEUE_MS);
    world_init(&w, enqueue);
    add_task(w.f.registry, "note", task_note, NULL);
    w.f.broker           = world_worker(&w, NULL);
    patio_broker *caller = world_caller(&w);
    meets_blocked(&w, caller, "set_vm_memory_high_watermark 0.000001",
                  "set_vm_memory_high_watermark absolute 1GB", "memory");
    meets_blocked(&w, caller, "set_disk_free_limit 1000000000000000", "set_disk_free_limit 50MB",
                  "disk");
    close_broker(caller);
    world_close(&w);
}

/* With what is configured if nothing is, the reason comes before the caller's patience ends. */
static void a_send_hears_why(void **state)
{
    (void)state;
    world w;
    world_init(&w, "");
    w.f.broker = world_caller(&w);
    assert_ok(
        patio_send(w.f.broker, "mul", PATIO_ARGS((int64_t)1, (int64_t)1), NULL, NULL, &w.f.err),
        w.f.err);
    broker_ctl("set_vm_memory_high_watermark 0.000001");
    patio_status st    = PATIO_OK;
    uint64_t     ms    = 0;
    uint64_t     until = test_now_ms() + 20000;
    while (st == PATIO_OK && test_now_ms() < until) { /* the alarm comes by itself */
        uint64_t from = test_now_ms();
        st =
            patio_send(w.f.broker, "mul", PATIO_ARGS((int64_t)1, (int64_t)1), NULL, NULL, &w.f.err);
        ms = test_now_ms() - from;
    }
    broker_ctl("set_vm_memory_high_watermark absolute 1GB");
    assert_int_equal(st, PATIO_BLOCKED);
    assert_true(ms < 5000 + SLACK_MS);
    world_close(&w);
}

int main(void)
{
    char folder[] = "/tmp/patio-alarm-XXXXXX";
    assert_non_null(mkdtemp(folder));
    (void)setenv("PATIO_AMQP_SERVER", folder, 1);
    server("start", folder);
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_meet_blocked_in_time),
                                       cmocka_unit_test(a_send_hears_why)};
    int                     failed  = RUN_TESTS("amqp: alarms", tests);
    server("stop", folder);
    return failed;
}
