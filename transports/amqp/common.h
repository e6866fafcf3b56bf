/* common.h: sizes, bytes to be written, and the names of what the other headers describe. */
#ifndef PATIO_AMQP_COMMON_H
#define PATIO_AMQP_COMMON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <amqp.h>

#include <patio/plugin_util.h>
#include <patio/transport.h>

enum {
    CH_TASKS    = 1, /* consuming: deliveries of tasks and their acknowledgements */
    CH_TOPOLOGY = 2, /* consuming: what is declared and asked, one after the other */
    CH_INBOX    = 3, /* consuming: replies and control messages */
    CH_PUBLISH  = 1, /* publishing: everything, in confirm mode */
    CH_BROWSE   = 4, /* consuming: looking through dead letters */
    CHANNELS    = 5,

    NAME_MAX_BYTES  = 256,
    PROJECT_BYTES   = 100, /* so that every name of the broker's fits into 255 bytes */
    QUEUE_BYTES     = 120,
    FRAME_MAX_BYTES = 131072,
    READ_BYTES      = 64 * 1024,
    DELAY_STEPS     = 36,
    WHY_BYTES       = 640,
    TAG_SLOT_BITS   = 20,
};

typedef struct place      place;
typedef struct queue      queue;
typedef struct post       post;
typedef struct delivery   delivery;
typedef struct rpc        rpc;
typedef struct ask        ask;
typedef struct tomb       tomb;
typedef struct browse     browse;
typedef struct letter     letter;
typedef struct inbound    inbound;
typedef struct connection connection;
typedef struct task_facts task_facts;

/* Bytes to be written. */
typedef struct obuf {
    uint8_t *data;
    size_t   size;
    size_t   capacity;
    size_t   done; /* of them written */
} obuf;

/* ---- wire.c: encoding; under the lock. false: out of memory ---- */
bool         obuf_add(patio_transport *t, obuf *b, const void *data, size_t size);
bool         wire_method(connection *c, uint16_t channel, uint32_t method, void *decoded);
bool         wire_body(connection *c, uint16_t channel, patio_bytes body);
bool         wire_heartbeat(connection *c);
amqp_bytes_t wire_text(const char *text);
void         wire_copy(char *out, size_t size, amqp_bytes_t text);
bool         wire_is(amqp_bytes_t text, const char *word);
void         obuf_clear(patio_transport *t, obuf *b);
/* Into memory of the caller's; 0: no room. No lock. */
size_t wire_put_method(uint8_t *at, size_t room, uint16_t channel, uint32_t method, void *decoded);
size_t wire_put_header(uint8_t *at, size_t room, uint16_t channel, uint64_t body_size,
                       amqp_basic_properties_t *p);

#endif
