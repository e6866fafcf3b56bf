/* Answers that cost the peer its question alone, as to a PING, to a CANCEL, or to a task that is
 * refused. It may ask as fast as it likes, so what bounds them is that who does not read its
 * answers is not heard. They are hardly longer than their questions: two honest peers, who ask
 * little, do not wait for each other. */
#include "tcp.h"

enum { ALL_FACTOR = 16 }; /* of all peers together, that of one taken so often */

void echo_write(conn *c, const frame_header *h, patio_bytes body, effects *fx)
{
    uint64_t size = FRAME_HEADER_BYTES + body.size;
    if (write_frame(c, h, body, NULL, 0)) {
        c->echoes += size;
        c->echoes_out += size;
        c->t->echoes += size;
        write_kick(c, fx);
    }
}

void echo_moved(conn *c)
{
    c->t->echoes -= c->echoes - c->echoes_out;
    c->echoes     = c->echoes_out;
    c->echoes_out = 0;
}

bool echo_is_behind(const conn *c)
{
    uint64_t most = c->t->set.write_queue_bytes;
    return c->echoes > most || (c->echoes > 0 && c->t->echoes / ALL_FACTOR > most);
}
