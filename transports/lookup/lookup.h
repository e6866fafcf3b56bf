/* lookup.h: names of hosts, looked up by a thread of their own: the system's resolver blocks for as
 * long as it likes, and cannot be told to give up. Compiled into each transport that connects. */
#ifndef PATIO_LOOKUP_H
#define PATIO_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

/* Threads of a transport in this process, of all its instances, with those that were left behind.
 */
enum { LOOKUPS_MAX = 128 };

typedef struct lookup lookup;

/* Addresses that need no thread: a host in numbers, or localhost, which a file names. For
 * freeaddrinfo(). NULL: it is another name. */
struct addrinfo *lookup_at_once(const char *host, uint32_t port);
/* `done`, unless it is NULL, is called on that thread once lookup_end() may be. NULL: there is no
 * thread for it. */
lookup *lookup_begin(const char *host, uint32_t port, void (*done)(void *arg), void *arg);
bool    lookup_is_done(const lookup *l);
/* Blocks while it is not done. 0 or EAI_...; `found` is for freeaddrinfo(). */
int lookup_end(lookup *l, struct addrinfo **found);
/* Nobody wants to know any more: never blocks for longer than the thread needs that is done.
 * `done` is not called after this. */
void lookup_leave(lookup *l);

#endif
