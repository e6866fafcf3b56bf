/* patio/peers.h: the links of a transport without a server.
 *
 * An interface of a transport that connects processes directly: `query(t, PATIO_PEERS_ID)`. [any
 * thread, but not inside an event] [non-blocking]
 */
#ifndef PATIO_PEERS_H
#define PATIO_PEERS_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_PEERS_ID "patio.peers/1"

/* Borrowed for the visit. */
typedef struct patio_peer {
    uint32_t    struct_size;
    uint32_t    link;    /* PATIO_LINK_…; what is not UP is tried again, or given up (DOWN) */
    const char *address; /* "192.0.2.7:15383", "[::1]:4000", "unix socket"; of a URL that is
                          * not connected the URL */
    const char        *security; /* "plain", "key", "TLSv1.3 CN=worker-1", "TLSv1.3 key" */
    const char        *project;  /* "" until it is known */
    const char *const *tasks;    /* what it can run */
    size_t             task_count;
    uint64_t           incarnation; /* 0 until it is known */
    uint32_t           listening;   /* 1: it came to us, 0: we went to it */
    uint32_t           credit;      /* what it takes at once */
    uint64_t           in_flight;   /* tasks of ours that are with it */
    uint64_t           rtt_ns;      /* of the last ping; 0: none yet */
    uint64_t           bytes_in;
    uint64_t           bytes_out;
} patio_peer;

/* Return 0 to go on, anything else to stop. Must not call the transport. */
typedef int32_t (*patio_peer_visit_fn)(void *arg, const patio_peer *peer);

typedef struct patio_peers_ops {
    uint32_t struct_size;
    uint32_t reserved;
    patio_status (*list)(patio_transport *t, patio_peer_visit_fn visit, void *arg,
                         patio_error *err);
    /* Where this side listens, one by one: the true port, where the URL said 0. NOT_FOUND: no more.
     * At most room bytes with the NUL. */
    patio_status (*address)(patio_transport *t, size_t index, char *text, size_t room,
                            patio_error *err);
} patio_peers_ops;

#ifdef __cplusplus
}
#endif
#endif
