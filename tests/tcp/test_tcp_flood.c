/* Peers that ask faster than they read. What is answered without a task does not pile up: who does
 * not read is not heard until it does, gets every answer then, and nobody else notices. */
#include "hostile_world.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MIB         = 1024 * 1024,
    WRITE_QUEUE = 256 * 1024,
    ITS_QUEUE   = MIB, /* of the worker that many do not read */
    ALL_FACTOR  = 16,  /* what all peers may have, in write queues */
    PINGS       = 16 * MIB / FRAME_HEADER_BYTES,
    AT_ONCE     = 64,         /* of them, in one send */
    ON_THE_WAY  = 700 * 1024, /* what UNIX sockets hold, and one read */
    PEERS       = 32,
    STALLED_MS  = 300,
    TRIES       = 200,
};

static _Atomic size_t asked; /* pings that were sent */

static size_t put_pings(uint8_t *to, uint64_t from)
{
    for (uint64_t i = 0; i < AT_ONCE; i++) {
        frame_header h = {.type = FRAME_PING, .id = from + i};
        frame_put_header(to + i * FRAME_HEADER_BYTES, &h);
    }
    return (size_t)AT_ONCE * FRAME_HEADER_BYTES;
}

static void *ask_all_of_it(void *arg)
{
    uint8_t    pings[AT_ONCE * FRAME_HEADER_BYTES];
    const int *fd = arg;
    for (size_t i = 0; i < PINGS && raw_send(*fd, pings, put_pings(pings, i)); i += AT_ONCE) {
        atomic_store(&asked, i + AT_ONCE);
    }
    return NULL;
}

/* What was asked when no more of it was taken. */
static size_t await_stall(void)
{
    size_t before = 0;
    size_t now    = 0;
    for (int i = 0; i < TRIES && (now == 0 || now > before); i++) {
        before = now;
        usleep(STALLED_MS * 1000);
        now = atomic_load(&asked);
    }
    return now;
}

/* Each answer once and in order; frames of other kinds come between them. */
static void read_pongs(int fd)
{
    static uint8_t data[256 * 1024];
    size_t         have = 0;
    for (uint64_t next = 0; next < PINGS;) {
        ssize_t n = recv(fd, data + have, sizeof(data) - have, 0);
        if (n <= 0) {
            fail_msg("cut off with %llu of %d answers", (unsigned long long)next, PINGS);
        }
        have += (size_t)n;
        size_t       at = 0;
        frame_header h;
        while (have - at >= FRAME_HEADER_BYTES) {
            frame_get_header(data + at, &h);
            if (have - at - FRAME_HEADER_BYTES < h.size) {
                break;
            }
            at += FRAME_HEADER_BYTES + h.size;
            if (h.type == FRAME_PONG) {
                assert_int_equal(h.id, next);
                next++;
            }
        }
        have -= at;
        memmove(data, data + at, have);
    }
}

static void one_that_does_not_read_is_not_heard_until_it_does(void **state)
{
    pthread_t asker;
    serve(*state, "write_queue_bytes=256KiB");
    int fd = insider();
    atomic_store(&asked, 0);
    assert_int_equal(pthread_create(&asker, NULL, ask_all_of_it, &fd), 0);
    size_t taken = await_stall() * FRAME_HEADER_BYTES;
    if (site.path[0] != '\0') { /* those of TCP grow as they like */
        assert_in_range(taken, WRITE_QUEUE, WRITE_QUEUE + ON_THE_WAY);
    }
    expect_service();
    read_pongs(fd);
    (void)pthread_join(asker, NULL);
    assert_int_equal(atomic_load(&asked), PINGS);
    (void)close(fd);
    expect_service();
}

static void many_that_do_not_read_are_bounded_together(void **state)
{
    uint8_t       pings[AT_ONCE * FRAME_HEADER_BYTES];
    struct pollfd fds[PEERS];
    size_t        size = put_pings(pings, 0);
    uint64_t      sum  = 0;
    serve(*state, "write_queue_bytes=1MiB");
    for (int i = 0; i < PEERS; i++) {
        fds[i] = (struct pollfd){.fd = insider(), .events = POLLOUT};
    }
    while (poll(fds, PEERS, STALLED_MS) > 0) {
        for (int i = 0; i < PEERS; i++) {
            ssize_t n = send(fds[i].fd, pings, size, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN) {
                fail_msg("peer %d was cut off", i);
            }
            if (n > 0 && n < (ssize_t)size) { /* a frame is not cut in two */
                assert_true(raw_send(fds[i].fd, pings + n, size - (size_t)n));
            }
            sum += n > 0 ? size : 0;
        }
        assert_in_range(sum, 0, ALL_FACTOR * ITS_QUEUE + (uint64_t)PEERS * ON_THE_WAY);
    }
    assert_true(sum > ALL_FACTOR * ITS_QUEUE);
    expect_service();
    for (int i = 0; i < PEERS; i++) {
        (void)close(fds[i].fd);
    }
    expect_service();
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
        OVER(unix, one_that_does_not_read_is_not_heard_until_it_does),
        OVER(tcp, one_that_does_not_read_is_not_heard_until_it_does),
        OVER(tls, one_that_does_not_read_is_not_heard_until_it_does),
        OVER(unix, many_that_do_not_read_are_bounded_together),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
