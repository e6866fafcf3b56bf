/* runtime/worker.h: the worker's way of a task.
 *
 *   worker.c    what the transport says: delivery -> job -> executor
 *   held.c      whose turn is it?  ahead.c  what waited too long for its turn
 *   job_run.c   on the executor's thread
 *   settle.c    the end of a run;  settle_later.c  of what is not run
 *   lend.c      slots of tasks that wait
 */
#ifndef PT_WORKER_H
#define PT_WORKER_H

#include "runtime/job.h"
#include "runtime/run.h"

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

/* held.c: jobs that an executor has no room for, or whose turn it is not, wait here, with their
 * credit. */
void pt_held_add(pt_executor *x, pt_job *job);
void pt_held_submit(pt_executor *x);
/* A slot is free again. */
void pt_held_freed(pt_executor *x);
/* For all executors: whose turn is it? */
void pt_held_look(void *self);
/* The broker stops: back with them. */
void pt_held_return(patio_broker *broker);
void pt_worker_room(void *self);

/* lend.c */
/* Is there a slot to lend at all, under this executor? */
bool pt_lends(const pt_awaiter *awaiter);
/* True if the slot of the run was lent; then it is to be taken back. */
bool pt_lend(const pt_awaiter *awaiter);
void pt_lend_back(const pt_awaiter *awaiter);
/* For patio_lent_ops.listen. */
void pt_lent_elsewhere(void *self, uint32_t count);

/* settle.c */
/* Settle a delivery as its run asked. */
void pt_settle_outcome(const pt_ending *end, const patio_outcome *outcome);
/* Back to the transport, uncharged; it is handed out again after the delay. */
void pt_settle_return(patio_broker *broker, patio_tag tag, uint64_t delay_ms);

/* dead_log.c */
/* Name it in the log, before it is settled. */
struct pt_death;
void pt_dead_log(const pt_ending *end, const struct pt_death *death);

/* settle_later.c */
/* Settle and free a job that was not run, on the timer thread: nothing of the transport may be
 * called inside `delivered`. */
void pt_settle_later(pt_job *job, uint32_t verdict, patio_status status, uint64_t delay_ms);
/* Give back a delivery that there is no job for, on the timer thread. */
void pt_settle_no_job(patio_broker *broker, patio_tag tag);
/* What is left for later, now. */
void pt_settle_now(patio_broker *broker);

#endif
