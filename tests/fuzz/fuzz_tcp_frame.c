/* A stream of frames as a peer may send it, cut at any byte: what is accepted is within its bounds,
 * and written again it is the same. */
#include <stdlib.h>
#include <string.h>

#include "frame_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_publish(patio_bytes body)
{
    frame_publish p;
    uint8_t       again[FRAME_PUBLISH_BYTES + 510];
    if (!frame_get_publish(body, &p)) {
        return;
    }
    require(p.head_bytes <= body.size && p.priority <= PATIO_PRIORITY_MAX);
    require(p.queue[0] != '\0' && p.task[0] != '\0');
    size_t size = frame_put_publish(again, &p, p.queue, p.task);
    require(size == p.head_bytes && memcmp(again, body.data, size) == 0);
}

static void check_settle(patio_bytes body)
{
    frame_settle s;
    uint8_t      again[FRAME_SETTLE_BYTES];
    if (!frame_get_settle(body, &s)) {
        return;
    }
    require(s.head_bytes <= body.size && s.cause.size == s.head_bytes - FRAME_SETTLE_BYTES);
    frame_put_settle(again, &s);
    require(memcmp(again + 4, body.data + 4, sizeof(again) - 4) == 0);
}

static void check_hello(patio_bytes body)
{
    frame_hello h;
    if (frame_get_hello(body, &h)) {
        require(h.nonce >= body.data && h.nonce + FRAME_NONCE_BYTES <= body.data + body.size);
    }
}

static void check_ask(patio_bytes body)
{
    frame_ask a;
    uint8_t   again[FRAME_ASK_BYTES + 255];
    if (!frame_get_ask(body, &a)) {
        return;
    }
    size_t size = frame_put_ask(again, &a);
    require(size == body.size && strlen(a.queue) == size - FRAME_ASK_BYTES);
    frame_put32(again + 12, frame_get32(body.data + 12)); /* which is not read */
    require(memcmp(again, body.data, size) == 0);
}

/* What the rows are depends on what was asked, so each reader must bear all of them. */
static void check_answer(patio_bytes body)
{
    frame_answer      a;
    patio_dead_letter letter;
    patio_counts      counts;
    char              name[256];
    if (!frame_get_answer(body, &a)) {
        return;
    }
    require(a.head_bytes <= body.size && a.rows.size == a.head_bytes - FRAME_ANSWER_BYTES);
    patio_bytes rest = a.rows;
    while (frame_next_letter(&rest, &letter, name)) {
        require(letter.cause.data + letter.cause.size <= body.data + body.size);
        require(strlen(name) <= 255 && rest.size < a.rows.size);
    }
    rest = a.rows;
    while (rest.size > 0 && frame_next_name(&rest, name)) {
        require(name[0] != '\0');
    }
    require(frame_get_counts(a.rows, &counts) == (a.rows.size == FRAME_COUNTS_BYTES));
}

static void check(const frame_header *h, patio_bytes body)
{
    switch (h->type) {
    case FRAME_HELLO:
        check_hello(body);
        return;
    case FRAME_PUBLISH:
        check_publish(body);
        return;
    case FRAME_SETTLE:
        check_settle(body);
        return;
    case FRAME_ASK:
        check_ask(body);
        return;
    case FRAME_ANSWER:
        check_answer(body);
        return;
    case FRAME_ANNOUNCE:
        (void)frame_check_announce(body);
        return;
    default:
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool open = size > 0 && (data[0] & 1) != 0;
    for (size_t at = size > 0 ? 1 : 0; size - at >= FRAME_HEADER_BYTES;) {
        frame_header h;
        frame_get_header(data + at, &h);
        if (frame_check_header(&h, open, 1 << 20) != NULL) {
            return 0;
        }
        require(h.size <= (open ? FRAME_BODY_MAX : FRAME_OPENING_MAX));
        at += FRAME_HEADER_BYTES;
        size_t left = size - at;
        check(&h, (patio_bytes){data + at, h.size < left ? h.size : left});
        at += h.size < left ? h.size : left;
    }
    return 0;
}
