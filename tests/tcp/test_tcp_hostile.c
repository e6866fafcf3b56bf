/* Peers that are not honest: the honest ones keep their service, and memory stays bounded. */
#include "hostile_world.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <patio/peers.h>

/* In a process of its own, for the descriptors; it ends when the pipe does. */
static pid_t crowd(int count, int ready, int go)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit many;
        (void)getrlimit(RLIMIT_NOFILE, &many);
        many.rlim_cur = many.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &many);
        for (int i = 0; i < count; i++) {
            (void)raw_connect(path);
        }
        char c = 'r';
        (void)!write(ready, &c, 1);
        (void)!read(go, &c, 1);
        _exit(0);
    }
    return pid;
}

static void ten_thousand_that_say_nothing_are_put_out(void **state)
{
    (void)state;
    int  ready[2];
    int  go[2];
    char c = 0;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    serve("key=" KEY "&handshake_ms=2s&max_connections=3000");
    uint64_t before = worker_resident_bytes(worker);
    pid_t    pid    = crowd(10000, ready[1], go[0]);
    for (int i = 0; i < 20; i++) {
        expect_service();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    expect_alive(before);
    /* a newcomer gets in as soon as the silent ones are out, though they are all still there */
    int fd = -1;
    for (int i = 0; i < 100 && fd < 0; i++) {
        frame_header h = {0};
        uint8_t      hello[FRAME_HELLO_BYTES];
        fd = raw_connect(path);
        raw_hello(hello, KEY, 1);
        if (!raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello)) || !raw_read(fd, &h, body) ||
            h.type != FRAME_HELLO) {
            (void)close(fd);
            fd = -1;
            usleep(100 * 1000);
        }
    }
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(go[1]);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    expect_alive(before);
    for (int i = 0; i < 2; i++) {
        (void)close(ready[i]);
    }
    (void)close(go[0]);
}

static void one_that_reads_nothing_is_put_out(void **state)
{
    (void)state;
    serve("key=" KEY "&write_queue_bytes=64KiB");
    uint64_t before = worker_resident_bytes(worker);
    int      fd     = raw_open(path, KEY, NULL);
    bool     taken  = true;
    for (uint64_t i = 0; i < 200000 && taken; i++) {
        taken = raw_frame(fd, FRAME_PING, i, NULL, 0); /* each is worth an answer */
        if (i % 20000 == 0) {
            expect_service();
        }
    }
    assert_false(taken);
    (void)close(fd);
    expect_alive(before);
}

static void one_that_sends_beyond_its_credit_fills_nothing(void **state)
{
    (void)state;
    enum { TASKS = 50000, BODY = 2000 };
    serve("key=" KEY "&max_queued=2000&max_queued_bytes=4MiB");
    uint64_t before = worker_resident_bytes(worker);
    int      fd     = raw_open(path, KEY, NULL);
    uint8_t  one[256 + BODY];
    size_t   size = raw_announce(one, "", 0);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, one, size));
    for (uint64_t i = 0; i < TASKS; i++) {
        size = raw_publish(one, i, i % 2 == 0 ? "sleep" : "mul", BODY);
        if (!raw_frame(fd, FRAME_PUBLISH, i + 1, one, size)) {
            break;
        }
        if (i % 10000 == 0) {
            expect_service();
        }
        while (recv(fd, body, sizeof(body), MSG_DONTWAIT) > 0) {
        }
    }
    expect_alive(before);
    (void)close(fd);
    expect_alive(before);
}

static int32_t count_workers(void *arg, const patio_peer *peer)
{
    uint32_t *count = arg;
    *count += peer->task_count > 0 ? 1 : 0;
    return 0;
}

/* It takes all there is, answers nothing, and announces more credit than there are tasks. */
static void one_that_claims_endless_credit_starves_nobody(void **state)
{
    (void)state;
    enum { CALLS = 60 };
    char          listen[160];
    char          near[80];
    patio_broker *caller = NULL;
    patio_future *f[CALLS];
    patio_error   err    = PATIO_ERROR_INIT;
    uint32_t      served = 0;
    (void)snprintf(near, sizeof(near), "%s/c", folder);
    (void)snprintf(listen, sizeof(listen), "unix+listen://%s", near);
    (void)snprintf(urls[0], sizeof(urls[0]), "unix://%s", near);
    assert_int_equal(patio_broker_open(NULL, listen, &caller, &err), PATIO_OK);
    assert_int_equal(patio_broker_start(caller, &err), PATIO_OK);
    int    fd   = raw_open(near, "", NULL);
    size_t size = raw_announce(body, "mul", UINT32_MAX);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, size));
    worker           = worker_begin((const char *const[]){urls[0], NULL});
    uint32_t workers = 0;
    for (int i = 0; i < 6000 && workers < 2; i++) {
        workers = 0;
        usleep(10 * 1000);
        assert_int_equal(patio_broker_peers(caller, count_workers, &workers, NULL), PATIO_OK);
    }
    assert_int_equal(workers, 2);
    /* who does not know questions of operators is named, not left out */
    patio_counts counts = {PATIO_SIZED(patio_counts)};
    assert_int_equal(patio_broker_counts(caller, NULL, 10000, &counts, &err), PATIO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "version 1"));
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 1000};
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(patio_start(caller, "mul", PATIO_ARGS(6, 7), &options, &f[i], NULL),
                         PATIO_OK);
        (void)patio_future_wait(f[i], i % 3 == 0 ? 0 : 50);
    }
    assert_int_equal(patio_future_wait_all(f, CALLS, 10000), PATIO_OK);
    for (int i = 0; i < CALLS; i++) {
        patio_status st = patio_future_status(f[i], NULL);
        served += st == PATIO_OK ? 1 : 0;
        assert_true(st == PATIO_OK || st == PATIO_TIMEOUT);
        patio_future_destroy(f[i]);
    }
    assert_true(served >=
                CALLS / 2); /* fewest outstanding first: the liar gets no more in the end */
    (void)close(fd);
    patio_broker_destroy(caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_bytes_do_no_harm, end_service),
        cmocka_unit_test_teardown(every_truncation_of_every_frame_is_survived, end_service),
        cmocka_unit_test_teardown(huge_lengths_are_refused, end_service),
        cmocka_unit_test_teardown(a_slow_drip_does_not_outlive_the_handshake, end_service),
        cmocka_unit_test_teardown(a_replayed_handshake_is_refused, end_service),
        cmocka_unit_test_teardown(a_reflected_handshake_is_refused, end_service),
        cmocka_unit_test_teardown(ten_thousand_that_say_nothing_are_put_out, end_service),
        cmocka_unit_test_teardown(one_that_reads_nothing_is_put_out, end_service),
        cmocka_unit_test_teardown(one_that_sends_beyond_its_credit_fills_nothing, end_service),
        cmocka_unit_test_teardown(one_that_claims_endless_credit_starves_nobody, end_service),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
