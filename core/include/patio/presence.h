/* patio/presence.h: which processes of a project are there.
 *
 * An interface of a transport: `query(t, PATIO_PRESENCE_ID)`. The host describes itself in bytes
 * that the transport does not read (an encoded patio.v1.Worker); the transport shows them to
 * whoever asks, and forgets them with the process that they describe, within two leases of its
 * death.
 */
#ifndef PATIO_PRESENCE_H
#define PATIO_PRESENCE_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_PRESENCE_ID "patio.presence/1"

enum { PATIO_PRESENCE_MAX_BYTES = 65536 }; /* of one description */

/* Borrowed for the visit. */
typedef struct patio_presence {
    uint32_t    struct_size;
    uint32_t    reserved;
    uint64_t    incarnation; /* of the instance (patio_transport_params) */
    uint64_t    seen_ms;     /* how long ago it gave a sign of life */
    uint64_t    rtt_ns; /* it answered this very question within so long; 0: it was not asked */
    patio_bytes info;   /* what the host said last */
} patio_presence;

/* Return 0 to go on, anything else to stop. Must not call the transport. */
typedef int32_t (*patio_presence_visit_fn)(void *arg, const patio_presence *presence);

typedef struct patio_presence_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [any] [non-blocking] Replace this instance's description; empty: be invisible again. Kept
     * over reconnects. TOO_LARGE above PATIO_PRESENCE_MAX_BYTES. The host does so once a
     * second at most while its load changes, else about every five seconds. */
    patio_status (*announce)(patio_transport *t, patio_bytes info, patio_error *err);
    /* [any, but not inside an event] [may block up to timeout_ms] Every instance of the project
     * that is described and alive, this one included. A transport that has to ask them waits for
     * answers until the timeout at most; a missing answer is no error. With an error some may have
     * been visited all the same. */
    patio_status (*list)(patio_transport *t, uint64_t timeout_ms, patio_presence_visit_fn visit,
                         void *arg, patio_error *err);
} patio_presence_ops;

#ifdef __cplusplus
}
#endif
#endif
