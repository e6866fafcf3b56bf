/* A broker that is killed and stopped in turns under load, with a ledger: what was accepted is
 * executed, every call ends once, and nobody is restarted but the broker.
 *
 *   PATIO_RABBITMQ=…/rabbitmq.sh amqp_storm FOLDER ROUNDS   a server is started in FOLDER */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 200000, SENDERS = 2, CALLERS = 2 };

static _Atomic uint8_t  accepted[IDS];
static _Atomic uint8_t  finished[IDS];
static _Atomic uint32_t next_id;
static _Atomic bool     over;
static _Atomic uint32_t refused;
static _Atomic uint32_t answered;
static _Atomic uint32_t unanswered;

static patio_status task_ledger(patio_context *ctx)
{
    int64_t      n  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &n);
    if (st == PATIO_OK && n >= 0 && n < IDS) {
        atomic_fetch_add(&finished[n], 1);
    }
    return st;
}

static void *send_on(void *arg)
{
    patio_broker *broker = arg;
    while (!atomic_load(&over)) {
        uint32_t n = atomic_fetch_add(&next_id, 1);
        if (n >= IDS) {
            break;
        }
        patio_status st = patio_send(broker, "ledger", PATIO_ARGS((int64_t)n), NULL, NULL, NULL);
        if (st == PATIO_OK) {
            atomic_store(&accepted[n], 1);
        } else {
            atomic_fetch_add(&refused, 1);
            test_pause();
        }
    }
    return NULL;
}

static void *call_on(void *arg)
{
    patio_broker      *broker  = arg;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 15000};
    for (int64_t i = 0; !atomic_load(&over); i++) {
        patio_future *f    = NULL;
        uint64_t      from = test_now_ms();
        patio_status  st   = patio_call(broker, "mul", PATIO_ARGS(i, 3), &options, &f, NULL);
        int64_t       got  = 0;
        if (st == PATIO_OK && patio_value_get_int64(patio_future_value(f), &got) == PATIO_OK &&
            got == 3 * i) {
            atomic_fetch_add(&answered, 1);
        } else {
            atomic_fetch_add(&unanswered, 1);
            test_pause();
        }
        if (test_now_ms() - from > 17000) {
            fprintf(stderr, "a call outlived its deadline\n");
            abort();
        }
        patio_future_destroy(f);
    }
    return NULL;
}

static void server(const char *verb)
{
    char command[600];
    (void)snprintf(command, sizeof(command), "bash %s %s %s", getenv("PATIO_RABBITMQ"), verb,
                   getenv("PATIO_AMQP_SERVER"));
    assert_int_equal(system(command), 0); /* NOLINT: a fixed command of the test's */
}

static uint32_t missing(void)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < IDS; n++) {
        count += atomic_load(&accepted[n]) != 0 && atomic_load(&finished[n]) == 0;
    }
    return count;
}

static uint32_t storm_rounds;

static void what_was_accepted_is_executed(void **state)
{
    (void)state;
    world w;
    world_init(&w, "?reconnect_max_ms=500&heartbeat_ms=2s&enqueue_ms=3s");
    add_task(w.f.registry, "ledger", task_ledger, NULL);
    w.f.broker           = world_worker(&w, "executor.workers=4");
    patio_broker *caller = world_caller(&w);
    pthread_t     threads[SENDERS + CALLERS];
    for (int i = 0; i < SENDERS + CALLERS; i++) {
        threads[i] = run_thread(i < SENDERS ? send_on : call_on, caller);
    }
    for (uint32_t round = 0; round < storm_rounds; round++) {
        uint32_t before = atomic_load(&answered);
        AWAIT(atomic_load(&answered) > before + 50);
        server(round % 2 == 0 ? "kill" : "stop");
        server("again");
    }
    uint32_t before = atomic_load(&answered);
    AWAIT(atomic_load(&answered) > before + 50);
    atomic_store(&over, true);
    for (int i = 0; i < SENDERS + CALLERS; i++) {
        join_thread(threads[i]);
    }
    AWAIT(missing() == 0);
    uint32_t twice = 0;
    uint32_t sent  = 0;
    for (uint32_t n = 0; n < IDS; n++) {
        sent += atomic_load(&accepted[n]);
        twice += atomic_load(&finished[n]) > 1;
    }
    printf(
        "%u restarts: %u sends accepted, %u refused, all accepted ones executed, %u of them more "
        "than once; %u calls answered, %u not\n",
        storm_rounds, sent, atomic_load(&refused), twice, atomic_load(&answered),
        atomic_load(&unanswered));
    assert_true(sent > 100);
    close_broker(caller);
    world_close(&w);
}

int main(int argc, char **argv)
{
    if (argc != 3 || getenv("PATIO_RABBITMQ") == NULL) {
        fprintf(stderr, "usage: PATIO_RABBITMQ=…/rabbitmq.sh %s FOLDER ROUNDS\n", argv[0]);
        return 2;
    }
    storm_rounds = (uint32_t)strtoul(argv[2], NULL, 10);
    (void)setenv("PATIO_AMQP_SERVER", argv[1], 1);
    server("start");
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_accepted_is_executed)};
    int                     failed  = RUN_TESTS("amqp: storm", tests);
    server("stop");
    return failed;
}
