/* patio/operate.h: looking after a project: its queues, dead letters, results and workers.
 *
 * What `patio stats`, `workers`, `dlq`, `cancel`, `result`, `purge`, `pause` and `doctor` do. Every
 * function works through a started broker, which may be one that only calls. Any thread, but not
 * inside a task's or a future's callback; each blocks up to timeout_ms (0: 5 s).
 *
 * UNSUPPORTED names what the transport lacks; UNREACHABLE and TIMEOUT say that the answer could not
 * be had now: then nothing is known of what was to be changed, and asking again is safe. STATE: the
 * broker is not running. `queue` may be NULL: "default". A visitor returns 0 to go on, anything
 * else to stop; what it is shown is borrowed for the visit, and it calls nothing of the broker.
 */
#ifndef PATIO_OPERATE_H
#define PATIO_OPERATE_H

#include <patio/broker.h>
#include <patio/doctor.h>
#include <patio/queues.h>
#include <patio/results.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- queues; their counts: patio_broker_counts ---- */

/* Every queue of the project that holds something, has workers, or is not open. */
PATIO_API PATIO_CHECKED patio_status patio_queue_list(patio_broker *broker, uint64_t timeout_ms,
                                                      patio_queue_visit_fn visit, void *arg,
                                                      patio_error *err);
/* Remove what waits; not what runs, and no dead letters. *count may be NULL. */
PATIO_API PATIO_CHECKED patio_status patio_queue_purge(patio_broker *broker, const char *queue,
                                                       uint64_t timeout_ms, uint64_t *count,
                                                       patio_error *err);
/* PATIO_QUEUE_OPEN, _PAUSED, _DRAINING; workers follow within a second. */
PATIO_API PATIO_CHECKED patio_status patio_queue_set_state(patio_broker *broker, const char *queue,
                                                           uint32_t state, uint64_t timeout_ms,
                                                           patio_error *err);
PATIO_API PATIO_CHECKED patio_status patio_queue_get_state(patio_broker *broker, const char *queue,
                                                           uint64_t timeout_ms, uint32_t *state,
                                                           patio_error *err);
/* At most so many tasks of the queue with workers at once, over all of them; 0: no limit. */
PATIO_API PATIO_CHECKED patio_status patio_queue_set_limit(patio_broker *broker, const char *queue,
                                                           uint64_t max_in_flight,
                                                           uint64_t timeout_ms, patio_error *err);
/* What was set; *max_in_flight is 0 where there is no limit. UNSUPPORTED: the transport has none,
 * or cannot say. */
PATIO_API PATIO_CHECKED patio_status patio_queue_get_limit(patio_broker *broker, const char *queue,
                                                           uint64_t     timeout_ms,
                                                           uint64_t    *max_in_flight,
                                                           patio_error *err);

/* ---- one task, by its id ---- */

/* Cancel it, wherever it is and whoever sent it. *outcome: PATIO_CANCEL_REMOVED, _TOLD or
 * _TOO_LATE. */
PATIO_API PATIO_CHECKED patio_status patio_cancel(patio_broker *broker, const char *queue,
                                                  patio_id id, uint64_t timeout_ms,
                                                  uint32_t *outcome, patio_error *err);

/* What became of a task. */
typedef struct patio_task_report {
    uint32_t struct_size;
    uint32_t state;  /* PATIO_STATE_… */
    uint64_t ttl_ms; /* how long its result will be kept; 0: it is not */
} patio_task_report;

/* Results are kept for those who ask for it: patio_call_options.result_ttl_ms. *out (may be NULL)
 * gets a done future to read and destroy if there is a result or an error, else NULL.
 * report->struct_size is set by the caller. */
PATIO_API PATIO_CHECKED patio_status patio_result_get(patio_broker *broker, const char *queue,
                                                      patio_id id, uint64_t timeout_ms,
                                                      patio_task_report *report, patio_future **out,
                                                      patio_error *err);
/* "queued"; never NULL. */
PATIO_API const char *patio_task_state_name(uint32_t state);

/* ---- dead letters ---- */

