/* Long messages on their way out: piece by piece, in turns, behind whatever is small. Their bytes
 * are written from where they lie. */
#include "tcp.h"

bool large_queue(conn *c, const frame_header *h, patio_bytes head, patio_buf *tail, uint64_t tag)
{
    const patio_host *host = c->t->host;
    large            *l    = host->alloc(host->self, sizeof(*l) + head.size);
    if (l == NULL) {
        c->broken = true;
        write_mark_dirty(c);
        return false;
    }
    memset(l, 0, sizeof(*l));
    l->head       = (uint8_t *)(l + 1);
    l->head_bytes = head.size;
    if (head.size > 0) {
        memcpy(l->head, head.data, head.size);
    }
    l->header   = *h;
    l->body     = host->buf_ref(host->self, tail);
    l->tag      = tag;
    size_t size = host->buf_view(host->self, tail).size;
    c->larges_bytes += size;
    c->larges_replies += h->type == FRAME_SETTLE ? size : 0;
    *c->larges_end = l;
    c->larges_end  = &l->next;
    return true;
}

/* The first long message that has a channel or can get one now. */
static large **next_large(conn *c)
{
    for (large **at = &c->larges; *at != NULL; at = &(*at)->next) {
        if ((*at)->header.channel != 0) {
            return at;
        }
        for (uint32_t k = 1; k <= FRAME_CHANNELS; k++) {
            if ((c->channels >> k & 1u) == 0) {
                c->channels |= 1u << k;
                (*at)->header.channel = (uint16_t)k;
                return at;
            }
        }
    }
    return NULL;
}

static void begin_large(conn *c, const large *l, size_t total)
{
    uint8_t      size[4];
    frame_header h = l->header;
    frame_put32(size, (uint32_t)total);
    h.flags = FRAME_FIRST | FRAME_MORE;
    h.size  = (uint32_t)(sizeof(size) + l->head_bytes);
    frame_put_header(c->writing.data + c->writing.size, &h);
    c->writing.size += FRAME_HEADER_BYTES;
    c->appended += FRAME_HEADER_BYTES;
    write_append(c, &c->writing, size, sizeof(size));
    write_append(c, &c->writing, l->head, l->head_bytes);
}

bool large_piece(conn *c)
{
    const patio_host *host = c->t->host;
    large           **at   = next_large(c);
    if (at == NULL) {
        return false;
    }
    large      *l    = *at;
    patio_bytes body = host->buf_view(host->self, l->body);
    size_t      left = body.size - l->at;
    size_t      size = left < FRAME_CHUNK_BYTES ? left : FRAME_CHUNK_BYTES;
    if (!write_reserve(c, &c->writing, 2 * FRAME_HEADER_BYTES + 4 + l->head_bytes)) {
        return false;
    }
    if (l->at == 0) {
        begin_large(c, l, body.size);
    }
    frame_header h = l->header;
    h.flags        = size < left ? FRAME_MORE : 0;
    h.size         = (uint32_t)size;
    frame_put_header(c->writing.data + c->writing.size, &h);
    c->writing.size += FRAME_HEADER_BYTES;
    c->slices[c->slice_count++] = (slice){
        .body  = host->buf_ref(host->self, l->body),
        .bytes = {body.data + l->at, size},
        .at    = c->writing.size,
    };
    c->appended += FRAME_HEADER_BYTES + size;
    l->at += size;
    c->larges_bytes -= size;
    c->larges_replies -= h.type == FRAME_SETTLE ? size : 0;
    *at = l->next;
    if (c->larges_end == &l->next) {
        c->larges_end = at;
    }
    if (size < left) {
        l->next        = NULL;
        *c->larges_end = l;
        c->larges_end  = &l->next;
        return true;
    }
    c->channels &= ~(1u << l->header.channel);
    write_note_end(c, l->tag);
    host->buf_drop(host->self, l->body);
    host->free(host->self, l);
    return true;
}
