/* Ends of deliveries. Those that come while an answer is awaited go together, in one call. */
#include "redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>

enum { FLIGHTS = 3, SOON = 32, NOTIFY_MOST = 1024, CAUSE_MAX = 64 * 1024, CLAIM_WAIT_S = 2 };
enum { QUICK_NS = 2 * 1000 * 1000, SLOW_NS = 10 * 1000 * 1000 };

/* A thread that waits until the server has noted its claim. */
struct claim {
    bool done;
    bool taken;
};

static void append(op_list *l, settle_op *op)
{
    op->next = NULL;
    if (l->first == NULL) {
        l->first = op;
    } else {
        ((settle_op *)l->last)->next = op;
    }
    l->last = op;
    l->count++;
}

void settle_free(patio_transport *t, settle_op *op)
{
    t->host->buf_drop(t->host->self, op->reply);
    t->host->free(t->host->self, op);
}

static settle_op *make(patio_transport *t, uint8_t kind, const char *dedup, patio_bytes cause)
{
    size_t     hex = dedup != NULL ? strlen(dedup) : 0;
    settle_op *op  = t->host->alloc(t->host->self, sizeof(*op) + hex + cause.size);
    if (op == NULL) {
        return NULL;
    }
    memset(op, 0, sizeof(*op));
    op->kind        = kind;
    op->dedup_bytes = hex;
    op->cause_bytes = cause.size;
    if (hex > 0) {
        memcpy(op->data, dedup, hex);
    }
    if (cause.size > 0) {
        memcpy(op->data + hex, cause.data, cause.size);
    }
    return op;
}

/* Under the lock. */
static void enqueue(queue *q, settle_op *op)
{
    append(&q->settles, op);
    q->t->settle_count++;
}

void settle_own(queue *q, uint8_t kind, const place *at, const char *cause)
{
    /* one of patio.v1.DeadLetter whose only member is the cause */
    char   encoded[64];
    size_t size = cause != NULL ? strlen(cause) : 0;
    if (size > 0) {
        (void)snprintf(encoded, sizeof(encoded), "\n%c%s", (char)size, cause);
        size += 2;
    }
    settle_op *op = make(q->t, kind, NULL, (patio_bytes){(const uint8_t *)encoded, size});
    if (op == NULL) {
        return; /* it stays ours: the next look at what the group says finds it */
    }
    op->at    = *at;
    op->to[0] = '-';
    enqueue(q, op);
}

static uint8_t kind_of(const patio_settlement *s, const delivery *d)
{
    switch (s->verdict) {
    case PATIO_ACK:
        return s->reply != NULL || d->dedup != NULL ? SETTLE_REPLY : SETTLE_DONE;
    case PATIO_RETRY:
        return PATIO_HAS(patio_settlement, s, flags) && (s->flags & PATIO_SETTLE_CRASHED) != 0
                   ? SETTLE_CRASH
                   : SETTLE_RETRY;
    case PATIO_RETURN:
        return SETTLE_RETURN;
    case PATIO_REJECT:
        return SETTLE_BURY;
    default:
        return SETTLE_CLAIM;
    }
}

