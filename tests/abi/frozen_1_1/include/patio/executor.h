/* patio/executor.h: the contract of an executor plugin.
 *
 * An executor runs jobs: it decides where, when and within which limits; what a job does is the
 * host's affair. docs/executors.md has the concept; executors/thread is the plugin to read first.
 *
 * Life:  create -> start -> work -> stop -> destroy. The thread tags and the failure rule are those
 * of patio/transport.h.
 */
#ifndef PATIO_EXECUTOR_H
#define PATIO_EXECUTOR_H

#include <patio/plugin.h>
#include <patio/poll.h>
#include <patio/value.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_EXECUTOR_ID "patio.executor/1"

typedef struct patio_executor patio_executor; /* the plugin's own struct */
typedef struct patio_job      patio_job;
typedef struct patio_job_ops  patio_job_ops;

#define PATIO_EXECUTOR_CAP_MAP(X)                                                                  \
    X(RUNS, 0, "runs", "runs tasks at all")                                                        \
    X(BLOCKING, 1, "blocking", "a task may block its thread")                                      \
    X(ASYNC, 2, "async", "a task may be suspended and finish later")                               \
    X(ISOLATED, 3, "isolated", "a crashing task does not take the process down")                   \
    X(KILL, 4, "kill", "a task that does not end can be ended")                                    \
    X(EXTERNAL, 5, "external", "runs tasks that have no function in this process")
enum {
#define PATIO_X(name, bit, word, text) PATIO_EXECUTOR_##name = 1u << (bit),
    PATIO_EXECUTOR_CAP_MAP(PATIO_X)
#undef PATIO_X
};

/* How a job ended. `verdict` is what the task asked for (patio/message.h):
 *   PATIO_ACK     it ran to its end; `reply` may hold a result or the task's error
 *   PATIO_RETRY   it asks to be tried again after delay_ms
 *   PATIO_RETURN  it was not started, or asks for a snooze of delay_ms: costs no attempt
 *   PATIO_REJECT  it failed for good, or was killed; `error` says how */
typedef struct patio_outcome {
    uint32_t     struct_size;
    uint32_t     verdict;
    patio_status status; /* PATIO_OK, TASK_FAILED, TASK_CRASHED, TIMEOUT, CANCELLED … */
    uint32_t     reserved;
    uint64_t     delay_ms;
    patio_buf   *reply; /* encoded patio.v1.Envelope, or NULL; one reference, moved along */
} patio_outcome;

enum {
    /* ops->begin asks nothing of the transport: it may also be called inside `submit` */
    PATIO_JOB_BEGINS_AT_ONCE = 1u << 0,
};

/* One run of one task. Made and freed by the host; valid from `submit` until `done` has been called
 * for it. Read-only for the executor, but for `link`. */
struct patio_job {
    uint32_t    struct_size;
    uint32_t    traits; /* PATIO_JOB_… */
    const char *task; /* registered name; `task` and `request` are all that another process needs */
    patio_id    id;
    uint64_t    deadline_ns; /* host clock; 0: none */
    patio_buf  *request;     /* encoded patio.v1.Envelope; borrowed, valid as long as the job */
    void       *link[4];     /* the executor's own, for its queue: no allocation per job; NULL at
                                submit */
    /* Run the task on the calling thread, to its end. Fills *out (out->struct_size set by the
     * caller) and moves out->reply to the caller. Called at most once. Needs `stack_bytes` or more
     * of stack, see patio_executor_params. */
    void (*run)(patio_job *job, patio_outcome *out);

    const patio_job_ops      *ops;     /* the same for all jobs of a host */
    const patio_option_value *options; /* of this task, one per row of the plugin's task_options;
                                          NULL without such a table. Valid until `destroy`: what is
                                          found out about a task may be kept under this pointer */
    const char *project;
    uint64_t    fence;
    uint32_t    attempt; /* starts so far, this one included */
    uint32_t    flags;   /* PATIO_MESSAGE_… */
};

