/* Bytes and frames that no honest peer sends. */
#include "hostile_world.h"

#include <string.h>
#include <unistd.h>

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

void random_bytes_do_no_harm(void **state)
{
    (void)state;
    serve("key=" KEY);
    uint64_t before = worker_resident_bytes(worker);
    uint32_t seed   = 1;
    for (int i = 0; i < 300; i++) {
        int    fd   = i % 2 == 0 ? raw_connect(path) : raw_open(path, KEY, NULL);
        size_t size = next_random(&seed) % 3000;
        for (size_t k = 0; k < size; k++) {
            body[k] = (uint8_t)next_random(&seed);
        }
        if (i % 3 == 0 && size > 16) { /* a header that could be one */
            frame_header h = {.size = 24, .type = (uint8_t)(next_random(&seed) % 16)};
            frame_put_header(body, &h);
        }
        (void)raw_send(fd, body, size);
        (void)close(fd);
    }
    expect_alive(before);
}

/* A well-formed body of each type that may be sent once both sides are open. */
static size_t whole_body(uint8_t type, uint8_t *to)
{
    frame_settle s      = {.verdict = PATIO_ACK, .cause = {(const uint8_t *)"why", 3}};
    frame_ask    ask    = {.what       = ASK_COUNTS,
                           .flags      = ASK_RELAY,
                           .timeout_ms = 1000,
                           .origin     = 1,
                           .number     = 1,
                           .queue      = "default"};
    frame_answer answer = {
        .what = ASK_COUNTS, .flags = ANSWER_LAST, .rows = {(const uint8_t *)"why", 3}};
    switch (type) {
    case FRAME_ANNOUNCE:
        return raw_announce(to, "mul", 3);
    case FRAME_PUBLISH:
        return raw_publish(to, 1, "mul", 20);
    case FRAME_SETTLE:
        frame_put_settle(to, &s);
        memcpy(to + FRAME_SETTLE_BYTES, "why", 3);
        return FRAME_SETTLE_BYTES + 3;
    case FRAME_ASK:
        return frame_put_ask(to, &ask);
    case FRAME_ANSWER:
        frame_put_answer(to, &answer);
        memcpy(to + FRAME_ANSWER_BYTES, "why", 3);
        return FRAME_ANSWER_BYTES + 3;
    case FRAME_CANCEL:
        return 16;
    case FRAME_CANCELLED:
        return 20;
    case FRAME_NOTIFY:
        return 8;
    default:
        return 0;
    }
}

void every_truncation_of_every_frame_is_survived(void **state)
{
    (void)state;
    uint8_t whole[256];
    serve("key=" KEY);
    uint64_t before = worker_resident_bytes(worker);
    for (uint8_t type = FRAME_ANNOUNCE; type <= FRAME_ANSWER; type++) {
        size_t size = whole_body(type, whole);
        for (size_t cut = 0; cut < size + FRAME_HEADER_BYTES; cut++) {
            /* the stream ends early, and a frame that is whole but shorter than its content */
            frame_header h  = {.size = (uint32_t)size, .type = type, .id = 1};
            int          fd = raw_open(path, KEY, NULL);
            frame_put_header(body, &h);
            memcpy(body + FRAME_HEADER_BYTES, whole, size);
            assert_true(raw_send(fd, body, cut));
            (void)close(fd);
            if (cut < size) {
                fd = raw_open(path, KEY, NULL);
                (void)raw_frame(fd, type, 1, whole, cut);
                (void)close(fd);
            }
        }
    }
    expect_alive(before);
}

void huge_lengths_are_refused(void **state)
{
    (void)state;
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
    serve("key=" KEY);
    uint64_t before = worker_resident_bytes(worker);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = raw_open(path, KEY, NULL);
        frame_put_header(body, &cases[i].h);
        frame_put32(body + FRAME_HEADER_BYTES, cases[i].total);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES + 4));
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    int          fd = raw_connect(path); /* before authentication even 513 bytes are too many */
    frame_header h  = {.size = FRAME_OPENING_MAX + 1, .type = FRAME_HELLO};
    frame_put_header(body, &h);
    assert_true(raw_send(fd, body, FRAME_HEADER_BYTES));
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_alive(before);
}
