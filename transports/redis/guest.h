/* guest.h: a thread that waits for its reply, or for its receipt, runs the I/O (turn.h). */
#ifndef REDIS_GUEST_H
#define REDIS_GUEST_H

#include "awaited.h"
#include "turn.h"

extern const io_turn_ops    redis_turn;
extern const patio_poll_ops redis_poll;

/* Under the lock. */
/* This was published by this thread. */
void guest_published(patio_transport *t, const patio_message *m);
/* Its receipt has come; its reply has come, or will not come. */
void guest_accepted(patio_transport *t);
void guest_replied(patio_transport *t, const patio_id *id);

#endif