/* What a job's request says; everything is borrowed from the job. */
typedef struct patio_job_view {
    uint32_t            struct_size;
    uint32_t            kind;         /* PATIO_PAYLOAD_… */
    const char         *content_type; /* RAW: content type; PROTOBUF: type name; VALUES: "" */
    patio_bytes         payload;      /* as it was encoded */
    const patio_value  *values;       /* VALUES: the positional arguments */
    size_t              value_count;
    const patio_value  *keywords;      /* VALUES: name, value, name, value … */
    size_t              keyword_count; /* pairs */
    const char         *traceparent;   /* "" if there is none */
    const char         *tracestate;
    const patio_header *headers;
    size_t              header_count;
} patio_job_view;

/* For executors that run something else than `job->run`: a child process, a program. `run` does all
 * of this by itself. Every slot: any thread while the executor has the job. */
struct patio_job_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [non-blocking] Before the task is started anywhere: true if it may be. Otherwise (cancelled,
     * too late, too many crashes, lease lost, could not be claimed) *out is to be handed to `done`.
     * Once per job. */
    bool (*begin)(patio_job *job, patio_outcome *out);
    /* [non-blocking] Decode the request, once per job. If it fails *out is to be handed to `done`.
     */
    bool (*view)(patio_job *job, patio_job_view *view, patio_outcome *out);
    /* [non-blocking] It succeeded with this result (NULL: null). A result that cannot be encoded
     * becomes the task's failure. Fills *out. */
    void (*succeed)(patio_job *job, const patio_payload *result, patio_outcome *out);
    /* [non-blocking] It did not: `status` is PATIO_TASK_FAILED, _RETRY (after delay_ms, 0:
     * back-off), _SNOOZE, or PATIO_TASK_CRASHED; code, type and message (may be NULL) are what its
     * caller and the dead letters see. Fills *out. */
    void (*fail)(patio_job *job, patio_status status, uint64_t delay_ms, int32_t code,
                 const char *type, const char *message, patio_outcome *out);
    /* [non-blocking] Has the host told it to end? (Its deadline is the executor's affair.) */
    bool (*cancelled)(const patio_job *job);
    /* [non-blocking] As patio_task_progress. */
    void (*progress)(patio_job *job, const patio_progress *progress);
    /* One line in the log with the task's id. May block as the sink does. */
    void (*log)(const patio_job *job, int32_t level, const char *text);
};

/* Interface "patio.suspend/1" of an executor (patio_executor_ops.query): its jobs can wait without
 * holding their thread. Needed for PATIO_EXECUTOR_ASYNC. A job stays on the thread that began it.
 * The host is on the job's stack when it calls a slot marked [inside]. */
#define PATIO_SUSPEND_ID "patio.suspend/1"
typedef struct patio_suspend_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [inside] Let others run until this job is woken, or until_ns on the host's clock (UINT64_MAX:
     * no limit). A wake that came before ends it at once. May return early. */
    void (*park)(patio_executor *x, patio_job *job, uint64_t until_ns);
    /* [any] [non-blocking] Wake a job; from submit until its `done`. What is not parked keeps it
     * for its next park. Never fails. */
    void (*wake)(patio_executor *x, patio_job *job);
    /* [inside] Let those run that are ready. */
    void (*yield)(patio_executor *x, patio_job *job);
    /* [inside] As park, also until fd is ready for one of `events` (PATIO_FD_…): *ready, 0 if it
     * was something else. EXISTS, INVALID, NO_MEMORY as patio_await_fd. */
    patio_status (*wait_fd)(patio_executor *x, patio_job *job, int32_t fd, uint32_t events,
                            uint64_t until_ns, uint32_t *ready);
    /* [inside] The uv_loop_t of this thread, NULL if it has none. */
    void *(*loop)(patio_executor *x, patio_job *job);
} patio_suspend_ops;

/* Interface "patio.lend/1" of an executor (patio_executor_ops.query): a job that waits for other
 * tasks, with its thread asleep, lends its slot, so that those it waits for find a thread. Without
 * it tasks that call tasks of their own executor could all wait for each other. */
