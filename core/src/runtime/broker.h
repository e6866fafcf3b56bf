/* runtime/broker.h: the inside of a broker. docs/architecture.md draws the way of a call through
 * it.
 *
 *   broker_make.c   configuration -> routes, with broker_transport.c, broker_executor.c and
 *                   broker_elsewhere.c
 *   broker_life.c   start, stop, join;  broker_view.c  its parts, counts and statistics
 *   broker_event.c  what the transport says to the caller's side
 *   outgoing.c      what a call is made of;  call.c  the caller's way out
 *   future_*.c      waiting and reading;  callback.c
 *   worker.h        the worker's way of a task;  job.h  what it is on that way
 *   broker_child.c  what tasks in other processes need of it
 *   operate*.c, presence.c  looking after queues, dead letters, results, workers
 *   health.c        what stands in the way of its work;  watchdog.c  does nothing come any more?
 *   run.c           one run of one task;  context.c  what the task sees
 */
#ifndef PT_BROKER_H
#define PT_BROKER_H

#include <patio/broker.h>
#include <patio/executor.h>
#include <patio/transport.h>

#include "config/config.h"
#include "config/url.h"
#include "layer/check.h"
#include "runtime/future.h"
#include "runtime/queues.h"
#include "runtime/registry.h"
#include "runtime/runtime.h"

typedef struct pt_job pt_job; /* job.h */

/* One executor of a broker. */
typedef struct pt_executor {
    patio_broker             *broker;
    const pt_executor_plugin *plugin;
    patio_executor           *instance;
    patio_executor_events     events;
    const patio_suspend_ops  *suspend; /* NULL: its jobs wait on their threads */
    pt_check_executor        *check;   /* PATIO_CHECK */
    const patio_relay_ops    *relay;   /* NULL: nothing runs elsewhere */
    uint32_t                  slots;
    bool                      stopped;
    const patio_lend_ops     *lend; /* NULL: it does not */
    _Atomic uint32_t          lent; /* slots, now */
    /* held.c, under the lock */
    pt_job  *held;  /* what it has no room for, or whose turn it is not, the oldest first */
    uint32_t rooms; /* how often it said that it has some */
    uint32_t taken; /* slots in use; means nothing with one queue alone */
} pt_executor;

/* A task of the registry as this broker treats it: the code's options under the configuration's. */
typedef struct pt_route {
    const pt_task      *task;
    patio_task_options  options;
    pt_executor        *executor; /* NULL: this broker does not run it */
    patio_option_value *values;   /* by the executor's task_options; NULL if it has none */
    pt_policy           policy;   /* of the options */
} pt_route;

enum {
    PT_BROKER_NEW     = 0,
    PT_BROKER_RUNNING = 1,
    PT_BROKER_STOPPED = 2, /* may still have executors that did not end */
};

enum { PT_REFUSED_MAX = 64, PT_EARLY_MAX = 64 };

/* PT_TOLD_… of a tag whose delivery is not here yet, or any more. */
typedef struct pt_early {
    patio_tag tag;
    uint32_t  what;
    uint32_t  looks;
} pt_early;

typedef struct pt_caller_stats {
    _Atomic uint64_t calls_started;
    _Atomic uint64_t sends_accepted;
    _Atomic uint64_t sends_refused;
} pt_caller_stats;

/* Counted where answers come in, which is not where calls go out. */
typedef struct pt_answer_stats {
    _Atomic uint64_t calls_answered;
    _Atomic uint64_t replies_late;
} pt_answer_stats;

typedef struct pt_worker_stats {
    _Atomic uint64_t started;
    _Atomic uint64_t ok;
    _Atomic uint64_t failed;
    _Atomic uint64_t retried;
    _Atomic uint64_t returned;
    _Atomic uint64_t rejected;
    _Atomic uint64_t ended;
    _Atomic uint64_t leases_lost;
    _Atomic uint64_t settlements_failed;
} pt_worker_stats;

enum { PT_UNKNOWN_SLOTS = 512 };

struct patio_broker {
    void           *block; /* the allocation it lies in */
    patio_runtime  *runtime;
    bool            owns_runtime;
    patio_registry *registry; /* may be NULL */
    /* the runtime's: what a broker makes may outlive it in the hands of another */
    const patio_allocator *mem;
    uint64_t               incarnation;
    char                  *project;

    patio_option_value *core; /* by pt_core_option */
    uint64_t            max_body_bytes;
    uint64_t            max_decode_bytes;

    /* transport */
    const pt_transport_plugin *transport_plugin;
    patio_transport           *transport;
    pt_layer                  *layers; /* between the two: PATIO_CHECK, fault+URL */
    bool                       fault;  /* the URL begins with fault+ */
    patio_transport_events     events;
    pt_url                    *urls;
    patio_endpoint            *endpoints;
    size_t                     endpoint_count;

    /* executors and routes */
    patio_child_setup child;
    pt_executor      *executors; /* the first is the default */
    size_t            executor_count;
    pt_route         *routes; /* by pt_task.index */
    size_t            route_count;
    patio_registry   *elsewhere; /* what the configuration says of other tasks; NULL: nothing */
    /* unknown tasks that went back: a hash of the id, how often in the last eight bits */
    _Atomic uint64_t unknown[PT_UNKNOWN_SLOTS];
    pt_queue        *queues;
    size_t           queue_count;
    bool             queues_named;  /* configured; else those of the tasks */
    bool             queues_strict; /* in their order; else by weight */
    uint64_t         queues_turn;   /* of the last one that began: see held.c; under the lock */
    uint64_t         turn_timer;

