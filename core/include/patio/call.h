/* patio/call.h: calling tasks, and waiting for what comes back.
 *
 * A call is asynchronous by nature: patio_start gives a future. patio_call is start, wait and read
 * in one line. Every function: any thread. None blocks unless it says so.
 */
#ifndef PATIO_CALL_H
#define PATIO_CALL_H

#include <patio/message.h>
#include <patio/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct patio_future patio_future;
/* Runs once, when the future is done: on a thread of patio; or on one that waits inside patio_call,
 * patio_send or patio_future_wait for something of the same broker, and reads from the network
 * meanwhile; or on the thread that stops the broker. Never inside patio_start or
 * patio_future_cancel. It must not block, nor take a lock that is held by a thread that waits.
 * Reading and destroying the future in it is allowed. */
typedef void (*patio_done_fn)(patio_future *future, void *arg);
/* Runs for each report of the running task (patio_task_progress), at most some ten in a second, on
 * the same threads as a patio_done_fn; it must not block, nor destroy the future. Never after the
 * answer of the task; but a call that ends by itself (deadline, cancel) may do so meanwhile. */
typedef void (*patio_progress_fn)(patio_future *future, const patio_progress *progress, void *arg);

enum {
    PATIO_CALL_WAIT_ROUTE = 1u << 0, /* wait for a worker that knows the task, up to the deadline */
    PATIO_CALL_IDEMPOTENT = 1u << 1, /* may be sent again to another worker after a loss */
    PATIO_CALL_PROGRESS   = 1u << 2, /* keep the latest report for patio_future_progress; implied by
                                        on_progress */
};

/* Borrowed for the call it is passed in. Zero means the default. */
typedef struct patio_call_options {
    uint32_t       struct_size;
    uint32_t       flags;        /* PATIO_CALL_… */
    uint64_t       timeout_ms;   /* 0: the task's, else 30 s; PATIO_FOREVER: none */
    uint64_t       delay_ms;     /* run not before; 0: the task's, else now */
    const char    *queue;        /* NULL: the task's default queue */
    patio_context *parent;       /* inside a task: inherit what is left of its deadline, and its
                                    trace context */
    patio_done_fn       on_done; /* NULL: none */
    void               *on_done_arg;
    const patio_header *headers;
    size_t              header_count;
    const char         *traceparent; /* W3C trace context; NULL: the parent's */
    const char         *tracestate;
    const char         *dedup_key;       /* NULL: the task's, if it has one; "": none */
    uint64_t            dedup_window_ms; /* 0: the task's */
    uint32_t            dedup_conflict;  /* PATIO_DEDUP_… of patio/message.h; 0 without a
                                            window: the task's */
    uint16_t          priority;          /* PATIO_PRIORITY(0..9); 0: the task's */
    uint16_t          level;             /* PATIO_LEVEL_… demanded */
    patio_progress_fn on_progress;       /* NULL: none */
    void             *on_progress_arg;
    /* These win over the task's own options, here and at the worker; 0: as those say. */
    uint64_t queue_ttl_ms;       /* not started by then: a call ends with TIMEOUT, a send as dead
                                    letter "expired" */
    uint64_t result_ttl_ms;      /* keep the result, to be fetched by id; needs RESULTS */
    uint64_t attempt_timeout_ms; /* one run; PATIO_FOREVER: none */
    uint64_t backoff_base_ms;
    uint64_t backoff_cap_ms;
    uint32_t max_attempts;
    uint32_t max_crashes;
    uint32_t backoff;    /* PATIO_BACKOFF_… + 1; 0: the task's */
    uint32_t ack;        /* PATIO_ACK_… + 1; 0: the task's */
    int64_t  at_unix_ms; /* run not before this time of the wall clock, by this machine's clock at
                            the time of the call; one that has passed is now, also for a task that
                            has a delay of its own; 0: as delay_ms says. Not together with it */
    const char *backoff_list; /* as of patio_task_options; NULL: as `backoff` says */
} patio_call_options;

/* A task's error, as its caller sees it. Borrowed from the future. */
typedef struct patio_task_error {
    uint32_t           struct_size;
    int32_t            code;    /* the task's own number */
    const char        *type;    /* the task's own name for it: "ZeroDivision" */
    const char        *message; /* for people */
    const patio_value *details; /* NULL if none or not values */
} patio_task_error;

/* Start one call. payload may be PATIO_NO_ARGS, options NULL. OK: *out is a future that becomes
 * done exactly once, by its deadline at the latest; destroy it. Otherwise nothing was sent:
 * NO_ROUTE, FULL, BLOCKED, UNREACHABLE, TOO_LARGE, UNSUPPORTED (names what the transport lacks),
 * INVALID, STATE (broker not started or stopping), TIMEOUT (the parent's time is up). */
PATIO_API PATIO_CHECKED patio_status patio_start(patio_broker *broker, const char *task,
                                                 const patio_payload      *payload,
                                                 const patio_call_options *options,
                                                 patio_future **out, patio_error *err);
/* The same, by function: under the function's first name in the broker's registry. */
PATIO_API PATIO_CHECKED patio_status patio_start_fn(patio_broker *broker, patio_task_fn fn,
                                                    const patio_payload      *payload,
                                                    const patio_call_options *options,
                                                    patio_future **out, patio_error *err);

