/* Tasks on their way to the server. What cannot go at once waits here for a while, bounded in time
 * and bytes; what waits while an answer is awaited goes together, in one call of one script. */
#include "redis.h"

#include <hiredis/hiredis.h>

enum { FLIGHTS = 4, SPECIAL_FLIGHTS = 64, SOON = 32 };
static const uint64_t ms_ns = 1000000;

static void append(op_list *l, publish_op *op)
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

static publish_op *take(op_list *l)
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
    int length      = snprintf(op->head, room, "%s %u %u %u 0 0 %llu 0 %u %s %s %s", id,
                               m->flags & PATIO_MESSAGE_CARRIED, m->attempt != 0 ? m->attempt : 1u,
                               m->crashes, (unsigned long long)m->ttl_ms, op->priority,
                          call ? t->owner : "-", dedup, m->task);
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
    if (st == PATIO_OK) {
        if ((m->flags & PATIO_MESSAGE_CALL) != 0 && !q->calls) {
            q->calls   = true;
            q->beat_ns = 0;
            loop_wake(t);
        }
        append(&q->publishes, op);
        t->publish_count++;
        t->publish_bytes += op->body_bytes;
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
    cmd *k = command_eval(c, CMD_SPECIAL, SCRIPT_SPECIAL, q, 8);
    if (k == NULL) {
        return false;
    }
    k->ops   = take(&q->publishes);
    k->count = 1;
    q->publish_flights++;
    arg_number(c, q->t->set.max_queued);
    write_reply_address(c, q);
    arg_bytes(c, op->head, op->head_bytes);
    arg_bytes(c, q->t->host->buf_view(q->t->host->self, op->body).data, op->body_bytes);
    arg_number(c, op->delay_ms);
    arg_number(c, op->window_ms);
    arg_number(c, op->conflict);
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
        publish_op *op = take(&q->publishes);
        append(&taken, op);
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

/* Back to where they came from, in their order. Under the lock. */
static void put_back(queue *q, publish_op *ops)
{
    publish_op *last  = ops;
    uint32_t    count = 1;
    if (ops == NULL) {
        return;
    }
    for (; last->next != NULL; last = last->next) {
        count++;
    }
    last->next         = q->publishes.first;
    q->publishes.first = ops;
    q->publishes.last  = q->publishes.last == NULL ? last : q->publishes.last;
    q->publishes.count += count;
}

/* The end of one: tell, and let go. Not under the lock. */
static void conclude(patio_transport *t, publish_op *op, patio_receipt *receipt)
{
    bool fine = receipt->outcome == PATIO_ACCEPTED || receipt->outcome == PATIO_DUPLICATE;
    pthread_mutex_lock(&t->lock);
    t->publish_count--;
    t->publish_bytes -= op->body_bytes;
    bool tell = t->running;
    pthread_mutex_unlock(&t->lock);
    receipt->struct_size = sizeof(*receipt);
    receipt->id          = op->id;
    if (tell && (!fine || (op->flags & PATIO_MESSAGE_NO_RECEIPT) == 0)) {
        t->events->published(t->events->self, receipt);
    }
    publish_free(t, op);
}

static void reject_all(patio_transport *t, publish_op *ops, uint32_t outcome,
                       const patio_error *why)
{
    while (ops != NULL) {
        publish_op   *next    = ops->next;
        patio_receipt receipt = {.outcome = outcome, .error = why};
        conclude(t, ops, &receipt);
        ops = next;
    }
}

static void accepted(conn *c, publish_op *op, const resp *r, int64_t result)
{
    patio_transport *t       = c->t;
    patio_error      why     = PATIO_ERROR_INIT;
    patio_receipt    receipt = {.outcome = PATIO_ACCEPTED,
                                .level = c->node->facts.aof ? PATIO_LEVEL_DISK : PATIO_LEVEL_PEER};
    if (result == 2) {
        const resp *id  = resp_at(r, 1);
        receipt.outcome = PATIO_DUPLICATE;
        (void)(id != NULL && id_from_hex(id->text, id->size, &receipt.original));
    } else if (result <= 0) {
        receipt.outcome = PATIO_REJECTED;
        receipt.error   = &why;
        if (result == 0) {
            (void)patio_fail(&why, PATIO_FULL, 0, "the queue holds max_queued (%llu) tasks",
                             (unsigned long long)t->set.max_queued);
        } else {
            (void)patio_fail(&why, PATIO_BLOCKED, 0,
                             "the queue is being drained: it accepts nothing new");
        }
    }
    conclude(t, op, &receipt);
}

void publish_answer(conn *c, cmd *k, const resp *r)
{
    patio_transport *t       = c->t;
    queue           *q       = k->q;
    uint8_t          trouble = trouble_of(r);
    publish_op      *ops     = k->ops;
    if (trouble != TROUBLE_NONE) {
        bool again = trouble_note(c, k, trouble, r);
        pthread_mutex_lock(&t->lock);
        q->publish_flights--;
        if (again) {
            put_back(q, ops);
        }
        pthread_mutex_unlock(&t->lock);
        if (!again) {
            patio_error why = PATIO_ERROR_INIT;
            (void)patio_fail(&why, PATIO_IO, 0, "the server refused the task: %.600s", r->text);
            reject_all(t, ops, PATIO_REJECTED, &why);
        }
        return;
    }
    pthread_mutex_lock(&t->lock);
    q->publish_flights--;
    c->node->trouble.status = PATIO_OK;
    c->node->holds          = 0;
    pthread_mutex_unlock(&t->lock);
    int64_t result = k->type == CMD_ENQUEUE ? resp_number(r, 0) : resp_number(resp_at(r, 0), 0);
    for (int64_t i = 0; ops != NULL; i++) {
        publish_op *next = ops->next;
        int64_t     one  = result;
        if (k->type == CMD_ENQUEUE && result >= 0) {
            one = i < result ? 1 : 0;
        }
        accepted(c, ops, r, one);
        ops = next;
    }
}

/* The link died. What was not written at all, or may be sent twice, waits for the next one. */
void publish_lost(conn *c, cmd *k)
{
    patio_transport *t     = c->t;
    queue           *q     = k->q;
    op_list          again = {NULL, NULL, 0};
    op_list          gone  = {NULL, NULL, 0};
    patio_error      why   = PATIO_ERROR_INIT;
    pthread_mutex_lock(&t->lock);
    bool written = k->from < c->written;
    q->publish_flights--;
    for (publish_op *op = k->ops, *next = NULL; op != NULL; op = next) {
        next = op->next;
        append(!written || op->safe ? &again : &gone, op);
    }
    put_back(q, again.first);
    (void)patio_fail(&why, PATIO_PEER_LOST, 0,
                     "the connection ended before the server said whether it has the task: %.600s",
                     c->why.message);
    pthread_mutex_unlock(&t->lock);
    reject_all(t, gone.first, PATIO_UNKNOWN, &why);
}

/* Those of one queue whose time is over. Under the lock. */
static publish_op *overdue(queue *q, uint64_t now, bool all)
{
    op_list keep = {NULL, NULL, 0};
    op_list gone = {NULL, NULL, 0};
    while (q->publishes.first != NULL) {
        publish_op *op = take(&q->publishes);
        append(all || now >= op->deadline_ns ? &gone : &keep, op);
    }
    q->publishes = keep;
    return gone.first;
}

void publish_expire(patio_transport *t, uint64_t now, bool all)
{
    pthread_mutex_lock(&t->lock);
    queue *first = t->queues;
    pthread_mutex_unlock(&t->lock);
    for (queue *q = first; q != NULL; q = q->next) {
        patio_error why = PATIO_ERROR_INIT;
        pthread_mutex_lock(&t->lock);
        bool idle = q->node == NULL || !q->node->ready || q->node->hold_publish_ns > now ||
                    q->node->hold_ns > now || q->node->trouble.status != PATIO_OK;
        publish_op *ops = q->publishes.first != NULL && (idle || all) ? overdue(q, now, all) : NULL;
        if (ops != NULL) {
            const patio_error *trouble = q->node != NULL ? &q->node->trouble : NULL;
            bool               named   = trouble != NULL && trouble->status != PATIO_OK;
            (void)patio_fail(&why, named ? trouble->status : PATIO_UNREACHABLE, 0,
                             "the task could not be handed over in time: %.700s",
                             named ? trouble->message : "the server is not reached");
        }
        pthread_mutex_unlock(&t->lock);
        reject_all(t, ops, PATIO_REJECTED, &why);
    }
}

uint64_t publish_deadline(const queue *q, uint64_t next)
{
    const publish_op *op = q->publishes.first;
    return op != NULL && op->deadline_ns < next ? op->deadline_ns : next;
}
