/* Peers that go, or may not come. */
#include "brokers_world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void the_listener_may_be_restarted(void **state)
{
    (void)state;
    side a;
    side b;
    open_well(&a, caller, 1, URLS("unix+listen://%s/10"));
    open_well(&b, adder, 1, URLS("unix://%s/10?reconnect_max_ms=50"));
    for (int i = 0; i < 10; i++) {
        expect_add(&a, "add");
        close_side(&a);
        open_well(&a, caller, 1, URLS("unix+listen://%s/10"));
        expect_add(&b, "back");
    }
    close_side(&b);
    close_side(&a);
}

void a_wrong_key_is_seen_by_who_connects(void **state)
{
    (void)state;
    side        a;
    side        b;
    patio_error err = PATIO_ERROR_INIT;
    open_well(&a, adder, 1, URLS("unix+listen://%s/11?key=sesame"));
    open_well(&b, NULL, 0, URLS("unix://%s/11?key=sesame"));
    expect_add(&b, "add");
    close_side(&b);
    assert_int_equal(open_side(&b, NULL, 0, URLS("unix://%s/11?key=simsim"), &err), PATIO_AUTH);
    assert_null(strstr(err.message, "simsim"));
    close_side(&b);
    assert_int_equal(open_side(&b, NULL, 0, URLS("unix://%s/11"), &err), PATIO_AUTH);
    close_side(&b);
    close_side(&a);
}

/* A worker process, killed with a hundred calls in flight: each of them ends, and at once. */
void a_killed_worker_ends_its_calls(void **state)
{
    (void)state;
    enum { CALLS = 100 };
    const char *patio = getenv("PATIO");
    if (patio == NULL) {
        skip();
    }
    side          a;
    patio_future *f[CALLS];
    char          url[128];
    open_well(&a, NULL, 0, URLS("unix+listen://%s/12"));
    (void)snprintf(url, sizeof(url), "unix://%s/12", folder);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(patio, "patio", "worker", "-b", url, "-m", "demo", "-j", "4", "--log-level", "off",
              (char *)NULL);
        _exit(127);
    }
    patio_call_options options = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE,
                                  .timeout_ms = 20000};
    patio_future      *first   = NULL;
    assert_int_equal(patio_call(a.broker, "mul", PATIO_ARGS(2, 3), &options, &first, NULL),
                     PATIO_OK);
    patio_future_destroy(first);
    options.flags = 0;
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(patio_start(a.broker, "sleep", PATIO_ARGS(10.0), &options, &f[i], NULL),
                         PATIO_OK);
    }
    usleep(100 * 1000);
    (void)kill(pid, SIGKILL);
    assert_int_equal(patio_future_wait_all(f, CALLS, 5000), PATIO_OK);
    uint32_t lost = 0;
    for (int i = 0; i < CALLS; i++) {
        patio_status st = patio_future_status(f[i], NULL);
        assert_true(st == PATIO_PEER_LOST || st == PATIO_NO_ROUTE);
        lost += st == PATIO_PEER_LOST ? 1 : 0;
        patio_future_destroy(f[i]);
    }
    assert_true(lost >= 4);
    (void)waitpid(pid, NULL, 0);
    close_side(&a);
}

/* An idempotent call and a send go to the next worker. */
void what_a_lost_worker_had_goes_to_another(void **state)
{
    (void)state;
    side          a;
    side          w;
    patio_future *f    = NULL;
    const char   *path = getenv("PATIO");
    char          url[128];
    if (path == NULL) {
        skip();
    }
    open_well(&a, NULL, 0, URLS("unix+listen://%s/13"));
    (void)snprintf(url, sizeof(url), "unix://%s/13", folder);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(path, "patio", "worker", "-b", url, "-m", "demo", "--log-level", "off", (char *)NULL);
        _exit(127);
    }
    patio_call_options options = {
        PATIO_SIZED(patio_call_options),
        .flags      = PATIO_CALL_WAIT_ROUTE | PATIO_CALL_IDEMPOTENT,
        .timeout_ms = 20000,
    };
    assert_int_equal(patio_start(a.broker, "sleep", PATIO_ARGS(1000.0, 1), &options, &f, NULL),
                     PATIO_OK);
    for (int i = 0; i < 5000 && count(&a).leased == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(count(&a).leased, 1);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    static const named sleeper[] = {{"sleep", second_time}};
    open_well(&w, sleeper, 1, URLS("unix://%s/13"));
    assert_int_equal(patio_future_wait(f, 10000), PATIO_OK);
    assert_int_equal(patio_future_status(f, NULL), PATIO_OK);
    patio_future_destroy(f);
    close_side(&w);
    close_side(&a);
}
