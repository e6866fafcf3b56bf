/* ring_fuzz.h: what the process executor needs around it for fuzz_child_ring.c: a host whose memory
 * is counted, a setup that takes every call, jobs that do nothing. */
#ifndef RING_FUZZ_H
#define RING_FUZZ_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <patio/child_ring.h>
#include <patio/executor.h>

#include "base/buf.h"
#include "counted_alloc.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RING_GUARDED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define RING_GUARDED 1
#endif
#ifdef RING_GUARDED
#include <sanitizer/asan_interface.h>
#endif

static inline void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static counted_alloc    ring_memory;
static uint64_t         ring_clock_ns;
static volatile uint8_t ring_sink;

/* So that a sanitizer sees what is not there. */
static inline void ring_read_all(patio_bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        ring_sink ^= bytes.data[i];
    }
}

/* ---- results: nothing of the ring may be read but what was written ---- */

static inline uint8_t *ring_results(patio_child_page *page)
{
    return (uint8_t *)page + PATIO_CHILD_HEAD_BYTES + 2 * (size_t)PATIO_CHILD_RING_BYTES;
}

static inline void ring_guard(patio_child_page *page, uint64_t from, uint64_t size)
{
#ifdef RING_GUARDED
    __asan_poison_memory_region(ring_results(page), 2 * (size_t)PATIO_CHILD_RING_BYTES);
    size_t at = (size_t)(from % PATIO_CHILD_RING_BYTES);
    if (size <= PATIO_CHILD_RING_BYTES) {
        __asan_unpoison_memory_region(ring_results(page) + at, size);
        if (at + size > PATIO_CHILD_RING_BYTES) { /* what begins beyond the end, begins at 0 */
            __asan_unpoison_memory_region(ring_results(page), at + size - PATIO_CHILD_RING_BYTES);
        }
    }
#else
    (void)page;
    (void)from;
    (void)size;
#endif
}

static inline void ring_unguard(patio_child_page *page)
{
#ifdef RING_GUARDED
    __asan_unpoison_memory_region(ring_results(page), 2 * (size_t)PATIO_CHILD_RING_BYTES);
#else
    (void)page;
#endif
}

/* ---- a host ---- */

static inline void *ring_alloc(void *self, size_t size)
{
    (void)self;
    return pt_alloc(&ring_memory.mem, size);
}

static inline void ring_free(void *self, void *at)
{
    (void)self;
    pt_free(&ring_memory.mem, at);
}

static inline patio_buf *ring_buf_new(void *self, size_t size, uint8_t **data)
{
    (void)self;
    return pt_buf_new(&ring_memory.mem, size, data);
}

static inline patio_buf *ring_buf_wrap(void *self, patio_bytes bytes, patio_fn drop, void *arg)
{
    (void)self;
    return pt_buf_wrap(&ring_memory.mem, bytes, drop, arg);
}

static inline void ring_buf_drop(void *self, patio_buf *buf)
{
    (void)self;
    pt_buf_drop(buf);
}

static inline patio_bytes ring_buf_view(void *self, const patio_buf *buf)
{
    (void)self;
    return pt_buf_view(buf);
}

static inline int32_t ring_log_on(void *self, int32_t level)
{
    (void)self;
    (void)level;
    return 1;
}

static inline void ring_log(void *self, int32_t level, const char *text)
{
    (void)self;
    require(level >= PATIO_LOG_TRACE && level <= PATIO_LOG_ERROR);
    ring_read_all((patio_bytes){(const uint8_t *)text, strlen(text)});
}

static inline uint64_t ring_now(void *self)
{
    (void)self;
    return ring_clock_ns += 1000;
}

static inline const patio_host *ring_host(void)
{
    static const patio_host host = {
        PATIO_SIZED(patio_host),   .alloc = ring_alloc,       .free = ring_free,
        .buf_new = ring_buf_new,   .buf_wrap = ring_buf_wrap, .buf_drop = ring_buf_drop,
        .buf_view = ring_buf_view, .log_on = ring_log_on,     .log = ring_log,
        .now_ns = ring_now,
    };
    counted_alloc_init(&ring_memory);
    return &host;
}

/* ---- what a child's tasks call ---- */

static inline patio_status ring_publish(void *self, const patio_message *message, patio_error *err)
{
    (void)self;
    (void)err;
    ring_read_all((patio_bytes){(const uint8_t *)message->queue, strlen(message->queue)});
    ring_read_all((patio_bytes){(const uint8_t *)message->task, strlen(message->task)});
    ring_read_all(message->dedup_key);
    ring_read_all(pt_buf_view(message->body));
    return message->priority % 2 == 0 ? PATIO_OK : PATIO_FULL;
}

static inline patio_status ring_cancel(void *self, const char *queue, const patio_id *id,
                                       patio_error *err)
{
    (void)self;
    (void)id;
    (void)err;
    ring_read_all((patio_bytes){(const uint8_t *)queue, strlen(queue)});
    return PATIO_OK;
}

static inline const patio_child_setup *ring_setup(void)
{
    static const patio_child_setup setup = {
        PATIO_SIZED(patio_child_setup), .task_count = 1,         .fingerprint = 7,
        .project = "default",           .publish = ring_publish, .cancel = ring_cancel};
    return &setup;
}

/* ---- jobs ---- */

static inline patio_buf *ring_request(void)
{
    static patio_buf *request;
    uint8_t          *data = NULL;
    if (request == NULL) {
        static patio_allocator plain; /* not counted: it stays */
        static counted_alloc   kept;
        counted_alloc_init(&kept);
        plain   = kept.mem;
        request = pt_buf_new(&plain, 100, &data);
        require(request != NULL);
        memset(data, 'r', 100);
    }
    return request;
}

static inline bool ring_begin(patio_job *job, patio_outcome *out)
{
    (void)job;
    (void)out;
    return true;
}

static inline void ring_fail(patio_job *job, patio_status status, uint64_t delay_ms, int32_t code,
                             const char *type, const char *message, patio_outcome *out)
{
    (void)job;
    (void)delay_ms;
    (void)code;
    ring_read_all((patio_bytes){(const uint8_t *)type, strlen(type)});
    ring_read_all((patio_bytes){(const uint8_t *)message, strlen(message)});
    out->verdict = PATIO_REJECT;
    out->status  = status;
}

static inline bool ring_cancelled(const patio_job *job)
{
    (void)job;
    return false;
}

static inline void ring_progress(patio_job *job, const patio_progress *progress)
{
    (void)job;
    ring_read_all((patio_bytes){(const uint8_t *)progress->note, strlen(progress->note)});
}

static inline void ring_job_log(const patio_job *job, int32_t level, const char *text)
{
    (void)job;
    ring_log(NULL, level, text);
}

static const patio_job_ops ring_job_ops = {
    PATIO_SIZED(patio_job_ops),  .begin = ring_begin,       .fail = ring_fail,
    .cancelled = ring_cancelled, .progress = ring_progress, .log = ring_job_log,
};

static inline void ring_check_empty(void)
{
    require(ring_memory.live_blocks == 0);
}

#endif
