/* The option tables of the core itself: what `patio describe` and docs/options.md are printed from.
 */
#include "config/config_table.h"

#include "config/config.h"

#define DAYS_MS(n) ((n)*INT64_C(86400000))

#define ROW(name_, type_, fallback_, min_, max_, help_)                                            \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_), .type = (type_),            \
                           .fallback = (fallback_), .min = (min_), .max = (max_),                  \
                           .help = (help_)})
#define CHOICE(name_, fallback_, choices_, help_)                                                  \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_),                             \
                           .type = PATIO_OPTION_CHOICE, .fallback = (fallback_),                   \
                           .choices = (choices_), .help = (help_)})
#define TEXT(name, fallback, help)           ROW(name, PATIO_OPTION_STRING, fallback, 0, 0, help)
#define BOOL(name, fallback, help)           ROW(name, PATIO_OPTION_BOOL, fallback, 0, 0, help)
#define INT(name, fallback, min, max, help)  ROW(name, PATIO_OPTION_INT, fallback, min, max, help)
#define MS(name, fallback, min, max, help)   ROW(name, PATIO_OPTION_MS, fallback, min, max, help)
#define SIZE(name, fallback, min, max, help) ROW(name, PATIO_OPTION_SIZE, fallback, min, max, help)

const patio_option *const pt_core_options[] = {
    [PT_CORE_PROJECT] = TEXT("project", "default", "namespace that callers and workers share"),
    [PT_CORE_CONNECT_TIMEOUT_MS] =
        MS("connect_timeout_ms", "5s", 0, 0, "how long a start waits for the link"),
    [PT_CORE_CONNECT_REQUIRED] = BOOL(
        "connect_required", "true",
        "whether a start without a link by then fails; else it goes on, and so does connecting"),
    [PT_CORE_ENQUEUE_TIMEOUT_MS] =
        MS("enqueue_timeout_ms", "5s", 0, 0, "how long a send waits to be accepted"),
    [PT_CORE_CALL_TIMEOUT_MS] =
        MS("call_timeout_ms", "30s", 0, 0, "a call's deadline if neither caller nor task name one"),
    [PT_CORE_DRAIN_TIMEOUT_MS] =
        MS("drain_timeout_ms", "25s", 0, 0, "how long a stopping worker lets its tasks finish"),
    [PT_CORE_MAX_BODY_BYTES] =
        SIZE("max_body_bytes", "1MiB", 1, INT64_C(1) << 30, "largest encoded arguments or result"),
    [PT_CORE_MAX_DECODE_BYTES] = SIZE("max_decode_bytes", "64MiB", 1, INT64_MAX,
                                      "most memory that decoding one message may take"),
    [PT_CORE_MAX_PENDING] =
        INT("max_pending", "1048576", 1, 1048576, "most calls in flight at once"),
    [PT_CORE_LOOKAHEAD] =
        INT("lookahead", "0", 0, 1048576, "tasks fetched beyond those that run; 0 fetches none"),
    [PT_CORE_LOOKAHEAD_WAIT_MS] =
        MS("lookahead_wait_ms", "1s", 0, 86400000,
           "how long a task fetched ahead waits for its turn before it goes back; 0: for ever"),
    [PT_CORE_QUEUE_ORDER] =
        CHOICE("queue_order", "weighted", "weighted|strict",
               "how a worker shares itself among its queues: by weight, or first queue first"),
    [PT_CORE_WATCHDOG_MS] =
        MS("watchdog_ms", "10s", 0, 3600000,
           "how long nothing may come while slots are free before a worker looks why; 0: never"),
    [PT_CORE_OPTION_COUNT] = NULL,
};

const patio_option *const pt_log_options[] = {
    [PT_LOG_LEVEL]        = CHOICE("level", "warn", "default|trace|debug|info|warn|error|off",
                                   "least severity that is written; default: warn"),
    [PT_LOG_FORMAT]       = CHOICE("format", "text", "text|json", "how a line is written"),
    [PT_LOG_OPTION_COUNT] = NULL,
};

