/* One thread that calls and waits, again and again, reads its replies itself (patio/poll.h). Here
 * is what must go on all the same while it does: deadlines, cancels, stops, lost peers, other
 * threads. Whether the loop is lent at a given moment is the transport's to decide, so each test
 * first calls until it was, and all hold either way.
 *
 * The program is also its own worker ("worker URL"), for what a kill does. "URL THREAD": all but
 * that over another transport, whose I/O threads have that name. */
#include "poll_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
