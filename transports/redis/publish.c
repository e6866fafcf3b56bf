/* Tasks on their way to the server. What cannot go at once waits here for a while, bounded in time
 * and bytes; what waits while an answer is awaited goes together, in one call of one script. What
 * becomes of it: published.c. */
#include "redis.h"

enum { FLIGHTS = 4, SPECIAL_FLIGHTS = 64, SOON = 32 };
static const uint64_t ms_ns = 1000000;

void publish_append(op_list *l, publish_op *op)
{
    op->next = NULL;
    if (l->first == NULL) {
        l->first = op;
    } else {
        ((publish_op *)l->last)->next = op;
    }
    l->last = op;
    l->count++;
}

publish_op *publish_take(op_list *l)
{
    publish_op *op = l->first;
    l->first       = op->next;
    l->last        = l->first == NULL ? NULL : l->last;
    l->count--;
    op->next = NULL;
    return op;
}

void publish_free(patio_transport *t, publish_op *op)
{
    t->host->buf_drop(t->host->self, op->body);
    t->host->free(t->host->self, op);
}

static patio_status refuse(patio_transport *t, const patio_message *m, size_t size,
                           patio_error *err)
{
    if (size > t->max_body_bytes) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "send %s: %zu bytes, at most %llu are allowed",
                          m->task, size, (unsigned long long)t->max_body_bytes);
    }
    if (strpbrk(m->queue, "{}") != NULL) {
        return patio_fail(err, PATIO_INVALID, 0,
                          "send %s: a queue whose name has braces cannot be kept in one slot",
                          m->task);
    }
    if (m->level > PATIO_LEVEL_DISK) {
        return patio_fail(
            err, PATIO_UNSUPPORTED, 0,
            "send %s: level %u is demanded; redis reaches 2 (disk) with appendonly yes", m->task,
            m->level);
    }
    if (m->dedup_key.size > 256) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "send %s: a dedup key has at most 256 bytes",
                          m->task);
    }
    if (m->dedup_key.size > 0 &&
        (m->dedup_window_ms == 0 || m->dedup_conflict > PATIO_DEDUP_REPLACE)) {
        return patio_fail(err, PATIO_INVALID, 0,
                          "send %s: a dedup key needs a window and a known conflict", m->task);
    }
    return PATIO_OK;
}

static publish_op *make(patio_transport *t, const patio_message *m, size_t size)
{
    char        id[33];
    char        dedup[513] = "-";
    bool        call       = (m->flags & PATIO_MESSAGE_CALL) != 0;
    size_t      room       = 256 + OWNER_BYTES + 2 * m->dedup_key.size + strlen(m->task);
    publish_op *op         = t->host->alloc(t->host->self, sizeof(*op) + room);
    if (op == NULL) {
        return NULL;
    }
    *op = (publish_op){
        .body_bytes = size,
        .delay_ms   = m->delay_ms,
        .window_ms  = m->dedup_window_ms,
        .id         = m->id,
        .flags      = m->flags,
        .priority = (uint8_t)(m->priority <= PATIO_PRIORITY_MAX ? m->priority : PATIO_PRIORITY_MAX),
        .conflict = (uint8_t)m->dedup_conflict,
        .special  = m->delay_ms > 0 || m->dedup_key.size > 0,
        .safe     = (m->flags & PATIO_MESSAGE_IDEMPOTENT) != 0 || m->dedup_key.size > 0,
        .level    = (uint8_t)m->level,
    };
    id_to_hex(&m->id, id);
    if (m->dedup_key.size > 0) {
        bytes_to_hex(m->dedup_key.data, m->dedup_key.size, dedup);
    }
    int length =
        snprintf(op->head, room, "%s %u %u %u 0 0 %llu 0 %u %s %s %s", id,
                 m->flags & (PATIO_MESSAGE_CARRIED | PATIO_MESSAGE_NO_RECEIPT),
                 m->attempt != 0 ? m->attempt : 1u, m->crashes, (unsigned long long)m->ttl_ms,
                 op->priority, call ? t->owner : "-", dedup, m->task);
    op->head_bytes  = (size_t)length;
    uint64_t wait   = t->set.enqueue_wait_ms;
    wait            = m->ttl_ms != 0 && m->ttl_ms < wait ? m->ttl_ms : wait;
    op->deadline_ns = now_ns(t) + wait * ms_ns;
    op->body        = t->host->buf_ref(t->host->self, m->body);
    return op;
}

