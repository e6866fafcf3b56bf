/* What a broker may hand over as a message, of whoever put it there: methods, headers with any
 * properties, pieces of bodies, in any order and on any channel, through librabbitmq's decoder and
 * ours. What comes out is within its bounds, and all of it can be read.
 *
 * A record is an operation, a channel, a length in two bytes, and so many bytes. */
#include <stdlib.h>
#include <string.h>

#include "transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MOST = 4096, FRAME_HEAD = 7, FRAME_END = 0xCE, LIVE_MOST = CHANNELS * 2 };
enum { OP_DELIVER, OP_GET_OK, OP_RETURN, OP_METHOD, OP_HEADER, OP_BODY, OPS };

struct patio_buf {
    size_t  size;
    uint8_t data[];
};

static uint32_t live; /* buffers */
static bool     failed;
static uint64_t sum; /* of all that was read, so that it is read */

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void *host_resize(void *self, void *old, size_t size)
{
    (void)self;
    return realloc(old, size);
}

static void host_free(void *self, void *p)
{
    (void)self;
    free(p);
}

static patio_buf *buf_new(void *self, size_t size, uint8_t **data)
{
    (void)self;
    require(size <= FRAME_MAX_BYTES && live < LIVE_MOST); /* never what a header claims alone */
    patio_buf *b = malloc(sizeof(*b) + size);
    require(b != NULL);
    memset(b->data, 0, size);
    b->size = size;
    *data   = b->data;
    live++;
    return b;
}

static void buf_drop(void *self, patio_buf *b)
{
    (void)self;
    live -= b != NULL;
    free(b);
}

static const patio_host host = {PATIO_SIZED(patio_host), .resize = host_resize, .free = host_free,
                                .buf_new = buf_new, .buf_drop = buf_drop};

static void read_all(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += ((const uint8_t *)data)[i];
    }
}

static void check(const inbound *in)
{
    require(strlen(in->props.task) < NAME_MAX_BYTES && strlen(in->props.reply_to) < NAME_MAX_BYTES);
    require(in->props.priority <= PATIO_PRIORITY_MAX && in->got == in->size);
    require(in->skip || in->size <= BODY_MOST);
    require(in->skip == (in->body == NULL));
    if (in->body != NULL) {
        require(in->body->size == in->size);
        read_all(in->body->data, in->body->size);
    }
    if (in->cause != NULL) {
        read_all(in->cause->data, in->cause->size);
    }
}

/* ---- where messages go when they are whole ---- */

void deliver_task(patio_transport *t, inbound *in)
{
    (void)t;
    check(in);
}

void deliver_inbox(patio_transport *t, inbound *in)
{
    (void)t;
    check(in);
}

void browse_message(patio_transport *t, inbound *in)
{
    (void)t;
    check(in);
}

void confirm_returned(patio_transport *t, const inbound *in)
{
    (void)t;
    check(in);
    require(strlen(in->key) < NAME_MAX_BYTES);
}

uint32_t subscribe_number(amqp_bytes_t tag)
{
    read_all(tag.bytes, tag.len);
    return 1;
}

void link_fail(connection *c, patio_status status, const char *format, ...)
{
    (void)status;
    (void)format;
    failed = true;
    content_reset(c);
}

/* ---- frames ---- */

/* As input.c does. */
static void take(connection *c, const amqp_frame_t *f)
{
    uint32_t id = f->frame_type == AMQP_FRAME_METHOD ? f->payload.method.id : 0;
    if (f->frame_type == AMQP_FRAME_HEADER) {
        content_header(c, f->channel, f);
    } else if (f->frame_type == AMQP_FRAME_BODY) {
        content_body(c, f->channel, f);
    } else if (f->channel < CHANNELS &&
               (id == AMQP_BASIC_DELIVER_METHOD || id == AMQP_BASIC_GET_OK_METHOD ||
                id == AMQP_BASIC_RETURN_METHOD)) {
        content_method(c, f->channel, &f->payload.method);
    }
}

