/* Everything on its way to the parent.
 *
 * Results are written into the shared page and sent from there: a batch costs one system call, and
 * what was not sent when the process dies the parent finds in the page.
 */
#include <patio/child_socket.h>

#include "base/clock.h"
#include "child/child.h"
#include "runtime/runtime.h"

enum { RESULTS_MAX = 64 };
static const uint64_t linger_ns = 100 * 1000;

static void send_or_die(const pt_child *child, const void *packet, size_t size, int fd)
{
    if (!patio_child_send(PATIO_CHILD_FD_JOBS, packet, size, fd, 0)) {
        child->page->crash_signal = PATIO_CHILD_LOST;
        pt_child_die();
    }
}

patio_status pt_child_tell(const pt_child *child, uint32_t type, uint64_t number, const void *body,
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

void pt_child_flush_locked(pt_child *child)
{
    uint32_t size = atomic_load_explicit(&child->page->out_bytes, memory_order_relaxed);
    if (size > 0 && size <= sizeof(child->page->out)) {
        send_or_die(child, child->page->out, size, -1);
    }
    atomic_store(&child->page->out_bytes, 0);
    child->waiting = 0;
}

void pt_child_flush(pt_child *child)
{
    pthread_mutex_lock(&child->lock);
    pt_child_flush_locked(child);
    pthread_mutex_unlock(&child->lock);
}

static void send_large(pt_child *child, uint64_t number, const patio_child_result *result,
                       patio_bytes bytes)
{
    pt_child_flush_locked(child);
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

void pt_child_result(pt_child *child, uint64_t number, const patio_child_result *result,
                     patio_buf *reply)
{
    patio_bytes bytes = reply != NULL ? pt_buf_view(reply) : (patio_bytes){NULL, 0};
    size_t      size  = sizeof(patio_child_frame) + sizeof(*result) + bytes.size + 8;
    pthread_mutex_lock(&child->lock);
    child->current = 0;
    if (bytes.size > child->hello.shared_bytes || size > sizeof(child->page->out)) {
        send_large(child, number, result, bytes);
        pthread_mutex_unlock(&child->lock);
        return;
    }
    uint32_t at = atomic_load_explicit(&child->page->out_bytes, memory_order_relaxed);
    if (at % 8 != 0 || at > sizeof(child->page->out) || size > sizeof(child->page->out) - at) {
        pt_child_flush_locked(child);
        at = 0;
    }
    patio_child_frame f = {.type = PATIO_CHILD_RESULT, .number = number, .bytes = bytes.size};
    f.flags             = bytes.data != NULL ? PATIO_CHILD_BYTES : 0;
    size                = patio_child_put(child->page->out + at, &f, result, NULL, 0, bytes.data);
    atomic_store_explicit(&child->page->out_bytes, at + (uint32_t)size, memory_order_release);
    uint64_t now = pt_now_ns();
    if (child->waiting++ == 0) {
        child->since_ns = now;
    }
    if (child->waiting >= RESULTS_MAX || now - child->since_ns > linger_ns) {
        pt_child_flush_locked(child);
    }
    pthread_mutex_unlock(&child->lock);
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
