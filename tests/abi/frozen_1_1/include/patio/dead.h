/* patio/dead.h: looking at dead letters, and giving them another chance.
 *
 * An interface of a transport with the capability DEAD_LETTERS: `query(t, PATIO_DEAD_ID)`. Every
 * slot: [any thread, but not inside an event] [may block up to timeout_ms]. UNREACHABLE or TIMEOUT
 * when the answer cannot be had now; then nothing is known of what was asked to change, and asking
 * again is safe.
 */
#ifndef PATIO_DEAD_H
#define PATIO_DEAD_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_DEAD_ID "patio.dead/1"

/* One dead letter. Borrowed for the visit. */
typedef struct patio_dead_letter {
    uint32_t    struct_size;
    uint16_t    attempts; /* starts of the task function */
    uint16_t    crashes;  /* leases that ended without settlement */
    patio_id    id;
    const char *queue;
    const char *task;    /* "" if it is not known */
    uint64_t    dead_ms; /* how long it has been dead */
    patio_bytes cause;   /* encoded patio.v1.DeadLetter; empty if there is none */
    patio_buf  *body; /* encoded patio.v1.Envelope, or what came in its place; keep it by taking a
                         reference. NULL where only the list was asked for */
} patio_dead_letter;

/* Return 0 to go on, anything else to stop. Must not call the transport. */
typedef int32_t (*patio_dead_visit_fn)(void *arg, const patio_dead_letter *letter);

typedef struct patio_dead_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* The oldest `limit` dead letters of a queue, oldest first, after the one called `after` (NULL:
     * from the start). Without bodies. An unknown queue has none; NOT_FOUND: `after` is gone. */
    patio_status (*list)(patio_transport *t, const char *queue, const patio_id *after,
                         uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                         patio_error *err);
    /* One, with its body. NOT_FOUND. */
    patio_status (*get)(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                        patio_error *err);
    /* Put one (or all, with id NULL) back into its queue: no attempt and no crash is charged to it
     * any more, it has no deadline and no caller. *count (may be NULL) tells how many. NOT_FOUND
     * for one that is not there. FULL: the queue's bound; the rest stays dead. */
    patio_status (*retry)(patio_transport *t, const char *queue, const patio_id *id,
                          uint64_t timeout_ms, uint64_t *count, patio_error *err);
    /* Remove one (or all, with id NULL) for good. As retry. */
    patio_status (*drop)(patio_transport *t, const char *queue, const patio_id *id,
                         uint64_t timeout_ms, uint64_t *count, patio_error *err);
} patio_dead_ops;

#ifdef __cplusplus
}
#endif
#endif
