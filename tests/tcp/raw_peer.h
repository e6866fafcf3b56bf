/* raw_peer.h: a peer made by hand, to say what an honest one would not. */
#ifndef RAW_PEER_H
#define RAW_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"

/* A connected socket; it never blocks for more than 10 s. Fails the test if nobody listens. */
int raw_connect(const char *path);
/* The same over TCP on this machine, from an address of 127.0.0.0/8 of one's choice; -1: refused.
 */
int raw_connect_from(const char *own_address, uint16_t port);
/* From anywhere, to a port that is about to be listened on. */
int raw_connect_port(uint16_t port);
/* All of it; false: the other side has closed. */
bool raw_send(int fd, const void *data, size_t size);
bool raw_frame(int fd, uint8_t type, uint64_t id, const void *body, size_t size);
/* The next frame; body has room for FRAME_BODY_MAX. false: closed. */
bool raw_read(int fd, frame_header *h, uint8_t *body);
/* Does the other side close within ten seconds? What it says before is thrown away. */
bool raw_closed(int fd);
/* The highest version that it claims to speak. */
extern uint8_t raw_version;
/* Who it claims to be. */
extern uint64_t raw_incarnation;
/* A HELLO of a side that connects. */
void raw_hello(uint8_t hello[FRAME_HELLO_BYTES], const char *key, uint8_t first_of_nonce);
/* Connect and prove the key; with what was sent in sent[] (HELLO and AUTH bodies), if not NULL. */
int raw_open(const char *path, const char *key, uint8_t sent[FRAME_HELLO_BYTES + FRAME_MAC_BYTES]);
/* The same on a connection that was made. */
int raw_prove(int fd, const char *key, uint8_t sent[FRAME_HELLO_BYTES + FRAME_MAC_BYTES]);
/* An ANNOUNCE of one queue "default" with one task, or none (""). */
size_t raw_announce(uint8_t *to, const char *task, uint32_t credit);
/* A PUBLISH of a call. */
size_t raw_publish(uint8_t *to, uint64_t number, const char *task, size_t body_bytes);

/* A worker process; its log goes nowhere. It is not ready yet. */
pid_t    worker_begin(const char *const *urls);
void     worker_end(pid_t pid);
uint64_t worker_resident_bytes(pid_t pid);

#endif
