/* What goes out. Small frames are copied into one growing buffer, so that one write carries many;
 * the pieces of long messages follow one by one behind it, so that they hold up nobody. Whoever
 * sets `flushing` writes: the thread that has appended, if the connection was idle, else the I/O
 * thread.
 */
#include "tcp.h"

#include <errno.h>

enum {
    FIRST_ROOM     = 1024,
    KEEP_ROOM      = 512 * 1024,
    BACKLOG_FACTOR = 16,        /* what is not asked for may go so far beyond write_queue_bytes */
    DIRECT_GAP_NS  = 30 * 1000, /* written so recently: leave it to the I/O thread, which batches */
};

bool write_reserve(conn *c, bytes *b, size_t size)
{
    const patio_host *host = c->t->host;
    if (b->room - b->size >= size) {
        return true;
    }
    size_t room = b->room == 0 ? FIRST_ROOM : b->room;
    while (room - b->size < size) {
        room *= 2;
    }
    uint8_t *data = host->resize(host->self, b->data, room);
    if (data == NULL) {
        c->broken = true;
        write_mark_dirty(c);
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

void write_append(conn *c, bytes *b, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(b->data + b->size, data, size);
        b->size += size;
        c->appended += size;
    }
}

uint64_t write_backlog(const conn *c)
{
    return c->appended - c->written + c->larges_bytes;
}

uint64_t write_reach(const conn *c)
{
    return c->written + (c->flushing ? c->writing_size - c->writing_at : 0);
}

uint64_t write_replies(const conn *c)
{
    return c->appended - c->written + c->larges_replies;
}

void write_note_end(conn *c, uint64_t tag)
{
    entry *e = tag != 0 ? hub_entry_find(c->t, tag, ENTRY_GIVEN) : NULL;
    if (e != NULL) {
        e->wrote = c->appended;
    }
}

bool write_frame(conn *c, const frame_header *h, patio_bytes head, patio_buf *tail, uint64_t tag)
{
    const patio_host *host = c->t->host;
    patio_bytes       rest = {NULL, 0};
    if (tail != NULL) {
        rest = host->buf_view(host->self, tail);
    }
    if (c->state == CONN_CLOSED || c->broken) {
        return false;
    }
    /* long replies are bounded by what is delivered at once: inbox.c */
    if ((write_backlog(c) - c->larges_replies) / BACKLOG_FACTOR > c->t->set.write_queue_bytes) {
        c->broken = true; /* it does not read, and does not keep to its credit either */
        write_mark_dirty(c);
        return false;
    }
    if (head.size + rest.size > FRAME_CHUNK_BYTES && rest.size > 0) {
        return large_queue(c, h, head, tail, tag);
    }
    frame_header full = *h;
    full.size         = (uint32_t)(head.size + rest.size);
    if (!write_reserve(c, &c->out, FRAME_HEADER_BYTES + full.size)) {
        return false;
    }
    frame_put_header(c->out.data + c->out.size, &full);
    c->out.size += FRAME_HEADER_BYTES;
    c->appended += FRAME_HEADER_BYTES;
    write_append(c, &c->out, head.data, head.size);
    write_append(c, &c->out, rest.data, rest.size);
    write_note_end(c, tag);
    return true;
}

static void drop_slices(conn *c)
{
    const patio_host *host = c->t->host;
    for (uint32_t i = 0; i < c->slice_count; i++) {
        host->buf_drop(host->self, c->slices[i].body);
    }
    c->slice_count = 0;
}

/* Something to write into `writing`, which is empty. False: there is nothing. */
static bool refill(conn *c)
{
    bytes empty = c->writing;
    empty.size  = 0;
    drop_slices(c);
    c->writing    = c->out;
    c->out        = empty;
    c->writing_at = 0;
    if (c->echoes > 0) {
        echo_moved(c);
    }
    while (c->slice_count < SLICES_MAX && c->larges != NULL && large_piece(c)) {
    }
    c->writing_size = c->writing.size;
    for (uint32_t i = 0; i < c->slice_count; i++) {
        c->writing_size += c->slices[i].bytes.size;
    }
    if (c->writing.size == 0 && c->out.room + c->writing.room > KEEP_ROOM) {
        write_fini(c);
    }
    return c->writing.size > 0;
}

void write_fini(conn *c)
{
    const patio_host *host = c->t->host;
    drop_slices(c);
    host->free(host->self, c->out.data);
    host->free(host->self, c->writing.data);
    memset(&c->out, 0, sizeof(c->out));
    memset(&c->writing, 0, sizeof(c->writing));
    c->writing_at   = 0;
    c->writing_size = 0;
}

static void list_dirty(conn *c)
{
    patio_transport *t = c->t;
    if (!c->dirty) {
        c->dirty      = true;
        c->dirty_next = t->dirty;
        t->dirty      = c;
        c->refs++;
    }
}

void write_mark_dirty(conn *c)
{
    patio_transport *t = c->t;
    if (c->self) {
        return;
    }
    list_dirty(c);
    if (turn_is_taken(&t->turn) && !t->awake) {
        t->awake = true;
        (void)uv_async_send(&t->wake);
    }
}

void write_mark_held(conn *c)
{
    list_dirty(c);
    atomic_store_explicit(&c->t->held, true, memory_order_relaxed);
}

void write_kick(conn *c, effects *fx)
{
    if (!fx->loop && !fx->polls) {
        turn_recall(&c->t->turn);
    }
    if (c->flushing || c->want_write) {
        return; /* whoever writes, or waits to, goes on with it */
    }
    if (fx->loop) {
        write_mark_dirty(c);
        return;
    }
    if (hold_may(c, fx->now)) {
        write_mark_held(c);
        return;
    }
    bool idle = c->given_count + c->received_count <= 1 || fx->now > c->flushed_ns + DIRECT_GAP_NS;
    if (fx->flush == NULL && (hold_on(c) || (idle && !c->dirty))) {
        c->flushing = true;
        c->refs++;
        fx->flush = c;
        return;
    }
    write_mark_dirty(c);
}

/* What has become of one write; false: stop. Under the lock. */
static bool wrote(conn *c, ssize_t n, int os_errno)
{
    if (n >= 0) {
        c->writing_at += (size_t)n;
        c->written += (uint64_t)n;
        return true;
    }
    if (os_errno == EINTR) {
        return true;
    }
    if (os_errno == EAGAIN || os_errno == EWOULDBLOCK) {
        c->want_write = true;
    } else {
        c->broken = true;
    }
    write_mark_dirty(c); /* the I/O thread waits for the socket, or closes it */
    return false;
}

/* What is left of `writing`, with the slices where they belong. */
static int gather(const conn *c, struct iovec *parts)
{
    int    count = 0;
    size_t skip  = c->writing_at;
    size_t from  = 0;
    for (uint32_t i = 0; i <= 2 * c->slice_count; i++) {
        const slice *s = &c->slices[i / 2];
        patio_bytes  next;
        if (i % 2 == 1) {
            next = s->bytes;
        } else {
            size_t to = i / 2 < c->slice_count ? s->at : c->writing.size;
            next      = (patio_bytes){c->writing.data + from, to - from};
            from      = to;
        }
        if (next.size <= skip) {
            skip -= next.size;
            continue;
        }
        union {
            const uint8_t *in;
            void          *out;
        } cast         = {.in = next.data + skip};
        parts[count++] = (struct iovec){cast.out, next.size - skip};
        skip           = 0;
    }
    return count;
}

void write_flush(conn *c, uint64_t now)
{
    patio_transport *t     = c->t;
    bool             mine  = turn_is_mine(&t->turn);
    unsigned         count = 0;
    for (;;) {
        bool some =
            c->state != CONN_CLOSED && !c->broken && (c->writing_at < c->writing_size || refill(c));
        if (!some) {
            break;
        }
        if (!mine && count++ > 0) {
            /* a caller's thread is not kept: the rest goes with what comes next, or is the I/O
             * thread's */
            if (hold_on(c)) {
                write_mark_held(c);
            } else {
                write_mark_dirty(c);
            }
            break;
        }
        struct iovec parts[2 * SLICES_MAX + 1];
        int          part_count = gather(c, parts);
        pthread_mutex_unlock(&t->lock);
        ssize_t n        = c->stream->write(c, parts, part_count);
        int     os_errno = errno;
        pthread_mutex_lock(&t->lock);
        c->progress_ns = now;
        if (!wrote(c, n, os_errno)) {
            break;
        }
    }
    c->flushing   = false;
    c->flushed_ns = now;
    if (write_backlog(c) == 0) {
        if (c->parting || c->choked || c->deaf) {
            write_mark_dirty(c);
        }
        if (t->waiting_calm) {
            pthread_cond_broadcast(&t->calm);
        }
    }
    conn_unref(c);
    pthread_mutex_unlock(&t->lock);
}
