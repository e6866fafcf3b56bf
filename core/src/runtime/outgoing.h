/* runtime/outgoing.h: what one call is made of, before it is encoded. */
#ifndef PT_OUTGOING_H
#define PT_OUTGOING_H

#include "runtime/broker.h"

/* What one call is made of, after defaults, the task's own and the parent's were laid under the
 * options. */
typedef struct pt_outgoing {
    const pt_route           *route; /* NULL: a task that this broker does not have */
    const patio_task_options *own;   /* of the task; NULL: nobody said anything */
    const patio_call_options *options;
    const char               *task;
    const char               *queue;
    uint64_t                  timeout_ms;
    uint64_t                  deadline_ns;
    uint32_t                  flags; /* PATIO_MESSAGE_… */
    uint32_t                  kind;
    uint16_t                  priority; /* shifted */
    const char               *traceparent;
    const char               *tracestate;
    uint64_t                  queue_ttl_ms;  /* 0: any time */
    uint64_t                  result_ttl_ms; /* 0: not kept */
    uint64_t                  delay_ms;
    const char               *dedup_key; /* "": none */
    uint64_t                  dedup_window_ms;
    uint32_t                  dedup_conflict;
    const pt_policy          *policy; /* what the caller said; NULL: nothing */
} pt_outgoing;

/* Room for what most calls do not have; written only as far as o points into it. */
typedef struct pt_outgoing_room {
    pt_policy policy;
    char      dedup_key[PT_ARGS_KEY_BYTES];
} pt_outgoing_room;

/* Lay defaults, route and parent under o->options; o->task, o->kind and o->options are set. Fails
 * as patio_start. */
patio_status pt_outgoing_prepare(patio_broker *broker, pt_outgoing *o, const patio_payload *payload,
                                 pt_outgoing_room *room, patio_error *err);

#endif
