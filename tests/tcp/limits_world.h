/* limits_world.h: a broker with limits, an honest peer of it, and strangers from other addresses.
 */
#ifndef LIMITS_WORLD_H
#define LIMITS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "raw_peer.h"
#include "tcp_world.h"

enum { TRIES = 600 };

extern patio_broker *honest;
extern uint16_t      port;
extern pid_t         worker;

patio_broker *open_broker(patio_registry *registry, const char *url);
/* A broker with task "add" on a TCP port of the kernel's choice, and one that is connected to it.
 */
void serve(patio_registry **registry, const char *options);
void expect_service(const char *task);
int  end_all(void **state);

/* What a side that connects hears first: the other's HELLO (-1), or why it has to go. */
int answer_to(int fd);
int knock(const char *from);
/* It is let in sooner or later. */
void expect_let_in(const char *from);

/* limits_flood.c */
void a_flood_from_one_address_takes_its_connections_only(void **state);
void a_flood_from_one_address_takes_its_handshakes_only(void **state);

#endif
