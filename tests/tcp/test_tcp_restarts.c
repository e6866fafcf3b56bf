/* The listener is killed and begun again, fifty times, under load: every call ends in time, and
 * each time the two are whole again within seconds. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "fault_world.h"
#include "tcp_world.h"

/* What a worker of four threads may have been given, as docs/tcp.md says: its credit and prefetch.
 */
enum { GIVEN_MAX = 4 + 256, TASK_US = 200, WHOLE_MS = 5000, SLACK_MS = 2000 };

static void restart(const char *scheme, int rounds)
{
    static outcomes o;
    fresh(scheme, "dead_ms=3s");
    pid_t         worker = fault_begin("worker", site.listen_url, ledger);
    patio_broker *broker = open_quiet_broker(NULL, site.connect_url, "4");
    assert_non_null(broker);
    expect_whole(broker, 0, WHOLE_MS);
    for (int round = 0; round < rounds; round++) {
        int64_t first = 1 + (int64_t)round * (CALLS + 1);
        long    lines = ledger_lines();
        start_all(broker, first, TASK_US, PATIO_CALL_WAIT_ROUTE, &o);
        wait_lines(lines + 20);
        uint64_t since = now_ms();
        fault_end(worker);
        worker = fault_begin("worker", site.listen_url, ledger);
        expect_whole(broker, first + CALLS, WHOLE_MS); /* behind all the others */
        end_all(first, &o);
        assert_int_equal(o.ok + o.lost, CALLS);
        assert_in_range(o.lost, 0, GIVEN_MAX);
        expect_told(&o, since, WHOLE_MS + SLACK_MS);
        check_ledger(first, &o, true);
    }
    patio_broker_destroy(broker);
    fault_end(worker);
}

static void fifty_restarts_of_the_listener_under_load(void **state)
{
    (void)state;
    restart("tcp", 50);
}

static void restarts_inside_tls_and_of_a_socket_file(void **state)
{
    (void)state;
    restart("tls", 10);
    restart("unix", 10);
}

int main(int argc, char **argv)
{
    int role = fault_role(argc, argv);
    if (role >= 0) {
        return role;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_restarts_of_the_listener_under_load),
        cmocka_unit_test(restarts_inside_tls_and_of_a_socket_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
