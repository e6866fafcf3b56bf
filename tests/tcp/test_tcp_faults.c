/* Processes that are killed or halted with a thousand calls in flight, over each kind of stream:
 * every call ends once, in time, as its result or PEER_LOST, and nothing runs twice that may not.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault_world.h"
#include "tcp_world.h"

#define QUICK "dead_ms=1500&ping_ms=300"

enum { DEAD_MS = 1500, SLACK_MS = 2000, TASK_US = 2000 };

/* ---- a worker goes ---- */

static void lose_a_worker(const char *scheme, int signal_number, uint32_t flags)
{
    static outcomes o;
    bool            idempotent = (flags & PATIO_CALL_IDEMPOTENT) != 0;
    fresh(scheme, QUICK);
    patio_broker *broker = open_quiet_broker(NULL, site.listen_url, "4");
    assert_non_null(broker);
    pid_t first  = fault_begin("worker", site.connect_url, ledger);
    pid_t second = fault_begin("worker", site.connect_url, ledger);
    wait_consumers(broker, 2);
    start_all(broker, 0, TASK_US, flags, &o);
    wait_lines(20);
    uint64_t since = now_ms();
    (void)kill(first, signal_number);
    end_all(0, &o);
    assert_int_equal(o.ok + o.lost, CALLS);
    assert_true(o.ok > CALLS / 2);
    assert_true(idempotent ? o.lost == 0 : o.lost > 0);
    expect_told(&o, since, signal_number == SIGKILL ? SLACK_MS : DEAD_MS + SLACK_MS);
    if (signal_number == SIGSTOP) {
        (void)kill(first, SIGCONT);
        wait_consumers(broker, 2);
    }
    expect_whole(broker, CALLS, 5000);
    check_ledger(0, &o, !idempotent);
    patio_broker_destroy(broker);
    fault_end(first);
    fault_end(second);
}

static void a_killed_worker_loses_only_what_it_had(void **state)
{
    lose_a_worker(*state, SIGKILL, 0);
}

static void what_may_run_twice_survives_a_killed_worker(void **state)
{
    lose_a_worker(*state, SIGKILL, PATIO_CALL_IDEMPOTENT);
}

static void a_halted_worker_is_found_out(void **state)
{
    lose_a_worker(*state, SIGSTOP, 0);
}

/* ---- a caller goes ---- */

static void a_killed_caller_leaves_its_workers_whole(void **state)
{
    static outcomes none;
    char            file[96];
    fresh(*state, QUICK);
    (void)snprintf(file, sizeof(file), "%s/outcomes", folder);
    pid_t worker = fault_begin("worker", site.listen_url, ledger);
    pid_t caller = fault_begin("caller", site.connect_url, file);
    wait_lines(50);
    fault_end(caller);
    patio_broker *broker = open_quiet_broker(NULL, site.connect_url, "4");
    assert_non_null(broker);
    expect_whole(broker, CALLS, 5000);
    check_ledger(0, &none, true);
    assert_true(ledger_lines() < CALLS / 2); /* what it had not been given, it was never given */
    patio_broker_destroy(broker);
    fault_end(worker);
}

static void a_halted_caller_ends_all_its_calls_when_it_goes_on(void **state)
{
    static outcomes o;
    char            file[96];
    int             status = 0;
    int             got    = 0;
    fresh(*state, QUICK);
    (void)snprintf(file, sizeof(file), "%s/outcomes", folder);
    pid_t worker = fault_begin("worker", site.listen_url, ledger);
    pid_t caller = fault_begin("caller", site.connect_url, file);
    wait_lines(50);
    (void)kill(caller, SIGSTOP);
    sleep(3); /* longer than dead_ms: the time itself is what is tested */
    (void)kill(caller, SIGCONT);
    assert_int_equal(waitpid(caller, &status, 0), caller);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    FILE *in = fopen(file, "re");
    assert_non_null(in);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(fscanf(in, "%d %*d", &got), 1);
        o.status[i]   = (patio_status)got;
        o.ended_ms[i] = 1;
    }
    (void)fclose(in);
    check_ledger(0, &o, true);
    fault_end(worker);
}

int main(int argc, char **argv)
{
#define OVER(scheme, name)                                                                         \
    {                                                                                              \
#name ", " #scheme, name, NULL, NULL, scheme##_scheme                                      \
    }
    static char unix_scheme[] = "unix";
    static char tcp_scheme[]  = "tcp";
    static char tls_scheme[]  = "tls";
    int         role          = fault_role(argc, argv);
    if (role >= 0) {
        return role;
    }
    const struct CMUnitTest tests[] = {
        OVER(unix, a_killed_worker_loses_only_what_it_had),
        OVER(tcp, a_killed_worker_loses_only_what_it_had),
        OVER(tls, a_killed_worker_loses_only_what_it_had),
        OVER(tcp, what_may_run_twice_survives_a_killed_worker),
        OVER(tls, what_may_run_twice_survives_a_killed_worker),
        OVER(unix, a_halted_worker_is_found_out),
        OVER(tcp, a_halted_worker_is_found_out),
        OVER(tls, a_halted_worker_is_found_out),
        OVER(tcp, a_killed_caller_leaves_its_workers_whole),
        OVER(tls, a_killed_caller_leaves_its_workers_whole),
        OVER(tcp, a_halted_caller_ends_all_its_calls_when_it_goes_on),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
