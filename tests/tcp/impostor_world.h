/* impostor_world.h: a worker that connects, and the means to be who listens instead of the honest
 * one. */
#ifndef IMPOSTOR_WORLD_H
#define IMPOSTOR_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "place.h"
#include "raw_bodies.h"
#include "raw_listener.h"
#include "raw_peer.h"
#include "tcp_world.h"

#define IMPOSTOR_KEY "open-sesame"

enum { HANDSHAKE_MS = 500 };

extern place   own; /* where the worker listens, too */
extern int     listening;
extern uint8_t body[FRAME_BODY_MAX + 64];

/* A worker that has worked with the honest one, in whose place an impostor is now. For the setup of
 * cmocka; without a hurry it is not the clock that ends an opening. */
int begin(void **state);
int begin_hasty(void **state);
int begin_keyless(void **state);
int finish(void **state);

/* The worker closes, and was not taken in. */
void expect_kept_out(int fd);
/* It is there, has not grown, and works with the honest one again. */
void expect_unharmed(void);

/* impostor_cuts.c */
void every_truncation_of_the_opening_is_survived(void **state);
void every_truncation_of_the_welcome_leaves_it_shut(void **state);
void every_truncation_without_a_key_leaves_it_shut(void **state);
void every_truncation_of_every_frame_is_refused(void **state);

#endif
