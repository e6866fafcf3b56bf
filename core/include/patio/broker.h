/* patio/broker.h: ties a registry, executors and a transport together.
 *
 * A broker may call, execute, or both. Many may live in one process; nothing is global.
 */
#ifndef PATIO_BROKER_H
#define PATIO_BROKER_H

#include <patio/call.h>
#include <patio/message.h>
#include <patio/registry.h>
#include <patio/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Make a broker from a configuration (docs/configuration.md): loads the plugins, checks every
 * option, opens nothing yet. runtime may be NULL: the broker makes its own. registry may be NULL
 * for one that only calls. CONFIG says key, file and line; NOT_FOUND and ABI are the plugin
 * loader's. [control] */
PATIO_API PATIO_CHECKED patio_status patio_broker_create(patio_runtime      *runtime,
                                                         patio_registry     *registry,
                                                         const patio_config *config,
                                                         patio_broker **out, patio_error *err);
/* The short form: one URL, everything else default; "memory://" for one process. */
PATIO_API PATIO_CHECKED patio_status patio_broker_open(patio_registry *registry, const char *url,
                                                       patio_broker **out, patio_error *err);
/* The same with several URLs of one transport, at least one: what listens, listens on each of them,
 * and what connects, connects to each, all at once ("tcp+listen://:15383", "tcp://other:15383",
 * "unix+listen:///run/p.sock"). INVALID for none; CONFIG for URLs of different transports. The
 * options of the transport as a whole are the first URL's. [control] */
PATIO_API PATIO_CHECKED patio_status patio_broker_open_all(patio_registry    *registry,
                                                           const char *const *urls,
                                                           size_t url_count, patio_broker **out,
                                                           patio_error *err);

/* Lock the registry, start executor and transport, subscribe. Blocks up to connect_timeout_ms (5 s)
 * for the link; UNREACHABLE if it is not up by then, AUTH or what else the transport gave up for.
 * With connect_required=false it is OK without a link as long as the transport has not given up:
 * it goes on trying for ever, and patio_broker_health is CONNECTING meanwhile. A broker that could
 * not be started is stopped, as any is that was started before: starting it again is STATE, so
 * destroy it and make another. [control] */
PATIO_API PATIO_CHECKED patio_status patio_broker_start(patio_broker *broker, patio_error *err);

/* Drain and stop. Blocks up to about grace_ms: takes nothing new, gives back what was not started,
 * lets running tasks finish, flushes replies and settlements. Calls of this broker that are not
 * done then end as CANCELLED. OK, or TIMEOUT when tasks were still running: they have been told,
 * and their results are refused; call stop again to wait more. Stopping twice is harmless.
 * [control], but beside a start that waits for its link, too: that ends as CANCELLED at once. */
PATIO_API patio_status patio_broker_stop(patio_broker *broker, uint64_t grace_ms, patio_error *err);
/* Block until somebody stops the broker. Any thread but a task's. */
PATIO_API void patio_broker_join(patio_broker *broker);
/* Stop without grace if need be, wait for tasks that still run (C threads cannot be killed), free.
 * All futures of this broker must be destroyed before. NULL is allowed. [control] */
PATIO_API void patio_broker_destroy(patio_broker *broker);

/* Is it fit for work: running, its link up, its executors sound? The short form of
 * patio_broker_health (patio/health.h). false says why: STATE, UNREACHABLE or BLOCKED with the
 * reason; TASK_CRASHED: an executor is worn out (threads held by tasks that never return): stop
 * this broker and begin the process anew. Any thread. */
PATIO_API bool patio_broker_ready(patio_broker *broker, patio_error *why);

/* Any thread. */
PATIO_API const char *patio_broker_project(const patio_broker *broker);
PATIO_API const char *patio_broker_transport(const patio_broker *broker); /* plugin's name */
PATIO_API const char *patio_broker_executor(const patio_broker *broker);  /* "" if it only calls */
PATIO_API patio_runtime *patio_broker_runtime(patio_broker *broker);
/* PATIO_CAP_… of its transport. */
PATIO_API uint32_t patio_broker_caps(const patio_broker *broker);

/* Numbers of this broker since its start. */
typedef struct patio_broker_stats {
    uint32_t struct_size;
    uint32_t link; /* PATIO_LINK_… */
    uint64_t calls_started;
    uint64_t calls_answered;  /* by the task: its result or its error */
    uint64_t calls_failed;    /* ended without an answer: deadline, cancelled, peer lost … */
    uint64_t calls_in_flight; /* started, not done */
    uint64_t sends_accepted;
    uint64_t sends_refused;
    uint64_t replies_late; /* for calls that were done already, or unknown */
    uint64_t tasks_received;
    uint64_t tasks_started;
    uint64_t tasks_ok;
    uint64_t tasks_failed; /* the task said so, or a run ended badly */
    uint64_t tasks_retried;
    uint64_t tasks_returned;
    uint64_t tasks_rejected; /* to the dead letters */
    uint64_t tasks_running;
    uint64_t leases_lost;
    uint64_t settlements_failed;
} patio_broker_stats;
/* stats->struct_size is set by the caller. Any thread. */
PATIO_API void patio_broker_get_stats(const patio_broker *broker, patio_broker_stats *stats);
/* The true numbers of a queue (NULL: the default one), from the transport. Blocks up to timeout_ms.
 * counts->struct_size is set by the caller. Any thread. */
PATIO_API PATIO_CHECKED patio_status patio_broker_counts(patio_broker *broker, const char *queue,
                                                         uint64_t timeout_ms, patio_counts *counts,
                                                         patio_error *err);

/* The links of a transport without a server, one by one (struct in patio/peers.h). Return 0 to go
 * on, anything else to stop; the visitor calls nothing of the broker. UNSUPPORTED: it has a server.
 * Any thread, but not inside a task's or a future's callback. */
struct patio_peer;
PATIO_API PATIO_CHECKED patio_status
patio_broker_peers(patio_broker *broker, int32_t (*visit)(void *arg, const struct patio_peer *peer),
                   void *arg, patio_error *err);
/* Where it listens: the index-th address, in the order of the listening URLs (a name may have
 * several), with the true port where the URL said 0. NOT_FOUND: no more. As patio_broker_peers. */
PATIO_API PATIO_CHECKED patio_status patio_broker_address(patio_broker *broker, size_t index,
                                                          char *text, size_t room,
                                                          patio_error *err);

#ifdef __cplusplus
}
#endif
#endif
