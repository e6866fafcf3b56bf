/* patio/base.h: what every other header needs: versions, statuses, errors, byte views.
 *
 * Part of the plugin ABI and of the application API. Plain C11, usable from C++.
 */
#ifndef PATIO_BASE_H
#define PATIO_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, three numbers as in semantic versioning. */
#define PATIO_VERSION_MAJOR 0
#define PATIO_VERSION_MINOR 1
#define PATIO_VERSION_PATCH 0
#define PATIO_VERSION       "0.1.0"

/* The plugin ABI's version; it moves on its own. docs/abi.md says what may change and what never.
 * MAJOR: a meaning or a layout changed; plugins of another major are refused.
 * MINOR: members or slots were appended; old and new keep working in both directions. */
#define PATIO_ABI_MAJOR 1u
#define PATIO_ABI_MINOR 1u

#define PATIO_EXPORT __attribute__((visibility("default")))
/* The application API: everything declared so is exported by libpatio. */
#define PATIO_API     PATIO_EXPORT
#define PATIO_CHECKED __attribute__((warn_unused_result))
#define PATIO_PRINTF(format_index, first_index)                                                    \
    __attribute__((format(printf, format_index, first_index)))

/* Every status there is. The hundreds digit is its class: 1 the caller's mistake, 2 state and time,
 * 3 resources, 4 the peer or the link, 5 the task, 9 a bug. One list makes the constants, the names
 * (patio_status_name) and the texts (patio_status_text); docs/errors.md is printed from it. */
#define PATIO_STATUS_MAP(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(INVALID, 100, "invalid argument")                                                            \
    X(UNSUPPORTED, 101, "not supported here")                                                      \
    X(ABI, 102, "incompatible plugin ABI")                                                         \
    X(NOT_FOUND, 103, "no such name")                                                              \
    X(EXISTS, 104, "name is taken")                                                                \
    X(CONFIG, 105, "invalid configuration")                                                        \
    X(TYPE, 106, "value has another type")                                                         \
    X(TOO_LARGE, 107, "larger than the limit")                                                     \
    X(STATE, 200, "wrong state for this call")                                                     \
    X(CLOSED, 201, "already closed")                                                               \
    X(CANCELLED, 202, "cancelled")                                                                 \
    X(TIMEOUT, 203, "deadline passed")                                                             \
    X(STALE, 204, "lease is no longer held")                                                       \
    X(NO_MEMORY, 300, "out of memory")                                                             \
    X(FULL, 301, "queue or window is full")                                                        \
    X(BLOCKED, 302, "broker accepts nothing for now")                                              \
    X(IO, 400, "input or output failed")                                                           \
    X(PROTOCOL, 401, "peer broke the protocol")                                                    \
    X(AUTH, 402, "authentication refused")                                                         \
    X(NO_ROUTE, 403, "nobody can run this task")                                                   \
    X(PEER_LOST, 404, "peer was lost before it answered")                                          \
    X(UNREACHABLE, 405, "transport cannot reach its peer or broker")                               \
    X(TASK_FAILED, 500, "task failed")                                                             \
    X(TASK_CRASHED, 501, "worker died while running the task")                                     \
    X(TASK_RETRY, 510, "task asks to be tried again")                                              \
    X(TASK_SNOOZE, 511, "task asks to be run later, at no cost of an attempt")                     \
    X(INTERNAL, 900, "bug in patio or in a plugin")

enum {
#define PATIO_X(name, value, text) PATIO_##name = (value),
    PATIO_STATUS_MAP(PATIO_X)
#undef PATIO_X
};
/* Fixed width, because an enum's width is the compiler's choice; no enum crosses the boundary. */
typedef int32_t patio_status;

/* Is `member` inside what the other side compiled? For structs that begin with struct_size. */
#define PATIO_HAS(type, object, member)                                                            \
    ((object) != NULL && (object)->struct_size >= offsetof(type, member) + sizeof((object)->member))

/* First initialiser of every struct that begins with struct_size:
 *     patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 500};   */
#define PATIO_SIZED(type) .struct_size = (uint32_t)sizeof(type)

/* A borrowed view; it owns nothing. data may be NULL only when size is 0. */
typedef struct patio_bytes {
    const uint8_t *data;
    size_t         size;
} patio_bytes;

/* Identity of one submitted task; stays the same over retries, and is the duplicate key. */
typedef struct patio_id {
    uint8_t bytes[16];
} patio_id;

enum {
    PATIO_ERROR_RETRYABLE = 1, /* trying again later may work */
    PATIO_ERROR_FATAL     = 2, /* trying again without changing something will not */
};

/* What went wrong, for people. It is the caller's memory and needs no release: it outlives the
 * plugin that filled it and costs no allocation. Functions that take one accept NULL; they write to
 * it only when they return something else than PATIO_OK. The message never holds a secret or a
 * payload. Initialise with PATIO_ERROR_INIT. */
typedef struct patio_error {
    uint32_t     struct_size;
    patio_status status;
    int32_t      os_errno;     /* errno at the time, 0 if none */
    uint32_t     flags;        /* PATIO_ERROR_… */
    char         origin[32];   /* who says so: "transport.tcp", "registry" */
    char         message[976]; /* what was attempted, on what, why it failed; NUL-terminated */
} patio_error;

/* clang-format off */
#define PATIO_ERROR_INIT {(uint32_t)sizeof(patio_error), 0, 0, 0, {0}, {0}}
/* clang-format on */

/* Severity of a log line. DEFAULT (as WARN) and OFF are only for setting a threshold. */
enum {
    PATIO_LOG_DEFAULT = 0,
    PATIO_LOG_TRACE   = 1,
    PATIO_LOG_DEBUG   = 2,
    PATIO_LOG_INFO    = 3,
    PATIO_LOG_WARN    = 4,
    PATIO_LOG_ERROR   = 5,
    PATIO_LOG_OFF     = 6,
};

#ifdef __cplusplus
}
#endif
#endif
