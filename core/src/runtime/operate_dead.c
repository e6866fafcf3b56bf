/* Dead letters, as an application sees them: decoded. */
#include "runtime/operate.h"

#include "base/error.h"
#include "wire/records.h"

enum { SCRATCH_BYTES = 4096 };

typedef struct reader {
    patio_broker      *broker;
    patio_dead_info_fn visit;
    void              *arg;
} reader;

/* The arguments in its envelope; NULL if they cannot be read. */
static const patio_payload *read_payload(pt_arena *arena, const patio_buf *body,
                                         patio_payload *payload)
{
    pt_request      request;
    pt_payload_view view;
    pt_values       values;
    if (pt_decode_request(arena, pt_buf_view(body), &request, &view, NULL) != PATIO_OK) {
        return NULL;
    }
    *payload = (patio_payload){PATIO_SIZED(patio_payload), .kind = view.kind, .raw = view.bytes,
                               .content_type = view.content_type};
    if (view.kind == PATIO_PAYLOAD_VALUES) {
        if (pt_decode_values(arena, view.bytes, &values, NULL) != PATIO_OK) {
            return NULL;
        }
        payload->values        = values.positional;
        payload->value_count   = values.count;
        payload->keywords      = values.keywords.as.items;
        payload->keyword_count = values.keywords.size;
    }
    return payload;
}

static int32_t decode_and_visit(void *arg, const patio_dead_letter *d)
{
    _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
    reader              *r = arg;
    pt_arena             arena;
    patio_payload        payload;
    pt_arena_init(&arena, r->broker->mem, scratch, sizeof(scratch),
                  (size_t)r->broker->max_decode_bytes);
    patio_dead_info info = {
        PATIO_SIZED(patio_dead_info), .id = d->id,           .queue = d->queue,     .task = d->task,
        .attempts = d->attempts,      .crashes = d->crashes, .dead_ms = d->dead_ms,
    };
    pt_read_death(&arena, d->cause, &info);
    if (info.died_at_unix_ms == 0 && d->dead_ms != 0) { /* by the server, which wrote no letter */
        info.died_at_unix_ms = pt_wall_ms() - d->dead_ms;
    }
    if (d->body != NULL) {
        info.body_bytes = pt_buf_view(d->body).size;
        info.payload    = read_payload(&arena, d->body, &payload);
    }
    int32_t stop = r->visit(r->arg, &info);
    pt_arena_reset(&arena);
    return stop;
}

patio_status patio_dead_list(patio_broker *b, const char *queue, const patio_id *after,
                             uint32_t limit, uint64_t timeout_ms, patio_dead_info_fn visit,
                             void *arg, patio_error *err)
{
    const void  *found = NULL;
    reader       r     = {.broker = b, .visit = visit, .arg = arg};
    patio_status st =
        pt_operate(b, "list dead letters", PATIO_DEAD_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_dead_ops *ops = found;
    return pt_operated(
        b, ops->list(b->transport, queue, after, limit, timeout_ms, decode_and_visit, &r, err),
        err);
}

patio_status patio_dead_show(patio_broker *b, const char *queue, patio_id id, uint64_t timeout_ms,
                             patio_dead_info_fn visit, void *arg, patio_error *err)
{
    const void  *found = NULL;
    reader       r     = {.broker = b, .visit = visit, .arg = arg};
    patio_status st =
        pt_operate(b, "show a dead letter", PATIO_DEAD_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_dead_ops *ops = found;
    return pt_operated(b, ops->get(b->transport, queue, &id, timeout_ms, decode_and_visit, &r, err),
                       err);
}

patio_status patio_dead_retry(patio_broker *b, const char *queue, const patio_id *id,
                              uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    const void  *found = NULL;
    patio_status st =
        pt_operate(b, "retry dead letters", PATIO_DEAD_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_dead_ops *ops = found;
    return pt_operated(b, ops->retry(b->transport, queue, id, timeout_ms, count, err), err);
}

patio_status patio_dead_drop(patio_broker *b, const char *queue, const patio_id *id,
                             uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    const void  *found = NULL;
    patio_status st =
        pt_operate(b, "drop dead letters", PATIO_DEAD_ID, &timeout_ms, &queue, &found, err);
    if (st != PATIO_OK) {
        return st;
    }
    const patio_dead_ops *ops = found;
    return pt_operated(b, ops->drop(b->transport, queue, id, timeout_ms, count, err), err);
}