/* Call and wait. Blocks up to the deadline. OK: the task succeeded, and *out (may be NULL) is a
 * done future to read and destroy. Otherwise the status and `err` tell what patio_start or the call
 * ended with: TASK_FAILED, TASK_CRASHED, TIMEOUT, PEER_LOST, … */
PATIO_API PATIO_CHECKED patio_status patio_call(patio_broker *broker, const char *task,
                                                const patio_payload      *payload,
                                                const patio_call_options *options,
                                                patio_future **out, patio_error *err);
PATIO_API PATIO_CHECKED patio_status patio_call_fn(patio_broker *broker, patio_task_fn fn,
                                                   const patio_payload      *payload,
                                                   const patio_call_options *options,
                                                   patio_future **out, patio_error *err);

/* Send, and go on: blocks until the transport has accepted the task or refused it, up to
 * options->timeout_ms or the broker's enqueue timeout (5 s). OK: *id (may be NULL) names it, or the
 * task that it is a duplicate of; from here on it is executed or visibly dead-lettered. TIMEOUT:
 * the outcome is not known; sending again may run it twice. Else as patio_start. */
PATIO_API PATIO_CHECKED patio_status patio_send(patio_broker *broker, const char *task,
                                                const patio_payload      *payload,
                                                const patio_call_options *options, patio_id *id,
                                                patio_error *err);
/* The same without waiting: the future is done when the transport has answered. With a dedup key
 * that is known its value is the id of the task that has it, a string (see patio_id_parse); else it
 * has none. */
PATIO_API PATIO_CHECKED patio_status patio_send_start(patio_broker *broker, const char *task,
                                                      const patio_payload      *payload,
                                                      const patio_call_options *options,
                                                      patio_future **out, patio_error *err);

/* ---- waiting ---- */

/* Is it done? */
PATIO_API bool patio_future_done(const patio_future *future);
/* Blocks until it is done (OK) or timeout_ms have passed (TIMEOUT: it is not done, and goes on).
 * PATIO_FOREVER waits as long as the future's own deadline allows. Inside a task it waits as
 * patio/await.h says: also CANCELLED and TIMEOUT when the task is to end. The same holds for
 * patio_call and patio_send, which then give up their call. */
PATIO_API patio_status patio_future_wait(patio_future *future, uint64_t timeout_ms);
/* Blocks until all of them are done, or one of them is (*index says which, the lowest). Inside a
 * task wait_any for more than a few may say NO_MEMORY. */
PATIO_API patio_status patio_future_wait_all(patio_future *const *futures, size_t count,
                                             uint64_t timeout_ms);
PATIO_API patio_status patio_future_wait_any(patio_future *const *futures, size_t count,
                                             uint64_t timeout_ms, size_t *index);
/* Give up: it becomes done with CANCELLED, and the transport is told if it can cancel. No effect on
 * one that is done. */
PATIO_API void patio_future_cancel(patio_future *future);
/* Let go of it. If it is not done, the call goes on and its result is dropped. NULL is allowed. */
PATIO_API void patio_future_destroy(patio_future *future);

/* The latest report of the running task, also once it is done. out->struct_size is set by the
 * caller. NOT_FOUND: none came, or the call did not ask for them (PATIO_CALL_PROGRESS). */
PATIO_API PATIO_CHECKED patio_status patio_future_progress(patio_future   *future,
                                                           patio_progress *out);

/* ---- reading; what they return belongs to the future and is valid until its destroy; one thread
 *      at a time ---- */

/* How it ended: OK, TASK_FAILED, TIMEOUT, CANCELLED, PEER_LOST … STATE while it is not done. */
PATIO_API PATIO_CHECKED patio_status patio_future_status(patio_future *future, patio_error *err);
/* The result: NULL unless it is done, OK, and made of values. A task that returned nothing gives
 * the null value. */
PATIO_API const patio_value *patio_future_value(patio_future *future);
/* A RAW or PROTOBUF result. TYPE if it is of another kind. *content_type may be NULL. */
PATIO_API PATIO_CHECKED patio_status patio_future_raw(patio_future *future, patio_bytes *out,
                                                      const char **content_type);
PATIO_API PATIO_CHECKED patio_status
patio_future_protobuf(patio_future *future, const struct ProtobufCMessageDescriptor *descriptor,
                      struct ProtobufCMessage **out);
/* The task's own error, or what is known of its crash; NULL unless the status is TASK_FAILED or
 * TASK_CRASHED. */
PATIO_API const patio_task_error *patio_future_error(patio_future *future);
/* PATIO_PAYLOAD_… of the result; 0 unless done and OK. */
PATIO_API uint32_t patio_future_kind(patio_future *future);
PATIO_API patio_id patio_future_id(const patio_future *future);
/* The level at which it was accepted; for a send. */
PATIO_API uint32_t patio_future_level(const patio_future *future);

/* "0123…ef", 32 characters and a NUL. */
PATIO_API void                       patio_id_format(patio_id id, char text[33]);
PATIO_API PATIO_CHECKED patio_status patio_id_parse(const char *text, patio_id *out);

#ifdef __cplusplus
}
#endif
#endif
