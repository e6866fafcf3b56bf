/* links.h: how many connections came to be or did not, by family of addresses. All under the lock.
 */
#ifndef TCP_LINKS_H
#define TCP_LINKS_H

#include <patio/transport.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct conn conn;

/* IPv4 inside IPv6 (::ffff:192.0.2.7) is IPv4. */
enum link_family { LINK_IPV4, LINK_IPV6, LINK_UNIX, LINK_FAMILIES };

typedef struct link_counts {
    uint64_t open;    /* now */
    uint64_t opened;  /* since the start, with those */
    uint64_t failed;  /* ended before they were open, on whichever side */
    uint64_t limited; /* turned away by a limit of this side */
    uint64_t bytes_in;
    uint64_t bytes_out;
} link_counts;

extern const char *const link_family_names[LINK_FAMILIES];

enum link_family links_family(const struct sockaddr *a);
/* A connection ends: what it counts for from now on. */
void links_left(conn *c, bool failed);
/* What has ended and what is open, added to what is there. */
void links_add(const patio_transport *t, link_counts sum[LINK_FAMILIES]);
/* The same as bytes of an ANSWER: FRAME_LINKS_BYTES of them. */
void links_put(const patio_transport *t, uint8_t *to);
void links_add_row(const uint8_t *row, link_counts sum[LINK_FAMILIES]);

#endif
