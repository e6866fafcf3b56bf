/* What comes over an open connection, cut anywhere: the messages are the same as in one piece,
 * those of long ones too, and what is wrong ends it at the same place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_FRAME_BYTES = 256 * 1024, MAX_QUEUED_BYTES = 512 * 1024 };

struct patio_buf {
    size_t   size;
    uint32_t refs;
    uint8_t  data[];
};

/* ---- where the bytes come from ---- */

static patio_bytes left;
static uint32_t    cut_state; /* 0: all at once */
static uint64_t    digest;    /* of all messages, in order */
static const char *ended;     /* why, or NULL */

static uint32_t next_cut(void)
{
    cut_state = cut_state * 1664525u + 1013904223u;
    return cut_state >> 24 < 128 ? 1 + (cut_state >> 8) % 40 : 1 + (cut_state >> 8) % 5000;
}

static ssize_t give(conn *c, void *to, size_t room)
{
    (void)c;
    size_t size = left.size < room ? left.size : room;
    if (cut_state != 0) {
        uint32_t most = next_cut();
        size          = size < most ? size : most;
    }
    if (size == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(to, left.data, size);
    left.data += size;
    left.size -= size;
    return (ssize_t)size;
}

static bool no_more(conn *c)
{
    (void)c;
    return false;
}

/* ---- what receive.c and pieces.c call ---- */

static void note(const void *of, size_t size)
{
    const uint8_t *at = of;
    for (size_t i = 0; i < size; i++) {
        digest = (digest ^ at[i]) * UINT64_C(1099511628211);
    }
    digest = (digest ^ size) * UINT64_C(1099511628211);
}

const char *read_message(conn *c, incoming *in, effects *fx)
{
    (void)c;
    (void)fx;
    note(&in->type, sizeof(in->type));
    note(&in->id, sizeof(in->id));
    note(in->head.data, in->head.size);
    if (in->tail != NULL) {
        note(in->tail->data, in->tail->size);
    }
    return NULL;
}

bool read_has_task(const conn *c, uint64_t tag)
{
    (void)c;
    return tag % 2 == 0;
}

const char *hello_frame(conn *c, const frame_header *h, patio_bytes body, patio_status *status)
{
    (void)body;
    (void)status;
    if (c->state != CONN_OPEN || h->type != FRAME_GOODBYE) {
        abort(); /* it is open: only who is dismissed comes here */
    }
    return "dismissed";
}

bool echo_is_behind(const conn *c)
{
    (void)c;
    return false;
}

void hello_goodbye(conn *c, enum goodbye reason)
{
    (void)c;
    (void)reason;
    abort();
}

void conn_close(conn *c, patio_status status, const char *why)
{
    (void)status;
    ended    = why;
    c->state = CONN_CLOSED;
}

void reconnect_opened(conn *c)
{
    (void)c;
}

void effects_begin(effects *fx, patio_transport *t)
{
    fx->t     = t;
    fx->now   = 1;
    fx->count = 0;
}

bool effects_room(const effects *fx)
{
    (void)fx;
    return true;
}

void effects_pass(effects *fx)
{
    (void)fx;
}

void effects_end(effects *fx)
{
    (void)fx;
}

/* ---- a host ---- */

static void *take(void *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void *grow(void *self, void *block, size_t size)
{
    (void)self;
    return realloc(block, size);
}

static void give_back(void *self, void *block)
{
    (void)self;
    free(block);
}

static patio_buf *new_buf(void *self, size_t size, uint8_t **data)
{
    (void)self;
    patio_buf *buf = calloc(1, sizeof(*buf) + size);
    if (buf == NULL) {
        abort();
    }
    buf->size = size;
    buf->refs = 1;
    *data     = buf->data;
    return buf;
}

static patio_bytes view_buf(void *self, const patio_buf *buf)
{
    (void)self;
    return (patio_bytes){buf->data, buf->size};
}

static void drop_buf(void *self, patio_buf *buf)
{
    (void)self;
    if (buf != NULL && --buf->refs == 0) {
        free(buf);
    }
}

static uint64_t run(const uint8_t *data, size_t size, uint32_t cuts)
{
    static uint8_t   read_data[256 * 1024];
    const stream_ops stream = {.read = give, .more = no_more};
    const patio_host host   = {.alloc    = take,
                               .resize   = grow,
                               .free     = give_back,
                               .buf_new  = new_buf,
                               .buf_view = view_buf,
                               .buf_drop = drop_buf};
    patio_transport  t      = {
              .host      = &host,
              .read_data = read_data,
              .set = {.max_frame_bytes = MAX_FRAME_BYTES, .bounds.max_queued_bytes = MAX_QUEUED_BYTES}};
    conn     c   = {.t = &t, .stream = &stream, .state = CONN_OPEN};
    uint64_t sum = 0;
    left         = (patio_bytes){data, size};
    cut_state    = cuts;
    digest       = 1;
    ended        = NULL;
    while (left.size > 0 && c.state == CONN_OPEN) {
        conn_read(&c);
    }
    for (unsigned i = 0; i < FRAME_CHANNELS; i++) {
        const piece *p = &c.pieces[i];
        if (p->at > p->size || (p->head == NULL && p->size != 0) ||
            (p->room != 0 && (p->room != p->size || p->body == NULL))) {
            abort();
        }
        sum += p->room;
        /* what has come of it is the same, too, unless it ended before */
        if (p->body != NULL && c.state == CONN_OPEN) {
            note(p->data, p->at);
        }
        drop_buf(NULL, p->body);
        free(p->head);
    }
    if (sum != t.piece_bytes || sum > MAX_QUEUED_BYTES) {
        abort();
    }
    free(c.in.data);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    uint64_t    whole = run(data + 1, size - 1, 0);
    const char *why   = ended;
    uint64_t    cut   = run(data + 1, size - 1, 1u + data[0]);
    if (cut != whole || (why == NULL) != (ended == NULL) ||
        (why != NULL && strcmp(why, ended) != 0)) {
        abort();
    }
    return 0;
}