#define PATIO_LEND_ID "patio.lend/1"
typedef struct patio_lend_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [any] How many slots can be lent at once. Constant. */
    uint32_t (*most)(patio_executor *x);
    /* [inside] The thread of a job is about to wait: one more job may run until `back`. false: as
     * many as can be are lent. */
    bool (*lend)(patio_executor *x);
    /* [inside] It goes on. */
    void (*back)(patio_executor *x);
} patio_lend_ops;

/* Interface "patio.lent/1" of an executor (patio_executor_ops.query): its jobs wait elsewhere, as
 * in a child process, and it says by itself how many slots they have lent. Besides patio.lend/1, of
 * which it needs `most` only. */
#define PATIO_LENT_ID "patio.lent/1"
typedef struct patio_lent_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [control] Before `start`: whom to tell. `lent` gets how many slots are lent now, at most
     * `most`: the host may bring as many jobs more. On any thread of the executor, one call at a
     * time, as the events: never inside a slot that the host called. */
    void (*listen)(patio_executor *x, void (*lent)(void *self, uint32_t count), void *self);
} patio_lent_ops;

/* Interface "patio.poller/1" of an executor (patio_executor_ops.query): a thread of it that has
 * nothing to run may do the transport's I/O meanwhile (patio/poll.h). It then is that thread which
 * `submit` is called on, inside its `poll`; it runs the job once `poll` has returned. */
#define PATIO_POLLER_ID "patio.poller/1"
typedef struct patio_poller_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [control] Before `start`, at most once: whom to poll, from `start` on until `stop` has
     * returned OK. A transport that has not started yet, or has stopped, answers STATE. */
    void (*offer)(patio_executor *x, const patio_poll_ops *poll, patio_transport *t);
} patio_poller_ops;

/* Interface "patio.reload/1" of an executor (patio_executor_ops.query): what runs its tasks can be
 * replaced while it works by what loads them anew from disk. Nothing is lost by it: what runs
 * finishes where it is, and what was loaded before goes on if the new does not come up. */
#define PATIO_RELOAD_ID "patio.reload/1"
enum {
    PATIO_RELOAD_NONE    = 0, /* it was never asked to */
    PATIO_RELOAD_RUNNING = 1,
    PATIO_RELOAD_DONE    = 2, /* the last one: whatever begins from now on is new */
    PATIO_RELOAD_FAILED  = 3, /* the last one was given up; the log says why */
};
typedef struct patio_reload_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [any] [non-blocking] Begin; over again if it has begun already. CLOSED: it does not run.
     * UNSUPPORTED: not with these tasks, err says why. */
    patio_status (*reload)(patio_executor *x, patio_error *err);
    /* [any] [non-blocking] PATIO_RELOAD_…: RUNNING from a `reload` that returned OK to its end. */
    uint32_t (*state)(patio_executor *x);
} patio_reload_ops;

/* Where the host wants to hear; the rules are those of patio_transport_events, and a `done` never
 * runs inside the `submit` of the same job. */
typedef struct patio_executor_events {
    uint32_t struct_size;
    uint32_t reserved;
    void    *self;
    /* Exactly once per submitted job, on any thread of the executor. Takes outcome->reply; the job
     * is the host's again. The host may submit the next job from inside. */
    void (*done)(void *self, patio_job *job, const patio_outcome *outcome);
    /* After a FULL: there is room again. May come more often than needed. */
    void (*room)(void *self);
    /* A job is past its deadline, was told, does not return, and cannot be ended: the host settles
     * its delivery as an attempt that timed out. Its `done` follows when it returns after all, and
     * then says nothing any more. At most once per job; `done` waits for it to return. */
    void (*stuck)(void *self, patio_job *job);
    /* It cannot go on well in this process, which should be replaced: the host drains. */
    void (*worn_out)(void *self, const patio_error *why);
} patio_executor_events;

/* For executors that run tasks in other processes: what is to be started there, and how the tasks
 * there call others. Valid until `destroy` has returned. */
