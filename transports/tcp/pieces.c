/* Long messages on their way in, put together from pieces. */
#include "read.h"

static const char *begin_piece(conn *c, const frame_header *h, patio_bytes body, piece *p)
{
    const patio_host *host = c->t->host;
    if (p->body != NULL || body.size < 4) {
        return "a long message that begins in the wrong place";
    }
    size_t total = frame_get32(body.data);
    if (total == 0 || total > c->t->set.max_frame_bytes) {
        return "a message longer than max_frame_bytes";
    }
    if (total > c->t->set.bounds.max_queued_bytes - c->t->piece_bytes) {
        return "no room for a long message: max_queued_bytes are on their way";
    }
    p->head_bytes = body.size - 4;
    p->head       = host->alloc(host->self, p->head_bytes + 1);
    p->body       = host->buf_new(host->self, total, &p->data);
    if (p->head == NULL || p->body == NULL) {
        return "no memory for a long message";
    }
    memcpy(p->head, body.data + 4, p->head_bytes);
    c->t->piece_bytes += total;
    c->longs_in++;
    p->size = total;
    p->at   = 0;
    p->id   = h->id;
    p->type = h->type;
    return NULL;
}

/* Does this piece go on where the last one ended, and is it the last one just when it is whole? */
static const char *check_piece(const piece *p, const frame_header *h)
{
    bool last = (h->flags & FRAME_MORE) == 0;
    bool fits = p->body != NULL && p->type == h->type && p->id == h->id &&
                h->size <= p->size - p->at && last == (h->size == p->size - p->at);
    return fits ? NULL : "a piece that does not fit";
}

static const char *finish(conn *c, piece *p, effects *fx)
{
    const patio_host *host = c->t->host;
    uint8_t          *head = p->head;
    incoming          in   = {.type    = p->type,
                              .id      = p->id,
                              .head    = {p->head, p->head_bytes},
                              .tail    = p->body,
                              .is_long = true};
    c->t->piece_bytes -= p->size;
    c->longs_in--;
    memset(p, 0, sizeof(*p));
    const char *why = read_message(c, &in, fx);
    host->buf_drop(host->self, in.tail);
    host->free(host->self, head);
    return why;
}

static void take(piece *p, patio_bytes body)
{
    if (body.size > 0) {
        memcpy(p->data + p->at, body.data, body.size);
    }
    p->at += body.size;
}

const char *pieces_took(conn *c, const frame_header *h, patio_bytes body, effects *fx)
{
    piece *p = &c->pieces[h->channel - 1];
    if ((h->flags & FRAME_FIRST) != 0) {
        return begin_piece(c, h, body, p);
    }
    const char *why = check_piece(p, h);
    if (why != NULL) {
        return why;
    }
    take(p, body);
    return p->at < p->size ? NULL : finish(c, p, fx);
}

const char *pieces_began(conn *c, const frame_header *h, patio_bytes body)
{
    piece      *p   = &c->pieces[h->channel - 1];
    const char *why = check_piece(p, h);
    if (why == NULL) {
        take(p, body);
        c->direct      = p;
        c->direct_left = h->size - body.size;
    }
    return why;
}

const char *pieces_came(conn *c, size_t size, effects *fx)
{
    piece *p = c->direct;
    p->at += size;
    c->direct_left -= size;
    if (c->direct_left > 0) {
        return NULL;
    }
    c->direct = NULL;
    return p->at < p->size ? NULL : finish(c, p, fx);
}