/* Under the lock. */
static patio_status admit(patio_transport *t, const patio_message *m, const publish_op *op,
                          queue **out, patio_error *err)
{
    if (!t->running || t->stopping) {
        return patio_fail(err, PATIO_CLOSED, 0, "send %s: the transport is stopped", m->task);
    }
    if (t->publish_bytes + op->body_bytes > t->set.write_queue_bytes && t->publish_count > 0) {
        return patio_fail(err, PATIO_FULL, 0,
                          "send %s: %llu bytes wait to be written (write_queue_bytes)", m->task,
                          (unsigned long long)t->publish_bytes);
    }
    *out = queue_find(t, m->queue, true);
    if (*out == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    const node *n = (*out)->node;
    if (n != NULL && !n->ready &&
        (n->trouble.status == PATIO_AUTH || n->trouble.status == PATIO_CONFIG)) {
        return patio_fail(err, PATIO_UNREACHABLE, 0, "send %s: %.700s", m->task,
                          n->trouble.message);
    }
    if (n != NULL && n->ready && n->facts.known && m->level == PATIO_LEVEL_DISK && !n->facts.aof) {
        return patio_fail(
            err, PATIO_UNSUPPORTED, 0,
            "send %s: level 2 (disk) is demanded, and the server writes no append-only "
            "file (appendonly yes)",
            m->task);
    }
    return PATIO_OK;
}

patio_status redis_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    size_t       size = t->host->buf_view(t->host->self, m->body).size;
    patio_status st   = refuse(t, m, size, err);
    if (st != PATIO_OK) {
        return st;
    }
    publish_op *op = make(t, m, size);
    if (op == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    queue *q = NULL;
    pthread_mutex_lock(&t->lock);
    st = admit(t, m, op, &q, err);
    if (st == PATIO_OK && q != NULL) {
        if ((m->flags & PATIO_MESSAGE_CALL) != 0 && !q->calls) {
            q->calls   = true;
            q->beat_ns = 0;
            loop_wake(t);
        }
        publish_append(&q->publishes, op);
        t->publish_count++;
        t->publish_bytes += op->body_bytes;
        guest_published(t, m);
        queue_touch(q);
    }
    pthread_mutex_unlock(&t->lock);
    if (st != PATIO_OK) {
        publish_free(t, op);
    }
    return st;
}

static void write_reply_address(conn *c, const queue *q)
{
    arg_text(c, q->calls ? q->t->owner : "");
    arg_number(c, q->t->set.reply_ttl_ms);
}

static bool encode_special(queue *q)
{
    conn       *c  = &q->node->w;
    publish_op *op = q->publishes.first;
    if (q->publish_flights >= SPECIAL_FLIGHTS) {
        return false;
    }
    cmd *k = command_eval(c, CMD_SPECIAL, SCRIPT_SPECIAL, q, 10);
    if (k == NULL) {
        return false;
    }
    k->ops   = publish_take(&q->publishes);
    k->count = 1;
    q->publish_flights++;
    arg_number(c, q->t->set.max_queued);
    write_reply_address(c, q);
    arg_bytes(c, op->head, op->head_bytes);
    arg_bytes(c, q->t->host->buf_view(q->t->host->self, op->body).data, op->body_bytes);
    arg_number(c, op->delay_ms);
    arg_number(c, op->window_ms);
    arg_number(c, op->conflict);
    arg_number(c, q->t->set.max_dead);
    arg_number(c, q->t->set.dead_ttl_ms);
    return true;
}

static bool encode_batch(queue *q)
{
    conn *c = &q->node->w;
    if (q->publish_flights > 0 && (q->publishes.count < SOON || q->publish_flights >= FLIGHTS)) {
        return false; /* an answer is due: more may come until then */
    }
    const publish_op *first = q->publishes.first;
    uint32_t          count = 0;
    size_t            size  = 0;
    for (const publish_op *op = first;
         op != NULL && !op->special && op->priority == first->priority && count < BATCH_MAX &&
         (count == 0 || size < BATCH_BYTES);
         op = op->next) {
        count++;
        size += op->body_bytes;
    }
    cmd *k = command_eval(c, CMD_ENQUEUE, SCRIPT_ENQUEUE, q, 4 + 2 * count);
    if (k == NULL) {
        return false;
    }
    op_list taken = {NULL, NULL, 0};
    arg_number(c, first->priority);
    arg_number(c, q->t->set.max_queued);
    write_reply_address(c, q);
    for (uint32_t i = 0; i < count; i++) {
        publish_op *op = publish_take(&q->publishes);
        publish_append(&taken, op);
        arg_bytes(c, op->head, op->head_bytes);
        arg_bytes(c, q->t->host->buf_view(q->t->host->self, op->body).data, op->body_bytes);
    }
    k->ops   = taken.first;
    k->count = count;
    q->publish_flights++;
    return true;
}

void publish_encode(queue *q)
{
    bool more = true;
    while (more && q->publishes.first != NULL && !q->node->w.broken) {
        more = ((publish_op *)q->publishes.first)->special ? encode_special(q) : encode_batch(q);
    }
}
