/* turn.h: whose turn it is to run a transport's I/O. Compiled into each transport that offers
 * patio.poll/1.
 *
 * One thread at a time waits for I/O, reads and writes, raises the events and keeps the times. That
 * is a role, not a thread (Schmidt, O'Ryan, Kircher, Pyarali, Buschmann: "Leader/Followers", PLoP
 * 2000). By itself the instance's I/O thread has it. What a transport calls the I/O thread's own is
 * the role's: it passes with the lock.
 *
 * While one thread alone calls and waits, again and again, the role is lent to that thread, the
 * guest: it waits for its replies in epoll itself, and nobody has to wake it. The I/O thread is
 * parked on `passed` meanwhile. It takes the role back when the guest has not come for a moment, so
 * that an idle process sleeps in epoll, and at once when somebody else wants anything of the
 * transport (turn_recall): a second caller, a subscription, an operator, stop. Between two of its
 * calls nobody has the role; what comes in then waits, for no longer than that.
 *
 * Where tasks are executed, the guest may be a thread of the executor (patio.poller/1), which waits
 * for the next task as the other does for its reply. It keeps the role for as long as none comes;
 * while it runs one nobody has it, and if that takes longer than a moment, the I/O thread.
 */
#ifndef PATIO_TURN_H
#define PATIO_TURN_H

#include <patio/poll.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What the transport knows how to do; `self` is the transport. */
typedef struct io_turn_ops {
    /* Under the lock: what is waited for is all that there is to do here. */
    bool (*alone)(const void *self);
    /* Under the lock: without a guest, something is left to be done. */
    bool (*rest)(const void *self);
    /* Under the lock, which it opens meanwhile, by who has the role: do what is due, wait for I/O
     * and do it, once, no longer than until_ns of CLOCK_MONOTONIC. What is due may be all that
     * done(arg) waits for: look before sleeping. False: it cannot wait as exactly as that, and has
     * done nothing. */
    bool (*run)(void *self, patio_poll_done_fn done, const void *arg, uint64_t until_ns);
    /* Under the lock: whoever waits for I/O is to look up. */
    void (*kick)(void *self);
    /* Who has the role, inside an event: `run` is not to sleep before it has returned once. */
    void (*hurry)(void *self);
    /* The host's clock. */
    uint64_t (*now_ns)(const void *self);
    /* Without a guest, until the I/O thread has the role back: longer than from call to call. */
    uint64_t park_ns;
} io_turn_ops;

/* Under the lock. */
typedef struct io_turn {
    const io_turn_ops *ops;
    void              *self;
    pthread_mutex_t   *lock;        /* the transport's */
    pthread_cond_t     passed;      /* the role was put down, or is wanted */
    _Atomic uintptr_t  runner;      /* the thread that has the role; 0: none */
    uintptr_t          guest;       /* the thread that asked last */
    _Atomic bool       asked;       /* the guest waits for the I/O thread to put the role down */
    bool               parked;      /* the I/O thread has put it down */
    bool               wanted;      /* the I/O thread is to have it back at once */
    bool               asleep;      /* parked with no limit of time, for the guest stays long */
    bool               serves;      /* the transport's: tasks come at any time */
    uint32_t           streak;      /* waits that a guest might have done itself, in a row */
    uint64_t           polls;       /* how often a guest has had the role */
    uint64_t           left_ns;     /* when it was put down last */
    uint64_t           answered_ns; /* the transport's: when a call of ours was answered last, or
                                       we answered one */
} io_turn;

void turn_init(io_turn *u, const io_turn_ops *ops, void *self, pthread_mutex_t *lock);
void turn_fini(io_turn *u);

/* Has this thread the role? Any thread, with or without the lock. */
bool turn_is_mine(const io_turn *u);
/* The I/O thread begins and ends to have it. */
void turn_begin(io_turn *u);
void turn_end(io_turn *u);
/* The I/O thread, without the lock: lend it, if somebody asks, and return when it is back. */
void turn_lend(io_turn *u);

/* Under the lock. */
/* This thread will come and wait: for the reply to what it publishes, or for the next task. */
bool turn_will_poll(const io_turn *u);
/* Nobody has the role, and the I/O thread waits for the guest's next call. */
bool turn_is_free(const io_turn *u);
/* Whoever has the role is to put it down, and not to sleep before: a `kick` may have come before
 * the last look at what there is to do. */
bool turn_is_wanted(const io_turn *u);
/* The role goes to the I/O thread, and soon: somebody else than the guest wants something. */
void turn_recall(io_turn *u);
/* Something is to be done by whoever has the role. False: nobody has it, and the I/O thread was
 * told. */
bool turn_is_taken(io_turn *u);

/* A task has come in: those that come soon after the last was answered are a row. */
void turn_task_came(io_turn *u, uint64_t now_ns);

/* For `run`: how long it may sleep, in whole milliseconds; 0: it cannot wait so exactly. */
int turn_sleep_ms(uint64_t until_ns);

/* patio_poll_ops */
patio_status turn_poll(io_turn *u, patio_poll_done_fn done, const void *arg, uint64_t until_ns);
void         turn_interrupt(io_turn *u);

#endif
