/* Ends of deliveries on their way. Those that come while an answer is awaited go together, in one
 * call; what a lost connection may have taken along is sent again. */
#include "redis.h"

enum { FLIGHTS = 3, SOON = 32 };

static uint32_t args_of(uint8_t kind)
{
    switch (kind) {
    case SETTLE_REPLY:
    case SETTLE_BURY:
        return 8;
    case SETTLE_RETRY:
    case SETTLE_CRASH:
    case SETTLE_RETURN:
        return 4;
    case SETTLE_NOTIFY:
        return 6;
    default:
        return 3;
    }
}

static void write_one(conn *c, const settle_op *op)
{
    const patio_host *host = c->t->host;
    patio_bytes       body =
        op->reply != NULL ? host->buf_view(host->self, op->reply) : (patio_bytes){NULL, 0};
    char id[33];
    char kind[2]   = {(char)op->kind, '\0'};
    char suffix[2] = {op->at.suffix, '\0'};
    arg_text(c, kind);
    arg_text(c, suffix);
    arg_place(c, &op->at);
    id_to_hex(&op->id, id);
    switch (op->kind) {
    case SETTLE_REPLY:
        arg_text(c, op->to);
        arg_text(c, id);
        arg_number(c, op->result_ttl_ms);
        arg_bytes(c, op->dedup_bytes > 0 ? op->data : "-",
                  op->dedup_bytes > 0 ? op->dedup_bytes : 1);
        arg_bytes(c, body.data, body.size);
        break;
    case SETTLE_BURY:
        arg_bytes(c, op->data + op->dedup_bytes, op->cause_bytes);
        arg_text(c, op->to);
        arg_text(c, id);
        arg_bytes(c, op->dedup_bytes > 0 ? op->data : "-",
                  op->dedup_bytes > 0 ? op->dedup_bytes : 1);
        arg_bytes(c, body.data, body.size);
        break;
    case SETTLE_RETRY:
    case SETTLE_CRASH:
    case SETTLE_RETURN:
        arg_number(c, op->delay_ms);
        break;
    case SETTLE_NOTIFY:
        arg_text(c, op->to);
        arg_text(c, id);
        arg_bytes(c, body.data, body.size);
        break;
    default:
        break;
    }
}

static bool encode_batch(queue *q)
{
    patio_transport *t = q->t;
    conn            *c = &q->node->w;
    if (q->settle_flights > 0 && (q->settles.count < SOON || q->settle_flights >= FLIGHTS)) {
        return false;
    }
    uint32_t count = 0;
    uint32_t args  = 0;
    size_t   size  = 0;
    for (const settle_op *op = q->settles.first;
         op != NULL && count < BATCH_MAX && (count == 0 || size < BATCH_BYTES); op = op->next) {
        count++;
        args += args_of(op->kind);
        size += op->reply != NULL ? t->host->buf_view(t->host->self, op->reply).size : 0;
    }
    cmd *k = command_eval(c, CMD_SETTLE, SCRIPT_SETTLE, q, 3 + args);
    if (k == NULL) {
        return false;
    }
    arg_text(c, t->owner);
    arg_number(c, t->set.max_dead);
    arg_number(c, t->set.dead_ttl_ms);
    settle_op *op = q->settles.first;
    k->ops        = op;
    k->count      = count;
    for (uint32_t i = 0;; op = op->next) {
        write_one(c, op);
        if (++i == count) {
            break;
        }
    }
    q->settles.first = op->next;
    q->settles.last  = op->next == NULL ? NULL : q->settles.last;
    q->settles.count -= count;
    op->next = NULL;
    q->settle_flights++;
    q->freed = true; /* the fetch behind it finds a place */
    q->more  = q->more || q->limit > 0;
    return true;
}

void settle_encode(queue *q)
{
    while (q->settles.first != NULL && !q->node->w.broken && encode_batch(q)) {
    }
}

/* Under the lock. */
static void put_back(queue *q, settle_op *ops, bool resent)
{
    settle_op *last  = ops;
    uint32_t   count = 1;
    for (;; last = last->next) {
        last->resent = last->resent || resent;
        if (last->next == NULL) {
            break;
        }
        count++;
    }
    last->next       = q->settles.first;
    q->settles.first = ops;
    q->settles.last  = q->settles.last == NULL ? last : q->settles.last;
    q->settles.count += count;
}

