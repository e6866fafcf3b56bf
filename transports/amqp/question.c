/* Questions of the topology channel as methods. */
#include "transport.h"

static bool send_declare(connection *c, const rpc *r)
{
    patio_transport     *t = c->t;
    amqp_table_entry_t   entries[PLACE_ARGUMENTS];
    amqp_queue_declare_t declare = {.queue = wire_text(r->name), .durable = 1};
    if (r->kind == RPC_PASSIVE) {
        declare.passive = 1;
    } else if (r->kind == RPC_MARK) {
        declare.arguments = amqp_empty_table;
    } else if (r->kind == RPC_INBOX) {
        /* durable, so that a reply finds it after the broker's restart; gone a
         * while after us */
        entries[0] = (amqp_table_entry_t){
            .key   = wire_text("x-expires"),
            .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = (int64_t)t->set.reply_expires_ms}};
        declare.arguments = (amqp_table_t){.num_entries = 1, .entries = entries};
    } else {
        declare.arguments.entries     = entries;
        declare.arguments.num_entries = place_arguments(t, r->place, entries);
    }
    return wire_method(c, CH_TOPOLOGY, AMQP_QUEUE_DECLARE_METHOD, &declare);
}

bool question_send(connection *c, const rpc *r)
{
    amqp_queue_purge_t  purge  = {.queue = wire_text(r->name)};
    amqp_queue_delete_t remove = {.queue = wire_text(r->name)};
    char                control[NAME_MAX_BYTES];
    CONTROL_NAME(c->t, control);
    amqp_exchange_declare_t fanout = {.exchange = wire_text(r->name),
                                      .type     = wire_text("fanout"),
                                      .durable  = 1,
                                      .passive  = c->t->set.topology == TOPOLOGY_CHECK};
    amqp_queue_bind_t       bind   = {.queue = wire_text(r->name), .exchange = wire_text(control)};

    switch (r->kind) {
    case RPC_EXCHANGE:
        return wire_method(c, CH_TOPOLOGY, AMQP_EXCHANGE_DECLARE_METHOD, &fanout);
    case RPC_BIND:
        return wire_method(c, CH_TOPOLOGY, AMQP_QUEUE_BIND_METHOD, &bind);
    case RPC_PURGE:
        return wire_method(c, CH_TOPOLOGY, AMQP_QUEUE_PURGE_METHOD, &purge);
    case RPC_DELETE:
        return wire_method(c, CH_TOPOLOGY, AMQP_QUEUE_DELETE_METHOD, &remove);
    default:
        return send_declare(c, r);
    }
}
