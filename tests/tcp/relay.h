/* relay.h: somebody in the middle, who forwards what both sides say. Each of its two ends is a
 * plain socket, or a TLS connection of its own. */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct relay_ends {
    bool        tls_in;      /* towards who connects to it */
    bool        tls_out;     /* towards the port it connects to; it trusts anybody */
    int         tls_version; /* the only one spoken, as TLS1_2_VERSION; 0: whatever both can */
    const char *cert_file;   /* what it shows to who connects */
    const char *key_file;
} relay_ends;

/* A process of its own: begin it before this one has threads. It listens on *port of 127.0.0.1. */
pid_t relay_begin(const relay_ends *ends, uint16_t to_port, uint16_t *port);
/* Its connections end with it. */
void relay_end(pid_t pid);

#endif
