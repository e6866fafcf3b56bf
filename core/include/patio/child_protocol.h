/* patio/child_protocol.h: what the executor `process` and its child processes say to each other.
 *
 * Between a plugin and the libpatio of the child, on one machine; numbers are the machine's own.
 * Both sides must have the same PATIO_CHILD_VERSION. Header only; docs/process.md has the picture.
 *
 * Jobs go there and results come back in shared memory (patio/child_ring.h). Beside it a child has
 * a SOCK_SEQPACKET socket (the hello, and descriptors of large arguments there; all but small
 * results back), a second one that is only read by the child (cancels, answers to its calls), an
 * eventfd to wake the parent by, and its standard streams. A packet holds one or more frames; one
 * frame with bytes in shared memory is a packet of its own, with the descriptor beside it. A job
 * with such bytes stands in the ring as well, which has the order.
 */
#ifndef PATIO_CHILD_PROTOCOL_H
#define PATIO_CHILD_PROTOCOL_H

#include <patio/message.h>

#define PATIO_CHILD_MAGIC   0x50544331u /* "PTC1" */
#define PATIO_CHILD_VERSION 2u
/* argv[1] of a child: this program is to be one. */
#define PATIO_CHILD_ARGUMENT "--patio-child-process"
enum {
    PATIO_CHILD_FD_JOBS   = 3,
    PATIO_CHILD_FD_WORDS  = 4,
    PATIO_CHILD_FD_PAGE   = 5,
    PATIO_CHILD_FD_BELL   = 6,         /* eventfd: the parent is to look into the shared memory */
    PATIO_CHILD_PACKET    = 96 * 1024, /* longest packet */
    PATIO_CHILD_CRASH_MAX = 4096,
    PATIO_CHILD_LOST      = -1, /* as its signal: it could not speak to its parent any more */
};

enum {
    PATIO_CHILD_HELLO       = 1, /* to the child: who it is */
    PATIO_CHILD_READY       = 2, /* back: it is ready, or why not */
    PATIO_CHILD_JOB         = 3,
    PATIO_CHILD_RESULT      = 4,
    PATIO_CHILD_LOG         = 5,
    PATIO_CHILD_PROGRESS    = 6,
    PATIO_CHILD_CALL        = 7,  /* back: a task calls another */
    PATIO_CHILD_CALL_CANCEL = 8,  /* back: it gave a call up */
    PATIO_CHILD_CANCEL      = 9,  /* words: the running job is to end */
    PATIO_CHILD_REPLY       = 10, /* words: the answer to a call */
    PATIO_CHILD_RECEIPT     = 11, /* words: a call was accepted or not */
};

enum {
    PATIO_CHILD_SHARED = 1u << 0, /* its bytes lie in a sealed memfd beside the packet */
    PATIO_CHILD_BYTES  = 1u << 1, /* bytes follow (RESULT without them: no reply) */
};

/* Every frame: this, its own struct, its texts with their NULs, then `bytes` bytes at the next
 * multiple of 8 unless they are shared. */
typedef struct patio_child_frame {
    uint32_t size; /* all of it, a multiple of 8 */
    uint16_t type;
    uint16_t flags;
    uint64_t number; /* of the job */
    uint64_t bytes;  /* how many follow or are shared */
} patio_child_frame;

typedef struct patio_child_hello {
    uint32_t magic;
    uint32_t version;
    uint64_t incarnation; /* first half of the ids of its calls */
    uint64_t max_body_bytes;
    uint64_t max_decode_bytes;
    uint64_t shared_bytes;        /* longer bytes travel in shared memory */
    uint64_t address_space_bytes; /* 0: no limit */
    int32_t  log_level;
    int32_t  niceness;
    uint32_t core_dumps;
    uint32_t module_count;
    uint32_t text_bytes; /* project, then the modules, each with its NUL */
    uint32_t parent;     /* its process id */
} patio_child_hello;

typedef struct patio_child_ready {
    int32_t  status;
    uint32_t task_count;
    uint64_t fingerprint;
    uint32_t text_bytes; /* what went wrong, with a NUL; 0: nothing */
    uint32_t version;
} patio_child_ready;

typedef struct patio_child_job {
    patio_id id;
    uint64_t deadline_ns;
    uint64_t fence;
    uint32_t attempt;
    uint32_t flags;
    uint32_t text_bytes; /* the task's name */
    uint32_t reserved;
} patio_child_job;

typedef struct patio_child_result {
    uint32_t verdict;
    int32_t  status;
    uint64_t delay_ms;
    uint64_t took_ns;
    uint32_t after; /* packets that were sent before it: what the task said is heard first */
    uint32_t reserved;
} patio_child_result;

typedef struct patio_child_log {
    int32_t  level;
    uint32_t text_bytes;
    patio_id id;
} patio_child_log;

typedef struct patio_child_call {
    patio_id id;
    uint64_t ttl_ms;
    uint64_t delay_ms;
    uint64_t dedup_window_ms;
    uint32_t flags;
    uint32_t dedup_conflict;
    uint16_t priority;
    uint16_t level;
    uint32_t dedup_bytes;
    uint32_t text_bytes; /* queue, task, then dedup_bytes of the key and a NUL */
    uint32_t reserved;
} patio_child_call;

/* REPLY, RECEIPT and CALL_CANCEL. */
typedef struct patio_child_answer {
    patio_id id;
    patio_id original;
    uint32_t flags;
    uint32_t outcome;
    uint32_t level;
    int32_t  status;
    uint32_t text_bytes; /* RECEIPT: the error; CALL_CANCEL: the queue */
    uint32_t reserved;
} patio_child_answer;

