/* patio/queues.h: an operator's view of the queues of a project.
 *
 * An interface of a transport that keeps queues: `query(t, PATIO_QUEUES_ID)`. What it sets holds
 * for all processes of the project, and as long as the transport remembers anything. Every slot:
 * [any thread, but not inside an event] [may block up to timeout_ms]; UNSUPPORTED for what a
 * transport has no way to do.
 */
#ifndef PATIO_QUEUES_H
#define PATIO_QUEUES_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_QUEUES_ID "patio.queues/1"

enum {
    PATIO_QUEUE_OPEN     = 0,
    PATIO_QUEUE_PAUSED   = 1, /* tasks are accepted, none is delivered */
    PATIO_QUEUE_DRAINING = 2, /* nothing new is accepted (BLOCKED), what is there is worked off */
};

/* Return 0 to go on, anything else to stop. Must not call the transport. */
typedef int32_t (*patio_queue_visit_fn)(void *arg, const char *queue);

typedef struct patio_queues_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* Every queue of the project that holds something, has workers, or is not OPEN. */
    patio_status (*list)(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                         void *arg, patio_error *err);
    /* Remove what waits: ready and delayed tasks, not leased ones, not dead letters. Waiting
     * callers hear CANCELLED where the transport can tell them, else their deadline. */
    patio_status (*purge)(patio_transport *t, const char *queue, uint64_t timeout_ms,
                          uint64_t *count, patio_error *err);
    /* PATIO_QUEUE_…. Workers follow within a second. */
    patio_status (*set_state)(patio_transport *t, const char *queue, uint32_t state,
                              uint64_t timeout_ms, patio_error *err);
    patio_status (*get_state)(patio_transport *t, const char *queue, uint64_t timeout_ms,
                              uint32_t *state, patio_error *err);
    /* At most so many tasks of the queue leased at once, over all workers; 0: no limit. Needs the
     * capability LIMITS. */
    patio_status (*set_limit)(patio_transport *t, const char *queue, uint64_t max_in_flight,
                              uint64_t timeout_ms, patio_error *err);
    /* Since 1.1: what set_limit has set; *max_in_flight is 0 where there is no limit. */
    patio_status (*get_limit)(patio_transport *t, const char *queue, uint64_t timeout_ms,
                              uint64_t *max_in_flight, patio_error *err);
} patio_queues_ops;

#ifdef __cplusplus
}
#endif
#endif
