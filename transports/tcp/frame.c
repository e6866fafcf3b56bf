#include "frame.h"

#include <string.h>

static const uint8_t magic[6] = {'P', 'A', 'T', 'I', 'O', '1'};

static void put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

void frame_put32(uint8_t *to, uint32_t value)
{
    put16(to, (uint16_t)value);
    put16(to + 2, (uint16_t)(value >> 16));
}

void frame_put64(uint8_t *to, uint64_t value)
{
    frame_put32(to, (uint32_t)value);
    frame_put32(to + 4, (uint32_t)(value >> 32));
}

uint32_t frame_get32(const uint8_t *from)
{
    return get16(from) | (uint32_t)get16(from + 2) << 16;
}

uint64_t frame_get64(const uint8_t *from)
{
    return frame_get32(from) | (uint64_t)frame_get32(from + 4) << 32;
}

void frame_put_header(uint8_t *to, const frame_header *h)
{
    frame_put32(to, h->size);
    to[4] = h->type;
    to[5] = h->flags;
    put16(to + 6, h->channel);
    frame_put64(to + 8, h->id);
}

void frame_get_header(const uint8_t *from, frame_header *h)
{
    h->size    = frame_get32(from);
    h->type    = from[4];
    h->flags   = from[5];
    h->channel = get16(from + 6);
    h->id      = frame_get64(from + 8);
}

static bool is_opening(uint8_t type)
{
    return type == FRAME_HELLO || type == FRAME_AUTH || type == FRAME_WELCOME ||
           type == FRAME_GOODBYE;
}

static bool may_be_long(uint8_t type)
{
    return type == FRAME_ANNOUNCE || type == FRAME_PUBLISH || type == FRAME_SETTLE ||
           type == FRAME_NOTIFY || type == FRAME_ANSWER;
}

const char *frame_check_header(const frame_header *h, bool open, uint64_t max_bytes)
{
    if (h->type < FRAME_HELLO || h->type > FRAME_ANSWER) {
        return "a frame of unknown type";
    }
    if (h->size > (open ? FRAME_BODY_MAX : FRAME_OPENING_MAX)) {
        return "a frame longer than allowed";
    }
    if (h->size > max_bytes + UINT64_C(16) * FRAME_OPENING_MAX) {
        return "a message longer than max_frame_bytes";
    }
    if (open ? (is_opening(h->type) && h->type != FRAME_GOODBYE) : !is_opening(h->type)) {
        return "a frame that does not belong here";
    }
    if ((h->flags & ~(FRAME_FIRST | FRAME_MORE)) != 0) {
        return "unknown flags";
    }
    bool piece = h->channel != 0 || h->flags != 0;
    if (piece && (!may_be_long(h->type) || h->channel == 0 || h->channel > FRAME_CHANNELS)) {
        return "a piece where none can be";
    }
    return NULL;
}

void frame_put_hello(uint8_t *to, const frame_hello *h)
{
    memset(to, 0, FRAME_HELLO_BYTES);
    memcpy(to, magic, sizeof(magic));
    to[6] = h->version_min;
    to[7] = h->version_max;
    to[8] = h->connects ? 1 : 0;
    to[9] = h->has_key ? 1 : 0;
    frame_put32(to + 12, h->max_bytes);
    frame_put64(to + 16, h->incarnation);
    frame_put32(to + 24, h->key_hints[0]);
    frame_put32(to + 28, h->key_hints[1]);
    memcpy(to + 32, h->nonce, FRAME_NONCE_BYTES);
}

bool frame_get_hello(patio_bytes body, frame_hello *h)
{
    if (body.size != FRAME_HELLO_BYTES || memcmp(body.data, magic, sizeof(magic)) != 0 ||
        body.data[8] > 1 || body.data[9] > 1) {
        return false;
    }
    h->version_min  = body.data[6];
    h->version_max  = body.data[7];
    h->connects     = body.data[8] != 0;
    h->has_key      = body.data[9] != 0;
    h->max_bytes    = frame_get32(body.data + 12);
    h->incarnation  = frame_get64(body.data + 16);
    h->key_hints[0] = frame_get32(body.data + 24);
    h->key_hints[1] = frame_get32(body.data + 28);
    h->nonce        = body.data + 32;
    return true;
}

