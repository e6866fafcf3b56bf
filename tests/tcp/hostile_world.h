/* hostile_world.h: a worker, an honest peer of it, and the means to be another one. */
#ifndef HOSTILE_WORLD_H
#define HOSTILE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "place.h"
#include "raw_peer.h"
#include "tcp_world.h"

/* A sanitizer keeps what was freed for a while, and bytes of its own for each: of ten thousand
 * connections as much again. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { GROWTH_BYTES = 192 * 1024 * 1024 };
#else
enum { GROWTH_BYTES = 64 * 1024 * 1024 };
#endif

extern place         site;
extern pid_t         worker;
extern patio_broker *honest;
extern const char   *key; /* of the worker; none inside TLS, where a raw peer cannot prove it */
extern uint8_t       body[FRAME_BODY_MAX + 64];

/* Begin the worker and the honest peer; scheme is unix, tcp or tls. */
void serve(const char *scheme, const char *options);
/* For the teardown of cmocka. */
int end_service(void **state);
/* A raw peer at the worker's socket: inside TLS what it says is no TLS. */
int stranger(void);
/* One that is let in; inside TLS, through a relay. */
int insider(void);

/* The honest peer's call works. */
void expect_service(void);
/* And the worker has not grown by more than GROWTH_BYTES since it had so many. */
void expect_alive(uint64_t before);

/* hostile_frames.c; *state is the scheme, here and below */
void random_bytes_do_no_harm(void **state);
void every_truncation_of_every_frame_is_refused(void **state);
void every_truncation_of_a_long_message_is_refused(void **state);
void huge_lengths_are_refused(void **state);

/* hostile_handshakes.c */
void random_bytes_of_strangers_do_no_harm(void **state);
void every_truncation_of_the_opening_is_refused(void **state);
void a_slow_drip_does_not_outlive_the_handshake(void **state);
void a_replayed_handshake_is_refused(void **state);
void a_reflected_handshake_is_refused(void **state);

#endif
