/* runtime/awaiter.h: how one run waits, whatever runs it.
 *
 * Where the executor can suspend a job (patio_suspend_ops) the job is parked and its thread runs
 * others; elsewhere the thread sleeps. What ends a wait is a ticket: a number that one waker has.
 * An awaiter lies in a job, whose memory stays as long as the broker, so an old waker finds a newer
 * ticket and does nothing.
 */
#ifndef PT_AWAITER_H
#define PT_AWAITER_H

#include <patio/await.h>
#include <patio/executor.h>

#include <stdatomic.h>
#include <stdbool.h>

typedef struct pt_run     pt_run;
typedef struct pt_awaiter pt_awaiter;

/* Tickets of one awaiter, each for another purpose: one does not void the other. */
enum {
    PT_TICKET_USER  = 0, /* patio_waker_new */
    PT_TICKET_CALL  = 1, /* futures */
    PT_TICKET_DEFER = 2, /* patio_deferred_… */
    PT_TICKETS      = 3,
};

struct pt_awaiter {
    const patio_suspend_ops *ops; /* NULL: its thread sleeps */
    patio_executor          *executor;
    patio_job               *job;
    const pt_run            *run;                 /* while its task runs */
    pt_awaiter              *outer;               /* the task on whose stack this one runs */
    _Atomic uint64_t         tickets[PT_TICKETS]; /* number << 1 | resumed */
    _Atomic uint32_t         pins;                /* threads that are waking it right now */
    _Atomic uint32_t         permit;              /* of a thread that sleeps: woken */
    _Atomic int32_t          wake_fd;             /* number + 1 of what a poll of it looks at */
    uint32_t                 issued;              /* bit per purpose of this run's tickets */
};

/* The task that this thread runs at this point, NULL in the loop of an executor and on other
 * threads. */
pt_awaiter *pt_await_current(void);
/* Around the task's function. */
void pt_await_enter(pt_awaiter *awaiter, const pt_run *run);
void pt_await_leave(pt_awaiter *awaiter);

/* A new ticket for one purpose; the ones before it are void. */
patio_waker pt_await_ticket(pt_awaiter *awaiter, unsigned purpose);
/* Void it; true if it was resumed. */
bool pt_await_void(pt_awaiter *awaiter, unsigned purpose);
/* Until the ticket is resumed: OK. CANCELLED and TIMEOUT (also of the run's own deadline) leave it
 * open. Shielded: only the ticket and until_ns end it. */
patio_status pt_await(pt_awaiter *awaiter, unsigned purpose, uint64_t until_ns, bool shielded);
/* Should the run end? CANCELLED, TIMEOUT or OK. */
patio_status pt_await_told(const pt_awaiter *awaiter, uint64_t now_ns);
/* The run's deadline; UINT64_MAX without one. */
uint64_t pt_await_deadline(const pt_awaiter *awaiter);
/* Let it look at its circumstances again. Any thread that has pinned it. */
void pt_await_wake(pt_awaiter *awaiter);
/* Between these two it does not end. */
void pt_await_pin(pt_awaiter *awaiter);
void pt_await_unpin(pt_awaiter *awaiter);
/* Nobody that had pinned it is at it any more. */
void pt_await_quiesce(pt_awaiter *awaiter);
/* All tickets are void, and nobody is waking it any more. */
void pt_await_end(pt_awaiter *awaiter);

/* The executor's wait for a descriptor; OK with *ready 0: woken, or the time is up. */
patio_status pt_await_park_fd(pt_awaiter *awaiter, int fd, uint32_t events, uint64_t until_ns,
                              uint32_t *ready);

/* await_fd.c */
patio_status pt_await_fd(pt_awaiter *awaiter, int fd, uint32_t events, uint64_t until_ns,
                         uint32_t *ready);

/* deferred.c: the end of a run whose function returned `st`. */
patio_status pt_deferred_finish(patio_context *ctx, patio_status st);

#endif
