/* runtime/broker.h: the inside of a broker. docs/architecture.md draws the way of a call through
 * it.
 *
 *   broker_make.c   configuration -> routes, with broker_transport.c, broker_executor.c and
 *                   broker_elsewhere.c
 *   broker_life.c   start, stop, join
 *   broker_event.c  what the transport says to the caller's side
 *   outgoing.c      what a call is made of;  call.c  the caller's way out
 *   future_*.c      waiting and reading;  callback.c
 *   jobs.c          the slab of jobs
 *   worker.c        the worker's way: delivery -> job -> executor;  job_run.c  on its thread
 *   settle.c        its end;  settle_later.c  of what is not run
 *   held.c          whose turn is it?  ahead.c  what waited too long for its turn
 *   job_ops.c       the same for executors that do not call job->run;  report.c  progress
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
#include "runtime/ahead.h"
#include "runtime/future.h"
#include "runtime/queues.h"
#include "runtime/registry.h"
#include "runtime/report.h"
#include "runtime/run.h"
#include "runtime/runtime.h"

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

/* What settling a delivery needs to know of it. */
typedef struct pt_ending {
    patio_broker    *broker;
    const pt_route  *route;
    const pt_policy *policy; /* the route's, or the job's with what the caller said */
    patio_tag        tag;
    uint32_t         attempt;
    uint32_t         crashes;
    uint32_t         flags; /* PATIO_MESSAGE_… */
    uint32_t         reserved;
    uint64_t         call_ends_ns; /* host clock; 0: this attempt ends before its call does */
} pt_ending;

/* One delivered task, from `delivered` until it has run. It is free again before its delivery is
 * settled, because settling brings the next one. */
struct pt_job {
    patio_job        base; /* first: an executor's job is ours */
    pt_ending        end;
    pt_job          *next;  /* deferred list */
    pt_queue        *queue; /* whose credit it uses; NULL: there is only one */
    _Atomic uint32_t next_free;
    _Atomic uint32_t told;     /* PT_TOLD_… */
    _Atomic uint32_t busy;     /* between delivered and free */
    _Atomic uint32_t stage;    /* of ahead.c; 0 until it is about to be submitted */
    uint64_t         since_ns; /* it waits for its turn */
    uint32_t         deferred_verdict;
    uint64_t         deferred_delay_ms;
    patio_status     deferred_status;
    bool             begun;    /* the task was started */
    bool             viewed;   /* `arena` is in use */
    bool             listened; /* the caller wants progress; known once it was viewed */
    pt_reports       reports;
    pt_arena         arena; /* of a view, see patio_job_ops */
    pt_awaiter       await;
    pt_policy        policy; /* only if the caller said something */
};

enum {
    PT_TOLD_CANCEL = 1, /* somebody cancelled it */
    PT_TOLD_LEASE  = 2, /* its lease is lost: settling it is useless */
    PT_TOLD_STOP   = 4, /* the broker stopped without waiting for it */
    PT_TOLD_STUCK  = 8, /* it does not return: its delivery is settled */
};

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
    uint64_t              share_timer;
    bool                  sharing;    /* credit among several queues */
    struct pt_cancelling *cancelling; /* whose outcome somebody waits for */

    _Atomic uint32_t lent; /* slots that credit was handed out for, beyond what there are */

    /* health.c, under the lock */
    uint32_t    health;          /* PATIO_HEALTH_… as it was told last */
    uint64_t    health_since_ns; /* and since when */
    bool        draining;
    bool        worn;  /* an executor is worn out: worn_why, which does not change then */
    uint32_t    stuck; /* jobs that are settled and hold their threads */
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

/* worker.c */
patio_status pt_worker_start(patio_broker *broker, patio_error *err);
void         pt_worker_fini(patio_broker *broker);
void         pt_worker_delivered(void *self, const patio_delivery *delivery);
void         pt_worker_lease_lost(void *self, patio_tag tag, const patio_error *why);
void         pt_worker_settle_failed(void *self, patio_tag tag, const patio_error *why);
void         pt_worker_cancel_wanted(void *self, patio_tag tag);

/* job_run.c */
/* May it be started? Else *out says what becomes of it. */
bool pt_worker_begin(pt_job *job, patio_outcome *out);
/* What a run of this job needs. */
pt_run pt_worker_run(pt_job *job);
/* The `run` of a job. */
void pt_worker_run_job(patio_job *base, patio_outcome *out);
void pt_worker_done(void *self, patio_job *base, const patio_outcome *outcome);
void pt_worker_stuck(void *self, patio_job *base);
void pt_worker_worn_out(void *self, const patio_error *why);

