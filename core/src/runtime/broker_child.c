/* What an executor that runs tasks in other processes is told, and how those reach the broker. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "child/child.h"
#include "runtime/broker.h"
#include "runtime/registry_state.h"

static patio_status relay_publish(void *self, const patio_message *message, patio_error *err)
{
    patio_broker *b = self;
    return b->transport_plugin->ops.publish(b->transport, message, err);
}

static patio_status relay_cancel(void *self, const char *queue, const patio_id *id,
                                 patio_error *err)
{
    patio_broker *b = self;
    return b->transport_plugin->ops.cancel(b->transport, queue, id, err);
}

void pt_broker_child_setup(patio_broker *b)
{
    const patio_registry *r       = b->registry;
    const char           *program = pt_child_program();
    b->child                      = (patio_child_setup){
                             PATIO_SIZED(patio_child_setup),
                             .task_count       = (uint32_t)patio_registry_count(r),
                             .fingerprint      = pt_registry_fingerprint(r),
                             .project          = b->project,
                             .program          = program != NULL ? program : pt_child_helper(),
                             .modules          = (const char *const *)r->modules,
                             .module_count     = (uint32_t)r->module_count,
                             .embedded         = program != NULL,
                             .max_body_bytes   = b->max_body_bytes,
                             .max_decode_bytes = b->max_decode_bytes,
                             .self             = b,
                             .publish          = relay_publish,
                             .cancel           = relay_cancel,
    };
}

bool pt_broker_relay_reply(patio_broker *b, const patio_reply *reply)
{
    for (size_t i = 0; i < b->executor_count; i++) {
        const pt_executor *x = &b->executors[i];
        if (x->relay != NULL && x->relay->replied(x->instance, reply) != 0) {
            return true;
        }
    }
    return false;
}

bool pt_broker_relay_receipt(patio_broker *b, const patio_receipt *receipt)
{
    for (size_t i = 0; i < b->executor_count; i++) {
        const pt_executor *x = &b->executors[i];
        if (x->relay != NULL && x->relay->published(x->instance, receipt) != 0) {
            return true;
        }
    }
    return false;
}
