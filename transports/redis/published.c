/* What becomes of a task that was handed over: accepted, refused, unknown, or too late. */
#include "redis.h"

enum { LOOK_MS = 100 };

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

/* The end of one: tell, and let go. Fine: a call gets its answer later. Not under the lock. */
static void conclude(patio_transport *t, publish_op *op, patio_receipt *receipt, bool fine)
{
    pthread_mutex_lock(&t->lock);
    t->publish_count--;
    t->publish_bytes -= op->body_bytes;
    guest_accepted(t);
    if (!fine && (op->flags & PATIO_MESSAGE_CALL) != 0) {
        guest_replied(t, &op->id);
    }
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
        conclude(t, ops, &receipt, false);
        ops = next;
    }
}

static void accepted(conn *c, publish_op *op, const resp *r, int64_t result)
{
    patio_transport *t       = c->t;
    patio_error      why     = PATIO_ERROR_INIT;
    patio_receipt    receipt = {.outcome = PATIO_ACCEPTED,
                                .level = c->node->facts.aof ? PATIO_LEVEL_DISK : PATIO_LEVEL_PEER};
    bool             fine    = result == 1;
    if (result == 2) {
        const resp *id  = resp_at(r, 1);
        fine            = resp_number(resp_at(r, 2), 0) == 1; /* it is attached */
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
    conclude(t, op, &receipt, fine);
}

/* There was no room for these. The script for single tasks looks whether what is in the way is too
 * late; ten times a second is enough. Returns those that are refused. */
static publish_op *look_again(queue *q, publish_op *ops)
{
    patio_transport *t   = q->t;
    uint64_t         now = now_ns(t);
    pthread_mutex_lock(&t->lock);
    if (now >= q->look_ns && ops != NULL) {
        q->look_ns = now + LOOK_MS * UINT64_C(1000000);
        for (publish_op *op = ops; op != NULL; op = op->next) {
            op->special = true;
        }
        put_back(q, ops);
        ops = NULL;
    }
    pthread_mutex_unlock(&t->lock);
    return ops;
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
    if (k->type == CMD_ENQUEUE && result >= 0) {
        while (result > 0 && ops != NULL) {
            publish_op *next = ops->next;
            accepted(c, ops, r, 1);
            result--;
            ops = next;
        }
        ops = look_again(q, ops);
    }
    while (ops != NULL) {
        publish_op *next = ops->next;
        accepted(c, ops, r, result);
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
        publish_append(!written || op->safe ? &again : &gone, op);
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
        publish_op *op = publish_take(&q->publishes);
        publish_append(all || now >= op->deadline_ns ? &gone : &keep, op);
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
