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
    p->size = total;
    p->at   = 0;
    p->id   = h->id;
    p->type = h->type;
    return NULL;
}

const char *pieces_took(conn *c, const frame_header *h, patio_bytes body, effects *fx)
{
    const patio_host *host = c->t->host;
    piece            *p    = &c->pieces[h->channel - 1];
    if ((h->flags & FRAME_FIRST) != 0) {
        return begin_piece(c, h, body, p);
    }
    bool last = (h->flags & FRAME_MORE) == 0;
    if (p->body == NULL || p->type != h->type || p->id != h->id || body.size > p->size - p->at ||
        last != (body.size == p->size - p->at)) {
        return "a piece that does not fit";
    }
    if (body.size > 0) {
        memcpy(p->data + p->at, body.data, body.size);
    }
    p->at += body.size;
    if (!last) {
        return NULL;
    }
    incoming in   = {.type    = p->type,
                     .id      = p->id,
                     .head    = {p->head, p->head_bytes},
                     .tail    = p->body,
                     .is_long = true};
    uint8_t *head = p->head;
    c->t->piece_bytes -= p->size;
    memset(p, 0, sizeof(*p));
    const char *why = read_message(c, &in, fx);
    host->buf_drop(host->self, in.tail);
    host->free(host->self, head);
    return why;
}
