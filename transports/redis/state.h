/* state.h: what an instance of the redis transport is made of.
 *
 * An instance has one lock and one I/O thread, whose part another thread may play while it waits
 * (turn.h). The lock guards everything but what a comment calls the I/O thread's own; it is never
 * held while an event is raised or a socket is used. Events are raised by the I/O thread,
 * `delivered` also by the thread that settles. Other threads append to the lists of a queue and
 * then try to write at once (conn_flush), so that a task costs no hand-off to the I/O thread on its
 * way out.
 *
 * A node is one server that holds slots (outside of a cluster there is one, with all of them), and
 * its pipelined connection. A queue has two connections of its own, which may block at the server:
 * `reader` takes tasks, `replies` takes answers to calls. Both are in conn.h and queue.h.
 *
 * What is known of the server's side, keys, fields and scripts: docs/redis.md.
 */
#ifndef REDIS_STATE_H
#define REDIS_STATE_H

#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <openssl/ssl.h>

#include "conn.h"
#include "guest.h"
#include "queue.h"
#include "turn.h"

enum {
    NODES_MAX    = 128,
    SLOTS        = 16384,
    LINK_REASONS = 4,
    READ_BYTES   = 64 * 1024,
};

typedef struct settings {
    uint64_t    lease_ms;
    uint64_t    max_queued;
    uint64_t    max_dead;
    uint64_t    dead_ttl_ms;
    uint64_t    max_crashes;
    uint64_t    reply_ttl_ms;
    uint64_t    block_ms;
    uint64_t    handshake_ms;
    uint64_t    dead_ms;
    uint64_t    enqueue_wait_ms;
    uint64_t    reconnect_min_ms;
    uint64_t    reconnect_max_ms;
    uint64_t    write_queue_bytes;
    uint64_t    prefetch;
    uint64_t    max_reply_bytes;
    bool        allow_eviction;
    const char *tls_ca_file;
    const char *tls_cert_file;
    const char *tls_key_file;
    const char *tls_server_name;
    const char *sentinel_user;
    const char *sentinel_password;
} settings;

struct patio_transport {
    const patio_host             *host;
    const patio_transport_events *events;
    const patio_endpoint         *endpoint;
    settings                      set;
    uint64_t                      max_body_bytes;
    uint64_t                      incarnation;
    char                          owner[OWNER_BYTES];
    char                         *project;
    char                          unix_path[108];
    char                          master[128]; /* sentinel: the master's name */
    uint32_t                      db;
    bool                          tls;
    bool                          sentinel;
    bool                          cluster;
    SSL_CTX                      *ssl_ctx;
    BIO_METHOD                   *bio;

    pthread_mutex_t lock;
    pthread_cond_t  changed;
    bool            running;
    bool            stopping;
    bool            stopped;
    uint64_t        stop_ns;
    queue          *queues;
    node            nodes[NODES_MAX];
    uint32_t        node_count;
    uint8_t        *slot_node; /* cluster: node of each slot, + 1 */
    bool            slots_known;
    _Atomic bool    slots_wanted;
    uint64_t        slots_ns;
    delivery       *deliveries;
    uint32_t        delivery_room;
    uint32_t        delivery_free; /* slot + 1 */
    uint32_t        delivering;    /* events under way */
    uint32_t        settle_count;  /* not yet answered */
    uint32_t        publish_count;
    uint64_t        publish_bytes;
    bytes           presence; /* what the host says of itself */
    queue          *lobby;    /* the queue without a name, where presence is kept */

    int          epoll;
    int          wake;
    bool         woken;
    pthread_t    thread;
    bool         has_thread;
    _Atomic bool quit;

    io_turn   turn;
    call_list awaited; /* under the lock */
    bool      again;   /* the runner's own: not to sleep before it has looked again */

    /* the I/O thread's own */
    uint8_t     *incoming; /* READ_BYTES of what has been read */
    conn        *conns;
    conn         sentinel_conn;
    uint32_t     sentinel_next;
    uint32_t     seed_next;
    char         sentinel_host[256];
    uint32_t     sentinel_port;
    bool         master_known;
    uint32_t     link_state;
    patio_status link_status;
    char         link_reasons[LINK_REASONS][160]; /* told since the state is this one */
    bool         said_checks;
};

#endif