size_t frame_put_publish(uint8_t *to, const frame_publish *p, const char *queue, const char *task)
{
    size_t queue_bytes = strlen(queue);
    size_t task_bytes  = strlen(task);
    memcpy(to, p->id.bytes, sizeof(p->id.bytes));
    frame_put32(to + 16, p->flags);
    frame_put32(to + 20, p->fence);
    frame_put64(to + 24, p->ttl_ms);
    frame_put64(to + 32, p->age_ms);
    put16(to + 40, p->priority);
    put16(to + 42, p->attempt);
    put16(to + 44, p->crashes);
    to[46] = (uint8_t)queue_bytes;
    to[47] = (uint8_t)task_bytes;
    /* NOLINTBEGIN(bugprone-not-null-terminated-result): on the wire a name has its length before it
     */
    memcpy(to + FRAME_PUBLISH_BYTES, queue, queue_bytes);
    memcpy(to + FRAME_PUBLISH_BYTES + queue_bytes, task, task_bytes);
    /* NOLINTEND(bugprone-not-null-terminated-result) */
    return FRAME_PUBLISH_BYTES + queue_bytes + task_bytes;
}

/* Names are C strings inside: no NUL in them, and not empty. */
static bool get_name(const uint8_t *from, size_t size, char name[256])
{
    if (size == 0 || size > 255 || memchr(from, 0, size) != NULL) {
        return false;
    }
    memcpy(name, from, size);
    name[size] = '\0';
    return true;
}

bool frame_get_publish(patio_bytes body, frame_publish *p)
{
    const uint8_t *from = body.data;
    if (body.size < FRAME_PUBLISH_BYTES ||
        body.size < FRAME_PUBLISH_BYTES + (size_t)from[46] + from[47]) {
        return false;
    }
    memcpy(p->id.bytes, from, sizeof(p->id.bytes));
    p->flags      = frame_get32(from + 16);
    p->fence      = frame_get32(from + 20);
    p->ttl_ms     = frame_get64(from + 24);
    p->age_ms     = frame_get64(from + 32);
    p->priority   = get16(from + 40);
    p->attempt    = get16(from + 42);
    p->crashes    = get16(from + 44);
    p->head_bytes = FRAME_PUBLISH_BYTES + (size_t)from[46] + from[47];
    return p->priority <= PATIO_PRIORITY_MAX &&
           get_name(from + FRAME_PUBLISH_BYTES, from[46], p->queue) &&
           get_name(from + FRAME_PUBLISH_BYTES + from[46], from[47], p->task);
}

void frame_put_settle(uint8_t *to, const frame_settle *s)
{
    to[0] = s->verdict;
    to[1] = s->flags;
    put16(to + 2, 0);
    frame_put32(to + 4, (uint32_t)s->cause.size);
    frame_put64(to + 8, s->delay_ms);
}

bool frame_get_settle(patio_bytes body, frame_settle *s)
{
    if (body.size < FRAME_SETTLE_BYTES) {
        return false;
    }
    uint32_t cause_bytes = frame_get32(body.data + 4);
    if (cause_bytes > body.size - FRAME_SETTLE_BYTES) {
        return false;
    }
    s->verdict    = body.data[0];
    s->flags      = body.data[1];
    s->delay_ms   = frame_get64(body.data + 8);
    s->cause      = (patio_bytes){body.data + FRAME_SETTLE_BYTES, cause_bytes};
    s->head_bytes = FRAME_SETTLE_BYTES + cause_bytes;
    return s->verdict >= PATIO_ACK && s->verdict <= PATIO_CLAIM;
}

bool frame_is_plain(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return name[strspn(name, plain)] == '\0';
}
