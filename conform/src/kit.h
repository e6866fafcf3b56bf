/* kit.h: what a case is made of. The kit plays the host: it owns the host table, loads the plugin,
 * and sees every event, so that what is checked is the ABI and nothing in between.
 *
 * A case runs in a process of its own: a crash or a hang is that case's failure and nobody else's.
 * It fails by KIT_CHECK and its kin, which leave the case at once; what happens on other threads is
 * noted as a breach and fails the case when it ends.
 *
 *   host.h      the host table;  map.h
 *   plugin.h    the plugin, its options and URLs
 *   instance.h  one instance of a transport, and all that it has said
 *   act.h       what cases do all the time
 *   process.h   workers in other processes;  proxy.h  a link that misbehaves
 *   report.h    (not here) cases are run, and their results told
 */
#ifndef CONFORM_KIT_H
#define CONFORM_KIT_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include <patio/executor.h>
#include <patio/plugin_util.h>
#include <patio/transport.h>

#include "act.h"
#include "host.h"
#include "instance.h"
#include "map.h"
#include "plugin.h"
#include "process.h"
#include "proxy.h"

enum { KIT_INSTANCES = 16, KIT_PROCESSES = 16, KIT_TEXT = 1200 };

/* ---- cases ---- */

enum {
    KIT_EXECUTOR = 1u << 0, /* a case for executors; without it, for transports */
    KIT_LINK     = 1u << 1, /* needs a link with host and port, to put the proxy into */
    KIT_FORKS    = 1u << 2, /* needs workers in other processes */
    KIT_RUNS     = 1u << 3, /* needs an executor that runs jobs of the kit */
    KIT_BARE     = 1u << 4, /* makes no use of the URL */
    KIT_QUERY    = 1u << 5, /* `interface` must be there, else it is refused */
};

typedef struct kit_case {
    uint32_t    number;
    uint32_t    limit_s; /* on top of twice the redelivery time; 0: 30 */
    const char *name;    /* lower_snake_case, a sentence */
    const char *rule;    /* where the rule is written: "delivery 3", "abi", "transport.h settle" */
    uint32_t    needs;   /* PATIO_CAP_… or PATIO_EXECUTOR_… */
    uint32_t    flags;   /* KIT_… */
    const char *interface;
    void (*run)(kit *k);
} kit_case;

enum kit_result {
    KIT_PASSED  = 0,
    KIT_FAILED  = 1,
    KIT_REFUSED = 2, /* the plugin does not declare it, and does refuse it */
    KIT_SKIPPED = 3, /* the rule says nothing about such a plugin */
};

extern const kit_case *const kit_groups[]; /* tables, each ending with number 0; NULL-terminated */

/* ---- what the command line says ---- */

typedef struct kit_options {
    const char *plugin; /* path */
    const char *url;    /* may hold %p (a free port per instance), %c (case), %r (run) */
    const char *listen; /* URL of the listening side, for plugins that mesh; NULL: from url */
    const char *kind;   /* "transport" or "executor" */
    const char *const *settings; /* executor options: KEY=VALUE */
    size_t             setting_count;
    const char *const *task; /* options of a program that ends at once: KEY=VALUE */
    size_t             task_count;
    const char *const *lasting; /* of one that lasts until it is ended */
    size_t             lasting_count;
    uint64_t           seed;
    uint64_t           redelivery_ms; /* 0: from the plugin's options */
    bool               in_process;    /* do not fork: for a debugger */
    bool               verbose;
    uint32_t           jobs;
} kit_options;

/* ---- one case at work ---- */

struct kit {
    const kit_options         *options;
    const kit_case            *self;
    const patio_plugin        *plugin;
    const patio_transport_ops *ops; /* the plugin's own, stubs filled in */
    const patio_transport_ops *raw; /* as the plugin gave it */
    const patio_executor_ops  *xops;
    kit_host                   host;
    jmp_buf                    out;
    pthread_t                  thread; /* the case's own; only here a check may leave it */
    kit_instance              *instances[KIT_INSTANCES];
    uint32_t                   instance_count;
    uint32_t                   ports[KIT_INSTANCES];
    kit_process                processes[KIT_PROCESSES];
    kit_proxy                 *proxy;
    pthread_mutex_t            lock; /* of all that events write */
    pthread_cond_t             changed;
    kit_map                   *fences; /* by number of the task */
    char                       project[64];
    char                       run_name[32];
    char                       secrets[8][256];
    uint32_t                   secret_count;
    char                       failure[KIT_TEXT];
    char                       note[KIT_TEXT]; /* printed beside the result */
    _Atomic uint32_t           breaches;
    char                       breach[KIT_TEXT];
    uint32_t                   result;
    uint64_t                   redelivery_ms;
    bool                       child;         /* in a process that a case made */
    bool                       uncertain;     /* links are being cut: outcomes may be UNKNOWN */
    bool                       twice_allowed; /* a task may be delivered to two at once */
};

/* Leave the case as failed. From another thread: note a breach and go on. */
void kit_fail(kit *k, const char *file, int line, const char *format, ...) PATIO_PRINTF(4, 5);
void kit_breach(kit *k, const char *format, ...) PATIO_PRINTF(2, 3);
void kit_note(kit *k, const char *format, ...) PATIO_PRINTF(2, 3);
/* Leave the case: the rule says nothing here. */
void kit_skip(kit *k, const char *why);

#define KIT_CHECK(k, condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            kit_fail(k, __FILE__, __LINE__, __VA_ARGS__);                                          \
        }                                                                                          \
    } while (0)
#define KIT_EQUAL(k, found, expected, what)                                                        \
    do {                                                                                           \
        uint64_t found_    = (uint64_t)(found);                                                    \
        uint64_t expected_ = (uint64_t)(expected);                                                 \
        KIT_CHECK(k, found_ == expected_, "%s is %llu, expected %llu", what,                       \
                  (unsigned long long)found_, (unsigned long long)expected_);                      \
    } while (0)
#define KIT_STATUS(k, found, expected, what)                                                       \
    do {                                                                                           \
        patio_status found_ = (found);                                                             \
        KIT_CHECK(k, found_ == (expected), "%s returned %s, expected %s", what,                    \
                  kit_status_name(found_), kit_status_name(expected));                             \
    } while (0)
/* Wait for a condition, evaluated on this thread, again after each event. */
#define KIT_AWAIT(k, within_ms, condition, ...)                                                    \
    do {                                                                                           \
        uint64_t until_ = kit_now_ms() + (within_ms);                                              \
        while (!(condition)) {                                                                     \
            KIT_CHECK(k, kit_now_ms() < until_, __VA_ARGS__);                                      \
            kit_wait_change(k);                                                                    \
        }                                                                                          \
    } while (0)
enum { KIT_SOON_MS = 20000 }; /* for what should take milliseconds, on a machine that is busy */

uint64_t    kit_now_ms(void);
void        kit_wait_change(kit *k);
void        kit_changed(kit *k); /* with the lock held or not */
void        kit_sleep_ms(uint64_t ms);
const char *kit_status_name(patio_status status);
/* The text is there, says something, and holds no secret. */
void kit_check_error(kit *k, const patio_error *err, patio_status status, const char *what);
bool kit_holds_secret(kit *k, const char *text);

/* ---- refuse.c ---- */
void        kit_check_refused(kit *k, uint32_t cap);
const char *kit_cap_word(uint32_t cap);

#endif