typedef struct patio_dead_info {
    uint32_t             struct_size;
    patio_status         status; /* what it ended with; 0: not known, a server moved it */
    patio_id             id;
    const char          *queue;
    const char          *task;    /* "" if it is not known */
    const char          *cause;   /* "failed", "attempts", "crashes", "expired" …; "" unknown */
    const char          *message; /* the last error, for people */
    const char          *error_type; /* the task's own name for it */
    const char          *worker;     /* who gave it up; "" if it is not known */
    uint32_t             attempts;
    uint32_t             crashes;
    uint64_t             dead_ms;         /* how long it has been dead */
    uint64_t             died_at_unix_ms; /* 0: not known */
    uint64_t             body_bytes;      /* shown alone: of its envelope */
    const patio_payload *payload;         /* shown alone: its arguments; NULL: not readable */
} patio_dead_info;
typedef int32_t (*patio_dead_info_fn)(void *arg, const patio_dead_info *info);

/* The oldest `limit` of a queue, oldest first, after the one called `after` (NULL: from the start).
 * NOT_FOUND: `after` is gone. */
PATIO_API PATIO_CHECKED patio_status patio_dead_list(patio_broker *broker, const char *queue,
                                                     const patio_id *after, uint32_t limit,
                                                     uint64_t timeout_ms, patio_dead_info_fn visit,
                                                     void *arg, patio_error *err);
/* One, with its arguments. NOT_FOUND. */
PATIO_API PATIO_CHECKED patio_status patio_dead_show(patio_broker *broker, const char *queue,
                                                     patio_id id, uint64_t timeout_ms,
                                                     patio_dead_info_fn visit, void *arg,
                                                     patio_error *err);
/* Put one (id NULL: all) back into its queue, as if it had never been tried. NOT_FOUND; FULL: the
 * queue's bound, the rest stays dead. *count may be NULL. */
PATIO_API PATIO_CHECKED patio_status patio_dead_retry(patio_broker *broker, const char *queue,
                                                      const patio_id *id, uint64_t timeout_ms,
                                                      uint64_t *count, patio_error *err);
/* Remove one (id NULL: all) for good. */
PATIO_API PATIO_CHECKED patio_status patio_dead_drop(patio_broker *broker, const char *queue,
                                                     const patio_id *id, uint64_t timeout_ms,
                                                     uint64_t *count, patio_error *err);

/* ---- who is there ---- */

typedef struct patio_worker_info {
    uint32_t           struct_size;
    uint32_t           slots;       /* tasks it runs side by side */
    uint64_t           incarnation; /* of its broker: tells two of one process apart */
    uint64_t           seen_ms;     /* how long ago it gave a sign of life */
    uint64_t           rtt_ns;      /* it answered this question within so long; 0: not asked */
    const char        *host;
    uint64_t           pid;
    const char        *version;
    const char        *project;
    const char        *executor;
    const char        *problem; /* what stands in the way of its work; "": it is ready */
    const char *const *queues;
    size_t             queue_count;
    const char *const *tasks; /* the first task_count of tasks_total */
    size_t             task_count;
    uint64_t           tasks_total;
    uint64_t           running;
    uint64_t           received;
    uint64_t           ok;
    uint64_t           failed;
    uint64_t           retried;
    uint64_t           returned;
    uint64_t           rejected;
    uint64_t           leases_lost;
    uint64_t           started_at_unix_ms;
    const char        *state; /* "ready" and what else patio/health.h has; "": it did not say */
} patio_worker_info;
typedef int32_t (*patio_worker_visit_fn)(void *arg, const patio_worker_info *info);

/* Every worker of the project that is alive. With an error those that answered may have been
 * visited all the same. */
PATIO_API PATIO_CHECKED patio_status patio_worker_list(patio_broker *broker, uint64_t timeout_ms,
                                                       patio_worker_visit_fn visit, void *arg,
                                                       patio_error *err);

/* ---- what the transport stands on ---- */

/* Look at versions, rights, settings and leftovers; nothing is changed. OK: everything could be
 * looked at, whatever was found. Also of a broker whose start has failed: what was seen until then.
 */
PATIO_API PATIO_CHECKED patio_status patio_doctor_check(patio_broker *broker, uint64_t timeout_ms,
                                                        patio_finding_visit_fn visit, void *arg,
                                                        patio_error *err);
typedef void (*patio_text_fn)(void *arg, patio_bytes text);
/* What an operator must create where patio may not, for these queues, in the server's own format.
 * The broker need not be started; nothing is connected to. show runs once, inside. */
PATIO_API PATIO_CHECKED patio_status patio_topology_print(patio_broker      *broker,
                                                          const char *const *queues,
                                                          size_t queue_count, patio_text_fn show,
                                                          void *arg, patio_error *err);

#ifdef __cplusplus
}
#endif
#endif
