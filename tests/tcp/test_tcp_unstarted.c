/* What a killed worker had with it and had not begun: others run it, and nothing runs twice that
 * may not. A worker of one thread whose answers were quick is given tasks ahead; then one of them
 * takes long, and the others wait behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/peers.h>

#include "fault_world.h"
#include "tcp_world.h"

enum {
    BEHIND      = 40,
    QUICK       = 400,
    QUICK_FROM  = 1000, /* ids */
    FOREVER     = -1,   /* until let_go() */
    NO_ID       = 2000,
    RUNNING     = 0,
    LIMIT_TURNS = 10000,
    TRIES       = 20,
};

typedef struct stage {
    patio_broker *broker;
    pid_t         first;
    patio_future *f[1 + BEHIND]; /* of ids 0 (RUNNING), 1 ... */
    uint64_t      ahead;         /* most tasks that the worker had with it at once */
} stage;

static int32_t add_in_flight(void *arg, const patio_peer *peer)
{
    *(uint64_t *)arg += peer->in_flight;
    return 0;
}

static uint64_t in_flight(patio_broker *broker)
{
    uint64_t sum = 0;
    assert_int_equal(patio_broker_peers(broker, add_in_flight, &sum, NULL), PATIO_OK);
    return sum;
}

static patio_future *start(patio_broker *broker, int64_t id, int64_t us, uint32_t flags)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = DEADLINE_MS,
                                  .flags = PATIO_CALL_WAIT_ROUTE | flags};
    assert_int_equal(patio_start(broker, "note", PATIO_ARGS(id, us), &options, &f, NULL), PATIO_OK);
    return f;
}

static void end_stage(stage *s)
{
    for (int i = 0; i <= BEHIND; i++) {
        patio_future_destroy(s->f[i]);
    }
    patio_broker_destroy(s->broker);
}

/* False: its answers were not so quick that it was given anything ahead. */
static bool try_stage(stage *s, const char *scheme, uint32_t flags)
{
    patio_future *quick[QUICK];
    fresh(scheme, "ping_ms=1s");
    s->ahead  = 0;
    s->broker = open_quiet_broker(NULL, site.listen_url, "1");
    assert_non_null(s->broker);
    s->first = fault_begin("slot", site.connect_url, ledger);
    wait_consumers(s->broker, 1);
    for (int i = 0; i < QUICK; i++) {
        quick[i] = start(s->broker, QUICK_FROM + i, 0, 0);
    }
    assert_int_equal(patio_future_wait_all(quick, QUICK, DEADLINE_MS), PATIO_OK);
    for (int i = 0; i < QUICK; i++) {
        patio_future_destroy(quick[i]);
    }
    s->f[RUNNING] = start(s->broker, RUNNING, FOREVER, flags);
    wait_lines(QUICK + 1);
    for (int i = 1; i <= BEHIND; i++) {
        s->f[i]      = start(s->broker, i, 0, i % 2 != 0 ? PATIO_CALL_IDEMPOTENT : 0);
        uint64_t now = in_flight(s->broker);
        s->ahead     = now > s->ahead ? now : s->ahead;
    }
    return s->ahead > 1;
}

/* Others do wait in it. Those with odd ids may run twice; the one that runs as `flags` say. */
static void set_stage(stage *s, const char *scheme, uint32_t flags)
{
    bool set = false;
    for (int i = 0; i < TRIES && !set; i++) {
        set = try_stage(s, scheme, flags);
        if (!set) { /* as on a busy machine */
            fault_end(s->first);
            end_stage(s);
        }
    }
    assert_true(set);
}

/* It is killed, another one comes, and all calls end. */
static void replace(stage *s)
{
    fault_end(s->first);
    let_go();
    pid_t second = fault_begin("slot", site.connect_url, ledger);
    assert_int_equal(patio_future_wait_all(s->f, 1 + BEHIND, DEADLINE_MS), PATIO_OK);
    expect_whole(s->broker, NO_ID, 5000);
    fault_end(second);
}

static patio_status take_status(stage *s, int id)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_future_status(s->f[id], &err);
    if (st != PATIO_OK && st != PATIO_PEER_LOST) {
        fail_msg("call %d: %s", id, err.message);
    }
    return st;
}

/* What has waited behind the long one is given back unstarted: the caller has it when the worker
 * dies, so it knows that it may give it to another. */
static void what_was_not_begun_runs_elsewhere_and_once(void **state)
{
    stage s;
    set_stage(&s, *state, 0);
    for (int i = 0; i < LIMIT_TURNS && in_flight(s.broker) > 1; i++) {
        usleep(1000);
    }
    assert_int_equal(in_flight(s.broker), 1);
    assert_int_equal(ledger_lines(), QUICK + 1); /* nothing else has begun */
    replace(&s);
    uint16_t *times = ledger_read();
    for (int i = 0; i <= BEHIND; i++) {
        assert_int_equal(take_status(&s, i), i == RUNNING ? PATIO_PEER_LOST : PATIO_OK);
        assert_int_equal(times[i], 1);
    }
    free(times);
    end_stage(&s);
}

/* Killed at once, before it gave anything back. What it had, it may have begun, for all the caller
 * can know: those that may run twice do so, the others are lost or were not given to it. */
static void what_may_have_been_begun_runs_once_unless_it_may_twice(void **state)
{
    stage s;
    set_stage(&s, *state, PATIO_CALL_IDEMPOTENT);
    replace(&s);
    uint16_t *times = ledger_read();
    assert_int_equal(take_status(&s, RUNNING), PATIO_OK);
    assert_int_equal(times[RUNNING], 2);
    for (int i = 1; i <= BEHIND; i++) {
        patio_status st = take_status(&s, i);
        if (i % 2 != 0) {
            assert_int_equal(st, PATIO_OK);
            assert_true(times[i] >= 1);
        } else {
            assert_int_equal(times[i], st == PATIO_OK ? 1 : 0);
        }
    }
    free(times);
    end_stage(&s);
}

int main(int argc, char **argv)
{
#define OVER(scheme, name)                                                                         \
    {                                                                                              \
#name ", " #scheme, name, NULL, NULL, scheme##_scheme                                      \
    }
    static char tcp_scheme[] = "tcp";
    static char tls_scheme[] = "tls";
    int         role         = fault_role(argc, argv);
    if (role >= 0) {
        return role;
    }
    const struct CMUnitTest tests[] = {
        OVER(tcp, what_was_not_begun_runs_elsewhere_and_once),
        OVER(tls, what_was_not_begun_runs_elsewhere_and_once),
        OVER(tcp, what_may_have_been_begun_runs_once_unless_it_may_twice),
        OVER(tls, what_may_have_been_begun_runs_once_unless_it_may_twice),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
