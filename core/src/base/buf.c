#include "base/buf.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* The bytes follow the header, or are foreign and `drop` gives them back. */
struct patio_buf {
    _Atomic uint32_t       refs;
    uint32_t               reserved;
    const patio_allocator *mem;
    const uint8_t         *data;
    size_t                 size_bytes;
};

typedef struct wrapped_buf {
    patio_buf base;
    patio_fn  drop;
    void     *arg;
} wrapped_buf;

/* Small buffers are all of one size. A call's request is made by one thread and freed by another,
 * its reply the other way round: so each side's allocator serves the next one from what it was just
 * given back, instead of passing memory between threads. */
enum { SMALL_BYTES = 192 };

enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024, LARGE_BYTES = 4 * HUGE_PAGE_BYTES };

/* A large buffer is written once, from end to end. In huge pages that is one fault where it would
 * be 512. Only what lies whole within it is touched, and a system that has none ignores it. */
static void advise(uint8_t *data, size_t size_bytes)
{
    size_t skip = (HUGE_PAGE_BYTES - (uintptr_t)data % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    if (size_bytes >= LARGE_BYTES) {
        (void)madvise(data + skip, (size_bytes - skip) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES,
                      MADV_HUGEPAGE);
    }
}

patio_buf *pt_buf_new(const patio_allocator *mem, size_t size_bytes, uint8_t **data)
{
    if (size_bytes > SIZE_MAX - sizeof(patio_buf)) {
        return NULL;
    }
    size_t     bytes = sizeof(patio_buf) + size_bytes;
    patio_buf *buf   = pt_alloc(mem, bytes > SMALL_BYTES ? bytes : SMALL_BYTES);
    if (buf == NULL) {
        return NULL;
    }
    atomic_init(&buf->refs, 1);
    buf->mem        = mem;
    buf->size_bytes = size_bytes;
    *data           = (uint8_t *)(buf + 1);
    advise(*data, size_bytes);
    buf->data = *data;
    return buf;
}

patio_buf *pt_buf_wrap(const patio_allocator *mem, patio_bytes bytes, patio_fn drop, void *arg)
{
    wrapped_buf *buf = pt_alloc(mem, sizeof(*buf));
    if (buf == NULL) {
        return NULL;
    }
    atomic_init(&buf->base.refs, 1);
    buf->base.mem        = mem;
    buf->base.data       = bytes.data;
    buf->base.size_bytes = bytes.size;
    buf->drop            = drop;
    buf->arg             = arg;
    return &buf->base;
}

patio_buf *pt_buf_ref(patio_buf *buf)
{
    atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    return buf;
}

void pt_buf_drop(patio_buf *buf)
{
    if (buf == NULL) {
        return;
    }
    /* The only holder needs no atomic subtraction; nobody else can take a reference any more. */
    if (atomic_load_explicit(&buf->refs, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (buf->data != (const uint8_t *)(buf + 1)) {
        wrapped_buf *wrapped = (wrapped_buf *)buf;
        if (wrapped->drop != NULL) {
            wrapped->drop(wrapped->arg);
        }
    }
    pt_free(buf->mem, buf);
}

patio_bytes pt_buf_view(const patio_buf *buf)
{
    return (patio_bytes){.data = buf->data, .size = buf->size_bytes};
}