/* It is over, one way or the other. Not under the lock. */
static void conclude(patio_transport *t, settle_op *op, bool stale, const patio_error *why)
{
    pthread_mutex_lock(&t->lock);
    delivery *d = delivery_find(t, op->tag);
    if (op->kind == SETTLE_CLAIM) {
        if (op->claim != NULL) {
            op->claim->done  = true;
            op->claim->taken = !stale;
            pthread_cond_broadcast(&t->changed);
        }
    } else if (d != NULL && d->state == DELIVERY_SETTLING) {
        delivery_free(t, d);
    }
    t->settle_count--;
    bool tell = stale && op->tag != 0 && op->kind != SETTLE_CLAIM && t->running;
    pthread_mutex_unlock(&t->lock);
    if (tell && !op->resent) {
        t->events->settle_failed(t->events->self, op->tag, why);
    } else if (tell) {
        patio_host_log(
            t->host, PATIO_LOG_DEBUG,
            "a settlement sent again after a lost connection had been taken, or is stale");
    }
    settle_free(t, op);
}

static bool is_stale(const resp *r, uint32_t ordinal)
{
    for (size_t i = 3; i < r->count; i++) {
        if (resp_number(r->items[i], 0) == (int64_t)ordinal) {
            return true;
        }
    }
    return false;
}

static void refused(patio_transport *t, settle_op *ops, const resp *r)
{
    patio_error why = PATIO_ERROR_INIT;
    (void)patio_fail(&why, PATIO_IO, 0, "the server refused the settlement: %.600s", r->text);
    while (ops != NULL) {
        settle_op *next = ops->next;
        ops->resent     = false;
        conclude(t, ops, true, &why);
        ops = next;
    }
}

void settle_answer(conn *c, cmd *k, const resp *r)
{
    patio_transport *t       = c->t;
    queue           *q       = k->q;
    uint8_t          trouble = trouble_of(r);
    settle_op       *ops     = k->ops;
    bool             again   = trouble != TROUBLE_NONE && trouble_note(c, k, trouble, r);
    pthread_mutex_lock(&t->lock);
    q->settle_flights--;
    if (again) {
        /* in the middle of a script an error leaves a part done */
        put_back(q, ops, trouble != TROUBLE_NOSCRIPT && trouble != TROUBLE_MOVED);
    } else if (trouble == TROUBLE_NONE) {
        c->node->clock_ms    = (uint64_t)resp_number(resp_at(r, 0), 0);
        c->node->clock_at_ns = now_ns(t);
        q->front             = (uint64_t)resp_number(resp_at(r, 1), 0);
        q->more              = q->more || q->front > 0;
        int64_t due          = resp_number(resp_at(r, 2), -1);
        if (due >= 0) {
            uint64_t at = now_ns(t) + (uint64_t)due * 1000000u + 1;
            q->due_ns   = q->due_ns == 0 || at < q->due_ns ? at : q->due_ns;
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (again) {
        return;
    }
    if (trouble != TROUBLE_NONE) {
        refused(t, ops, r);
        return;
    }
    patio_error why = PATIO_ERROR_INIT;
    (void)patio_fail(&why, PATIO_STALE, 0,
                     "the task was taken over by another worker in the meantime");
    for (uint32_t i = 1; ops != NULL; i++) {
        settle_op *next = ops->next;
        conclude(t, ops, is_stale(r, i), &why);
        ops = next;
    }
}

void settle_lost(conn *c, cmd *k)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    k->q->settle_flights--;
    put_back(k->q, k->ops, k->from < c->written);
    pthread_mutex_unlock(&t->lock);
}

void settle_drop_all(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        while (q->settles.first != NULL) {
            settle_op *op    = q->settles.first;
            q->settles.first = op->next;
            if (op->claim != NULL) {
                op->claim->done = true;
            }
            settle_free(t, op);
        }
        q->settles = (op_list){NULL, NULL, 0};
    }
    t->settle_count = 0;
}
