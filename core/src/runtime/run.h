/* runtime/run.h: one run of one task, wherever it happens: in a thread of the worker or in a child
 * process that has nothing but the registry. */
#ifndef PT_RUN_H
#define PT_RUN_H

#include <patio/executor.h>
#include <patio/task.h>

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/awaiter.h"
#include "runtime/registry.h"
#include "wire/envelope.h"

/* How a run reaches out of itself, wherever it is: to the broker beside it, or over a pipe to the
 * one in the parent. Nothing else leads from a task to the outside but patio_task_broker. */
typedef struct pt_run_host {
    /* The caller listens: this far. Never blocks. */
    void (*progress)(void *self, const patio_progress *progress);
    /* One line about the task of this id; its level was found to be shown. */
    void (*log)(void *self, const patio_id *id, int32_t level, const char *text);
} pt_run_host;

/* All that a run needs; borrowed until it is over. */
struct pt_run {
    const patio_allocator  *mem;
    const pt_run_host      *host;
    void                   *host_self;
    const pt_log           *log;    /* which levels are shown */
    patio_broker           *broker; /* NULL in a child */
    const pt_clock         *clock;  /* NULL: the real one */
    const pt_task          *task;
    const char             *project;
    patio_id                id; /* the transport's word; the envelope may be unreadable */
    patio_buf              *request;
    uint64_t                deadline_ns; /* of the call and of this attempt; 0: none */
    uint64_t                fence;
    uint32_t                attempt;
    bool                    wants_reply; /* somebody waits for the result */
    const _Atomic uint32_t *told;        /* non-zero: cancelled */
    uint64_t                max_body_bytes;
    uint64_t                max_decode_bytes;
    void                   *scratch; /* first memory of the arena; on the stack of the run */
    size_t                  scratch_bytes;
    pt_awaiter             *awaiter; /* NULL: one on the stack of the run */
};

/* Enough for most runs. A task that waits pays for it, and so it is not more. */
enum { PT_RUN_SCRATCH_BYTES = 1024 };

/* What the task function sees. */
struct patio_context {
    const pt_run   *run;
    pt_awaiter     *awaiter;
    patio_deferred *deferred; /* NULL unless it asked to be finished later */
    pt_arena        arena;
    pt_request      request;
    pt_payload_view payload;
    pt_values       values;

    patio_buf   *reply; /* of the last patio_return */
    patio_status status;
    int32_t      code;
    const char  *error_type;
    const char  *error_message;
    patio_bytes  error_details;
    uint64_t     delay_ms;
};

/* Run it to its end. Fills *out; out->reply is the caller's then. Never fails: what goes wrong is
 * an outcome. */
void pt_run_task(const pt_run *run, patio_outcome *out);

/* The error a run that was refused before its start is answered with: into out->reply. */
void pt_run_refuse(const pt_run *run, patio_status status, const char *type, const char *message,
                   patio_outcome *out);
/* The same for a request that could not be decoded. */
void pt_run_undecodable(const pt_run *run, patio_status status, const patio_error *err,
                        patio_outcome *out);
/* How a run ended that was not pt_run_task's: see patio_job_ops. */
void pt_run_succeed(const pt_run *run, const patio_payload *result, patio_outcome *out);
void pt_run_fail(const pt_run *run, patio_status status, uint64_t delay_ms, int32_t code,
                 const char *type, const char *message, patio_outcome *out);

/* A request for a task of `project`, whole. Fails as pt_decode_request and pt_decode_values, and
 * with PROTOCOL for another project's. */
patio_status pt_decode_task(pt_arena *arena, patio_bytes bytes, const char *project,
                            pt_request *request, pt_payload_view *payload, pt_values *values,
                            patio_error *err);

#endif
