/* runtime/future.h: calls in flight.
 *
 * A broker's futures live in a table of fixed slots that never move and are never freed while the
 * broker lives, so a late reply may look at any slot without a lock. A call's number is
 * generation << PT_SLOT_BITS | slot, its id the broker's incarnation and that number: a reply finds
 * its future in one step, and one for an older call in the same slot does not match.
 */
#ifndef PT_FUTURE_H
#define PT_FUTURE_H

#include <patio/call.h>
#include <patio/message.h>
#include <patio/poll.h>
#include <patio/spin.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/stack.h"
#include "runtime/awaiter.h"
#include "wire/envelope.h"

enum {
    PT_SLOT_BITS   = 20,
    PT_SLOTS_MAX   = 1 << PT_SLOT_BITS,
    PT_CHUNK_BITS  = 8,
    PT_CHUNK_SLOTS = 1 << PT_CHUNK_BITS,
    /* The first slots, which the free stack gives out most, keep the memory of their readings. */
    PT_KEPT_READINGS = 1024,
};

/* The low byte of a future's word; the rest is its number. */
enum {
    PT_FUTURE_FREE    = 0,
    PT_FUTURE_PENDING = 1,
    PT_FUTURE_CLAIMED = 2, /* somebody is completing it */
    PT_FUTURE_DONE    = 3,
};

typedef struct pt_reading pt_reading; /* a decoded reply */
typedef struct pt_futures pt_futures;

/* A task that waits for a future; on its stack. */
typedef struct pt_waiting {
    struct pt_waiting  *next;
    struct pt_waiting **at; /* what points to this one; NULL: it is in no list */
    patio_waker         waker;
} pt_waiting;

struct patio_future {
    _Atomic uint64_t word; /* number << 8 | state */
    _Atomic uint32_t done; /* what waiters sleep on: 0, then 1 */
    _Atomic uint32_t sleepers;
    _Atomic uint32_t pollers; /* waiters that run the I/O of the transport meanwhile */
    _Atomic uint32_t refs;    /* the user's, and the flight's */
    uint32_t         slot;
    _Atomic uint32_t next_free; /* slot + 1 in the free list, or in that of owed callbacks */
    patio_status     status;
    _Atomic uint64_t deadline_ns; /* UINT64_MAX: none */
    pt_futures      *table;
    patio_buf       *reply; /* the envelope, for a call that was answered */
    patio_done_fn    on_done;
    void            *on_done_arg;
    pt_reading      *reading; /* made by the first read */
    pt_reading      *spare;   /* kept for the next one in this slot */
    char            *problem; /* text of a failure without a reply; may be NULL */
    const char      *queue;   /* where it was sent, for cancelling; interned */
    uint32_t         level;
    uint32_t         kind; /* PT_KIND_CALL, PT_KIND_SEND */

    pt_waiting      *waiting;  /* tasks; under the table's `waiting` */
    _Atomic uint32_t awaiting; /* how many */

    _Atomic bool      listens; /* to progress; also looked at when the slot is another call's */
    patio_progress_fn on_progress;
    void             *on_progress_arg;
    patio_progress   *progress; /* the latest; under the table's `reporting` */
};

struct pt_futures {
    patio_broker            *broker;
    const patio_poll_ops    *poll; /* NULL: the transport does its I/O alone */
    patio_transport         *transport;
    const pt_clock          *clock;
    const patio_allocator   *mem;
    uint64_t                 incarnation;
    uint64_t                 max_decode_bytes;
    uint32_t                 max_slots;
    uint32_t                 chunk_count;
    pthread_mutex_t          growing;
    pthread_mutex_t          reporting;
    pthread_mutex_t          waiting;
    _Atomic uint32_t         made; /* slots that exist */
    _Atomic(patio_future *) *chunks;
    _Alignas(64) pt_stack free;
    pt_stack owed;                        /* callbacks that could not run where a future was done */
    _Alignas(64) _Atomic uint32_t crowd;  /* waiters on several futures; they sleep on `tide` */
    _Atomic uint32_t tide;                /* moves with every completion while there is a crowd */
    _Atomic uint64_t sweep_ns;            /* when the deadlines are looked at next */
    _Alignas(64) patio_spin spin;         /* written by waiters, apart from what completers read */
    void (*sooner)(patio_broker *broker); /* a deadline before sweep_ns was added */
};

