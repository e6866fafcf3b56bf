/* lookup.h: names of hosts, looked up by a thread of their own: the system's resolver blocks for as
 * long as it likes, and cannot be told to give up. */
#ifndef TCP_LOOKUP_H
#define TCP_LOOKUP_H

#include <netdb.h>
#include <stdint.h>
#include <uv.h>

/* Threads in this process, of all instances, with those that were left behind. */
enum { LOOKUPS_MAX = 128 };

typedef struct lookup lookup;

/* An address that is written in numbers, without a thread; NULL: it is a name. For freeaddrinfo().
 */
struct addrinfo *lookup_number(const char *host, uint32_t port);
/* `done` is sent once lookup_end() may be called. NULL: there is no thread for it. */
lookup *lookup_begin(const char *host, uint32_t port, uv_async_t *done);
/* 0 or EAI_...; `found` is for freeaddrinfo(). */
int lookup_end(lookup *l, struct addrinfo **found);
/* Nobody wants to know any more. `done` is not touched after this. */
void lookup_leave(lookup *l);

#endif
