/* turn.h: whose turn it is to run the loop.
 *
 * What this plugin calls the I/O thread is a role: whoever has it owns both connections, reads
 * them, keeps their heartbeats and raises events. One thread at a time has it (Schmidt et al.:
 * "Leader/Followers", PLoP 2000), by itself the thread that loop.c starts.
 *
 * While one thread alone calls, one call after the other, the role is lent to that thread, the
 * guest: it waits for its reply in poll() itself, and nobody has to wake it. The I/O thread is
 * parked on `passed` meanwhile. It takes the role back when the guest has not come for PARK_NS, and
 * at once when anybody else wants anything of the transport (turn_recall). Between two calls of the
 * guest nobody has the role; what comes in then waits, for no longer than that.
 */
#ifndef PATIO_AMQP_TURN_H
#define PATIO_AMQP_TURN_H

#include <patio/poll.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Under the lock. */
typedef struct io_turn {
    pthread_cond_t    passed;      /* the role was put down, or is wanted */
    _Atomic uintptr_t runner;      /* the thread that has the role; 0: none */
    uintptr_t         guest;       /* the thread that asked last */
    bool              asked;       /* the guest waits for the I/O thread to put the role down */
    bool              parked;      /* the I/O thread has put it down */
    bool              wanted;      /* the I/O thread is to have it back at once */
    bool              asleep;      /* parked with no limit of time, for the guest stays long */
    uint32_t          streak;      /* calls that a guest might have waited for, in a row */
    uint64_t          polls;       /* how often a guest has had the role */
    uint64_t          left_ns;     /* when it was put down last */
    uint64_t          answered_ns; /* when a call of ours was answered last */
} io_turn;

extern const patio_poll_ops poll_ops;

void turn_init(io_turn *u);
void turn_fini(io_turn *u);
/* Has this thread the role? Any thread, with or without the lock. */
bool turn_is_mine(const patio_transport *t);
/* The I/O thread begins and ends to have it. */
void turn_begin(patio_transport *t);
void turn_end(patio_transport *t);
/* The I/O thread, between two rounds: lend it if it was asked for, and return when it is its own
 * again. false: the transport ends. */
bool turn_lend(patio_transport *t);

/* Under the lock. */
/* Nobody has the role, and this thread, the guest, will come and wait for the reply to what it
 * publishes. */
bool turn_will_poll(const patio_transport *t);
/* This thread brings something: is it the guest with its next call, or somebody who wants an I/O
 * thread? */
void turn_publishes(patio_transport *t, bool call);
/* The role belongs to the I/O thread, and soon: somebody else than the guest wants something. */
void turn_recall(patio_transport *t);

#endif
