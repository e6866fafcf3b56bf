/* runtime/operate.h: what the files of patio/operate.h share. */
#ifndef PT_OPERATE_H
#define PT_OPERATE_H

#include <patio/operate.h>
#include <patio/ops.h>

#include "runtime/broker.h"

/* The interface of a running broker's transport. *timeout_ms and *queue (may be NULL) get their
 * defaults. INVALID, STATE, UNSUPPORTED; `what` is for the error: "purge". */
patio_status pt_operate(patio_broker *broker, const char *what, const char *id,
                        uint64_t *timeout_ms, const char **queue, const void **out,
                        patio_error *err);
/* What the transport returned, with its name as the error's origin. */
patio_status pt_operated(const patio_broker *broker, patio_status status, patio_error *err);

/* presence.c: a worker describes itself to whoever asks, as long as it runs. */
void pt_presence_start(patio_broker *broker);
void pt_presence_stop(patio_broker *broker);
/* What it says has changed in a way that others wait for. Under the broker's lock. */
void pt_presence_soon(patio_broker *broker);

/* A cancel whose outcome somebody waits for. */
typedef struct pt_cancelling {
    struct pt_cancelling *next;
    patio_id              id;
    uint32_t              outcome; /* 0: not known yet */
} pt_cancelling;

#endif
