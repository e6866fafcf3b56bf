/* patio/results.h: what became of a task, asked by its id, from any process.
 *
 * An interface of a transport with the capability RESULTS: `query(t, PATIO_RESULTS_ID)`. A result
 * is kept for the settlement's result_ttl_ms. [any thread, but not inside an event] [may block up
 * to timeout_ms].
 */
#ifndef PATIO_RESULTS_H
#define PATIO_RESULTS_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_RESULTS_ID "patio.results/1"

/* UNKNOWN is an answer of its own: never here, or forgotten since. */
#define PATIO_TASK_STATE_MAP(X)                                                                    \
    X(UNKNOWN, 0, "unknown", "never here, or its result has expired")                              \
    X(QUEUED, 1, "queued", "waits for a worker or for its time")                                   \
    X(RUNNING, 2, "running", "is with a worker")                                                   \
    X(DONE, 3, "done", "ended with a result")                                                      \
    X(FAILED, 4, "failed", "ended with the task's error")                                          \
    X(DEAD, 5, "dead", "is a dead letter, or was dropped as one")                                  \
    X(EXPIRED, 6, "expired", "its deadline passed before it was started")                          \
    X(CANCELLED, 7, "cancelled", "was cancelled, purged or replaced before it was started")
enum {
#define PATIO_X(name, value, word, text) PATIO_STATE_##name = (value),
    PATIO_TASK_STATE_MAP(PATIO_X)
#undef PATIO_X
};

typedef struct patio_result {
    uint32_t struct_size; /* set by the caller */
    uint32_t state;       /* PATIO_STATE_…; with a reply that is an error the transport may say
                             DONE: the reader of the envelope knows better */
    uint64_t   ttl_ms;    /* how long it will be kept; 0: not kept */
    patio_buf *reply;     /* encoded patio.v1.Envelope or NULL; one reference, the caller's */
} patio_result;

typedef struct patio_results_ops {
    uint32_t struct_size;
    uint32_t reserved;
    patio_status (*get)(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, patio_result *out, patio_error *err);
} patio_results_ops;

#ifdef __cplusplus
}
#endif
#endif
