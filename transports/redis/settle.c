/* Ends of deliveries, as the host says them. How they go to the server: settle_send.c. */
#include "redis.h"

#include <errno.h>

enum { NOTIFY_MOST = 1024, CAUSE_MAX = 64 * 1024, CLAIM_WAIT_S = 2 };
enum { QUICK_NS = 2 * 1000 * 1000, SLOW_NS = 10 * 1000 * 1000 };

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
    if (turn_is_mine(&t->turn)) {
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
