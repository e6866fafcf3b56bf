/* peer_fuzz_links.h: two peers of the tcp transport, without sockets: what they say, and a look at
 * all that is said to them. For fuzz_tcp_peer.c. */
#ifndef PEER_FUZZ_LINKS_H
#define PEER_FUZZ_LINKS_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer_fuzz.h"

#if defined(__SANITIZE_ADDRESS__)
#define PEER_GUARDED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PEER_GUARDED 1
#endif
#endif
#ifdef PEER_GUARDED
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(at, size)   ((void)(at), (void)(size))
#define __asan_unpoison_memory_region(at, size) ((void)(at), (void)(size))
#endif

enum {
    PEERS            = 2,
    TOLD             = 8,
    PEER_FRAME_BYTES = 128 * 1024,
    PEER_SMALL_BYTES = 4096,
    PEER_READ_BYTES  = 256 * 1024
};

typedef struct peer {
    conn       *link;
    patio_bytes in;
    bool        deaf;
    uint8_t     version;
    uint64_t    told[TOLD]; /* ids of tasks and questions that it got; the last first */
    uint8_t     said[FRAME_HEADER_BYTES + FRAME_BODY_MAX]; /* to it; the frame that is not whole */
    size_t      said_bytes;
} peer;

static peer peers[PEERS];

static inline peer *peer_of(const conn *c)
{
    return &peers[c->peer_incarnation % PEERS];
}