    pt_futures futures;

    pthread_mutex_t  lock; /* state, jobs, interned names, deferred settlements */
    pthread_cond_t   changed;
    _Atomic uint32_t state;
    _Atomic uint32_t link; /* PATIO_LINK_… */
    _Atomic uint64_t size_warned_ns;
    patio_error      link_error;
    bool             transport_stopped;
    char           **interned;
    size_t           interned_count;

    pt_job            *jobs; /* a fixed slab: what credit allows, twice */
    _Atomic patio_tag *tags; /* of the jobs, beside them */
    uint32_t           job_count;
    _Atomic uint32_t   jobs_made;               /* the first so many exist */
    pt_job            *deferred;                /* to be settled outside of `delivered` */
    patio_tag          refused[PT_REFUSED_MAX]; /* as well, without a job */
    uint32_t           refused_count;
    uint64_t           defer_timer;
    uint64_t           sweep_timer;
    uint64_t           owed_timer; /* see callback.c */
    struct {
        pt_early tags[PT_EARLY_MAX];
        uint32_t count;
        uint64_t timer;
    } early;
    struct {
        uint64_t         wait_ns; /* 0: nothing is fetched ahead, or it may wait for ever */
        uint64_t         timer;
        _Atomic uint32_t planned;
        _Atomic uint32_t returned; /* given back, and still with the executor */
    } ahead;
    struct {
        _Atomic uint64_t word;    /* a second of the host's clock, and lines in it */
        _Atomic uint32_t unnamed; /* what got none */
    } dead_named;                 /* see dead_log.c */
    uint64_t              share_timer;
    bool                  sharing;    /* credit among several queues */
    struct pt_cancelling *cancelling; /* whose outcome somebody waits for */

    _Atomic uint32_t lent; /* slots that credit was handed out for, beyond what there are */

    /* health.c, under the lock */
    uint32_t    health;          /* PATIO_HEALTH_… as it was told last */
    uint64_t    health_since_ns; /* and since when */
    bool        draining;
    bool        starting; /* start has not returned; broker_life.c */
    bool        worn;     /* an executor is worn out: worn_why, which does not change then */
    uint32_t    stuck;    /* jobs that are settled and hold their threads */
    patio_error worn_why;

    /* watchdog.c */
    struct pt_watchdog *watchdog; /* NULL: not watched */

    /* presence.c */
    const struct patio_presence_ops *presence; /* NULL: it does not describe itself */
    uint64_t                         presence_timer;
    uint64_t                         presence_sum;  /* of the numbers that were said last */
    uint64_t                         presence_load; /* the same, of what changes with each task */
    uint64_t                         presence_said_ns;
    uint64_t                         started_at_unix_ms;
    bool                             presence_over; /* under the lock */

    /* written by callers, and by workers: apart, so that they do not share a cache line */
    _Alignas(64) pt_stack free_jobs;
    _Atomic uint64_t received; /* with each a job is taken */
    _Alignas(64) pt_caller_stats called;
    _Alignas(64) pt_answer_stats answered;
    _Alignas(64) pt_worker_stats worked;
};

#define PT_COUNT(counter) (void)atomic_fetch_add_explicit(&(counter), 1, memory_order_relaxed)

/* broker_transport.c */
patio_status pt_broker_make_transport(patio_broker *broker, const patio_config *config,
                                      patio_error *err);
/* broker_executor.c: the executor of a name, made at its first use. */
patio_status pt_broker_need_executor(patio_broker *broker, const patio_config *config,
                                     const char *name, pt_executor **out, patio_error *err);

/* broker_child.c */
void pt_broker_child_setup(patio_broker *broker);
/* Is it the answer to what a task in another process published? Then it is on its way there. */
bool pt_broker_relay_reply(patio_broker *broker, const patio_reply *reply);
bool pt_broker_relay_receipt(patio_broker *broker, const patio_receipt *receipt);

/* broker_event.c */
void pt_broker_replied(void *self, const patio_reply *reply);
void pt_broker_published(void *self, const patio_receipt *receipt);
void pt_broker_cancelled(void *self, const patio_id *id, uint32_t outcome);
void pt_broker_link(void *self, uint32_t state, const patio_error *why);
/* A deadline before the next sweep was added. */
void pt_broker_sooner(patio_broker *broker);

/* health.c: something changed that may stand in the way. Under the broker's lock. */
void pt_health_changed(patio_broker *broker);

/* policy.c */
/* What a route's options say; CONFIG for a list of waits that is none. */
patio_status pt_route_policy(pt_route *route, patio_error *err);
/* Read "1s,10s,5min" into policy->backoff_list_ms. False: it is no such list, or too long. */
bool pt_policy_list(pt_policy *policy, const char *list);

/* broker_make.c: the route of a task by name, NULL if the registry has none. */
const pt_route *pt_broker_route(const patio_broker *broker, const char *task);

/* broker_elsewhere.c: what the configuration says of tasks that the registry does not have. CONFIG
 * for what it cannot say. */
patio_status pt_broker_read_elsewhere(patio_broker *broker, const patio_config *config,
                                      patio_error *err);
/* NULL: nothing. Takes no lock. */
const patio_task_options *pt_broker_elsewhere(const patio_broker *broker, const char *task);

#endif
