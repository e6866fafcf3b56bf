/* Long messages for which there is no room: a task is given back and comes again, its connection
 * and what else is on it go on, and no peer takes the room of all others, or takes it for ever. */
#include "hostile_world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    KIB    = 1024,
    TASK   = 200 * KIB,
    QUEUED = 1024 * KIB, /* what each test but one gives the worker */
    CALLS  = 4,
    PEERS  = 4,
    PIECES = 4, /* of a peer at once */
};

static uint8_t data[TASK];

static patio_future *start(const char *task, const patio_payload *payload)
{
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 30000};
    if (patio_start(honest, task, payload, &options, &f, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    return f;
}

static void expect_end(patio_future *f)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_future_wait(f, 30000);
    if (patio_future_status(f, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    patio_future_destroy(f);
}

static void expect_large_call(void)
{
    expect_end(start("echo", PATIO_ARGS(patio_blob(data, TASK))));
}

/* ---- an honest one ---- */

static void more_large_calls_than_there_is_room_for_all_run(void **state)
{
    patio_future *f[CALLS];
    serve(*state, "max_queued_bytes=300KiB");
    expect_service();
    for (int i = 0; i < CALLS; i++) {
        f[i] = start("echo", PATIO_ARGS(patio_blob(data, TASK)));
    }
    for (int i = 0; i < CALLS; i++) {
        expect_end(f[i]);
    }
}

static void a_call_larger_than_all_room_is_refused_and_harms_no_other(void **state)
{
    patio_future *large = NULL;
    serve(*state, "max_queued_bytes=100KiB");
    expect_service();
    patio_future *other = start("sleep", PATIO_ARGS(0.5));
    assert_int_equal(
        patio_call(honest, "echo", PATIO_ARGS(patio_blob(data, TASK)), NULL, &large, NULL),
        PATIO_TOO_LARGE);
    patio_future_destroy(large);
    expect_end(other);
}

/* ---- others, which announce long messages ---- */

static bool piece(int fd, uint16_t channel, uint8_t flags, const void *bytes, size_t size)
{
    uint8_t      header[FRAME_HEADER_BYTES];
    frame_header h = {.size    = (uint32_t)size,
                      .type    = FRAME_PUBLISH,
                      .flags   = flags,
                      .channel = channel,
                      .id      = channel};
    frame_put_header(header, &h);
    return raw_send(fd, header, sizeof(header)) && raw_send(fd, bytes, size);
}

static void begin_long(int fd, uint16_t channel, uint32_t total)
{
    size_t size = 4 + raw_publish(body + 4, channel, "mul", 0);
    frame_put32(body, total);
    assert_true(piece(fd, channel, FRAME_FIRST | FRAME_MORE, body, size));
}

/* All that came before is handled, and the connection is there. */
static void expect_pong(int fd)
{
    frame_header h;
    assert_true(raw_frame(fd, FRAME_PING, 4711, NULL, 0));
    do {
        assert_true(raw_read(fd, &h, body));
    } while (h.type != FRAME_PONG || h.id != 4711);
}

static int announcer(void)
{
    int fd = insider();
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, body, raw_announce(body, "", 0)));
    return fd;
}

/* One takes what it can get, and sends no more. */
static void one_peer_does_not_take_all_room(void **state)
{
    serve(*state, "max_queued_bytes=1MiB");
    int fd = announcer();
    for (uint16_t channel = 1; channel <= PIECES; channel++) {
        begin_long(fd, channel, QUEUED / PIECES);
    }
    expect_pong(fd);
    expect_large_call();
    expect_pong(fd);
    (void)close(fd);
}

static void room_that_nobody_uses_is_free_again(void **state)
{
    int fds[PEERS];
    serve(*state, "max_queued_bytes=1MiB&dead_ms=1s&ping_ms=300ms");
    for (int i = 0; i < PEERS; i++) {
        fds[i] = announcer();
        begin_long(fds[i], 1, QUEUED / PEERS);
        expect_pong(fds[i]);
    }
    patio_future *large = start("echo", PATIO_ARGS(patio_blob(data, TASK)));
    while (!patio_future_done(large)) { /* they do not fall silent */
        for (int i = 0; i < PEERS; i++) {
            expect_pong(fds[i]);
        }
        (void)patio_future_wait(large, 50);
    }
    expect_end(large);
    for (int i = 0; i < PEERS; i++) {
        expect_pong(fds[i]);
        (void)close(fds[i]);
    }
}

static void what_was_dropped_is_given_back(void **state)
{
    frame_header h;
    frame_settle s = {0};
    serve(*state, "max_queued_bytes=1MiB");
    int    fd   = announcer();
    size_t left = QUEUED;
    begin_long(fd, 1, QUEUED);
    begin_long(fd, 2, QUEUED);
    while (left > 0) {
        size_t size = left < FRAME_CHUNK_BYTES ? left : FRAME_CHUNK_BYTES;
        left -= size;
        assert_true(piece(fd, 2, left > 0 ? FRAME_MORE : 0, data, size));
    }
    do {
        assert_true(raw_read(fd, &h, body));
    } while (h.type != FRAME_SETTLE);
    assert_int_equal(h.id, 2);
    assert_true(frame_get_settle((patio_bytes){body, h.size}, &s));
    assert_int_equal(s.verdict, PATIO_RETURN);
    assert_int_equal(s.flags, SETTLE_UNSTARTED);
    assert_true(s.delay_ms > 0);
    expect_pong(fd);
    (void)close(fd);
    expect_large_call();
}

/* Replies to tasks that it does not have are nobody's, and take no room. */
static void replies_to_nothing_are_forgotten(void **state)
{
    uint8_t first[4 + FRAME_SETTLE_BYTES] = {0};
    serve(*state, "max_queued_bytes=1MiB");
    int          fd = announcer();
    frame_settle s  = {.verdict = PATIO_ACK, .flags = SETTLE_HAS_REPLY};
    frame_put32(first, QUEUED);
    frame_put_settle(first + 4, &s);
    for (uint16_t channel = 1; channel <= PIECES; channel++) {
        frame_header h = {.size    = sizeof(first),
                          .type    = FRAME_SETTLE,
                          .flags   = FRAME_FIRST | FRAME_MORE,
                          .channel = channel,
                          .id      = channel};
        frame_put_header(body, &h);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES) && raw_send(fd, first, sizeof(first)));
    }
    expect_pong(fd);
    expect_large_call();
    (void)close(fd);
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
        OVER(unix, more_large_calls_than_there_is_room_for_all_run),
        OVER(tls, more_large_calls_than_there_is_room_for_all_run),
        OVER(tcp, a_call_larger_than_all_room_is_refused_and_harms_no_other),
        OVER(tcp, one_peer_does_not_take_all_room),
        OVER(tcp, room_that_nobody_uses_is_free_again),
        OVER(unix, what_was_dropped_is_given_back),
        OVER(tcp, what_was_dropped_is_given_back),
        OVER(unix, replies_to_nothing_are_forgotten),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
