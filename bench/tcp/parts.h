/* parts.h: what the parts of patio-bench-tcp share. */
#ifndef BENCH_TCP_PARTS_H
#define BENCH_TCP_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <sys/types.h>

#include "frame.h"

enum { BENCH_MOST = 20000, BENCH_SECONDS = 5 };

/* ---- world.c ---- */

extern uint16_t bench_port; /* the worker's, on loopback, in host order */

/* What failed, why, and the end. */
void               bench_stop_with(const char *what);
uint64_t           bench_now_ns(void);
struct sockaddr_in bench_address(uint16_t port);
/* A socket that listens on a free port of loopback; and a port that was free just now. */
int      bench_listen(uint16_t *port);
uint16_t bench_free_port(void);
/* `options` are those of its URL. */
pid_t bench_begin_worker(const char *options);
/* A field of /proc/PID/status in bytes. */
uint64_t bench_memory_of(pid_t pid, const char *field);
/* User and system ticks so far. */
unsigned long bench_ticks_of(pid_t pid);

/* ---- peer.c: peers made by hand, without a key ---- */

/* A connection to the worker, which may still be starting. */
int    peer_join(void);
void   peer_put_all(int fd, const void *data, size_t size);
size_t peer_put_frame(uint8_t *to, uint8_t type, uint64_t id, const void *body, size_t size);
void   peer_get_frame(int fd, frame_header *h, uint8_t *body);
/* Say hello, and that it offers nothing. */
void peer_greet(int fd, uint64_t incarnation);

/* ---- fair.c, large.c ---- */

void bench_fair(int count);
void bench_large(int mib);

#endif
