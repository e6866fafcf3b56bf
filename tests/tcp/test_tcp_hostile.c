/* Peers that are not honest: the honest ones keep their service, and memory stays bounded. */
#include "hostile_world.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <patio/peers.h>

static void one_that_reads_nothing_is_put_out(void **state)
{
    enum { PINGS = 64 };
    serve(*state, "write_queue_bytes=64KiB&ping_ms=300ms&dead_ms=1s");
    uint64_t     before = worker_resident_bytes(worker);
    frame_header ping   = {.type = FRAME_PING};
    int          fd     = insider();
    for (size_t i = 0; i < PINGS; i++) { /* each is worth an answer */
        frame_put_header(body + i * FRAME_HEADER_BYTES, &ping);
    }
    while (raw_send(fd, body, (size_t)PINGS * FRAME_HEADER_BYTES)) {
    }
    expect_service();
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_alive(before);
}

static void one_that_sends_beyond_its_credit_fills_nothing(void **state)
{
    enum { TASKS = 50000, BODY = 2000 };
    serve(*state, "max_queued=2000&max_queued_bytes=4MiB");
    uint64_t before = worker_resident_bytes(worker);
    int      fd     = insider();
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
    enum { CALLS = 60 };
    place         near;
    patio_broker *caller = NULL;
    patio_future *f[CALLS];
    patio_error   err    = PATIO_ERROR_INIT;
    uint32_t      served = 0;
    place_make(&near, *state, "", "");
    assert_int_equal(patio_broker_open(NULL, near.listen_url, &caller, &err), PATIO_OK);
    assert_int_equal(patio_broker_start(caller, &err), PATIO_OK);
    int fd = raw_prove(near.path[0] != 0 ? raw_connect(near.path) : raw_connect_port(near.port), "",
                       NULL);
    size_t size = raw_announce(body, "mul", UINT32_MAX);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, size));
    worker           = worker_begin((const char *const[]){near.connect_url, NULL});
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
#define OVER(scheme, name)                                                                         \
    {                                                                                              \
#name ", " #scheme, name, NULL, end_service, scheme##_scheme                               \
    }
    static char unix_scheme[] = "unix";
    static char tcp_scheme[]  = "tcp";
    static char tls_scheme[]  = "tls";

    const struct CMUnitTest tests[] = {
        OVER(unix, random_bytes_of_strangers_do_no_harm),
        OVER(tcp, random_bytes_of_strangers_do_no_harm),
        OVER(tls, random_bytes_of_strangers_do_no_harm),
        OVER(tcp, random_bytes_do_no_harm),
        OVER(tls, random_bytes_do_no_harm),
        OVER(tcp, every_truncation_of_the_opening_is_refused),
        OVER(unix, every_truncation_of_every_frame_is_refused),
        OVER(tcp, every_truncation_of_every_frame_is_refused),
        OVER(tcp, every_truncation_of_a_long_message_is_refused),
        OVER(tcp, huge_lengths_are_refused),
        OVER(unix, a_slow_drip_does_not_outlive_the_handshake),
        OVER(tcp, a_slow_drip_does_not_outlive_the_handshake),
        OVER(tls, a_slow_drip_does_not_outlive_the_handshake),
        OVER(tcp, a_replayed_handshake_is_refused),
        OVER(tcp, a_reflected_handshake_is_refused),
        OVER(unix, one_that_reads_nothing_is_put_out),
        OVER(tcp, one_that_reads_nothing_is_put_out),
        OVER(unix, one_that_sends_beyond_its_credit_fills_nothing),
        OVER(tcp, one_that_sends_beyond_its_credit_fills_nothing),
        OVER(tcp, one_that_claims_endless_credit_starves_nobody),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