/* health.c: something changed that may stand in the way. Under the broker's lock. */
void pt_health_changed(patio_broker *broker);

/* held.c: jobs that an executor has no room for, or whose turn it is not, wait here, with their
 * credit. */
void pt_held_add(pt_executor *x, pt_job *job);
void pt_held_submit(pt_executor *x);
/* A slot is free again. */
void pt_held_freed(pt_executor *x);
/* For all executors: whose turn is it? */
void pt_held_look(void *broker);
/* The broker stops: back with them. */
void pt_held_return(patio_broker *broker);
void pt_worker_room(void *self);

/* lend.c: true if the slot of the run was lent; then it is to be taken back. */
/* Is there a slot to lend at all, under this executor? */
bool pt_lends(const pt_awaiter *awaiter);
bool pt_lend(const pt_awaiter *awaiter);
void pt_lend_back(const pt_awaiter *awaiter);
/* For patio_lent_ops.listen. */
void pt_lent_elsewhere(void *executor, uint32_t count);

/* job_ops.c */
extern const patio_job_ops pt_job_ops;

/* jobs.c */
patio_status pt_jobs_init(patio_broker *broker, uint32_t count, patio_error *err);
void         pt_jobs_fini(patio_broker *broker);
/* A free one, NULL if there is none. Once it is filled it is busy; then back to the free ones. */
pt_job *pt_job_take(patio_broker *broker);
void    pt_job_busy(pt_job *job);
/* In flight? Then it stays so, and the same, until it is unpinned. */
bool pt_job_pin(pt_job *job);
void pt_job_unpin(pt_job *job);
void pt_job_free(pt_job *job);
/* Whoever moves a manual clock waits for what moves: from busy on until it is settled, or left to
 * the clock. */
void pt_job_moving(patio_broker *broker, int by);
/* PT_TOLD_…, to the one with this tag, as soon as it is here; or to all that are busy. _now: false,
 * it is not here. */
void pt_jobs_tell(patio_broker *broker, patio_tag tag, uint32_t what);
bool pt_jobs_tell_now(patio_broker *broker, patio_tag tag, uint32_t what);
void pt_jobs_tell_all(patio_broker *broker, uint32_t what);

/* early.c */
/* Tell it a little later. */
void pt_early_add(patio_broker *broker, patio_tag tag, uint32_t what);

/* policy.c */
/* What a route's options say; CONFIG for a list of waits that is none. */
patio_status pt_route_policy(pt_route *route, patio_error *err);
/* Read "1s,10s,5min" into policy->backoff_list_ms. False: it is no such list, or too long. */
bool pt_policy_list(pt_policy *policy, const char *list);
/* For a delivery to job->end.route: sets job->end.policy, and returns the milliseconds that are
 * left to its caller, 0 for any time. Takes no memory. */
uint64_t pt_job_policy(pt_job *job, const patio_message *message);
/* What settling needs, kept beyond the job; *policy is room for the job's own. */
pt_ending pt_job_ending(const pt_job *job, pt_policy *policy);

/* settle.c */
/* Settle a delivery as its run asked. */
void pt_settle_outcome(const pt_ending *end, const patio_outcome *outcome);
/* Back to the transport, uncharged; it is handed out again after the delay. */
void               pt_settle_return(patio_broker *broker, patio_tag tag, uint64_t delay_ms);
static inline bool pt_wants_reply(const pt_ending *end)
{
    return (end->flags & (PATIO_MESSAGE_CALL | PATIO_MESSAGE_KEEP_RESULT)) != 0;
}

/* settle_later.c */
/* Settle and free a job that was not run, on the timer thread: nothing of the transport may be
 * called inside `delivered`. */
void pt_settle_later(pt_job *job, uint32_t verdict, patio_status status, uint64_t delay_ms);
/* Give back a delivery that there is no job for, on the timer thread. */
void pt_settle_no_job(patio_broker *broker, patio_tag tag);
/* What is left for later, now. */
void pt_settle_now(patio_broker *broker);

/* The route of a task by name, NULL if the registry has none. */
const pt_route *pt_broker_route(const patio_broker *broker, const char *task);

/* broker_elsewhere.c: what the configuration says of tasks that the registry does not have. CONFIG
 * for what it cannot say. */
patio_status pt_broker_read_elsewhere(patio_broker *broker, const patio_config *config,
                                      patio_error *err);
/* NULL: nothing. Takes no lock. */
const patio_task_options *pt_broker_elsewhere(const patio_broker *broker, const char *task);

#endif
