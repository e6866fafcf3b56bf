/* hostile_world.h: a worker process that has a stranger at its door, and an honest peer. */
#ifndef HOSTILE_WORLD_H
#define HOSTILE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "frame_ask.h"
#include "raw_peer.h"
#include "tcp_world.h"

#define KEY "open-sesame"

extern char          path[64]; /* of its socket */
extern char          urls[2][160];
extern pid_t         worker;
extern patio_broker *honest;
extern uint8_t       body[FRAME_BODY_MAX + 64];

/* Both, with those options of the URL. */
void serve(const char *options);
int  end_service(void **state); /* a teardown */
/* The honest peer is served. */
void expect_service(void);
/* The same, and the worker lives and has not grown much. */
void expect_alive(uint64_t before);

/* hostile_frames.c */
void random_bytes_do_no_harm(void **state);
void every_truncation_of_every_frame_is_survived(void **state);
void huge_lengths_are_refused(void **state);

/* hostile_handshakes.c */
void a_slow_drip_does_not_outlive_the_handshake(void **state);
void a_replayed_handshake_is_refused(void **state);
void a_reflected_handshake_is_refused(void **state);

#endif
