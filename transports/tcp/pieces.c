/* Long messages on their way in, put together from pieces. What there is no room or no memory for
 * is read and dropped, and has its answer when it has come: a task is given back. */
#include "read.h"

enum { PACE = 256 }; /* one part in so many comes in each dead_ms, or the room is others' */

static void drop(conn *c, piece *p)
{
    const patio_host *host = c->t->host;
    host->buf_drop(host->self, p->body);
    c->t->piece_bytes -= p->room;
    p->body = NULL;
    p->data = NULL;
    p->room = 0;
}

/* Who holds room already gets more while as much is left to others as it would have then. */
static bool take_room(conn *c, piece *p)
{
    patio_transport *t   = c->t;
    uint64_t         own = 0;
    for (unsigned i = 0; i < FRAME_CHANNELS; i++) {
        own += c->pieces[i].room;
    }
    if (own + p->size > t->set.bounds.max_queued_bytes - t->piece_bytes) {
        return false;
    }
    p->room = p->size;
    t->piece_bytes += p->size;
    return true;
}

/* What a task of ours comes back with cannot be sent again: it needs no room, and has to be asked
 * for. */
static bool is_kept(conn *c, piece *p)
{
    bool ours = p->type == FRAME_SETTLE || p->type == FRAME_NOTIFY;
    return ours ? read_has_task(c, p->id) : take_room(c, p);
}

static const char *begin_piece(conn *c, const frame_header *h, patio_bytes body, piece *p,
                               uint64_t now)
{
    const patio_host *host = c->t->host;
    if (p->head != NULL || body.size < 4) {
        return "a long message that begins in the wrong place";
    }
    size_t total = frame_get32(body.data);
    if (total == 0 || total > c->t->set.max_frame_bytes) {
        return "a message longer than max_frame_bytes";
    }
    size_t   head_bytes = body.size - 4;
    uint8_t *head       = host->alloc(host->self, head_bytes + 1);
    if (head == NULL) {
        return "no memory for a long message";
    }
    memcpy(head, body.data + 4, head_bytes);
    *p = (piece){.head       = head,
                 .head_bytes = head_bytes,
                 .size       = total,
                 .looked_ns  = now,
                 .id         = h->id,
                 .type       = h->type};
    c->longs_in++;
    if (is_kept(c, p)) {
        p->body = host->buf_new(host->self, total, &p->data);
    }
    if (p->body == NULL) {
        drop(c, p);
    }
    return NULL;
}

void pieces_look(conn *c, uint64_t now)
{
    for (unsigned i = 0; i < FRAME_CHANNELS; i++) {
        piece *p = &c->pieces[i];
        if (p->room == 0 || now <= p->looked_ns + c->t->set.dead_ms * 1000000u) {
            continue;
        }
        if (p->at - p->looked_at <= p->size / PACE) {
            patio_host_log(c->t->host, PATIO_LOG_INFO,
                           "peer %s: a long message does not go on, it gives its room to others",
                           c->name);
            drop(c, p);
        }
        p->looked_at = p->at;
        p->looked_ns = now;
    }
}

/* Does this piece go on where the last one ended, and is it the last one just when it is whole? */
static const char *check_piece(const piece *p, const frame_header *h)
{
    bool last = (h->flags & FRAME_MORE) == 0;
    bool fits = p->head != NULL && p->type == h->type && p->id == h->id &&
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
    c->t->piece_bytes -= p->room;
    c->longs_in--;
    memset(p, 0, sizeof(*p));
    const char *why = read_message(c, &in, fx);
    host->buf_drop(host->self, in.tail);
    host->free(host->self, head);
    return why;
}

static void take(piece *p, patio_bytes body)
{
    if (body.size > 0 && p->data != NULL) {
        memcpy(p->data + p->at, body.data, body.size);
    }
    p->at += body.size;
}

const char *pieces_took(conn *c, const frame_header *h, patio_bytes body, effects *fx)
{
    piece *p = &c->pieces[h->channel - 1];
    if ((h->flags & FRAME_FIRST) != 0) {
        return begin_piece(c, h, body, p, fx->now);
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
