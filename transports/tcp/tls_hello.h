/* tls_hello.h: the length of a ClientHello, before OpenSSL makes room for it.
 *
 * It takes one of 128 KiB, and has the room for it as soon as four bytes have announced it. No
 * client needs so much: here one has to be whole in one record, which is 16 KiB at most. That is
 * true of a second one, too, after a HelloRetryRequest; all other messages are shorter, or have a
 * limit that can be set. */
#ifndef TCP_TLS_HELLO_H
#define TCP_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_HELLO_HEAD = 5 + 4 }; /* the header of a record, and that of a message */

/* How far one is; all 0 at the beginning. */
typedef struct tls_hello {
    uint8_t head[TLS_HELLO_HEAD];
    uint8_t have;
    bool    over; /* no more of them will come: another message has, or the caller knows */
    size_t  skip; /* of this record */
} tls_hello;

/* What a client sends next, in the order it comes and in parts of any size, until the handshake is
 * done: then the caller sets `over`. False: a ClientHello is not whole in its record. */
bool tls_hello_fits(tls_hello *h, const uint8_t *data, size_t size);

#endif
