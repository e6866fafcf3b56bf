/* tcp.h: what the files of the tcp transport share.
 *
 * An instance has one lock and one I/O thread, which lends its role to a thread that waits for a
 * reply (turn.h). The lock guards everything but what a comment calls the I/O thread's own; it is
 * held for short and never while an event is raised or a socket is written. What must happen once
 * it is open is collected in `effects` (effects.c).
 *
 * A task of ours is an `entry` that goes OUT: it waits in the lane of its name, is given to a
 * connection whose peer has announced the task, and ends with the peer's settlement. A task of a
 * peer's is an entry that came IN: it waits in the inbox of our subscription and is delivered
 * within its credit. Our own subscriptions are a peer, too: the connection `self`, which has no
 * socket.
 */
#ifndef TCP_H
#define TCP_H

#include <patio/peers.h>
#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "ask.h"
#include "conn.h"
#include "effects.h"
#include "endpoint.h"
#include "guest.h"
#include "hub.h"
#include "links.h"
#include "route.h"
#include "turn.h"

typedef struct settings {
    store_bounds bounds;
    uint64_t     max_crashes;
    uint64_t     max_frame_bytes;
    uint64_t     write_queue_bytes;
    uint64_t     prefetch;
    uint64_t     ping_ms;
    uint64_t     dead_ms;
    uint64_t     handshake_ms;
    uint64_t     reconnect_min_ms;
    uint64_t     reconnect_max_ms;
    uint64_t     max_connections;
    uint64_t     max_connections_per_address;
    uint64_t     handshakes_per_second;
} settings;

/* In `calls`: stop() waits for the last of them. */
enum { CALLS_AWAITED = 1 << 30 };

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    char                          project[256];
    uint64_t                      incarnation;
    uint64_t                      max_body_bytes;
    settings                      set;
    endpoint                     *endpoints;
    uint32_t                      endpoint_count;

    pthread_mutex_t lock;
    pthread_cond_t  calm; /* something was settled, flushed or closed */
    bool            running;
    bool            starved;      /* there was no memory to give this side a task of its own */
    bool            waiting_calm; /* stop waits for `calm` */
    _Atomic bool    quit;         /* the I/O thread is to end */
    store_room      room;         /* of what goes out; what comes in has its entries there, too */
    ask_room        ask;
    uint64_t        inbound; /* entries of other peers that are here, and their bytes */
    uint64_t        inbound_bytes;
    uint64_t        least_bytes; /* the longest message of the peer that took least, ever */
    uint64_t        sends;       /* of those, nobody waits for and not dead */
    uint32_t        arriving;    /* URLs that have not been tried: calls wait for who is there, */
    uint64_t        arrive_ns;   /* until then */
    conn           *conns;
    uint32_t        conn_count;
    link_counts     links[LINK_FAMILIES]; /* of connections that have ended; opened of all */
    uint64_t        echoes;               /* unwritten bytes of all connections; echo.c */
    conn           *self;
    conn           *dirty;
    bool            hold_on; /* the I/O thread looks at what is kept back, hold.c */
    uint32_t        holds;   /* how often something was, and at the last look */
    uint32_t        holds_seen;
    _Atomic bool    held;  /* something may be kept back */
    _Atomic bool    awake; /* the I/O thread will look at `dirty` before it sleeps */

    _Atomic bool     stopping;
    bool             idled; /* under the lock: no event runs any more */
    _Atomic uint32_t calls; /* threads that raise events or write without lock and loop */
    io_turn          turn;
    uv_timer_t       hold_limit;
    uv_timer_t       turn_limit; /* whoever runs the loop: the guest's time is over */
    pthread_t        thread;     /* the I/O thread */
    bool             has_thread;

    /* the I/O thread's own, or that of its guest: see turn.h */
    bool         loop_made;
    bool         flushed; /* it has been looked at `dirty` for this turn of the loop */
    uv_loop_t    loop;
    uv_async_t   wake;
    uv_prepare_t prepare;
    uv_check_t   check;
    uv_poll_t    tick;
    int          tick_fd; /* -1: it is not looked after */
    uv_timer_t   parting_limit;
    uint8_t     *read_data;
    uint64_t     piece_bytes; /* that long messages have which have not come whole */
    uint32_t     ticks;
    uint64_t     ticked_ns;
    bool         parting;      /* it ends; the peers are being told */
    uint64_t     warn_from_ns; /* of this span of time: warnings logged, and left out */
    uint32_t     warned;
    uint32_t     unwarned;
    rate        *rates; /* RATE_SLOTS of them, or NULL */
    uint32_t     link_state;
    char         link_why[200];
};

/* peers.c */
extern const patio_peers_ops tcp_peers;

/* parting.c; the I/O thread */
void parting_begin(patio_transport *t);
void parting_look(patio_transport *t);

/* tick.c; who has the loop. What has its time, has it from here on; or no more. */
bool tick_start(patio_transport *t);
void tick_stop(patio_transport *t);

/* loop.c */
patio_status loop_start(patio_transport *t, patio_error *err);
void         loop_stop(patio_transport *t);
/* What was appended goes out; whoever appends from then on wakes the loop. Whoever has the loop,
 * under the lock, which is open meanwhile. */
void loop_flush(patio_transport *t);
/* What the link is now, from what the endpoints are; raises the event if it changed, or if `why`
 * (may be NULL) is `news`. True: the event said it. The I/O thread, without the lock. */
bool loop_link(patio_transport *t, const patio_error *why, bool news);

#endif
