/* guest.h: a thread that waits for its reply runs the I/O (turn.h), except with TLS. */
#ifndef AMQP_GUEST_H
#define AMQP_GUEST_H

#include "turn.h"

extern const io_turn_ops    amqp_turn;
extern const patio_poll_ops amqp_poll;

/* Under the lock. */
/* Nobody has the role, and this thread, the guest, will come and wait for the reply to what it
 * publishes. */
bool guest_will_poll(const patio_transport *t);
/* This thread brings something: is it the guest with its next call, or somebody who wants an I/O
 * thread? */
void guest_publishes(patio_transport *t, bool call);

#endif
