/* What comes in: as many frames as one read brought, under one lock; and from each connection only
 * so much before the others have their turn. */
#include "read.h"

#include <errno.h>

enum {
    READ_BYTES = 256 * 1024,  /* more than any frame */
    LOOK_BYTES = 4 * 1024,    /* beside a long message: what comes next is most likely more of it */
    LONG_TURN  = 1024 * 1024, /* while long messages come, before others have their turn */
};

static const char *got_frame(conn *c, const frame_header *h, patio_bytes body, effects *fx,
                             patio_status *status)
{
    bool dismissed = h->type == FRAME_GOODBYE && (h->id == GOODBYE_ALLOW || h->id == GOODBYE_TRUST);
    if (c->state != CONN_OPEN || dismissed) {
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
        *why             = frame_check_header(&h, c->state == CONN_OPEN, c->t->set.max_frame_bytes);
        patio_bytes body = {data + at + FRAME_HEADER_BYTES, size - at - FRAME_HEADER_BYTES};
        if (*why == NULL && body.size < h.size && c->state == CONN_OPEN && h.channel != 0 &&
            (h.flags & FRAME_FIRST) == 0) {
            *why = pieces_began(c, &h, body);
            return size;
        }
        if (*why != NULL && c->state == CONN_GREETING) {
            *why = HELLO_STRANGE; /* these are no frames at all */
        }
        if (*why != NULL || body.size < h.size) {
            break;
        }
        if (!effects_room(fx)) {
            effects_pass(fx);
        }
        body.size = h.size;
        *why      = got_frame(c, &h, body, fx, status);
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

/* The bytes that came; 0: none are there, or the connection has ended and is closed. */
static size_t receive(conn *c, uint8_t *to, size_t room)
{
    ssize_t      n      = c->stream->read(c, to, room);
    patio_status status = PATIO_PEER_LOST;
    if (n > 0) {
        return (size_t)n;
    }
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        const char *why = n == 0 ? "closed by the peer" : c->stream->why(c, errno, &status);
        conn_close(c, status, why);
    }
    return 0;
}

/* The rest of a piece, to where it belongs; of a dropped one, to where it is forgotten. */
static size_t read_direct(conn *c)
{
    effects      fx;
    const char  *why = NULL;
    const piece *p   = c->direct;
    uint8_t     *to  = p->data != NULL ? p->data + p->at : c->t->read_data;
    size_t       n   = receive(c, to, c->direct_left);
    if (n > 0) {
        effects_begin(&fx, c->t);
        c->heard_ns = fx.now;
        c->bytes_in += n;
        why = pieces_came(c, n, &fx);
        effects_end(&fx);
    }
    if (why != NULL) {
        conn_close(c, PATIO_PROTOCOL, why);
    }
    return n;
}

static size_t read_once(conn *c)
{
    patio_transport *t      = c->t;
    uint8_t         *data   = t->read_data;
    size_t           have   = c->in.size;
    size_t           room   = READ_BYTES - have;
    const char      *why    = NULL;
    patio_status     status = PATIO_PROTOCOL;
    if (c->direct != NULL) {
        return read_direct(c);
    }
    if (have > 0) {
        memcpy(data, c->in.data, have);
    }
    size_t n = receive(c, data + have, c->longs_in > 0 && room > LOOK_BYTES ? LOOK_BYTES : room);
    if (n == 0) {
        return 0;
    }
    if (is_tls(c, data, have + n)) {
        hello_goodbye(c, GOODBYE_TLS);
        conn_close(c, PATIO_CONFIG, "it speaks TLS, and this port does not: tls+listen:// does");
        return n;
    }
    effects fx;
    effects_begin(&fx, t);
    bool announced = c->announced;
    c->heard_ns    = fx.now;
    c->bytes_in += n;
    size_t used = parse(c, data, have + n, &fx, &why, &status);
    c->deaf     = c->echoes > 0 && echo_is_behind(c);
    effects_end(&fx);
    if (why == NULL && !keep_rest(c, data + used, have + n - used)) {
        why    = "out of memory";
        status = PATIO_NO_MEMORY;
    }
    if (why != NULL) {
        conn_close(c, status, why);
    } else if (c->announced != announced) {
        patio_host_log(t->host, PATIO_LOG_INFO, "%s %s: connected (%s, project \"%s\")",
                       c->connects ? "connection to" : "peer",
                       c->connects ? c->endpoint->shown : c->name, c->security, c->project);
        if (c->connects) {
            reconnect_opened(c);
        }
    }
    return n;
}

void conn_read(conn *c)
{
    size_t n = 0;
    if (c->state == CONN_OPEN) {
        stream_turn(c, c->longs_in > 0 ? LONG_TURN : READ_BYTES);
    }
    do {
        n = read_once(c);
    } while (c->state != CONN_CLOSED && !c->deaf &&
             (c->stream->more(c) || (c->longs_in > 0 && n > 0)));
    if (c->state != CONN_OPEN && stream_turn_over(c)) {
        conn_close(c, PATIO_PROTOCOL, stream_too_much);
    }
}
