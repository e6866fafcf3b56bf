/* guest.h: a thread that waits for its reply runs the libuv loop (turn.h). */
#ifndef TCP_GUEST_H
#define TCP_GUEST_H

#include "turn.h"

extern const io_turn_ops    tcp_turn;
extern const patio_poll_ops tcp_poll;

#endif