/* One frame of a packet, taken apart; everything points into the packet. */
typedef struct patio_child_part {
    patio_child_frame frame;
    const void       *body; /* the struct of its type */
    const char       *text; /* "" or texts, the last of which ends in a NUL */
    uint32_t          text_bytes;
    const uint8_t    *bytes; /* NULL if shared or none */
} patio_child_part;

static inline uint32_t patio_child_body_size(uint32_t type)
{
    switch (type) {
    case PATIO_CHILD_HELLO:
        return sizeof(patio_child_hello);
    case PATIO_CHILD_READY:
        return sizeof(patio_child_ready);
    case PATIO_CHILD_JOB:
        return sizeof(patio_child_job);
    case PATIO_CHILD_RESULT:
        return sizeof(patio_child_result);
    case PATIO_CHILD_LOG:
        return sizeof(patio_child_log);
    case PATIO_CHILD_PROGRESS:
        return sizeof(patio_progress);
    case PATIO_CHILD_CALL:
        return sizeof(patio_child_call);
    case PATIO_CHILD_CALL_CANCEL:
    case PATIO_CHILD_REPLY:
    case PATIO_CHILD_RECEIPT:
        return sizeof(patio_child_answer);
    default:
        return 0;
    }
}

/* Where in the struct of a type its text_bytes is; 0: it has no texts. */
static inline size_t patio_child_text_at(uint32_t type)
{
    switch (type) {
    case PATIO_CHILD_HELLO:
        return offsetof(patio_child_hello, text_bytes);
    case PATIO_CHILD_READY:
        return offsetof(patio_child_ready, text_bytes);
    case PATIO_CHILD_JOB:
        return offsetof(patio_child_job, text_bytes);
    case PATIO_CHILD_LOG:
        return offsetof(patio_child_log, text_bytes);
    case PATIO_CHILD_CALL:
        return offsetof(patio_child_call, text_bytes);
    case PATIO_CHILD_CALL_CANCEL:
    case PATIO_CHILD_REPLY:
    case PATIO_CHILD_RECEIPT:
        return offsetof(patio_child_answer, text_bytes);
    default:
        return 0;
    }
}

static inline uint64_t patio_child_pad(uint64_t size)
{
    return (size + 7) & ~(uint64_t)7;
}

/* The frame at *at of a packet of `size` bytes at an address that is a multiple of 8; moves *at
 * behind it. 1: here it is; 0: the packet is at its end; -1: it is none of this protocol. Whatever
 * the bytes are, nothing outside of them is read. */
static inline int32_t patio_child_next(const uint8_t *packet, size_t size, size_t *at,
                                       patio_child_part *part)
{
    if (*at == size) {
        return 0;
    }
    size_t left = size - *at;
    if (left < sizeof(part->frame)) {
        return -1;
    }
    const uint8_t *from = packet + *at;
    __builtin_memcpy(&part->frame, from, sizeof(part->frame));
    const patio_child_frame *f    = &part->frame;
    uint64_t                 body = patio_child_body_size(f->type);
    size_t                   text = patio_child_text_at(f->type);
    uint64_t                 need = sizeof(*f) + body;
    if (f->type < PATIO_CHILD_HELLO || f->type > PATIO_CHILD_RECEIPT || f->size > left ||
        f->size % 8 != 0 || f->size < need) {
        return -1;
    }
    part->body       = from + sizeof(*f);
    part->text       = "";
    part->text_bytes = 0;
    part->bytes      = NULL;
    if (text != 0) {
        __builtin_memcpy(&part->text_bytes, from + sizeof(*f) + text, sizeof(part->text_bytes));
        if (part->text_bytes > f->size - need ||
            (part->text_bytes > 0 && from[need + part->text_bytes - 1] != '\0')) {
            return -1;
        }
        part->text = part->text_bytes > 0 ? (const char *)from + need : "";
        need += part->text_bytes;
    }
    need = patio_child_pad(need);
    if ((f->flags & PATIO_CHILD_SHARED) == 0) {
        if (need > f->size || f->bytes > f->size - need) {
            return -1;
        }
        part->bytes = from + need;
        need += patio_child_pad(f->bytes);
    }
    if (need != f->size) {
        return -1;
    }
    *at += f->size;
    return 1;
}

/* Lay a frame out at `to`, which is aligned to 8 and has room: 16 bytes more than its parts. `body`
 * is the struct of its type, with text_bytes in it. Returns its size, and sets frame->size. */
static inline size_t patio_child_put(uint8_t *to, patio_child_frame *frame, const void *body,
                                     const char *text, size_t text_bytes, const uint8_t *bytes)
{
    size_t body_bytes = patio_child_body_size(frame->type);
    size_t at         = sizeof(*frame);
    if (body_bytes > 0) {
        __builtin_memcpy(to + at, body, body_bytes);
        at += body_bytes;
    }
    if (text_bytes > 0) {
        __builtin_memcpy(to + at, text, text_bytes);
        at += text_bytes;
    }
    size_t padded = (size_t)patio_child_pad(at);
    __builtin_memset(to + at, 0, padded - at);
    if (bytes != NULL && frame->bytes > 0) {
        __builtin_memcpy(to + padded, bytes, (size_t)frame->bytes);
        at     = padded + (size_t)frame->bytes;
        padded = (size_t)patio_child_pad(at);
        __builtin_memset(to + at, 0, padded - at);
    }
    frame->size = (uint32_t)padded;
    __builtin_memcpy(to, frame, sizeof(*frame));
    return padded;
}

#endif
