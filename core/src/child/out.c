/* Everything on its way to the parent.
 *
 * Small results are written where the parent reads them; while it is awake, or has something else
 * to wake up for soon, that costs no system call. What nobody has read when the process dies is
 * there all the same.
 */
#include <patio/child_socket.h>

#include "base/clock.h"
#include "child/child.h"
#include "runtime/runtime.h"

enum { RESULTS_MAX = 32 };
static const uint64_t linger_ns     = 100 * 1000;
static const uint64_t look_again_ns = 10 * 1000 * 1000;

_Noreturn static void lose_parent(pt_child *child)
{
    child->page->crash_signal = PATIO_CHILD_LOST;
    pt_child_die();
}

static void send_or_die(pt_child *child, const void *packet, size_t size, int fd)
{
    /* counted before, for who counts after may be overtaken by a result that says so */
    atomic_fetch_add(&child->said, 1);
    if (!patio_child_send(PATIO_CHILD_FD_JOBS, packet, size, fd, 0)) {
        lose_parent(child);
    }
}

patio_status pt_child_tell(pt_child *child, uint32_t type, uint64_t number, const void *body,
                           const char *text, size_t text_bytes, patio_bytes bytes)
{
    bool   shared = bytes.size > child->hello.shared_bytes;
    size_t room   = sizeof(patio_child_frame) + patio_child_body_size(type) + text_bytes +
                  (shared ? 0 : bytes.size) + 16;
    uint8_t           small[1024] __attribute__((aligned(8)));
    uint8_t          *packet = room <= sizeof(small) ? small : pt_alloc(&child->runtime->mem, room);
    patio_child_frame f      = {.type = (uint16_t)type, .number = number, .bytes = bytes.size};
    int               fd     = -1;
    f.flags = bytes.data != NULL ? PATIO_CHILD_BYTES | (shared ? PATIO_CHILD_SHARED : 0) : 0;
    if (packet == NULL || (shared && (fd = patio_child_share(bytes.data, bytes.size)) < 0)) {
        if (packet != small) {
            pt_free(&child->runtime->mem, packet);
        }
        return PATIO_NO_MEMORY;
    }
    size_t size = patio_child_put(packet, &f, body, text, text_bytes, shared ? NULL : bytes.data);
    send_or_die(child, packet, size, fd);
    if (fd >= 0) {
        close(fd);
    }
    if (packet != small) {
        pt_free(&child->runtime->mem, packet);
    }
    return PATIO_OK;
}

/* ---- results ---- */

static void ring_bell(pt_child *child)
{
    patio_child_page *page = child->page;
    uint64_t          one  = 1;
    if (atomic_load(&page->parent_sleeps) == 0 || atomic_exchange(&page->parent_sleeps, 0) == 0) {
        return; /* it looks before it sleeps */
    }
    atomic_store(&page->rung, child->result_at);
    if (write(PATIO_CHILD_FD_BELL, &one, sizeof(one)) < 0 && errno != EAGAIN) {
        lose_parent(child);
    }
}

void pt_child_ring(pt_child *child)
{
    if (child->unrung > 0) {
        child->unrung = 0;
        ring_bell(child);
    }
}

void pt_child_lend(pt_child *child, bool lends)
{
    atomic_store(&child->page->lending, lends ? 1 : 0);
    if (lends) {
        child->unrung = 0;
        ring_bell(child);
    }
}

static bool has_room(const pt_child *child, size_t size)
{
    return child->result_at + size - atomic_load(&child->page->results.tail) <=
           PATIO_CHILD_RING_BYTES;
}

/* The parent wakes this process when it has read. */
static void wait_for_room(pt_child *child, size_t size)
{
    patio_child_page *page = child->page;
    while (!has_room(child, size)) {
        ring_bell(child);
        atomic_store(&page->wants_room, 1);
        atomic_store(&page->child_sleeps, 1);
        if (!has_room(child, size)) {
            patio_child_sleep(&page->child_sleeps, pt_now_ns() + look_again_ns);
        }
        atomic_store(&page->child_sleeps, 0);
        atomic_store(&page->wants_room, 0);
    }
}

static void send_large(pt_child *child, uint64_t number, const patio_child_result *result,
                       patio_bytes bytes)
{
    if (pt_child_tell(child, PATIO_CHILD_RESULT, number, result, NULL, 0, bytes) != PATIO_OK) {
        /* done, but nobody could be told what came of it */
        patio_child_result again = *result;
        again.verdict            = PATIO_RETRY;
        again.status             = PATIO_NO_MEMORY;
        again.delay_ms           = 0;
        (void)pt_child_tell(child, PATIO_CHILD_RESULT, number, &again, NULL, 0,
                            (patio_bytes){NULL, 0});
    }
}

void pt_child_result(pt_child *child, uint64_t number, patio_child_result *result, patio_buf *reply,
                     uint64_t now_ns, bool more)
{
    patio_bytes bytes = reply != NULL ? pt_buf_view(reply) : (patio_bytes){NULL, 0};
    if (bytes.size > child->hello.shared_bytes) {
        send_large(child, number, result, bytes);
        return;
    }
    patio_child_frame f = {.type = PATIO_CHILD_RESULT, .number = number, .bytes = bytes.size};
    f.flags             = bytes.data != NULL ? PATIO_CHILD_BYTES : 0;
    result->after       = atomic_load(&child->said);
    wait_for_room(child, sizeof(f) + sizeof(*result) + bytes.size + 16);
    child->result_at += patio_child_put(patio_child_result_at(child->page, child->result_at), &f,
                                        result, NULL, 0, bytes.data);
    atomic_store(&child->page->results.head, child->result_at);
    if (child->unrung++ == 0) {
        child->since_ns = now_ns;
    }
    if (!more || child->unrung >= RESULTS_MAX || now_ns - child->since_ns > linger_ns) {
        pt_child_ring(child);
    }
}

/* ---- what came ---- */

typedef struct mapping {
    const patio_allocator *mem;
    void                  *at;
    size_t                 size;
} mapping;

static void unmap(void *arg)
{
    mapping *m = arg;
    (void)munmap(m->at, m->size);
    pt_free(m->mem, m);
}

static patio_buf *map_bytes(const patio_allocator *mem, int fd, uint64_t size)
{
    const uint8_t *at = patio_child_map(fd, size);
    mapping       *m  = at != NULL ? pt_alloc(mem, sizeof(*m)) : NULL;
    patio_buf     *b  = NULL;
    if (m != NULL) {
        *m = (mapping){.mem = mem, .at = (void *)(uintptr_t)at, .size = (size_t)size};
        b  = pt_buf_wrap(mem, (patio_bytes){at, (size_t)size}, unmap, m);
    }
    if (b == NULL) {
        pt_free(mem, m);
        if (at != NULL) {
            (void)munmap((void *)(uintptr_t)at, (size_t)size);
        }
    }
    return b;
}

patio_buf *pt_child_bytes(const pt_child *child, const patio_child_part *part, int fd, bool copy)
{
    const patio_allocator *mem = &child->runtime->mem;
    if ((part->frame.flags & PATIO_CHILD_SHARED) != 0) {
        return map_bytes(mem, fd, part->frame.bytes);
    }
    patio_bytes bytes = {part->bytes, (size_t)part->frame.bytes};
    if (!copy) {
        return pt_buf_wrap(mem, bytes, NULL, NULL);
    }
    uint8_t   *data = NULL;
    patio_buf *b    = pt_buf_new(mem, bytes.size, &data);
    if (b != NULL && bytes.size > 0) {
        memcpy(data, bytes.data, bytes.size);
    }
    return b;
}
