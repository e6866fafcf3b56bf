/* Openings and frames of who listens that end too early, at each byte. */
#include "impostor_world.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void every_truncation_of_the_opening_is_survived(void **state)
{
    (void)state;
    raw_opening o;
    uint8_t     whole[2 * FRAME_HEADER_BYTES + FRAME_HELLO_BYTES + FRAME_MAC_BYTES];
    for (size_t cut = 0; cut < sizeof(whole); cut++) {
        frame_header hello = {.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO};
        frame_header auth  = {.size = FRAME_MAC_BYTES, .type = FRAME_AUTH};
        int          fd    = raw_accept(listening);
        raw_greeted(fd, &o, IMPOSTOR_KEY);
        frame_put_header(whole, &hello);
        memcpy(whole + FRAME_HEADER_BYTES, o.own, sizeof(o.own));
        frame_put_header(whole + FRAME_HEADER_BYTES + FRAME_HELLO_BYTES, &auth);
        memcpy(whole + 2 * FRAME_HEADER_BYTES + FRAME_HELLO_BYTES, o.proof, sizeof(o.proof));
        assert_true(raw_send(fd, whole, cut));
        (void)shutdown(fd, SHUT_WR);
        expect_kept_out(fd);
    }
    for (size_t cut = 0; cut < FRAME_HELLO_BYTES; cut++) { /* whole frames, too short inside */
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, IMPOSTOR_KEY);
        (void)raw_frame(fd, FRAME_HELLO, 0, o.own, cut < FRAME_MAC_BYTES ? sizeof(o.own) : cut);
        (void)raw_frame(fd, FRAME_AUTH, 0, o.proof, cut < FRAME_MAC_BYTES ? cut : sizeof(o.proof));
        expect_kept_out(fd);
    }
    expect_unharmed();
}

/* Up to the proof of who connects, which it gets. */
static int half_open(void)
{
    raw_opening  o;
    frame_header h;
    int          fd = raw_accept(listening);
    raw_greeted(fd, &o, IMPOSTOR_KEY);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own)));
    assert_true(raw_frame(fd, FRAME_AUTH, 0, o.proof, sizeof(o.proof)));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
    return fd;
}

/* With all of it the worker says what it can run. */
static void expect_open(int fd)
{
    frame_header h;
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_ANNOUNCE);
    (void)close(fd);
}

void every_truncation_of_the_welcome_leaves_it_shut(void **state)
{
    (void)state;
    static const uint8_t last[] = {FRAME_WELCOME, FRAME_GOODBYE};
    uint8_t              whole[FRAME_HEADER_BYTES];
    for (size_t i = 0; i < 2 * FRAME_HEADER_BYTES; i++) {
        frame_header h  = {.type = last[i / FRAME_HEADER_BYTES]};
        int          fd = half_open();
        frame_put_header(whole, &h);
        assert_true(raw_send(fd, whole, i % FRAME_HEADER_BYTES));
        (void)shutdown(fd, SHUT_WR);
        expect_kept_out(fd);
    }
    int fd = half_open();
    assert_true(raw_frame(fd, FRAME_WELCOME, 0, NULL, 0));
    expect_open(fd);
    expect_unharmed();
}

/* Without a key the welcome follows the HELLO. */
void every_truncation_without_a_key_leaves_it_shut(void **state)
{
    (void)state;
    frame_header h[2] = {{.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO}, {.type = FRAME_WELCOME}};
    uint8_t      whole[2 * FRAME_HEADER_BYTES + FRAME_HELLO_BYTES];
    raw_opening  o;
    frame_put_header(whole, &h[0]);
    raw_hello_listens(whole + FRAME_HEADER_BYTES, "");
    frame_put_header(whole + FRAME_HEADER_BYTES + FRAME_HELLO_BYTES, &h[1]);
    for (size_t cut = 0; cut < sizeof(whole); cut++) {
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, "");
        assert_true(raw_send(fd, whole, cut));
        (void)shutdown(fd, SHUT_WR);
        expect_kept_out(fd);
    }
    for (size_t cut = 0; cut < FRAME_HELLO_BYTES; cut++) { /* whole frames, too short inside */
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, "");
        (void)raw_frame(fd, FRAME_HELLO, 0, o.own, cut);
        (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        expect_kept_out(fd);
    }
    int fd = raw_accept(listening);
    raw_greeted(fd, &o, "");
    assert_true(raw_send(fd, whole, sizeof(whole)));
    expect_open(fd);
    expect_unharmed();
}

/* One that has the key is let in, and lets the worker down then. */
void every_truncation_of_every_frame_is_refused(void **state)
{
    (void)state;
    raw_opening o;
    uint8_t     whole[RAW_BODY_ROOM];
    for (uint8_t type = FRAME_ANNOUNCE; type <= FRAME_ANSWER; type++) {
        size_t size = raw_whole_body(type, whole);
        for (size_t cut = 0; cut < raw_body_needs(type); cut++) {
            int fd = raw_let_in(listening, IMPOSTOR_KEY, &o);
            (void)raw_frame(fd, type, 1, whole, cut);
            assert_true(raw_closed(fd));
            (void)close(fd);
        }
        for (size_t cut = 0; cut < FRAME_HEADER_BYTES + size; cut++) { /* the stream ends in it */
            frame_header h  = {.size = (uint32_t)size, .type = type, .id = 1};
            int          fd = raw_let_in(listening, IMPOSTOR_KEY, &o);
            frame_put_header(body, &h);
            memcpy(body + FRAME_HEADER_BYTES, whole, size);
            assert_true(raw_send(fd, body, cut));
            (void)shutdown(fd, SHUT_WR);
            assert_true(raw_closed(fd));
            (void)close(fd);
        }
    }
    expect_unharmed();
}
