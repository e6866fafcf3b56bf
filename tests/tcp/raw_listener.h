/* raw_listener.h: who listens, made by hand: to tell one that connects what an honest one would
 * not.
 */
#ifndef RAW_LISTENER_H
#define RAW_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* On a UNIX socket; what lay there is removed. */
int raw_listen(const char *path);
/* The next one who connects, within ten seconds; it never blocks for longer than that. */
int raw_accept(int listening);
/* A HELLO of a side that listens. */
void raw_hello_listens(uint8_t hello[FRAME_HELLO_BYTES], const char *key);
/* What both said of an opening: HELLO of who connects, of who listens, and the listening proof. */
typedef struct raw_opening {
    uint8_t theirs[FRAME_HELLO_BYTES];
    uint8_t own[FRAME_HELLO_BYTES];
    uint8_t proof[FRAME_MAC_BYTES];
} raw_opening;
/* Its HELLO came; nothing was said yet. */
void raw_greeted(int fd, raw_opening *o, const char *key);
/* All of the opening, as who has the key; up to and with WELCOME. */
int raw_let_in(int listening, const char *key, raw_opening *o);
/* Read until it closes: true if it was never shown an open side, that is no ANNOUNCE or task and,
 * where there is a key, no proof. */
bool raw_kept_out(int fd);

#endif
