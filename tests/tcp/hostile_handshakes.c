/* Those who have not proved anything: noise, openings that are cut, drawn out, replayed, reflected.
 */
#include "hostile_world.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_bodies.h"

void random_bytes_of_strangers_do_no_harm(void **state)
{
    serve(*state, "");
    uint64_t before = worker_resident_bytes(worker);
    uint32_t seed   = 1;
    for (int i = 0; i < 300; i++) {
        int    fd   = stranger();
        size_t size = raw_random(&seed) % 3000 + FRAME_HEADER_BYTES;
        raw_noise(&seed, body, size);
        if (i % 3 == 0) { /* a header that could be one */
            frame_header h = {.size = 24, .type = (uint8_t)(raw_random(&seed) % 16)};
            frame_put_header(body, &h);
        }
        (void)raw_send(fd, body, size);
        (void)shutdown(fd, SHUT_WR);
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    expect_alive(before);
}

static uint64_t goodbye_of(int fd)
{
    frame_header h = {0};
    while (raw_read(fd, &h, body)) {
        if (h.type == FRAME_GOODBYE) {
            return h.id;
        }
        assert_true(h.type == FRAME_HELLO || h.type == FRAME_AUTH); /* never let in */
    }
    return UINT64_MAX;
}

/* HELLO, AUTH and GOODBYE, cut at each byte, and each shorter inside than it should be. */
void every_truncation_of_the_opening_is_refused(void **state)
{
    uint8_t hello[FRAME_HELLO_BYTES];
    uint8_t whole[2 * FRAME_HEADER_BYTES + FRAME_HELLO_BYTES + FRAME_MAC_BYTES] = {0};
    serve(*state, "");
    uint64_t     before = worker_resident_bytes(worker);
    frame_header h[2]   = {{.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO},
                           {.size = FRAME_MAC_BYTES, .type = FRAME_AUTH}};
    raw_hello(hello, key, 7);
    frame_put_header(whole, &h[0]);
    memcpy(whole + FRAME_HEADER_BYTES, hello, sizeof(hello));
    frame_put_header(whole + FRAME_HEADER_BYTES + FRAME_HELLO_BYTES, &h[1]);
    for (size_t cut = 0; cut <= sizeof(whole); cut++) { /* the proof itself is wrong in the end */
        int fd = stranger();
        assert_true(raw_send(fd, whole, cut));
        (void)shutdown(fd, SHUT_WR);
        assert_int_not_equal(goodbye_of(fd), GOODBYE_STOPPED);
        (void)close(fd);
    }
    for (size_t cut = 0; cut < FRAME_HELLO_BYTES; cut++) {
        int fd = stranger();
        (void)raw_frame(fd, FRAME_HELLO, 0, hello, cut);
        assert_int_not_equal(goodbye_of(fd), GOODBYE_STOPPED);
        (void)close(fd);
    }
    for (size_t cut = 0; cut < FRAME_MAC_BYTES; cut++) {
        int fd = stranger();
        (void)raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello));
        (void)raw_frame(fd, FRAME_AUTH, 0, whole, cut);
        assert_int_equal(goodbye_of(fd), GOODBYE_AUTH);
        (void)close(fd);
    }
    frame_put_header(whole, &(frame_header){.type = FRAME_GOODBYE, .id = GOODBYE_AUTH});
    for (size_t cut = 0; cut <= FRAME_HEADER_BYTES; cut++) {
        int fd = stranger();
        assert_true(raw_send(fd, whole, cut));
        (void)shutdown(fd, SHUT_WR);
        assert_int_equal(goodbye_of(fd), UINT64_MAX);
        (void)close(fd);
    }
    for (uint8_t type = FRAME_WELCOME; type <= FRAME_ANSWER; type++) { /* too early, all of them */
        int fd = stranger();
        (void)raw_frame(fd, type, 0, NULL, 0);
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    expect_alive(before);
}

void a_slow_drip_does_not_outlive_the_handshake(void **state)
{
    enum { DRIPS = 40 };
    int     fd[DRIPS];
    uint8_t hello[FRAME_HEADER_BYTES + FRAME_HELLO_BYTES];
    int     closed = 0;
    serve(*state, "handshake_ms=500");
    frame_header h = {.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO};
    frame_put_header(hello, &h);
    raw_hello(hello + FRAME_HEADER_BYTES, key, 9);
    if (key[0] == '\0') { /* the beginning of a TLS record that could be a greeting */
        static const uint8_t greeting[] = {0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3};
        memset(hello, 0, sizeof(hello));
        memcpy(hello, greeting, sizeof(greeting));
    }
    for (int i = 0; i < DRIPS; i++) {
        fd[i] = stranger();
    }
    for (size_t k = 0; k < sizeof(hello) && closed < DRIPS; k++) {
        closed = 0;
        for (int i = 0; i < DRIPS; i++) {
            closed += raw_send(fd[i], hello + k, 1) ? 0 : 1;
        }
        expect_service();
        usleep(20 * 1000);
    }
    assert_int_equal(closed, DRIPS);
    for (int i = 0; i < DRIPS; i++) {
        (void)close(fd[i]);
    }
    expect_service();
}

void a_replayed_handshake_is_refused(void **state)
{
    uint8_t      sent[FRAME_HELLO_BYTES + FRAME_MAC_BYTES];
    frame_header h;
    serve(*state, "");
    int fd = raw_prove(stranger(), key, sent);
    (void)close(fd);
    fd = stranger();
    assert_true(raw_frame(fd, FRAME_HELLO, 0, sent, FRAME_HELLO_BYTES));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO);
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
    assert_true(raw_frame(fd, FRAME_AUTH, 0, sent + FRAME_HELLO_BYTES, FRAME_MAC_BYTES));
    assert_int_equal(goodbye_of(fd), GOODBYE_AUTH);
    (void)close(fd);
    expect_service();
}

void a_reflected_handshake_is_refused(void **state)
{
    uint8_t      hello[FRAME_HELLO_BYTES];
    frame_header h;
    serve(*state, "");
    int fd = stranger();
    raw_hello(hello, key, 1);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello)));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO);
    memcpy(hello, body, sizeof(hello));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
    assert_true(raw_frame(fd, FRAME_AUTH, 0, body, h.size)); /* its own proof */
    assert_int_equal(goodbye_of(fd), GOODBYE_AUTH);
    (void)close(fd);
    fd = stranger();
    assert_true(raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello))); /* its own HELLO */
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_service();
}
