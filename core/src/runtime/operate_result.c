/* What became of a task, by its id. */
#include "runtime/operate.h"

#include <string.h>

#include "base/error.h"

const char *patio_task_state_name(uint32_t state)
{
    switch (state) {
#define PATIO_X(name, value, word, text)                                                           \
    case PATIO_STATE_##name:                                                                       \
        return word;
        PATIO_TASK_STATE_MAP(PATIO_X)
#undef PATIO_X
    default:
        return "?";
    }
}

/* A kept reply is read like any other: through a future that is done. Takes the reply. */
static patio_status as_future(patio_broker *b, patio_buf *reply, patio_future **out,
                              patio_error *err)
{
    patio_future *f  = NULL;
    patio_status  st = pt_future_new(&b->futures, PT_KIND_CALL, &f, err);
    if (st != PATIO_OK) {
        pt_buf_drop(reply);
        return st;
    }
    uint64_t word = pt_future_open(f, UINT64_MAX);
    if (!pt_future_claim_word(f, word)) {
        pt_buf_drop(reply); /* a stop was faster: it is done, as cancelled */
    } else {
        pt_future_complete(f, PATIO_OK, reply, NULL);
    }
    *out = f;
    return PATIO_OK;
}

patio_status patio_result_get(patio_broker *b, const char *queue, patio_id id, uint64_t timeout_ms,
                              patio_task_report *report, patio_future **out, patio_error *err)
{
    const void   *found  = NULL;
    patio_future *future = NULL;
    patio_result  r      = {PATIO_SIZED(patio_result)};
    if (!PATIO_HAS(patio_task_report, report, ttl_ms)) {
        return pt_fail(err, PATIO_INVALID, "broker", "result: report's struct_size is not set");
    }
    patio_status st =
        pt_operate(b, "get a result", PATIO_RESULTS_ID, &timeout_ms, &queue, &found, err);
    if (st == PATIO_OK) {
        const patio_results_ops *ops = found;
        st = pt_operated(b, ops->get(b->transport, queue, &id, timeout_ms, &r, err), err);
    }
    if (st == PATIO_OK && r.reply != NULL) {
        st = as_future(b, r.reply, &future, err);
    }
    if (st != PATIO_OK) {
        return st;
    }
    if (future != NULL && r.state == PATIO_STATE_DONE &&
        patio_future_status(future, NULL) != PATIO_OK) {
        r.state = patio_future_status(future, NULL) == PATIO_CANCELLED ? PATIO_STATE_CANCELLED
                                                                       : PATIO_STATE_FAILED;
    }
    patio_task_report now = {
        .struct_size = report->struct_size,
        .state       = r.state,
        .ttl_ms      = r.ttl_ms,
    };
    memcpy(report, &now, now.struct_size < sizeof(now) ? now.struct_size : sizeof(now));
    if (out != NULL) {
        *out = future;
    } else {
        patio_future_destroy(future);
    }
    return PATIO_OK;
}
