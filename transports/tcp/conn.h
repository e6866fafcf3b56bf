/* conn.h: one connection, from its socket to its end. */
#ifndef TCP_CONN_H
#define TCP_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "allow.h"
#include "frame.h"
#include "hub.h"
#include "stream.h"

typedef struct large   large;
typedef struct effects effects;

typedef struct bytes {
    uint8_t *data;
    size_t   size;
    size_t   room;
} bytes;

/* A part of a long message that is written from where it lies. */
enum { SLICES_MAX = 2 }; /* so a small message waits for no more than that many pieces */
typedef struct slice {
    patio_buf  *body;
    patio_bytes bytes;
    size_t      at; /* what of `writing` goes before it */
} slice;

/* A long message on its way out. */
struct large {
    large       *next;
    patio_buf   *body;
    uint8_t     *head; /* behind this struct */
    size_t       head_bytes;
    size_t       at;
    frame_header header;
    uint64_t     tag; /* of a PUBLISH: the entry to tell where it ended; else 0 */
};

/* A long message on its way in; the I/O thread's own. */
typedef struct piece {
    patio_buf *body; /* NULL: it is dropped */
    uint8_t   *data;
    size_t     size;
    size_t     at;
    size_t     room; /* that it has of the instance's for such messages */
    size_t     looked_at;
    uint64_t   looked_ns; /* when it was there */
    uint8_t   *head;      /* NULL: there is none on this channel */
    size_t     head_bytes;
    uint64_t   id;
    uint8_t    type;
} piece;

enum conn_state {
    CONN_CONNECTING = 1,
    CONN_SECURING   = 2, /* TLS shakes hands */
    CONN_GREETING   = 3, /* HELLO is sent or awaited */
    CONN_PROVING    = 4, /* AUTH or WELCOME is awaited */
    CONN_OPEN       = 5,
    CONN_CLOSED     = 6,
};

struct conn {
    conn             *next;
    conn             *prev;
    patio_transport  *t;
    endpoint         *endpoint;
    int               fd;
    const stream_ops *stream;
    struct tls       *tls;   /* of a TLS stream; tls.c */
    grant            *allow; /* what it may call; NULL: everything */
    uint32_t          refs;
    uint8_t           state;
    uint8_t           key_index; /* which of our keys is used with it */
    uint8_t           version;   /* of the protocol, that both speak */
    uint8_t           family;    /* enum link_family */
    bool              self;
    bool              connects;
    bool              announced; /* its ANNOUNCE has come */
    bool              foreign;   /* of another project */
    bool              broken;    /* to be closed by the I/O thread */
    bool              parting;   /* close once all is written */
    bool              proven;    /* the peer has shown the key */
    bool              spoke;     /* its first bytes were looked at */
    uint8_t           last_word; /* 1 + the reason of a GOODBYE to end with; 0: none */
    char              name[80];
    char              security[128];

    /* reading, the I/O thread's own */
    uv_poll_t poll;
    int       poll_for;
    uint8_t   step; /* of the handshake of TLS: enum stream_step */
    bytes     in;
    piece     pieces[FRAME_CHANNELS];
    uint32_t  longs_in; /* of them, that are on their way */
    piece    *direct;   /* whose bytes come next, and are read to where they belong */
    size_t    direct_left;
    uint8_t   from[16]; /* limits_address() of who came over TCP */
    uint64_t  since_ns;
    uint64_t  heard_ns;
    uint64_t  pinged_ns;
    uint64_t  rtt_ns; /* of the last answered ping */
    uint64_t  bytes_in;
    uint64_t  peer_incarnation;
    char      project[256];   /* that it announced */
    uint64_t  announced_last; /* number of the last ANNOUNCE that counts */
    uint8_t   hello_own[FRAME_HELLO_BYTES];
    uint8_t   hello_peer[FRAME_HELLO_BYTES];
    uint32_t  max_bytes; /* the peer's */

    /* what may come in this turn, and before it is open in all; who writes to a TLS stream may
     * come by there, too */
    _Atomic size_t   turn_left;
    _Atomic uint32_t turn_rekeys;

    /* writing */
    _Atomic bool want_write; /* the socket is full; the I/O thread waits for it */

    bytes    out;                /* appended under the lock */
    bytes    writing;            /* of whoever has set `flushing` */
    slice    slices[SLICES_MAX]; /* written with it */
    uint32_t slice_count;
    size_t   writing_at; /* of writing and slices together */
    size_t   writing_size;
    bool     flushing;
    bool     dirty;  /* in the instance's list of what to flush */
    bool     burst;  /* many tasks are under way: see hold.c */
    bool     choked; /* somebody wanted to give it a task and its queue was full */
    bool     deaf;   /* the I/O thread has stopped reading until it reads */
    uint64_t echoes; /* unwritten bytes of them, echo.c; and which are in `out` */
    uint64_t echoes_out;
    conn    *dirty_next;
    large   *larges;
    large  **larges_end;
    uint64_t larges_bytes;
    uint64_t larges_replies; /* of them: of replies */
    uint32_t channels;       /* bit per one in use */
    uint64_t appended;       /* bytes ever appended, and written */
    uint64_t written;
    uint64_t flushed_ns;
    uint64_t progress_ns;