static inline ssize_t peer_gives(conn *c, void *to, size_t room)
{
    peer  *p    = peer_of(c);
    size_t size = p->in.size < room ? p->in.size : room;
    __asan_unpoison_memory_region(to, room);
    if (size == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(to, p->in.data, size);
    if (c->direct == NULL) { /* what did not come is not to be read either */
        __asan_poison_memory_region((uint8_t *)to + size, room - size);
    }
    p->in.data += size;
    p->in.size -= size;
    return (ssize_t)size;
}

/* A frame that goes to a peer. */
static inline void peer_check_said(peer *p, const frame_header *h, patio_bytes body)
{
    frame_publish publish;
    frame_settle  settle;
    frame_ask     asked;
    frame_answer  answer;
    require(frame_check_header(h, true, PEER_FRAME_BYTES) == NULL);
    if (h->type == FRAME_PUBLISH || h->type == FRAME_ASK) {
        memmove(&p->told[1], &p->told[0], sizeof(p->told) - sizeof(p->told[0]));
        p->told[0] = h->id;
    }
    if (h->channel != 0) {
        return;
    }
    switch (h->type) {
    case FRAME_ANNOUNCE:
        require(frame_check_announce(body) == NULL);
        return;
    case FRAME_PUBLISH:
        require(frame_get_publish(body, &publish));
        return;
    case FRAME_SETTLE:
        require(frame_get_settle(body, &settle));
        return;
    case FRAME_ASK:
        require(frame_get_ask(body, &asked));
        return;
    case FRAME_ANSWER:
        require(frame_get_answer(body, &answer));
        return;
    default:
        require(body.size == (h->type == FRAME_CANCEL      ? 16u
                              : h->type == FRAME_CANCELLED ? 20u
                                                           : 0) ||
                h->type == FRAME_NOTIFY);
        return;
    }
}

static inline void peer_hears(peer *p, const uint8_t *data, size_t size)
{
    while (size > 0) {
        frame_header h    = {0};
        size_t       want = FRAME_HEADER_BYTES;
        if (p->said_bytes >= want) {
            frame_get_header(p->said, &h);
            require(h.size <= FRAME_BODY_MAX);
            want += h.size;
        }
        size_t more = want - p->said_bytes < size ? want - p->said_bytes : size;
        memcpy(p->said + p->said_bytes, data, more);
        p->said_bytes += more;
        data += more;
        size -= more;
        frame_get_header(p->said, &h);
        if (p->said_bytes >= FRAME_HEADER_BYTES && p->said_bytes == FRAME_HEADER_BYTES + h.size) {
            peer_check_said(p, &h, (patio_bytes){p->said + FRAME_HEADER_BYTES, h.size});
            p->said_bytes = 0;
        }
    }
}

static inline ssize_t peer_takes(conn *c, const struct iovec *parts, int count)
{
    peer  *p   = peer_of(c);
    size_t sum = 0;
    if (p->deaf) {
        errno = EAGAIN;
        return -1;
    }
    for (int i = 0; i < count; i++) {
        peer_hears(p, parts[i].iov_base, parts[i].iov_len);
        sum += parts[i].iov_len;
    }
    return (ssize_t)sum;
}

static inline bool peer_no_more(conn *c)
{
    (void)c;
    return false;
}

static inline void peer_nothing(conn *c)
{
    (void)c;
}

/* It has proved its key just now. */
static inline void peer_enters(patio_transport *t, unsigned which, uint8_t version)
{
    static const stream_ops      stream     = {.read   = peer_gives,
                                               .write  = peer_takes,
                                               .more   = peer_no_more,
                                               .finish = peer_nothing,
                                               .free   = peer_nothing};
    static const struct sockaddr from       = {.sa_family = AF_UNIX};
    static int                   sockets[2] = {-1, -1};
    peer                        *p          = &peers[which];
    if (sockets[0] < 0) {
        require(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    }
    *p      = (peer){.link    = conn_new(t, t->endpoints, dup(sockets[0]), &from, false),
                     .version = version};
    conn *c = p->link;
    require(c != NULL);
    c->stream           = &stream;
    c->state            = CONN_OPEN;
    c->version          = version;
    c->max_bytes        = which == 0 ? PEER_FRAME_BYTES : PEER_SMALL_BYTES;
    c->peer_incarnation = PEERS + which;
    c->refs++; /* ours */
}

static inline void peer_says(unsigned which, patio_bytes *in)
{
    static uint8_t frame[FRAME_HEADER_BYTES + FRAME_BODY_MAX];
    frame_header   h;
    peer          *p = &peers[which];
    if (in->size < FRAME_HEADER_BYTES) {
        in->size = 0;
        return;
    }
    frame_get_header(in->data, &h);
    size_t size = FRAME_HEADER_BYTES + (h.size < FRAME_BODY_MAX ? h.size : FRAME_BODY_MAX);
    size        = size < in->size ? size : in->size;
    memcpy(frame, in->data, size);
    if (h.id >> 56 == 0xff) {
        frame_put64(frame + 8, p->told[h.id % TOLD]);
    }
    in->data += size;
    in->size -= size;
    p->in = (patio_bytes){frame, size};
    while (p->in.size > 0 && p->link->state == CONN_OPEN) {
        conn_read(p->link);
        __asan_unpoison_memory_region(p->link->t->read_data, PEER_READ_BYTES);
    }
}

/* As one that runs; its loop is for this thread, which never sleeps in it. */
static inline patio_transport *peer_fuzz_transport(const patio_transport_ops *ops)
{
    static const settings        set        = {.bounds            = {.max_queued       = 64,
                                                                     .max_queued_bytes = 512 * 1024,
                                                                     .max_dead         = 8,
                                                                     .dead_ttl_ns      = 1000000000,
                                                                     .max_results      = 8,
                                                                     .max_result_bytes = 64 * 1024,
                                                                     .max_dedup_keys   = 8},
                                               .max_crashes       = 2,
                                               .max_frame_bytes   = PEER_FRAME_BYTES,
                                               .write_queue_bytes = 64 * 1024,
                                               .prefetch          = 8,
                                               .ping_ms           = 2000,
                                               .dead_ms           = 30000,
                                               .handshake_ms      = 5000};
    static const patio_host_port nowhere    = {.host = ""};
    patio_option_value           values[40] = {{0}};
    patio_transport             *t          = NULL;
    for (size_t i = 0; ops->options[i] != NULL; i++) {
        require(i < sizeof(values) / sizeof(values[0]));
        values[i].text   = "";
        values[i].number = strcmp(ops->options[i]->name, "dead_ms") == 0; /* above ping_ms */
    }
    const patio_endpoint         ep     = {PATIO_SIZED(patio_endpoint),
                                           .host_count = 1,
                                           .scheme     = "unix+listen",
                                           .user       = "",
                                           .password   = "",
                                           .hosts      = &nowhere,
                                           .path       = "/nowhere",
                                           .shown      = "unix",
                                           .values     = values};
    const patio_transport_params params = {PATIO_SIZED(patio_transport_params),
                                           .endpoint_count = 1,
                                           .project        = "p",
                                           .incarnation    = 1,
                                           .max_body_bytes = 1 << 20,
                                           .endpoints      = &ep,
                                           .endpoint_bytes = sizeof(ep),
                                           .events         = &book_events};
    require(ops->create(&book_host, &params, &t, NULL) == PATIO_OK);
    t->set       = set;
    t->read_data = book_alloc(NULL, PEER_READ_BYTES);
    t->running   = true;
    t->awake     = true;
    t->loop_made = uv_loop_init(&t->loop) == 0;
    require(t->read_data != NULL && t->loop_made);
    turn_begin(&t->turn);
    return t;
}

#endif
