/* turn.h: whose turn it is to run the loop.
 *
 * One thread at a time runs the libuv loop: it reads the sockets, raises the events and keeps the
 * times. That is a role, not a thread (Schmidt, O'Ryan, Kircher, Pyarali, Buschmann:
 * "Leader/Followers", PLoP 2000). By itself the instance's I/O thread has it, and sleeps in epoll.
 *
 * While one thread alone calls, one call after the other, the role is lent to that thread, the
 * guest: it waits for its reply in epoll itself, and nobody has to wake it. The I/O thread is
 * parked on `passed` meanwhile. It takes the role back when the guest has not come for PARK_NS, so
 * that an idle process sleeps in epoll, and at once when somebody else wants anything of the
 * transport (turn_recall): a second caller, a subscription, an operator, stop. Between two of its
 * calls nobody has the role; what comes in then waits, for no longer than that.
 */
#ifndef TCP_TURN_H
#define TCP_TURN_H

#include <patio/poll.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Under the lock. */
typedef struct io_turn {
    pthread_cond_t    passed;      /* the role was put down, or is wanted */
    _Atomic uintptr_t runner;      /* the thread that runs the loop; 0: none */
    uintptr_t         guest;       /* the thread that asked last */
    bool              asked;       /* the guest waits for the I/O thread to put the role down */
    bool              parked;      /* the I/O thread has put it down */
    bool              wanted;      /* the I/O thread is to have it back at once */
    bool              asleep;      /* parked with no limit of time, for the guest stays long */
    bool              serves;      /* something was subscribed: tasks come at any time */
    uint32_t          streak;      /* calls that a guest might have waited for, in a row */
    uint64_t          polls;       /* how often a guest has had the role */
    uint64_t          left_ns;     /* when it was put down last */
    uint64_t          answered_ns; /* when a call of ours was answered last */
    uv_timer_t        limit;       /* whoever runs the loop: the guest's time is over */
} io_turn;

/* turn.c */
extern const patio_poll_ops tcp_poll;

void turn_init(io_turn *u);
void turn_fini(io_turn *u);
/* Is this thread running the loop? Any thread, with or without the lock. */
bool turn_is_mine(const patio_transport *t);
/* The I/O thread begins and ends to have the role. */
void turn_begin(patio_transport *t);
void turn_end(patio_transport *t);
/* The I/O thread, which was told to leave the loop: lend it, and return when it is its own again.
 */
void turn_lend(patio_transport *t);

/* Under the lock. */
/* This thread will come and wait for the reply to what it publishes. */
bool turn_will_poll(const patio_transport *t);
/* The loop belongs to the I/O thread, and soon: somebody else than the guest wants something. */
void turn_recall(patio_transport *t);
/* Something is to be done by whoever runs the loop. False: nobody does, and the I/O thread was
 * told. */
bool turn_is_taken(patio_transport *t);

#endif
