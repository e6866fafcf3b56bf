/* patio/registry.h: names -> task functions, inside a project.
 *
 * A registry is filled at start, then locked by the first broker that starts with it: from there on
 * adding and removing are errors and look-ups take no lock. docs/registry.md has the concept.
 */
#ifndef PATIO_REGISTRY_H
#define PATIO_REGISTRY_H

#include <stdbool.h>

#include <patio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct patio_registry patio_registry;
typedef struct patio_context  patio_context; /* patio/task.h */
typedef struct patio_config   patio_config;  /* patio/config.h */

/* A task function. It reads its arguments from ctx, gives its result to ctx, and returns PATIO_OK,
 * or what patio_task_fail, patio_task_retry or patio_task_snooze returned. Any other status is a
 * failure with that status. It runs on a thread or in a process of the executor. */
typedef patio_status (*patio_task_fn)(patio_context *ctx);

enum {
    PATIO_REGISTRY_NO_AUTO_NAMES = 1u << 0, /* adding without a name is an error */
    PATIO_REGISTRY_STRICT        = 1u << 1, /* automatic names carry a hash of the source */
};

typedef struct patio_registry_options {
    uint32_t    struct_size;
    uint32_t    flags;   /* PATIO_REGISTRY_… */
    const char *project; /* [A-Za-z0-9._-]{1,128}; NULL: "default" */
} patio_registry_options;

enum {
    PATIO_TASK_IDEMPOTENT = 1u << 0, /* may safely run twice */
};

enum {
    PATIO_ACK_ON_DONE    = 0, /* settled after the task has run: at least once (default) */
    PATIO_ACK_ON_START   = 1, /* settled just before it runs: at most once */
    PATIO_ACK_ON_RECEIVE = 2, /* settled when it arrives at the worker: at most once */
};

enum {
    PATIO_DEDUP_BY_KEY  = 0, /* only calls that name a key (default) */
    PATIO_DEDUP_BY_ARGS = 1, /* calls of the task with the same arguments are duplicates */
};

enum {
    PATIO_BACKOFF_EXPONENTIAL = 0, /* random(0, min(cap, base * 2^(attempt-1))) */
    PATIO_BACKOFF_FIXED       = 1, /* base, each time */
};

/* How to treat a task; zero means the default that the comment names. Also settable without a
 * rebuild: tasks.NAME.… in patio.yaml (docs/configuration.md). */
typedef struct patio_task_options {
    uint32_t    struct_size;
    uint32_t    flags;              /* PATIO_TASK_IDEMPOTENT … */
    uint64_t    attempt_timeout_ms; /* one run; 0: 5 minutes; PATIO_FOREVER: none */
    uint64_t    call_timeout_ms;    /* a call's deadline if the caller names none; 0: 30 s */
    uint32_t    max_attempts;       /* starts before it is dead; 0: 5 */
    uint32_t    max_crashes;        /* lost leases before it is dead; 0: 3 */
    uint64_t    backoff_base_ms;    /* 0: 1 s */
    uint64_t    backoff_cap_ms;     /* 0: 10 min */
    uint32_t    ack;                /* PATIO_ACK_ON_… */
    uint16_t    priority;           /* PATIO_PRIORITY(0..9); 0: 4 */
    uint16_t    reserved;
    const char *queue;    /* default queue; NULL: "default" */
    const char *executor; /* name of the executor to run in; NULL: the broker's first */
    uint32_t    version;  /* travels with every call */
    uint32_t    reserved2;
    /* PATIO_ADD_STRICT fills the second one; others may leave them NULL. */
    const char *module;        /* for automatic names, taken as it is; NULL: the one of the call */
    const char *source;        /* text of the function: the automatic name carries its hash */
    uint64_t    queue_ttl_ms;  /* not started by then: dead letter "expired"; 0: any time */
    uint64_t    result_ttl_ms; /* keep results under the task's id for so long; 0: do not */
    /* Waits before the second, third … attempt, the last one for all that follow: "1s,10s,5min", at
     * most 16; NULL: as `backoff` says. */
    const char *backoff_list;
    uint32_t    backoff; /* PATIO_BACKOFF_… */
    uint32_t    level;   /* PATIO_LEVEL_… of patio/message.h that a call or send demands */
    /* What callers that have these options do where the call itself says nothing. */
    uint64_t delay_ms;        /* run not before */
    uint64_t dedup_window_ms; /* how long a dedup key is remembered */
    uint32_t dedup_conflict;  /* PATIO_DEDUP_… of patio/message.h */
    /* PATIO_DEDUP_BY_…; BY_ARGS needs dedup_window_ms. Its key is a hash over the task's name and
     * its encoded arguments, so callers should write them in one way: order and types count. */
    uint32_t dedup_by;
} patio_task_options;

