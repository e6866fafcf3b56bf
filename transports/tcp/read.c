/* What comes in: as many frames as one read brought, under one lock. */
#include "read.h"

#include <errno.h>

enum { READ_BYTES = 256 * 1024 };

/* The tail as a buffer of its own; NULL: memory is out. */
static patio_buf *take_tail(const conn *c, incoming *in, size_t head_bytes)
{
    const patio_host *host = c->t->host;
    if (in->is_long) {
        patio_buf *tail = in->tail;
        in->tail        = NULL;
        return tail;
    }
    uint8_t   *data = NULL;
    size_t     size = in->head.size - head_bytes;
    patio_buf *tail = host->buf_new(host->self, size, &data);
    if (tail != NULL && size > 0) {
        memcpy(data, in->head.data + head_bytes, size);
    }
    return tail;
}

static void refuse_task(conn *c, uint64_t id, bool forbidden, effects *fx)
{
    frame_settle s = {.verdict = PATIO_RETURN, .flags = SETTLE_UNSTARTED, .delay_ms = 1000};
    if (forbidden) {
        s.verdict = PATIO_REJECT;
        s.flags |= SETTLE_FORBIDDEN;
    }
    frame_header h = {.type = FRAME_SETTLE, .id = id};
    uint8_t      head[FRAME_SETTLE_BYTES];
    frame_put_settle(head, &s);
    if (write_frame(c, &h, (patio_bytes){head, sizeof(head)}, NULL, 0)) {
        write_kick(c, fx);
    }
}

static const char *got_publish(conn *c, incoming *in, effects *fx)
{
    frame_publish p;
    if (!frame_get_publish(in->head, &p) || (in->is_long && in->head.size != p.head_bytes)) {
        return "a malformed PUBLISH";
    }
    if (c->foreign || !c->announced) {
        return "a task of another project";
    }
    if (!allow_task(c->allow, p.task)) {
        refuse_task(c, in->id, true, fx);
        return NULL;
    }
    queue     *q    = hub_queue(c->t, p.queue, false);
    lane      *l    = q != NULL && q->own != NULL ? store_lane(q, p.task, false) : NULL;
    patio_buf *body = l != NULL ? take_tail(c, in, p.head_bytes) : NULL;
    if (body == NULL || !inbox_put(c, in->id, &p, l, body, fx)) {
        refuse_task(c, in->id, false, fx);
    }
    return NULL;
}

static const char *got_settle(conn *c, incoming *in, effects *fx)
{
    frame_settle s;
    if (!frame_get_settle(in->head, &s) || (in->is_long && in->head.size != s.head_bytes)) {
        return "a malformed SETTLE";
    }
    patio_buf *reply = NULL;
    if ((s.flags & SETTLE_HAS_REPLY) != 0) {
        reply = take_tail(c, in, s.head_bytes);
        if (reply == NULL) {
            s.flags |= SETTLE_TOO_LARGE; /* for the memory there is */
        }
    }
    settle_came(c, in->id, &s, reply, fx);
    return NULL;
}

static const char *got_notify(conn *c, incoming *in, effects *fx)
{
    entry *e = hub_entry_find(c->t, in->id, ENTRY_GIVEN);
    if (e == NULL || e->link != c || (e->flags & PATIO_MESSAGE_CALL) == 0) {
        return NULL;
    }
    patio_buf *body = take_tail(c, in, 0);
    if (body != NULL) {
        effect *x = effects_add(fx, EFFECT_PARTIAL);
        x->id     = e->id;
        x->body   = body;
    }
    return NULL;
}

static const char *got_announce(conn *c, incoming *in, effects *fx)
{
    patio_bytes body = in->is_long ? c->t->host->buf_view(c->t->host->self, in->tail) : in->head;
    return peer_announced(c, body, fx) ? NULL : "a malformed ANNOUNCE";
}

static const char *got_answer(conn *c, incoming *in, effects *fx)
{
    frame_answer a;
    if (!frame_get_answer(in->head, &a) || (in->is_long && in->head.size != a.head_bytes)) {
        return "a malformed ANSWER";
    }
    patio_buf  *tail = (a.flags & ANSWER_TAIL) != 0 ? take_tail(c, in, a.head_bytes) : NULL;
    const char *why  = ask_answered(c, in->id, &a, tail, fx);
    c->t->host->buf_drop(c->t->host->self, tail);
    return why;
}

