/* rpc.h: what is declared and asked, one after the other, on the topology channel. */
#ifndef PATIO_AMQP_RPC_H
#define PATIO_AMQP_RPC_H

#include "common.h"

/* ---- rpc.c: the topology channel ---- */
enum {
    RPC_DECLARE,
    RPC_PASSIVE,
    RPC_INBOX,
    RPC_EXCHANGE,
    RPC_BIND,
    RPC_MARK,
    RPC_PURGE,
    RPC_DELETE
};
struct rpc {
    rpc     *next;
    uint32_t kind;
    place   *place;  /* RPC_DECLARE */
    ask     *cancel; /* whose outcome depends on it */
    queue   *marked; /* whose state is looked at */
    uint32_t mark;
    /* a caller that waits; else it is freed when done */
    bool         awaited;
    bool         done;
    patio_status status;
    uint64_t     messages;
    uint64_t     consumers;
    char         name[NAME_MAX_BYTES];
    char         why[WHY_BYTES];
};
rpc *rpc_new(patio_transport *t, uint32_t kind, const char *name);
void rpc_add(patio_transport *t, rpc *r); /* under the lock */
void rpc_step(patio_transport *t);        /* under the lock: send the next */
rpc *rpc_take_first(patio_transport *t);  /* under the lock */
void rpc_method(patio_transport *t, const amqp_method_t *m);
void rpc_channel_closed(patio_transport *t, uint16_t code, const char *text);
void rpc_link_lost(patio_transport *t); /* under the lock */

/* ---- question.c, rpc_wait.c ---- */
bool question_send(connection *c, const rpc *r);
/* [blocks] Hand over, wait, take back. */
patio_status rpc_wait(patio_transport *t, rpc *r, uint64_t timeout_ms, patio_error *err);
void         rpc_remove_inbox(patio_transport *t, uint64_t until_ns);
void         rpc_decide(patio_transport *t); /* I/O thread, without the lock */

#endif
