/* turn.h: whose turn it is to run the I/O.
 *
 * One thread at a time waits in epoll, reads the sockets, raises the events and does what is due.
 * That is a role, not a thread (Schmidt, O'Ryan, Kircher, Pyarali, Buschmann: "Leader/Followers",
 * PLoP 2000). By itself the instance's I/O thread has it. What the rest of this folder calls the
 * I/O thread's own is the role's: it passes with the lock.
 *
 * While one thread alone calls, one call after the other, the role is lent to that thread, the
 * guest: it waits for its reply in epoll itself, and nobody has to wake it. The I/O thread is
 * parked on `passed` meanwhile. It takes the role back when the guest has not come for PARK_NS, so
 * that an idle process sleeps in epoll, and at once when somebody else wants anything of the
 * transport (turn_recall): a second caller, a subscription, an operator, stop. Between two of its
 * calls nobody has the role; what comes in then waits, for no longer than that.
 */
#ifndef REDIS_TURN_H
#define REDIS_TURN_H

#include <patio/poll.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { AWAITED_MAX = 4 };

/* A call whose reply is due. */
typedef struct awaited {
    patio_id id;
    uint64_t until_ns; /* after that nobody waits for it; 0: none is here */
} awaited;

/* Under the lock. */
typedef struct io_turn {
    pthread_cond_t    passed;      /* the role was put down, or is wanted */
    _Atomic uintptr_t runner;      /* the thread that has the role; 0: none */
    uintptr_t         guest;       /* the thread that asked last */
    _Atomic bool      asked;       /* the guest waits for the I/O thread to put the role down */
    bool              parked;      /* the I/O thread has put it down */
    bool              wanted;      /* the I/O thread is to have it back at once */
    bool              asleep;      /* parked with no limit of time, for the guest stays long */
    bool              again;       /* the runner's own: not to sleep before it has looked again */
    bool              serves;      /* something was subscribed: tasks come at any time */
    uint32_t          streak;      /* waits that a guest might have done itself, in a row */
    uint64_t          polls;       /* how often a guest has had the role */
    uint64_t          left_ns;     /* when it was put down last */
    uint64_t          answered_ns; /* when something of ours was answered last */
    awaited           calls[AWAITED_MAX];
    _Atomic uint32_t  more_calls; /* beside these */
    uint64_t          more_until_ns;
} io_turn;

/* turn.c */
extern const patio_poll_ops redis_poll;

void turn_init(io_turn *u);
void turn_fini(io_turn *u);
/* Has this thread the role? Any thread, with or without the lock. */
bool turn_is_mine(const patio_transport *t);
/* The I/O thread begins and ends to have it. */
void turn_begin(patio_transport *t);
void turn_end(patio_transport *t);
/* The I/O thread, without the lock: lend it, if somebody asks, and return when it is back. */
void turn_lend(patio_transport *t);

/* Under the lock. */
/* The role goes to the I/O thread, and soon: somebody else than the guest wants something. */
void turn_recall(patio_transport *t);
/* Something is to be done by whoever has the role. False: nobody has it, and the I/O thread was
 * told. */
bool turn_is_taken(patio_transport *t);

/* turn_calls.c, under the lock */
/* This was published by this thread. */
void turn_published(patio_transport *t, const patio_message *m);
/* Its receipt has come; its reply has come, or will not come. */
void turn_accepted(patio_transport *t);
void turn_replied(patio_transport *t, const patio_id *id);
/* How many of the calls known by name are awaited. */
uint32_t turn_calls(const io_turn *u, uint64_t now);

#endif
