#include "raw_bodies.h"

#include <string.h>

#include "frame_ask.h"
#include "raw_peer.h"

static const patio_bytes why = {(const uint8_t *)"why", 3};

size_t raw_whole_body(uint8_t type, uint8_t to[RAW_BODY_ROOM])
{
    frame_settle s      = {.verdict = PATIO_ACK, .cause = why};
    frame_ask    ask    = {.what       = ASK_COUNTS,
                           .flags      = ASK_RELAY,
                           .timeout_ms = 1000,
                           .origin     = 1,
                           .number     = 1,
                           .queue      = "default"};
    frame_answer answer = {.what = ASK_COUNTS, .flags = ANSWER_LAST, .rows = why};
    memset(to, 0, RAW_BODY_ROOM);
    switch (type) {
    case FRAME_ANNOUNCE:
        return raw_announce(to, "mul", 3);
    case FRAME_PUBLISH:
        return raw_publish(to, 1, "mul", 20);
    case FRAME_SETTLE:
        frame_put_settle(to, &s);
        memcpy(to + FRAME_SETTLE_BYTES, why.data, why.size);
        return FRAME_SETTLE_BYTES + why.size;
    case FRAME_ASK:
        return frame_put_ask(to, &ask);
    case FRAME_ANSWER:
        frame_put_answer(to, &answer);
        memcpy(to + FRAME_ANSWER_BYTES, why.data, why.size);
        return FRAME_ANSWER_BYTES + why.size;
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

size_t raw_body_needs(uint8_t type)
{
    uint8_t       whole[RAW_BODY_ROOM];
    size_t        size = raw_whole_body(type, whole);
    frame_publish p;
    if (type == FRAME_PUBLISH) { /* the envelope is not this plugin's */
        return frame_get_publish((patio_bytes){whole, size}, &p) ? p.head_bytes : size;
    }
    return type == FRAME_NOTIFY ? 0 : size;
}

uint32_t raw_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

void raw_noise(uint32_t *seed, uint8_t *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)raw_random(seed);
    }
}
