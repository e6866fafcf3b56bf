/* What the messages of a peer ask for. */
#include "read.h"

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
    echo_write(c, &h, (patio_bytes){head, sizeof(head)}, fx);
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
    queue *q = hub_queue(c->t, p.queue, false);
    lane  *l = q != NULL && q->own != NULL ? store_lane(q, p.task, false) : NULL;
    /* another peer's, that this side never had, may go before its event is raised */
    l               = l != NULL && l->kept ? l : NULL;
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

bool read_has_task(const conn *c, uint64_t tag)
{
    const entry *e = hub_entry_find(c->t, tag, ENTRY_GIVEN);
    return e != NULL && e->link == c;
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
    if (in->is_long && in->tail == NULL) {
        return "no room for a long ANNOUNCE"; /* it comes again, with a new connection */
    }
    if (in->id < c->announced_last) {
        return NULL; /* long, and overtaken by a later one */
    }
    c->announced_last = in->id;
    patio_bytes body  = in->is_long ? c->t->host->buf_view(c->t->host->self, in->tail) : in->head;
    return peer_announced(c, body, fx);
}

static const char *got_answer(conn *c, incoming *in, effects *fx)
{
    frame_answer a;
    if (!frame_get_answer(in->head, &a) || (in->is_long && in->head.size != a.head_bytes)) {
        return "a malformed ANSWER";
    }
    bool       has  = (a.flags & ANSWER_TAIL) != 0;
    patio_buf *tail = has ? take_tail(c, in, a.head_bytes) : NULL;
    if (has && tail == NULL) {
        a.status = PATIO_TOO_LARGE; /* for the room there is now */
    }
    const char *why = ask_answered(c, in->id, &a, tail, fx);
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
        echo_write(c, &pong, (patio_bytes){NULL, 0}, fx);
        return NULL;
    case FRAME_PONG:
        if (in->id == c->pinged_ns && fx->now > c->pinged_ns) {
            c->rtt_ns = fx->now - c->pinged_ns;
        } else if (in->id == c->fence) {
            c->fence = 0;
        }
        return NULL;
    default:
        return "the peer says goodbye";
    }
}
