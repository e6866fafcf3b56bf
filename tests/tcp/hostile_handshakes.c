/* Handshakes that are drawn out, replayed, reflected. */
#include "hostile_world.h"

#include <string.h>
#include <unistd.h>

void a_slow_drip_does_not_outlive_the_handshake(void **state)
{
    (void)state;
    enum { DRIPS = 40 };
    int     fd[DRIPS];
    uint8_t hello[FRAME_HEADER_BYTES + FRAME_HELLO_BYTES];
    int     closed = 0;
    serve("key=" KEY "&handshake_ms=500");
    frame_header h = {.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO};
    frame_put_header(hello, &h);
    raw_hello(hello + FRAME_HEADER_BYTES, KEY, 9);
    for (int i = 0; i < DRIPS; i++) {
        fd[i] = raw_connect(path);
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

static uint64_t goodbye_of(int fd)
{
    frame_header h = {0};
    while (raw_read(fd, &h, body)) {
        if (h.type == FRAME_GOODBYE) {
            return h.id;
        }
        assert_int_not_equal(h.type, FRAME_WELCOME);
    }
    return UINT64_MAX;
}

void a_replayed_handshake_is_refused(void **state)
{
    (void)state;
    uint8_t      sent[FRAME_HELLO_BYTES + FRAME_MAC_BYTES];
    frame_header h;
    serve("key=" KEY);
    int fd = raw_open(path, KEY, sent);
    (void)close(fd);
    fd = raw_connect(path);
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
    (void)state;
    uint8_t      hello[FRAME_HELLO_BYTES];
    frame_header h;
    serve("key=" KEY);
    int fd = raw_connect(path);
    raw_hello(hello, KEY, 1);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello)));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO);
    memcpy(hello, body, sizeof(hello));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
    assert_true(raw_frame(fd, FRAME_AUTH, 0, body, h.size)); /* its own proof */
    assert_int_equal(goodbye_of(fd), GOODBYE_AUTH);
    (void)close(fd);
    fd = raw_connect(path);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello))); /* its own HELLO */
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_service();
}
