/* runtime/job.h: one delivered task of a worker, from `delivered` until it has run.
 *
 *   jobs.c     the slab they lie in, found by their deliveries' tags
 *   early.c    what is said of those whose deliveries are not here yet
 *   policy.c   how often, how long, what then
 *   job_ops.c  for executors that do not call job->run;  report.c  progress
 */
#ifndef PT_JOB_H
#define PT_JOB_H

#include <stdatomic.h>

#include <patio/executor.h>
#include <patio/transport.h>

#include "base/arena.h"
#include "runtime/awaiter.h"
#include "runtime/broker.h"
#include "runtime/report.h"
#include "wire/policy.h"

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
    patio_id         id;
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

static inline bool pt_wants_reply(const pt_ending *end)
{
    return (end->flags & (PATIO_MESSAGE_CALL | PATIO_MESSAGE_KEEP_RESULT)) != 0;
}

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
/* For a delivery to job->end.route: sets job->end.policy, and returns the milliseconds that are
 * left to its caller, 0 for any time. Takes no memory. */
uint64_t pt_job_policy(pt_job *job, const patio_message *message);
/* What settling needs, kept beyond the job; *policy is room for the job's own. */
pt_ending pt_job_ending(const pt_job *job, pt_policy *policy);

#endif
