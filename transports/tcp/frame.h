/* frame.h: the bytes on the wire, docs/tcp.md. Pure functions over borrowed memory: nothing here
 * knows an instance, a socket or a lock, so that tests and the fuzzer can call them alone. */
#ifndef TCP_FRAME_H
#define TCP_FRAME_H

#include <patio/message.h>

#include <stdbool.h>

enum {
    FRAME_HEADER_BYTES  = 16,
    FRAME_CHUNK_BYTES   = 64 * 1024,  /* a longer message travels in pieces of this size */
    FRAME_BODY_MAX      = 128 * 1024, /* no frame is longer than this */
    FRAME_OPENING_MAX   = 512,        /* no frame is longer before both sides are known */
    FRAME_HELLO_BYTES   = 64,
    FRAME_NONCE_BYTES   = 32,
    FRAME_MAC_BYTES     = 32,
    FRAME_PUBLISH_BYTES = 48,
    FRAME_SETTLE_BYTES  = 16,
    FRAME_TASKS_MAX     = 16384,
    FRAME_QUEUES_MAX    = 256, /* of an ANNOUNCE, which has so many tasks in all of them */
    FRAME_CHANNELS      = 4,   /* long messages on their way at once, per direction */
    FRAME_VERSION       = 2,   /* the highest that is spoken, and the lowest */
    FRAME_VERSION_MIN   = 1,
};

enum frame_type {
    FRAME_HELLO     = 1,
    FRAME_AUTH      = 2,
    FRAME_WELCOME   = 3,
    FRAME_ANNOUNCE  = 4,
    FRAME_PUBLISH   = 5,
    FRAME_SETTLE    = 6,
    FRAME_NOTIFY    = 7,
    FRAME_CANCEL    = 8,
    FRAME_CANCELLED = 9,
    FRAME_PING      = 10,
    FRAME_PONG      = 11,
    FRAME_GOODBYE   = 12,
    FRAME_ASK       = 13, /* from version 2 on */
    FRAME_ANSWER    = 14,
};

enum {
    FRAME_FIRST = 1u << 0, /* a long message begins: its size, its head */
    FRAME_MORE  = 1u << 1, /* and goes on in a later frame of the same channel */
};

/* Why a side says GOODBYE; the number travels. */
enum goodbye {
    GOODBYE_STOPPED   = 0,
    GOODBYE_VERSION   = 1,
    GOODBYE_AUTH      = 2, /* wrong key */
    GOODBYE_NEEDS_KEY = 3, /* one side has a key, the other none */
    GOODBYE_FULL      = 4, /* too many connections */
    GOODBYE_SELF      = 5, /* both ends are the same instance */
    GOODBYE_PROTOCOL  = 6,
    GOODBYE_TLS       = 7,  /* only one side speaks TLS */
    GOODBYE_BUSY      = 8,  /* too many handshakes from there */
    GOODBYE_ALLOW     = 9,  /* the allow-list has no such peer */
    GOODBYE_TRUST     = 10, /* the certificate is not good any more */
};

typedef struct frame_header {
    uint32_t size; /* of the body */
    uint8_t  type;
    uint8_t  flags;
    uint16_t channel;
    uint64_t id;
} frame_header;

typedef struct frame_hello {
    uint8_t        version_min;
    uint8_t        version_max;
    bool           connects; /* else it listens */
    bool           has_key;
    uint32_t       max_bytes; /* longest message it takes */
    uint64_t       incarnation;
    uint32_t       key_hints[2]; /* which keys, of who connects; 0: none */
    const uint8_t *nonce;
} frame_hello;

typedef struct frame_publish {
    patio_id id;
    uint32_t flags;
    uint32_t fence;
    uint64_t ttl_ms;
    uint64_t age_ms;
    uint16_t priority;
    uint16_t attempt;
    uint16_t crashes;
    char     queue[256];
    char     task[256];
    size_t   head_bytes; /* where the envelope begins */
} frame_publish;

enum {
    SETTLE_HAS_REPLY = 1u << 0,
    SETTLE_UNSTARTED = 1u << 1,
    SETTLE_TOO_LARGE = 1u << 2,
    SETTLE_CRASHED   = 1u << 3,
    SETTLE_FORBIDDEN = 1u << 4,
};

typedef struct frame_settle {
    uint8_t     verdict;
    uint8_t     flags;
    uint64_t    delay_ms;
    patio_bytes cause;
    size_t      head_bytes; /* where the reply begins */
} frame_settle;

/* One queue of an ANNOUNCE; tasks are read one by one with frame_next_name. */
typedef struct frame_queue {
    char        name[256];
    uint32_t    credit;
    uint32_t    task_count;
    patio_bytes tasks;
} frame_queue;

void frame_put_header(uint8_t *to, const frame_header *h);
void frame_get_header(const uint8_t *from, frame_header *h);

void frame_put_hello(uint8_t *to, const frame_hello *h);
/* False: not a HELLO of this protocol. */
bool frame_get_hello(patio_bytes body, frame_hello *h);

/* Fixed part and names; returns the bytes written, at most FRAME_PUBLISH_BYTES + 510. */
size_t frame_put_publish(uint8_t *to, const frame_publish *p, const char *queue, const char *task);
bool   frame_get_publish(patio_bytes body, frame_publish *p);

/* Fixed part; the cause and then the reply follow it. */
void frame_put_settle(uint8_t *to, const frame_settle *s);
bool frame_get_settle(patio_bytes body, frame_settle *s);

/* Beginning of an ANNOUNCE. `rest` is what frame_next_queue reads from. */
bool frame_get_announce(patio_bytes body, char project[256], uint32_t *queues, patio_bytes *rest);
bool frame_next_queue(patio_bytes *rest, frame_queue *q);
/* A name with a control character is refused. */
bool frame_next_name(patio_bytes *rest, char name[256]);
/* Of [A-Za-z0-9._-], as the names of projects and queues are. */
bool frame_is_plain(const char *name);
/* NULL if the whole of it is well formed and within its bounds, else what is wrong. */
const char *frame_check_announce(patio_bytes body);

void     frame_put32(uint8_t *to, uint32_t value);
void     frame_put64(uint8_t *to, uint64_t value);
uint32_t frame_get32(const uint8_t *from);
uint64_t frame_get64(const uint8_t *from);

/* What may come next on a connection; NULL if the header is allowed, else what is wrong. */
const char *frame_check_header(const frame_header *h, bool open, uint64_t max_bytes);

#endif
