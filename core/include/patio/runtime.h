/* patio/runtime.h: what brokers of one process share: memory, log, plugins, and meeting places of
 * in-process transports. Optional: a broker made without one has its own.
 */
#ifndef PATIO_RUNTIME_H
#define PATIO_RUNTIME_H

#include <patio/config.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct patio_runtime patio_runtime;

/* All memory of a runtime and of everything made from it. alloc may return NULL: every operation
 * survives that and says NO_MEMORY. Called from any thread. */
typedef struct patio_allocator {
    uint32_t struct_size;
    uint32_t reserved;
    void    *self;
    void *(*alloc)(void *self, size_t size_bytes);
    void *(*resize)(void *self, void *pointer, size_t size_bytes);
    void (*free)(void *self, void *pointer);
} patio_allocator;

/* One finished line. Borrowed; any thread, also several at once, and some of them hold locks of
 * patio's: the function calls nothing of patio (it may not return) and does not block for long. */
typedef struct patio_log_line {
    uint32_t    struct_size;
    int32_t     level;
    const char *topic;   /* "broker", "transport.tcp", "task" */
    const char *task_id; /* 32 hex digits or "" */
    const char *text;
} patio_log_line;
typedef void (*patio_log_fn)(void *self, const patio_log_line *line);

enum {
    /* For tests: time stands still for all brokers of this runtime, and moves only by
     * patio_runtime_advance. Delays, back-offs, deadlines and times to live of hours then take
     * milliseconds. Meant for `memory`; what a task or a thread waits for by itself, and a network,
     * goes by the real clock. */
    PATIO_RUNTIME_MANUAL_CLOCK = 1u << 0,
    /* For tests: ids and back-offs come from `seed` and repeat. Never where a key is made. */
    PATIO_RUNTIME_SEEDED = 1u << 1,
};

typedef struct patio_runtime_options {
    uint32_t               struct_size;
    int32_t                log_level; /* PATIO_LOG_…; a config's log.level counts more */
    const patio_config    *config;    /* log.level, log.format, plugin_path; may be NULL */
    const patio_allocator *allocator; /* NULL: malloc */
    patio_log_fn           log;       /* NULL: standard error, as text or JSON lines */
    void                  *log_self;
    uint32_t               flags; /* PATIO_RUNTIME_… */
    uint32_t               reserved;
    uint64_t               seed; /* with PATIO_RUNTIME_SEEDED */
} patio_runtime_options;

/* options may be NULL. */
PATIO_API PATIO_CHECKED patio_status patio_runtime_create(const patio_runtime_options *options,
                                                          patio_runtime **out, patio_error *err);
/* After every broker made from it. NULL is allowed. */
PATIO_API void patio_runtime_destroy(patio_runtime *runtime);

/* Move a manual clock on by `ms`, from event to event: whatever becomes due on the way happens on
 * this thread, at its time and in its order. Before each event, waits up to calm_ms of real time
 * until no task is running, so that what a task asks for (a retry in a minute) counts from when it
 * ran. With 0 only what is due now happens. Any thread, one at a time, not inside a task or a
 * callback. STATE: the clock is the real one, or somebody else moves it now. */
PATIO_API PATIO_CHECKED patio_status patio_runtime_advance(patio_runtime *runtime, uint64_t ms,
                                                           uint64_t calm_ms, patio_error *err);
/* Milliseconds on this runtime's clock, from an arbitrary start. Any thread. */
PATIO_API uint64_t patio_runtime_now_ms(const patio_runtime *runtime);

/* A folder to search for plugins, before the built-in one and after PATIO_PLUGIN_PATH. */
PATIO_API PATIO_CHECKED patio_status patio_runtime_add_plugin_dir(patio_runtime *runtime,
                                                                  const char    *dir,
                                                                  patio_error   *err);

struct patio_option;
/* What is known of one plugin. Borrowed for the visit. */
typedef struct patio_plugin_info {
    uint32_t                          struct_size;
    patio_status                      status; /* OK, or why it cannot be used */
    const char                       *kind;   /* "transport", "executor" */
    const char                       *name;
    const char                       *version;
    const char                       *license;
    const char                       *summary;
    const char                       *path;
    uint32_t                          abi_major;
    uint32_t                          abi_minor;
    uint32_t                          caps;
    uint32_t                          reserved;
    const struct patio_option *const *options;      /* NULL-terminated, or NULL */
    const char                       *problem;      /* with a status: the error's text */
    const struct patio_option *const *task_options; /* may be set for one task, or NULL */
} patio_plugin_info;
typedef void (*patio_plugin_visit_fn)(void *arg, const patio_plugin_info *info);
/* Visit every plugin found in the search path, the usable and the broken, by kind and name. Blocks
 * on the disk. */
PATIO_API PATIO_CHECKED patio_status patio_runtime_plugins(patio_runtime        *runtime,
                                                           patio_plugin_visit_fn visit, void *arg,
                                                           patio_error *err);
/* Load one plugin and visit it. kind: "transport" or "executor". */
PATIO_API PATIO_CHECKED patio_status patio_runtime_describe(patio_runtime *runtime,
                                                            const char *kind, const char *name,
                                                            patio_plugin_visit_fn visit, void *arg,
                                                            patio_error *err);

/* "memory" -> "OK"; never NULL. */
PATIO_API const char *patio_status_name(patio_status status);
PATIO_API const char *patio_status_text(patio_status status);
/* PATIO_VERSION of the library that is loaded. */
PATIO_API const char *patio_version(void);

#ifdef __cplusplus
}
#endif
#endif
