#include "tls_hello.h"

enum { RECORD_HEAD = 5, MESSAGE_HEAD = 4, RECORD_HANDSHAKE = 22, MESSAGE_CLIENT_HELLO = 1 };

/* One more byte of the head has come. */
static bool look(tls_hello *h)
{
    size_t body = (size_t)h->head[3] << 8 | h->head[4];
    if (h->have == RECORD_HEAD && h->head[0] == RECORD_HANDSHAKE) {
        return body >= MESSAGE_HEAD;
    }
    if (h->have == RECORD_HEAD) {
        h->skip = body;
        h->have = 0;
    }
    if (h->have < TLS_HELLO_HEAD) {
        return true;
    }
    size_t size = (size_t)h->head[6] << 16 | (size_t)h->head[7] << 8 | h->head[8];
    h->over     = h->head[5] != MESSAGE_CLIENT_HELLO;
    h->skip     = body - MESSAGE_HEAD;
    h->have     = 0;
    return h->over || size == h->skip;
}

bool tls_hello_fits(tls_hello *h, const uint8_t *data, size_t size)
{
    bool fits = true;
    for (size_t at = 0; at < size && fits && !h->over;) {
        size_t left = size - at;
        size_t once = left < h->skip ? left : h->skip;
        at += once;
        h->skip -= once;
        if (once < left) {
            h->head[h->have++] = data[at++];
            fits               = look(h);
        }
    }
    return fits;
}