#define PATIO_FOREVER UINT64_MAX
/* Priorities run from 0 to 9, higher is sooner; shifted by one so that 0 can mean "default". */
#define PATIO_PRIORITY(level) ((uint16_t)((level) + 1))

/* One entry, for look-ups; borrowed from the registry, valid until the entry is removed or the
 * registry destroyed. */
typedef struct patio_task_info {
    uint32_t                  struct_size;
    uint32_t                  reserved;
    const char               *name;
    patio_task_fn             fn;      /* NULL: an external one */
    const patio_task_options *options; /* defaults filled in */
} patio_task_info;

/* Make an empty registry. options may be NULL. INVALID: bad project name. */
PATIO_API PATIO_CHECKED patio_status patio_registry_create(const patio_registry_options *options,
                                                           patio_registry **out, patio_error *err);
/* Free it; after every broker that uses it. NULL is allowed. */
PATIO_API void patio_registry_destroy(patio_registry *registry);

/* Add fn under a name (1..255 bytes of UTF-8, no control characters), or with name NULL under its
 * automatic name, for which `module` and `function` are used (PATIO_ADD fills them in). Everything
 * is copied. options may be NULL. The same function may have many names.
 * EXISTS: the name is taken (the error names both functions). STATE: locked. INVALID: bad name,
 * bad options, or automatic names are forbidden. Any thread. */
PATIO_API PATIO_CHECKED patio_status patio_registry_add(patio_registry *registry, const char *name,
                                                        patio_task_fn fn, const char *module,
                                                        const char               *function,
                                                        const patio_task_options *options,
                                                        patio_error              *err);
/* Add a name without a function: its executor (options->executor, or what the configuration says)
 * knows what to run, and has the capability `external`; a broker with another executor for it
 * cannot be made. Else as patio_registry_add. Any thread. */
PATIO_API PATIO_CHECKED patio_status patio_registry_add_external(patio_registry           *registry,
                                                                 const char               *name,
                                                                 const patio_task_options *options,
                                                                 patio_error              *err);
/* Add, as external ones, the tasks that a configuration makes: those with a tasks.NAME.command that
 * the registry does not have yet. Their executor is tasks.NAME.executor, else "command". Errors as
 * patio_registry_add. Any thread. */
PATIO_API PATIO_CHECKED patio_status patio_registry_add_configured(patio_registry     *registry,
                                                                   const patio_config *config,
                                                                   patio_error        *err);
/* Remove a name. NOT_FOUND; STATE: locked. Any thread. */
PATIO_API PATIO_CHECKED patio_status patio_registry_remove(patio_registry *registry,
                                                           const char *name, patio_error *err);

/* Any thread; no lock once the registry is locked. */
PATIO_API const char *patio_registry_project(const patio_registry *registry);
PATIO_API bool        patio_registry_is_locked(const patio_registry *registry);
PATIO_API size_t      patio_registry_count(const patio_registry *registry);
PATIO_API bool        patio_registry_contains(const patio_registry *registry, const char *name);
/* By name. NOT_FOUND names near ones. out->struct_size is set by the caller. */
PATIO_API PATIO_CHECKED patio_status patio_registry_find(const patio_registry *registry,
                                                         const char *name, patio_task_info *out,
                                                         patio_error *err);
/* By function: its first name; NOT_FOUND if it has none. */
PATIO_API PATIO_CHECKED patio_status patio_registry_find_fn(const patio_registry *registry,
                                                            patio_task_fn fn, patio_task_info *out,
                                                            patio_error *err);
