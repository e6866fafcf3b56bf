/* read.h: a message that has come whole, in one frame or in pieces. Under the lock, on the I/O
 * thread.
 */
#ifndef TCP_READ_H
#define TCP_READ_H

#include "tcp.h"

typedef struct incoming {
    uint8_t     type;
    uint64_t    id;
    patio_bytes head; /* all of a short message, the head of a long one */
    patio_buf  *tail; /* of a long one, taken; NULL: it was dropped */
    bool        is_long;
} incoming;

/* pieces.c: a frame of a long message. NULL, or why the connection ends. */
const char *pieces_took(conn *c, const frame_header *h, patio_bytes body, effects *fx);
/* The beginning of such a frame: the rest is to be read to where it belongs, c->direct. */
const char *pieces_began(conn *c, const frame_header *h, patio_bytes body);
/* So many bytes of that rest were read. */
const char *pieces_came(conn *c, size_t size, effects *fx);
/* Every now and then, while there are any: those that do not go on. */
void pieces_look(conn *c, uint64_t now);
/* read.c: is the task with that tag with this peer? */
bool read_has_task(const conn *c, uint64_t tag);
/* What a message asks for. NULL, or why the connection ends. */
const char *read_message(conn *c, incoming *in, effects *fx);

#endif
