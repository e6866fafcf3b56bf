/* patio/child_ring.h: the memory that the executor `process` and one child share: two rings of
 * frames (patio/child_protocol.h), jobs there and results back, and a few words beside them.
 *
 * A frame is written once, where the other side reads it; a system call is made only to wake one
 * who sleeps. Each ring is mapped twice, one behind the other, so that a frame is never in two
 * pieces. The parent believes nothing of it: a task may have written anything there.
 *
 * Header only, for both ends. Linux, with _GNU_SOURCE defined. C only.
 */
#ifndef PATIO_CHILD_RING_H
#define PATIO_CHILD_RING_H
#ifndef __cplusplus

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <patio/child_protocol.h>

enum {
    PATIO_CHILD_HEAD_BYTES = 64 * 1024,  /* what lies before the rings; whole pages anywhere */
    PATIO_CHILD_RING_BYTES = 128 * 1024, /* each; more than two of the longest frames in it */
    PATIO_CHILD_FILE_BYTES = PATIO_CHILD_HEAD_BYTES + 2 * PATIO_CHILD_RING_BYTES,
};

/* One writes, one reads. Positions count bytes and never go back. */
typedef struct patio_child_ring {
    _Alignas(64) _Atomic uint64_t head; /* written up to here */
    _Alignas(64) _Atomic uint64_t tail; /* read up to here: what lies before may be written over */
} patio_child_ring;

typedef struct patio_child_page {
    /* Low half: jobs begun; high half: jobs below this number that have not begun are withdrawn.
     * One word, so that a job is either begun or withdrawn. */
    _Alignas(64) _Atomic uint64_t turn;
    _Atomic uint32_t lending; /* the task waits for others: its slot is free meanwhile */
    _Atomic uint32_t closing; /* no job will come any more */
    patio_child_ring jobs;
    patio_child_ring results;
    /* The child sleeps on this word: 1 until it is woken. */
    _Alignas(64) _Atomic uint32_t child_sleeps;
    _Atomic uint32_t wants_room; /* it sleeps until results were read */
    /* The parent sleeps: whoever takes this back to 0 rings its bell. `rung` is what the ring of
     * results held then: all that was said before it on other ways is heard with the bell. */
    _Alignas(64) _Atomic uint32_t parent_sleeps;
    _Atomic uint64_t rung;
    _Alignas(64) _Atomic uint32_t crash_bytes;
    int32_t  crash_signal;
    int32_t  crash_code;
    uint64_t crash_address;
    char     crash[PATIO_CHILD_CRASH_MAX]; /* backtrace, a line per frame */
} patio_child_page;
_Static_assert(sizeof(patio_child_page) <= PATIO_CHILD_HEAD_BYTES, "it lies before the rings");

enum {
    PATIO_CHILD_MAPPED_BYTES = PATIO_CHILD_HEAD_BYTES + 4 * PATIO_CHILD_RING_BYTES,
};

/* Map it from its file of PATIO_CHILD_FILE_BYTES; NULL with errno. */
static inline patio_child_page *patio_child_page_map(int fd)
{
    const size_t head = PATIO_CHILD_HEAD_BYTES;
    const size_t ring = PATIO_CHILD_RING_BYTES;
    const int    both = PROT_READ | PROT_WRITE;
    void *at = mmap(NULL, PATIO_CHILD_MAPPED_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    bool well = mmap(at, head, both, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
    for (size_t i = 0; i < 4 && well; i++) {
        uint8_t *to   = (uint8_t *)at + head + i * ring;
        off_t    from = (off_t)(head + i / 2 * ring);
        well          = mmap(to, ring, both, MAP_SHARED | MAP_FIXED, fd, from) != MAP_FAILED;
    }
    if (!well) {
        (void)munmap(at, PATIO_CHILD_MAPPED_BYTES);
        return NULL;
    }
    return (patio_child_page *)at;
}

static inline void patio_child_page_unmap(patio_child_page *page)
{
    if (page != NULL) {
        (void)munmap(page, PATIO_CHILD_MAPPED_BYTES);
    }
}

/* Where the byte at a position lies; RING_BYTES from there on are in one piece. */
static inline uint8_t *patio_child_job_at(patio_child_page *page, uint64_t position)
{
    return (uint8_t *)page + PATIO_CHILD_HEAD_BYTES + position % PATIO_CHILD_RING_BYTES;
}
static inline uint8_t *patio_child_result_at(patio_child_page *page, uint64_t position)
{
    return patio_child_job_at(page, position) + (size_t)2 * PATIO_CHILD_RING_BYTES;
}

/* What the child says is a result at this position, with `left` bytes of them. Frame and body are
 * copied, so that nobody changes them meanwhile; the bytes are not. How many bytes it takes; 0: it
 * is none. Whatever it is, nothing outside of these is read. */
static inline uint64_t patio_child_result_next(patio_child_page *page, uint64_t position,
                                               uint64_t left, patio_child_frame *frame,
                                               patio_child_result *result, const uint8_t **bytes)
{
    const uint8_t *from = patio_child_result_at(page, position);
    const uint64_t need = sizeof(*frame) + sizeof(*result);
    if (left < need || left > PATIO_CHILD_RING_BYTES) {
        return 0;
    }
    __builtin_memcpy(frame, from, sizeof(*frame));
    __builtin_memcpy(result, from + sizeof(*frame), sizeof(*result));
    if (frame->type != PATIO_CHILD_RESULT || (frame->flags & PATIO_CHILD_SHARED) != 0 ||
        frame->size > left || frame->bytes > frame->size ||
        need + patio_child_pad(frame->bytes) != frame->size) {
        return 0;
    }
    *bytes = from + need;
    return frame->size;
}

/* Sleep until the word is not 1 any more, at most until_ns on CLOCK_MONOTONIC (UINT64_MAX: no
 * limit). May return early. The word is shared between processes. */
static inline void patio_child_sleep(_Atomic uint32_t *word, uint64_t until_ns)
{
    struct timespec until = {.tv_sec  = (time_t)(until_ns / 1000000000u),
                             .tv_nsec = (long)(until_ns % 1000000000u)};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 1u, until_ns == UINT64_MAX ? NULL : &until,
                  NULL, FUTEX_BITSET_MATCH_ANY);
}

/* After something was written for the child: wake it if it sleeps. Who writes and then looks at
 * this, and who sets it and then looks for what was written, both in one order (seq_cst): one sees
 * the other. */
static inline void patio_child_wake(patio_child_page *page)
{
    if (atomic_load(&page->child_sleeps) != 0 && atomic_exchange(&page->child_sleeps, 0) != 0) {
        (void)syscall(SYS_futex, &page->child_sleeps, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
}

#endif /* __cplusplus */
#endif