/* By position, 0 … count-1, in the order of adding. NOT_FOUND past the end. */
PATIO_API PATIO_CHECKED patio_status patio_registry_at(const patio_registry *registry, size_t i,
                                                       patio_task_info *out, patio_error *err);
/* Lock it by hand; a broker's start does so by itself. */
PATIO_API void patio_registry_lock(patio_registry *registry);

/* Load a task module (a shared library with PATIO_TASK_MODULE) and let it add its tasks. A name
 * without '/' is searched in PATIO_TASK_PATH, <libdir>/patio/tasks and, last, the current folder,
 * with and without ".so". The library stays loaded. NOT_FOUND lists the places; STATE: locked; ABI:
 * not a task module, or of another patio; else what its function returned, and what it had added
 * until then stays. */
PATIO_API PATIO_CHECKED patio_status patio_registry_load(patio_registry *registry, const char *path,
                                                         patio_error *err);

/* A task module's one registration function, and its export:
 *     static patio_status add_tasks(patio_registry *registry, patio_error *err) { … }
 *     PATIO_TASK_MODULE(add_tasks)                                                            */
typedef patio_status (*patio_module_fn)(patio_registry *registry, patio_error *err);
typedef struct patio_module {
    uint32_t        magic; /* PATIO_MODULE_MAGIC */
    uint32_t        struct_size;
    uint32_t        api_major; /* PATIO_VERSION_MAJOR */
    uint32_t        api_minor; /* PATIO_VERSION_MINOR */
    patio_module_fn add_tasks;
} patio_module;
#define PATIO_MODULE_MAGIC  0x50544D31u /* "PTM1" */
#define PATIO_MODULE_SYMBOL "patio_module_entry"
#define PATIO_TASK_MODULE(function)                                                                \
    PATIO_EXPORT const patio_module *patio_module_entry(void);                                     \
    const patio_module              *patio_module_entry(void)                                      \
    {                                                                                              \
        static const patio_module module = {PATIO_MODULE_MAGIC, sizeof(patio_module),              \
                                            PATIO_VERSION_MAJOR, PATIO_VERSION_MINOR, function};   \
        return &module;                                                                            \
    }

/* Add a function under its automatic name: "project.module.function", the module being PATIO_MODULE
 * if you define it, else the file's name without folders and ending. */
#ifdef PATIO_MODULE
#define PATIO_MODULE_ PATIO_MODULE
#else
#define PATIO_MODULE_ __FILE__
#endif
#define PATIO_ADD(registry, function, err)                                                         \
    patio_registry_add((registry), NULL, (function), PATIO_MODULE_, #function, NULL, (err))
#define PATIO_ADD_OPTIONS(registry, function, options, err)                                        \
    patio_registry_add((registry), NULL, (function), PATIO_MODULE_, #function, (options), (err))
/* Add a function under a name of your choice. */
#define PATIO_ADD_AS(registry, name, function, err)                                                \
    patio_registry_add((registry), (name), (function), PATIO_MODULE_, #function, NULL, (err))

/* Strict mode. Write the function inside PATIO_STRICT, add it with PATIO_ADD_STRICT: its automatic
 * name ends in a hash of its tokens, so a caller and a worker built from different sources never
 * meet. Comments and white space do not count, code does. No preprocessor lines inside.
 *     PATIO_STRICT(mul,
 *     static patio_status mul(patio_context *ctx) { … }
 *     )                                                                                        */
#define PATIO_STRICT(function, ...)                                                                \
    __VA_ARGS__                                                                                    \
    __extension__ static const char patio_source_##function[] = #__VA_ARGS__;
#define PATIO_ADD_STRICT(registry, function, err)                                                  \
    patio_registry_add((registry), NULL, (function), PATIO_MODULE_, #function,                     \
                       &(const patio_task_options){PATIO_SIZED(patio_task_options),                \
                                                   .source = patio_source_##function},             \
                       (err))

#ifdef __cplusplus
}
#endif
#endif