patio_status pt_futures_init(pt_futures *table, const patio_allocator *mem, uint32_t max_slots,
                             patio_error *err);
void         pt_futures_fini(pt_futures *table);

/* Until when a waiter may sleep for this one's deadline: with a manual clock, whoever moves it ends
 * what is due. */
static inline uint64_t pt_future_sleep_end(const patio_future *future)
{
    return future->table->clock->manual ? UINT64_MAX : atomic_load(&future->deadline_ns);
}

/* A future with both references that nobody else can end yet, or FULL, NO_MEMORY. Fill in queue and
 * on_done, then open it: from then on it is pending. Returns its word. */
patio_status pt_future_new(pt_futures *table, uint32_t kind, patio_future **out, patio_error *err);
uint64_t     pt_future_open(patio_future *future, uint64_t deadline_ns);
/* Away with both references, of one that was never opened, or is claimed. */
void     pt_future_drop(patio_future *future);
void     pt_future_unref(patio_future *future);
patio_id pt_future_make_id(const patio_future *future);
/* The future in flight under an id, for completing; NULL if there is none any more. */
patio_future *pt_futures_claim(pt_futures *table, const patio_id *id);
/* Finish a claimed one, on a thread of patio. reply is taken (may be NULL); problem may be NULL,
 * and is copied. */
void pt_future_complete(patio_future *future, patio_status status, patio_buf *reply,
                        const char *problem);
/* The same on a thread of the application, where no callback may run. */
void pt_future_give_up(patio_future *future, patio_status status, const char *problem);
/* Claim it if it is still pending under that word. */
bool pt_future_claim_word(patio_future *future, uint64_t word);

/* future_await.c: waiting inside a task; *index of the first that is done. OK, CANCELLED, TIMEOUT,
 * NO_MEMORY. */
patio_status pt_future_await(pt_awaiter *me, patio_future *const *futures, size_t count,
                             uint64_t until_ns, size_t *index);
/* It is done: wake the tasks that wait for it. */
void pt_future_wake_tasks(patio_future *future);
/* future_wait.c: end it if its deadline has passed. */
void pt_future_expire(patio_future *future, uint64_t now_ns);

/* The last reference has gone. */
void pt_future_forget_progress(patio_future *future);
/* A report came for a call in flight; dropped for any other. */
void pt_futures_report(pt_futures *table, const patio_id *id, const patio_progress *progress);

/* Complete everything that is due, as TIMEOUT; returns when to come back (UINT64_MAX: never). */
uint64_t pt_futures_sweep(pt_futures *table, uint64_t now_ns);
/* Complete everything that is pending. */
void     pt_futures_fail_all(pt_futures *table, patio_status status, const char *problem);
uint32_t pt_futures_pending(const pt_futures *table);

/* callback.c: on_done runs on a thread of patio, and never inside the start of its own call, though
 * a transport may end a call in there. */
typedef struct pt_starting {
    const struct pt_starting *outer; /* a callback may start calls in its turn */
    const patio_future       *future;
} pt_starting;
void pt_callback_hold(pt_starting *starting, const patio_future *future);
void pt_callback_release(const pt_starting *starting);
bool pt_callback_may_run(const patio_future *future);
void pt_callback_run(patio_future *future); /* and drop the flight's reference */
void pt_callback_owe(patio_future *future); /* run it soon, on the timer thread */
/* Run what is owed, now. */
void pt_callbacks_pay(patio_broker *broker);

patio_future *pt_futures_at(const pt_futures *table, uint32_t slot);
void          pt_reading_free(const patio_allocator *mem, pt_reading *reading);
/* Empty, for another reply. */
void pt_reading_reset(pt_reading *reading);

#endif