/* Wait for the server, for a claim that is not confirmed is none. Under the lock. */
static patio_status wait_claim(patio_transport *t, queue *q, patio_tag tag, settle_op *op,
                               struct claim *claim)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CLAIM_WAIT_S;
    if (t->has_thread && pthread_equal(pthread_self(), t->thread)) {
        op->claim = NULL; /* the one who could hear the answer */
        return PATIO_OK;
    }
    while (!claim->done && t->running) {
        if (pthread_cond_timedwait(&t->changed, &t->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    if (claim->done && claim->taken) {
        return PATIO_OK;
    }
    if (!claim->done) {
        op->claim = NULL;
    }
    delivery *d = delivery_find(t, tag);
    if (d != NULL && d->state == DELIVERY_HELD) {
        settle_own(q, SETTLE_RETURN, &d->at, NULL);
        q->unsettled--;
        delivery_free(t, d);
    }
    return PATIO_STALE;
}

static settle_op *op_for(patio_transport *t, const delivery *d, const patio_settlement *s)
{
    uint8_t     kind  = kind_of(s, d);
    patio_bytes cause = kind == SETTLE_BURY ? s->cause : (patio_bytes){NULL, 0};
    cause.size        = cause.size > CAUSE_MAX ? 0 : cause.size;
    settle_op *op     = make(t, kind, d->dedup, cause);
    if (op == NULL) {
        return NULL;
    }
    bool final        = kind == SETTLE_REPLY || kind == SETTLE_BURY;
    op->tag           = d->tag;
    op->at            = d->at;
    op->id            = d->id;
    op->delay_ms      = s->delay_ms;
    op->result_ttl_ms = s->reply != NULL ? s->result_ttl_ms : 0;
    op->reply = final && s->reply != NULL ? t->host->buf_ref(t->host->self, s->reply) : NULL;
    memcpy(op->to, op->reply != NULL ? d->to : "-", op->reply != NULL ? sizeof(op->to) : 2);
    return op;
}

/* As many beyond the credit as keep the worker busy while answers travel, none where tasks are
 * slow. Under the lock. */
static void adapt(queue *q, uint64_t took_ns, bool unstarted)
{
    if (unstarted) {
        q->extra = 0;
    } else if (took_ns < QUICK_NS) {
        q->extra += q->extra < q->t->set.prefetch ? 1 : 0;
    } else if (took_ns > SLOW_NS) {
        q->extra /= 2;
    }
}

patio_status redis_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                          patio_error *err)
{
    if (s->verdict < PATIO_ACK || s->verdict > PATIO_CLAIM) {
        return patio_fail(err, PATIO_INVALID, 0, "settle: unknown verdict %u", s->verdict);
    }
    struct claim claim = {false, false};
    patio_status st    = PATIO_OK;
    pthread_mutex_lock(&t->lock);
    bool      running = t->running;
    delivery *d       = running ? delivery_find(t, tag) : NULL;
    d                 = d != NULL && d->state == DELIVERY_HELD ? d : NULL;
    settle_op *op     = d != NULL ? op_for(t, d, s) : NULL;
    if (op == NULL) {
        pthread_mutex_unlock(&t->lock);
        if (d != NULL) {
            return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        }
        return running ? patio_fail(err, PATIO_STALE, 0,
                                    "settle: this delivery is settled or its lease is gone")
                       : patio_fail(err, PATIO_CLOSED, 0, "settle: the transport is stopped");
    }
    queue *q = d->q;
    if (op->kind == SETTLE_CLAIM) {
        d->claimed = true;
        op->claim  = &claim;
    } else {
        d->state = DELIVERY_SETTLING;
        q->unsettled--;
        adapt(q, now_ns(t) - d->since_ns, s->verdict == PATIO_RETURN);
    }
    enqueue(q, op);
    queue_touch(q);
    if (s->verdict == PATIO_CLAIM) {
        st = wait_claim(t, q, tag, op, &claim);
    }
    bool more = q->inbox.first != NULL;
    pthread_mutex_unlock(&t->lock);
    if (more) {
        inbox_pump(q); /* the freed credit takes the next task in the same breath */
    }
    return st == PATIO_OK
               ? st
               : patio_fail(err, st, 0, "claim: the server did not confirm it, so it is not taken");
}

patio_status redis_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    if (t->host->buf_view(t->host->self, body).size > t->max_body_bytes) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "notify: at most %llu bytes are allowed",
                          (unsigned long long)t->max_body_bytes);
    }
    patio_status st = PATIO_OK;
    pthread_mutex_lock(&t->lock);
    delivery *d = t->running ? delivery_find(t, tag) : NULL;
    if (d == NULL || d->state != DELIVERY_HELD) {
        st = patio_fail(err, PATIO_STALE, 0, "notify: the lease of this delivery is gone");
    } else if (d->q->settles.count >= NOTIFY_MOST) {
        st = patio_fail(err, PATIO_FULL, 0, "notify: the server does not keep up");
    } else if (d->to[0] != '-') {
        settle_op *op = make(t, SETTLE_NOTIFY, NULL, (patio_bytes){NULL, 0});
        if (op != NULL) {
            op->at    = d->at;
            op->id    = d->id;
            op->reply = t->host->buf_ref(t->host->self, body);
            memcpy(op->to, d->to, sizeof(op->to));
            enqueue(d->q, op);
            queue_touch(d->q);
        } else {
            st = patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        }
    }
    pthread_mutex_unlock(&t->lock);
    return st;
}

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
    arg_number(c, t->set.max_dead_age_ms);
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
