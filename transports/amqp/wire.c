/* Encoding: frames into buffers. */
#include "transport.h"

enum { FRAME_HEAD = 7, FRAME_END = 0xCE, FIRST_BYTES = 4096, KEEP_BYTES = 256 * 1024 };

static bool reserve(patio_transport *t, obuf *b, size_t more)
{
    if (b->size + more <= b->capacity) {
        return true;
    }
    size_t capacity = b->capacity > 0 ? b->capacity : FIRST_BYTES;
    while (capacity < b->size + more) {
        capacity *= 2;
    }
    uint8_t *data = t->host->resize(t->host->self, b->data, capacity);
    if (data == NULL) {
        return false;
    }
    b->data     = data;
    b->capacity = capacity;
    return true;
}

bool obuf_add(patio_transport *t, obuf *b, const void *data, size_t size)
{
    if (!reserve(t, b, size)) {
        return false;
    }
    if (size > 0) {
        memcpy(b->data + b->size, data, size);
    }
    b->size += size;
    return true;
}

void obuf_clear(patio_transport *t, obuf *b)
{
    b->size = b->done = 0;
    if (b->capacity > KEEP_BYTES) {
        t->host->free(t->host->self, b->data);
        b->data     = NULL;
        b->capacity = 0;
    }
}

static void put_head(uint8_t *at, uint8_t type, uint16_t channel, size_t size)
{
    at[0] = type;
    at[1] = (uint8_t)(channel >> 8);
    at[2] = (uint8_t)channel;
    at[3] = (uint8_t)(size >> 24);
    at[4] = (uint8_t)(size >> 16);
    at[5] = (uint8_t)(size >> 8);
    at[6] = (uint8_t)size;
}

size_t wire_put_method(uint8_t *at, size_t room, uint16_t channel, uint32_t method, void *decoded)
{
    if (room < FRAME_HEAD + 4 + 1) {
        return 0;
    }
    amqp_bytes_t space = {.len = room - FRAME_HEAD - 4 - 1, .bytes = at + FRAME_HEAD + 4};
    int          size  = amqp_encode_method(method, decoded, space);
    if (size < 0) {
        return 0;
    }
    put_head(at, AMQP_FRAME_METHOD, channel, (size_t)size + 4);
    at[FRAME_HEAD]                    = (uint8_t)(method >> 24);
    at[FRAME_HEAD + 1]                = (uint8_t)(method >> 16);
    at[FRAME_HEAD + 2]                = (uint8_t)(method >> 8);
    at[FRAME_HEAD + 3]                = (uint8_t)method;
    at[FRAME_HEAD + 4 + (size_t)size] = FRAME_END;
    return FRAME_HEAD + 4 + (size_t)size + 1;
}

size_t wire_put_header(uint8_t *at, size_t room, uint16_t channel, uint64_t body_size,
                       amqp_basic_properties_t *p)
{
    if (room < FRAME_HEAD + 12 + 1) {
        return 0;
    }
    amqp_bytes_t space = {.len = room - FRAME_HEAD - 12 - 1, .bytes = at + FRAME_HEAD + 12};
    int          size  = amqp_encode_properties(AMQP_BASIC_CLASS, p, space);
    if (size < 0) {
        return 0;
    }
    put_head(at, AMQP_FRAME_HEADER, channel, (size_t)size + 12);
    uint8_t *payload = at + FRAME_HEAD;
    payload[0]       = AMQP_BASIC_CLASS >> 8;
    payload[1]       = AMQP_BASIC_CLASS & 0xFF;
    payload[2] = payload[3] = 0; /* weight: always 0 */
    for (int i = 0; i < 8; i++) {
        payload[4 + i] = (uint8_t)(body_size >> (8 * (7 - i)));
    }
    payload[12 + (size_t)size] = FRAME_END;
    return FRAME_HEAD + 12 + (size_t)size + 1;
}

bool wire_method(connection *c, uint16_t channel, uint32_t method, void *decoded)
{
    enum { MOST = 4096 };
    patio_transport *t = c->t;
    if (!reserve(t, &c->out, MOST)) {
        return false;
    }
    size_t size = wire_put_method(c->out.data + c->out.size, MOST, channel, method, decoded);
    c->out.size += size;
    return size > 0;
}

bool wire_body(connection *c, uint16_t channel, patio_bytes body)
{
    patio_transport *t      = c->t;
    size_t           most   = c->frame_max - FRAME_HEAD - 1;
    size_t           frames = (body.size + most - 1) / most;
    if (!reserve(t, &c->out, body.size + frames * (FRAME_HEAD + 1))) {
        return false;
    }
    for (size_t at = 0; at < body.size; at += most) {
        size_t   size = body.size - at < most ? body.size - at : most;
        uint8_t *out  = c->out.data + c->out.size;
        put_head(out, AMQP_FRAME_BODY, channel, size);
        memcpy(out + FRAME_HEAD, body.data + at, size);
        out[FRAME_HEAD + size] = FRAME_END;
        c->out.size += FRAME_HEAD + size + 1;
    }
    return true;
}

bool wire_heartbeat(connection *c)
{
    uint8_t frame[FRAME_HEAD + 1];
    put_head(frame, AMQP_FRAME_HEARTBEAT, 0, 0);
    frame[FRAME_HEAD] = FRAME_END;
    return obuf_add(c->t, &c->out, frame, sizeof(frame));
}

amqp_bytes_t wire_text(const char *text)
{
    union {
        const char *in;
        void       *out;
    } as = {.in = text};
    return (amqp_bytes_t){.len = strlen(text), .bytes = as.out};
}

void wire_copy(char *out, size_t size, amqp_bytes_t text)
{
    size_t length = text.len < size ? text.len : size - 1;
    if (length > 0) {
        memcpy(out, text.bytes, length);
    }
    out[length] = '\0';
}

bool wire_is(amqp_bytes_t text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.bytes, word, text.len) == 0;
}