    /* its tasks */
    uint64_t announces; /* to it, so far */
    peersub *subs;
    entry   *given;    /* ours that it has */
    entry   *received; /* its that we have */
    list     aside;    /* of them: not begun before it has read its replies */
    uint64_t fence;    /* number of the ping whose answer ends it, 0: none; inbox.c */
    uint32_t given_count;
    uint32_t received_count;
    uint32_t cancels; /* of its questions, that wait for the outcome of one */
};

/* conn.c; the I/O thread */
/* `a`: of the other end. */
conn *conn_new(patio_transport *t, endpoint *ep, int fd, const struct sockaddr *a, bool connects);
void  conn_close(conn *c, patio_status status, const char *why);
void  conn_poll(conn *c);
void  conn_free(conn *c);
void  conn_unref(conn *c);
void  conn_tick(conn *c, uint64_t now);

/* receive.c; the I/O thread */
void conn_read(conn *c);

/* write.c; under the lock unless it says otherwise */
/* Appends a frame; a long one is queued. `tail` may be NULL. False: out of memory, and the
 * connection is broken. */
bool write_frame(conn *c, const frame_header *h, patio_bytes head, patio_buf *tail, uint64_t tag);
/* See to it that what was appended goes out: by this thread after the lock, or by the I/O thread.
 */
void     write_kick(conn *c, effects *fx);
void     write_flush(conn *c, uint64_t now); /* `flushing` is ours; it opens the lock */
void     write_mark_dirty(conn *c);
void     write_mark_held(conn *c); /* the same, and nobody is woken for it: hold.c */
uint64_t write_backlog(const conn *c);
/* Of all that was ever appended, how far it may be out: with what some thread is just writing,
 * which the peer may have before that thread comes back. */
uint64_t write_reach(const conn *c);
/* Of the backlog, without our own long tasks: what it has to read before it is served again. */
uint64_t write_replies(const conn *c);
void     write_fini(conn *c);
/* Room for so many more bytes; false: out of memory, and the connection is broken. */
bool write_reserve(conn *c, bytes *b, size_t size);
void write_append(conn *c, bytes *b, const void *data, size_t size);
/* The frame of the entry with that tag, if there is one, ends here. */
void write_note_end(conn *c, uint64_t tag);

/* echo.c; under the lock */
/* Appends and kicks an answer that costs the peer no more than its question. */
void echo_write(conn *c, const frame_header *h, patio_bytes body, effects *fx);
/* `writing`, which was empty, is what was in `out`. */
void echo_moved(conn *c);
/* Is so much of it unwritten that the peer is not heard before? */
bool echo_is_behind(const conn *c);

/* hold.c */
/* Under the lock: does somebody come by soon who writes what was left? */
bool hold_on(const conn *c);
/* Under the lock: may what was appended wait for company? */
bool hold_may(conn *c, uint64_t now_ns);
/* Under the lock, whoever runs the loop, before it sleeps. */
void hold_watch(patio_transport *t);
/* A thread that is about to wait: write what is kept back. */
void hold_release(patio_transport *t);

/* large.c; under the lock */
bool large_queue(conn *c, const frame_header *h, patio_bytes head, patio_buf *tail, uint64_t tag);
/* One piece of one long message into `writing`; the next piece is another message's. */
bool large_piece(conn *c);

/* hello.c; the I/O thread, under the lock */
/* Why a connection ends on which no HELLO comes first. */
#define HELLO_STRANGE "it does not speak patio"

void hello_begin(conn *c);
/* NULL, or why the connection ends. */
const char *hello_frame(conn *c, const frame_header *h, patio_bytes body, patio_status *status);
/* What conn_close() will say, behind all that is still to be written. */
void hello_goodbye(conn *c, enum goodbye reason);
/* What this reason says, if it is that there is no room for one more; else NULL. */
const char *hello_no_room(uint64_t reason);

/* auth.c */
/* `binding`: TLS_BINDING_BYTES of the channel, or NULL on a plain one. */
bool auth_mac(const char *key, bool from_listener, const uint8_t *hello_connects,
              const uint8_t *hello_listens, const uint8_t *binding, uint8_t mac[FRAME_MAC_BYTES]);
/* By which key the other side may find the one meant: 4 bytes from key and nonce. */
uint32_t auth_hint(const char *key, const uint8_t nonce[FRAME_NONCE_BYTES]);
bool     auth_same(const uint8_t *a, const uint8_t *b);

#endif