static void feed(connection *c, uint8_t *frame, size_t size)
{
    while (size > 0 && !failed) {
        amqp_frame_t f;
        int used = amqp_handle_input(c->codec, (amqp_bytes_t){.len = size, .bytes = frame}, &f);
        if (used <= 0) {
            failed = true;
            return;
        }
        frame += used;
        size -= (size_t)used;
        if (f.frame_type != 0) {
            take(c, &f);
            amqp_maybe_release_buffers(c->codec);
        }
    }
}

static size_t wrap(uint8_t *out, uint8_t type, uint16_t channel, const uint8_t *data, size_t size)
{
    const uint8_t head[FRAME_HEAD] = {type,
                                      (uint8_t)(channel >> 8),
                                      (uint8_t)channel,
                                      (uint8_t)(size >> 24),
                                      (uint8_t)(size >> 16),
                                      (uint8_t)(size >> 8),
                                      (uint8_t)size};
    memcpy(out, head, FRAME_HEAD);
    memcpy(out + FRAME_HEAD, data, size);
    out[FRAME_HEAD + size] = FRAME_END;
    return FRAME_HEAD + size + 1;
}

static size_t make(uint8_t *out, size_t room, uint8_t op, uint16_t channel, uint8_t *data,
                   size_t size)
{
    amqp_bytes_t         text    = {.len = size < 255 ? size : 255, .bytes = data};
    amqp_basic_deliver_t deliver = {
        .consumer_tag = text, .delivery_tag = size, .redelivered = size % 2 == 1};
    amqp_basic_get_ok_t get  = {.delivery_tag = size};
    amqp_basic_return_t back = {.reply_code = 312, .reply_text = text, .routing_key = text};
    switch (op % OPS) {
    case OP_DELIVER:
        return wire_put_method(out, room, channel, AMQP_BASIC_DELIVER_METHOD, &deliver);
    case OP_GET_OK:
        return wire_put_method(out, room, channel, AMQP_BASIC_GET_OK_METHOD, &get);
    case OP_RETURN:
        return wire_put_method(out, room, channel, AMQP_BASIC_RETURN_METHOD, &back);
    case OP_METHOD:
        return wrap(out, AMQP_FRAME_METHOD, channel, data, size);
    case OP_HEADER:
        return wrap(out, AMQP_FRAME_HEADER, channel, data, size);
    default:
        return wrap(out, AMQP_FRAME_BODY, channel, data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static patio_transport t;
    static uint8_t         frame[UINT16_MAX + FRAME_HEAD + 1];
    static uint8_t         bytes[UINT16_MAX];
    connection            *c = &t.links[size > 0 && data[0] % 2 != 0 ? PUBLISHING : CONSUMING];
    t.host                   = &host;
    t.max_body_bytes         = BODY_MOST;
    c->t                     = &t;
    c->role                  = c == &t.links[PUBLISHING] ? PUBLISHING : CONSUMING;
    c->codec                 = amqp_new_connection();
    require(c->codec != NULL);
    failed = false;
    /* the library tunes itself only after a first word of the broker's */
    amqp_connection_start_t start = {.version_minor = 9};
    feed(c, frame, wire_put_method(frame, sizeof(frame), 0, AMQP_CONNECTION_START_METHOD, &start));
    require(!failed &&
            amqp_tune_connection(c->codec, CHANNELS, FRAME_MAX_BYTES, 0) == AMQP_STATUS_OK);
    for (size_t at = 1; at + 4 <= size && !failed;) {
        size_t length = (size_t)(data[at + 2] << 8 | data[at + 3]);
        length        = length < size - at - 4 ? length : size - at - 4;
        memcpy(bytes, data + at + 4, length);
        feed(c, frame,
             make(frame, sizeof(frame), data[at], data[at + 1] % (CHANNELS + 1), bytes, length));
        at += 4 + length;
    }
    content_reset(c);
    require(live == 0);
    (void)amqp_destroy_connection(c->codec);
    return 0;
}