const char *read_message(conn *c, incoming *in, effects *fx)
{
    frame_header pong = {.type = FRAME_PONG, .id = in->id};
    switch (in->type) {
    case FRAME_ANNOUNCE:
        return got_announce(c, in, fx);
    case FRAME_PUBLISH:
        return got_publish(c, in, fx);
    case FRAME_SETTLE:
        return got_settle(c, in, fx);
    case FRAME_NOTIFY:
        return got_notify(c, in, fx);
    case FRAME_CANCEL:
        if (in->head.size != sizeof(patio_id)) {
            return "a malformed CANCEL";
        }
        cancel_asked(c, in->id, in->head, fx);
        return NULL;
    case FRAME_CANCELLED:
        if (in->head.size != sizeof(patio_id) + 4) {
            return "a malformed CANCELLED";
        }
        cancel_came(c, in->id, in->head, fx);
        return NULL;
    case FRAME_ASK:
        return answer_ask(c, in->id, in->head, fx);
    case FRAME_ANSWER:
        return got_answer(c, in, fx);
    case FRAME_PING:
        if (write_frame(c, &pong, (patio_bytes){NULL, 0}, NULL, 0)) {
            write_kick(c, fx);
        }
        return NULL;
    case FRAME_PONG:
        if (in->id == c->pinged_ns && fx->now > c->pinged_ns) {
            c->rtt_ns = fx->now - c->pinged_ns;
        }
        return NULL;
    default:
        return "the peer says goodbye";
    }
}

static const char *got_frame(conn *c, const frame_header *h, patio_bytes body, effects *fx,
                             patio_status *status)
{
    if (c->state != CONN_OPEN) {
        return hello_frame(c, h, body, status);
    }
    if (h->type == FRAME_GOODBYE) {
        *status = PATIO_OK; /* in good order: not worth a warning */
        return "the peer has stopped";
    }
    if (h->channel != 0) {
        return pieces_took(c, h, body, fx);
    }
    incoming in = {.type = h->type, .id = h->id, .head = body};
    return read_message(c, &in, fx);
}

/* All whole frames of data; returns how many bytes they were. */
static size_t parse(conn *c, const uint8_t *data, size_t size, effects *fx, const char **why,
                    patio_status *status)
{
    size_t at = 0;
    while (*why == NULL && size - at >= FRAME_HEADER_BYTES) {
        frame_header h;
        frame_get_header(data + at, &h);
        *why = frame_check_header(&h, c->state == CONN_OPEN, c->t->set.max_frame_bytes);
        if (*why != NULL || size - at - FRAME_HEADER_BYTES < h.size) {
            break;
        }
        if (!effects_room(fx)) {
            effects_pass(fx);
        }
        patio_bytes body = {data + at + FRAME_HEADER_BYTES, h.size};
        *why             = got_frame(c, &h, body, fx, status);
        at += FRAME_HEADER_BYTES + h.size;
    }
    return at;
}

/* Keep the beginning of a frame for the next read; an idle connection keeps nothing. */
static bool keep_rest(conn *c, const uint8_t *data, size_t size)
{
    const patio_host *host = c->t->host;
    if (size > c->in.room) {
        uint8_t *grown = host->resize(host->self, c->in.data, size);
        if (grown == NULL) {
            return false;
        }
        c->in.data = grown;
        c->in.room = size;
    }
    if (size > 0) {
        memcpy(c->in.data, data, size);
    } else {
        host->free(host->self, c->in.data);
        c->in.data = NULL;
        c->in.room = 0;
    }
    c->in.size = size;
    return true;
}

/* A ClientHello where a HELLO should be. */
static bool is_tls(const conn *c, const uint8_t *data, size_t size)
{
    return c->state == CONN_GREETING && !c->connects && c->tls == NULL && size >= 2 &&
           data[0] == 0x16 && data[1] == 0x03;
}

static void read_once(conn *c)
{
    patio_transport *t      = c->t;
    uint8_t         *data   = t->read_data;
    size_t           have   = c->in.size;
    const char      *why    = NULL;
    patio_status     status = PATIO_PROTOCOL;
    if (have > 0) {
        memcpy(data, c->in.data, have);
    }
    ssize_t n = c->stream->read(c, data + have, READ_BYTES - have);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        status = PATIO_PEER_LOST;
        why    = n == 0 ? "closed by the peer" : c->stream->why(c, errno, &status);
        conn_close(c, status, why);
        return;
    }
    if (is_tls(c, data, have + (size_t)n)) {
        hello_goodbye(c, GOODBYE_TLS);
        conn_close(c, PATIO_CONFIG, "it speaks TLS, and this port does not: tls+listen:// does");
        return;
    }
    effects fx;
    effects_begin(&fx, t);
    bool announced = c->announced;
    c->heard_ns    = fx.now;
    c->bytes_in += (uint64_t)n;
    size_t used = parse(c, data, have + (size_t)n, &fx, &why, &status);
    effects_end(&fx);
    if (why == NULL && !keep_rest(c, data + used, have + (size_t)n - used)) {
        why    = "out of memory";
        status = PATIO_NO_MEMORY;
    }
    if (why != NULL) {
        conn_close(c, status, why);
    } else if (c->announced != announced && c->connects) {
        c->endpoint->attempts      = 0;
        c->endpoint->was_open      = true;
        c->endpoint->address_count = 0; /* the next time its name is looked up anew */
        c->endpoint->address_next  = 0;
        loop_link(t, NULL);
    }
}

void conn_read(conn *c)
{
    do {
        read_once(c);
    } while (c->state != CONN_CLOSED && c->stream->more(c));
}