const patio_option *const pt_task_option_table[] = {
    [PT_TASK_EXECUTOR] = TEXT("executor", "", "name of the executor to run in; empty: the first"),
    [PT_TASK_QUEUE]    = TEXT("queue", "default", "queue for calls that name none"),
    [PT_TASK_PRIORITY] = INT("priority", "4", 0, 9, "higher is sooner"),
    [PT_TASK_ATTEMPT_TIMEOUT_MS] =
        MS("attempt_timeout_ms", "5min", 1, INT64_MAX, "how long one run may take; none: any time"),
    [PT_TASK_CALL_TIMEOUT_MS] =
        MS("call_timeout_ms", "30s", 1, INT64_MAX, "a call's deadline if the caller names none"),
    [PT_TASK_MAX_ATTEMPTS] = INT("max_attempts", "5", 1, UINT32_MAX, "starts before it is dead"),
    [PT_TASK_MAX_CRASHES] = INT("max_crashes", "3", 1, UINT32_MAX, "lost leases before it is dead"),
    [PT_TASK_BACKOFF_BASE_MS] =
        MS("backoff_base_ms", "1s", 1, DAYS_MS(30), "wait before the second attempt"),
    [PT_TASK_BACKOFF_CAP_MS] =
        MS("backoff_cap_ms", "10min", 1, DAYS_MS(30), "longest wait before an attempt"),
    [PT_TASK_IDEMPOTENT]    = BOOL("idempotent", "false", "may safely run twice"),
    [PT_TASK_ACK]           = CHOICE("ack", "on_done", "on_done|on_start|on_receive",
                                     "when a task is settled: after its run, or before it"),
    [PT_TASK_VERSION]       = INT("version", "0", 0, UINT32_MAX, "travels with every call"),
    [PT_TASK_QUEUE_TTL_MS]  = MS("queue_ttl_ms", "none", 1, INT64_MAX,
                                 "not started by then: dead letter \"expired\"; none: any time"),
    [PT_TASK_RESULT_TTL_MS] = MS("result_ttl_ms", "0", 0, DAYS_MS(365),
                                 "how long results are kept under the task's id; 0: not at all"),
    [PT_TASK_BACKOFF]       = CHOICE("backoff", "exponential", "exponential|fixed",
                                     "exponential with full jitter, or backoff_base_ms each time"),
    [PT_TASK_BACKOFF_LIST] =
        TEXT("backoff_list", "", "waits before the second, third ... attempt: 1s,10s,5min"),
    [PT_TASK_LEVEL] = CHOICE("level", "process", "process|peer|disk|replicated",
                             "how safe an accepted task must be at least"),
    [PT_TASK_DELAY_MS] =
        MS("delay_ms", "0", 0, DAYS_MS(365), "run not before, for calls that name no delay"),
    [PT_TASK_DEDUP] =
        CHOICE("dedup", "key", "key|args",
               "duplicates: calls with the same key, or also with the same arguments"),
    [PT_TASK_DEDUP_WINDOW_MS] =
        MS("dedup_window_ms", "0", 0, DAYS_MS(365),
           "how long a dedup key is remembered, for calls that name no window"),
    [PT_TASK_DEDUP_CONFLICT] = CHOICE("dedup_conflict", "drop", "drop|attach|replace",
                                      "what happens to a duplicate: it is dropped, it gets the "
                                      "result of the first, or it replaces that"),
    [PT_TASK_OPTION_COUNT]   = NULL,
};

const patio_option *const pt_queue_options[] = {
    [PT_QUEUE_WEIGHT] =
        INT("weight", "1", 1, 1000, "share of the worker while other queues have tasks as well"),
    [PT_QUEUE_OPTION_COUNT] = NULL,
};
