/* What a broker's transport knows of its links. */
#include <patio/peers.h>

#include "base/error.h"
#include "runtime/broker.h"

/* The table, or NULL with the reason. */
static const patio_peers_ops *find(const patio_broker *b, patio_error *err, patio_status *st)
{
    const patio_peers_ops *ops = NULL;
    if (b == NULL || atomic_load(&b->state) != PT_BROKER_RUNNING) {
        *st = pt_fail(err, b == NULL ? PATIO_INVALID : PATIO_STATE, "broker", "peers: %s",
                      b == NULL ? "broker is NULL" : "the broker is not running");
        return NULL;
    }
    if (b->transport_plugin->ops.query != NULL) {
        ops = b->transport_plugin->ops.query(b->transport, PATIO_PEERS_ID);
    }
    if (ops == NULL) {
        *st = pt_fail(err, PATIO_UNSUPPORTED, "broker",
                      "peers: transport %s does not connect processes directly",
                      b->transport_plugin->identity->name);
    }
    return ops;
}

patio_status patio_broker_peers(patio_broker *b, patio_peer_visit_fn visit, void *arg,
                                patio_error *err)
{
    patio_status           st  = PATIO_INVALID;
    const patio_peers_ops *ops = find(b, err, &st);
    if (ops != NULL && visit == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "peers: visit is NULL");
    }
    return ops != NULL ? ops->list(b->transport, visit, arg, err) : st;
}

patio_status patio_broker_address(patio_broker *b, size_t index, char *text, size_t room,
                                  patio_error *err)
{
    patio_status           st  = PATIO_INVALID;
    const patio_peers_ops *ops = find(b, err, &st);
    if (ops == NULL) {
        return st;
    }
    if (text == NULL || room == 0) {
        return pt_fail(err, PATIO_INVALID, "broker", "address: no room for the text");
    }
    return PATIO_HAS(patio_peers_ops, ops, address) && ops->address != NULL
               ? ops->address(b->transport, index, text, room, err)
               : pt_fail(err, PATIO_UNSUPPORTED, "broker", "address: transport %s does not listen",
                         b->transport_plugin->identity->name);
}
