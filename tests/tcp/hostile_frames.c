/* Bytes and frames that no honest peer sends, from one that was let in. */
#include "hostile_world.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_bodies.h"

void random_bytes_do_no_harm(void **state)
{
    serve(*state, "");
    uint64_t before = worker_resident_bytes(worker);
    uint32_t seed   = 1;
    for (int i = 0; i < 300; i++) {
        int    fd   = insider();
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

void every_truncation_of_every_frame_is_refused(void **state)
{
    uint8_t whole[RAW_BODY_ROOM];
    serve(*state, "");
    uint64_t before = worker_resident_bytes(worker);
    for (uint8_t type = FRAME_ANNOUNCE; type <= FRAME_ANSWER; type++) {
        size_t       size = raw_whole_body(type, whole);
        frame_header h    = {.size = (uint32_t)size, .type = type, .id = 1};
        frame_put_header(body, &h);
        memcpy(body + FRAME_HEADER_BYTES, whole, size);
        for (size_t cut = 0; cut < size + FRAME_HEADER_BYTES; cut++) { /* the stream ends early */
            int fd = insider();
            assert_true(raw_send(fd, body, cut));
            (void)shutdown(fd, SHUT_WR);
            assert_true(raw_closed(fd));
            (void)close(fd);
        }
        for (size_t cut = 0; cut < raw_body_needs(type); cut++) { /* shorter than its content */
            int fd = insider();
            (void)raw_frame(fd, type, 1, whole, cut);
            assert_true(raw_closed(fd));
            (void)close(fd);
        }
    }
    expect_alive(before);
}

static void send_piece(int fd, uint8_t type, uint8_t flags, const uint8_t *data, size_t size)
{
    uint8_t      header[FRAME_HEADER_BYTES];
    frame_header h = {.size = (uint32_t)size, .type = type, .flags = flags, .channel = 1, .id = 1};
    frame_put_header(header, &h);
    (void)raw_send(fd, header, sizeof(header));
    (void)raw_send(fd, data, size);
}

/* FIRST with less than it must hold, its last piece with less or more than was announced. */
void every_truncation_of_a_long_message_is_refused(void **state)
{
    enum { LONG_BYTES = 200 };
    uint8_t first[4 + RAW_BODY_ROOM];
    serve(*state, "");
    uint64_t before = worker_resident_bytes(worker);
    size_t   size   = 4 + raw_publish(first + 4, 1, "mul", 0);
    frame_put32(first, LONG_BYTES);
    for (size_t cut = 0; cut < 2 * size; cut++) {
        int  fd   = insider();
        bool ends = cut >= size; /* the stream ends in it */
        if (ends) {
            frame_header h = {
                .size = (uint32_t)size, .type = FRAME_PUBLISH, .flags = 3, .channel = 1, .id = 1};
            frame_put_header(body, &h);
            (void)raw_send(fd, body, FRAME_HEADER_BYTES);
            (void)raw_send(fd, first, cut - size);
            (void)shutdown(fd, SHUT_WR);
        } else {
            send_piece(fd, FRAME_PUBLISH, FRAME_FIRST | FRAME_MORE, first, cut);
            send_piece(fd, FRAME_PUBLISH, 0, body, LONG_BYTES);
        }
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    for (size_t last = 0; last <= LONG_BYTES + 1; last++) {
        if (last != LONG_BYTES) {
            int fd = insider();
            send_piece(fd, FRAME_PUBLISH, FRAME_FIRST | FRAME_MORE, first, size);
            send_piece(fd, FRAME_PUBLISH, 0, body, last);
            assert_true(raw_closed(fd));
            (void)close(fd);
        }
    }
    expect_alive(before);
}

void huge_lengths_are_refused(void **state)
{
    static const struct {
        frame_header h;
        uint32_t     total;
    } cases[] = {
        {{.size = UINT32_MAX, .type = FRAME_PUBLISH}, 0},
        {{.size = FRAME_BODY_MAX + 1, .type = FRAME_PUBLISH}, 0},
        {{.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 1}, UINT32_MAX},
        {{.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 1}, 17 * 1024 * 1024},
        {{.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 5}, 1000},
        {{.size = 4, .type = FRAME_PING, .flags = 3, .channel = 1}, 1000},
    };
    serve(*state, "");
    uint64_t before = worker_resident_bytes(worker);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = insider();
        frame_put_header(body, &cases[i].h);
        frame_put32(body + FRAME_HEADER_BYTES, cases[i].total);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES + 4));
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    int          fd = stranger(); /* before authentication even 513 bytes are too many */
    frame_header h  = {.size = FRAME_OPENING_MAX + 1, .type = FRAME_HELLO};
    frame_put_header(body, &h);
    assert_true(raw_send(fd, body, FRAME_HEADER_BYTES));
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_alive(before);
}
