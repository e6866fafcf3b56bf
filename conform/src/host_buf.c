/* host_buf.c: the host's buffers, and bodies of tasks, which are patterns by number. What was
 * dropped keeps its header, so that a drop too many is noticed. */
#include <stdlib.h>

#include "host_inside.h"

#define BUF_MAGIC UINT64_C(0x4b49544255464f4b)
#define BUF_GONE  UINT64_C(0x4b4954474f4e4542)

struct patio_buf {
    uint64_t          magic;
    _Atomic int64_t   refs;
    patio_bytes       bytes;
    patio_fn          drop;
    void             *arg;
    uint8_t          *own;
    struct patio_buf *next; /* in quarantine */
};

static patio_buf *make_buf(kit_host *h, size_t size, bool own)
{
    patio_buf *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return NULL;
    }
    b->magic = BUF_MAGIC;
    atomic_init(&b->refs, 1);
    if (own) {
        b->own   = malloc(size > 0 ? size : 1);
        b->bytes = (patio_bytes){b->own, size};
        if (b->own == NULL) {
            free(b);
            return NULL;
        }
    }
    atomic_fetch_add(&h->bufs, 1);
    return b;
}

static patio_buf *host_buf_new(void *self, size_t size, uint8_t **data)
{
    patio_buf *b =
        kit_host_fails(kit_host_of(self)) ? NULL : make_buf(kit_host_of(self), size, true);
    if (b != NULL) {
        *data = b->own;
    }
    return b;
}

static patio_buf *host_buf_wrap(void *self, patio_bytes bytes, patio_fn drop, void *arg)
{
    patio_buf *b = kit_host_fails(kit_host_of(self)) ? NULL : make_buf(kit_host_of(self), 0, false);
    if (b != NULL) {
        b->bytes = bytes;
        b->drop  = drop;
        b->arg   = arg;
    }
    return b;
}

static bool buf_is_live(kit_host *h, const patio_buf *b, const char *what)
{
    if (b == NULL || b->magic != BUF_MAGIC) {
        kit_breach(h->k, "%s of a buffer that %s", what,
                   b != NULL && b->magic == BUF_GONE ? "was dropped by its last owner" : "is none");
        return false;
    }
    return true;
}

static patio_buf *host_buf_ref(void *self, patio_buf *b)
{
    if (buf_is_live(kit_host_of(self), b, "buf_ref")) {
        atomic_fetch_add(&b->refs, 1);
    }
    return b;
}

static void host_buf_drop(void *self, patio_buf *b)
{
    kit_host *h = kit_host_of(self);
    if (b == NULL || !buf_is_live(h, b, "buf_drop") || atomic_fetch_sub(&b->refs, 1) != 1) {
        return;
    }
    if (b->drop != NULL) {
        b->drop(b->arg);
    }
    free(b->own);
    b->own   = NULL;
    b->bytes = (patio_bytes){NULL, 0};
    atomic_fetch_sub(&h->bufs, 1);
    pthread_mutex_lock(&h->lock);
    b->magic      = BUF_GONE;
    b->next       = h->quarantine;
    h->quarantine = b;
    pthread_mutex_unlock(&h->lock);
}

static patio_bytes host_buf_view(void *self, const patio_buf *b)
{
    return buf_is_live(kit_host_of(self), b, "buf_view") ? b->bytes : (patio_bytes){NULL, 0};
}

void kit_host_init_bufs(kit_host *h)
{
    h->table.buf_new  = host_buf_new;
    h->table.buf_wrap = host_buf_wrap;
    h->table.buf_ref  = host_buf_ref;
    h->table.buf_drop = host_buf_drop;
    h->table.buf_view = host_buf_view;
}

void kit_host_fini_bufs(kit_host *h)
{
    while (h->quarantine != NULL) {
        patio_buf *next = h->quarantine->next;
        free(h->quarantine);
        h->quarantine = next;
    }
}

/* ---- bodies of tasks ---- */

static uint8_t byte_at(uint32_t number, uint32_t kind, size_t i)
{
    return (uint8_t)(number * 31u + i * 7u + (i >> 8) + kind * 101u);
}

patio_buf *kit_buf(kit *k, uint32_t number, uint32_t kind, size_t size)
{
    patio_buf *b = make_buf(&k->host, size, true);
    KIT_CHECK(k, b != NULL, "the kit itself is out of memory");
    for (size_t i = 0; i < size; i++) {
        b->own[i] = byte_at(number, kind, i);
    }
    return b;
}

patio_buf *kit_buf_bytes(kit *k, const void *bytes, size_t size)
{
    patio_buf *b = make_buf(&k->host, size, true);
    KIT_CHECK(k, b != NULL, "the kit itself is out of memory");
    memcpy(b->own, bytes, size);
    return b;
}

void kit_buf_drop(kit *k, patio_buf *buf)
{
    host_buf_drop(&k->host, buf);
}

bool kit_buf_matches(const patio_buf *b, uint32_t number, uint32_t kind)
{
    for (size_t i = 0; i < b->bytes.size; i++) {
        if (b->bytes.data[i] != byte_at(number, kind, i)) {
            return false;
        }
    }
    return true;
}

size_t kit_buf_size(const patio_buf *buf)
{
    return buf->bytes.size;
}