typedef struct patio_child_setup {
    uint32_t           struct_size;
    uint32_t           task_count;  /* in the registry */
    uint64_t           fingerprint; /* of the names and versions of all of them */
    const char        *project;
    const char        *program; /* to be started; talks patio/child_protocol.h. "": none */
    const char *const *modules; /* task modules that were loaded, by path, in order */
    uint32_t           module_count;
    uint32_t           embedded; /* 1: `program` is this program, which brings its own tasks */
    uint64_t           max_body_bytes;
    uint64_t           max_decode_bytes;
    void              *self; /* first argument of the slots below */
    /* [any] [non-blocking] As patio_transport_ops.publish and cancel, for a message that a task
     * elsewhere made. What comes back is offered to patio_relay_ops. Not inside `submit`. */
    patio_status (*publish)(void *self, const patio_message *message, patio_error *err);
    patio_status (*cancel)(void *self, const char *queue, const patio_id *id, patio_error *err);
} patio_child_setup;

/* Interface "patio.relay/1" of an executor (patio_executor_ops.query): takes answers to messages it
 * published through patio_child_setup. Each returns 1 if the id is one of its own. The rules are
 * those of the transport's events. */
#define PATIO_RELAY_ID "patio.relay/1"
typedef struct patio_relay_ops {
    uint32_t struct_size;
    uint32_t reserved;
    int32_t (*replied)(patio_executor *x, const patio_reply *reply);
    int32_t (*published)(patio_executor *x, const patio_receipt *receipt);
} patio_relay_ops;

/* Borrowed for `create`, but `events` and `child` stay valid until `destroy` has returned. */
typedef struct patio_executor_params {
    uint32_t                  struct_size;
    uint32_t                  reserved;
    const patio_option_value *values;      /* one per option of the plugin's table */
    size_t                    stack_bytes; /* least stack that `run` needs beside the task's own */
    const patio_executor_events *events;
    const patio_child_setup     *child;
} patio_executor_params;

typedef struct patio_executor_ops {
    uint32_t                   struct_size;
    uint32_t                   caps;    /* PATIO_EXECUTOR_… */
    const patio_option *const *options; /* NULL-terminated; NULL: none */

    /* [control] Make an instance; no thread, no process yet. */
    patio_status (*create)(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err);
    /* [control] Get ready to run. */
    patio_status (*start)(patio_executor *x, patio_error *err);
    /* [control] Blocks up to about grace_ms. Jobs that were not started come back at once through
     * `done` with RETURN; running ones get the grace. OK: nothing runs any more, no event comes.
     * TIMEOUT: something still runs and cannot be ended; stop may be called again to wait more. */
    patio_status (*stop)(patio_executor *x, uint64_t grace_ms, patio_error *err);
    /* [control] Free everything. Only after a stop that returned OK, or if start was never called
     * or failed. NULL is allowed. */
    void (*destroy)(patio_executor *x);

    /* [any] [non-blocking] Take one job. OK: `done` follows, exactly once. FULL: not now, `room`
     * will come. UNSUPPORTED: never (null). NO_MEMORY. CLOSED: after stop. */
    patio_status (*submit)(patio_executor *x, patio_job *job, patio_error *err);
    /* [any] [non-blocking] [optional] Forget a queued job (done: RETURN, CANCELLED) or end a
     * running one where the executor can. The host has told the task already. `done` comes later,
     * never inside this call. */
    patio_status (*cancel)(patio_executor *x, patio_job *job, patio_error *err);
    /* [any] [non-blocking] How many jobs can run side by side; the host asks for no more
     * deliveries than that. Constant between start and stop. */
    uint32_t (*slots)(patio_executor *x);

    /* [any] [non-blocking] [optional] Interfaces beyond this table, by id. */
    const void *(*query)(patio_executor *x, const char *interface_id);

    /* NULL-terminated; options that may be set for one task: tasks.NAME.OPTION. They come with each
     * job (patio_job.options). NULL: none. */
    const patio_option *const *task_options;
    /* [control] [optional] Before `start`, once for each task that will be run here: its name and
     * its task_options (NULL without such a table), both as every job of it will have them, at the
     * same addresses. What cannot work is refused now: CONFIG, NOT_FOUND. */
    patio_status (*add_task)(patio_executor *x, const char *task, const patio_option_value *options,
                             patio_error *err);
} patio_executor_ops;

#ifdef __cplusplus
}
#endif
#endif
