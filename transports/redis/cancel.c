/* Cancelling by id: a script looks for the task, a stretch at a time. */
#include "redis.h"

enum { CANCELS_MAX = 4096 };

typedef struct cancel_op {
    struct cancel_op *next;
    patio_id          id;
    char              suffix[2];
    char              entry[ENTRY_BYTES];
} cancel_op;

patio_status redis_cancel(patio_transport *t, const char *name, const patio_id *id,
                          patio_error *err)
{
    cancel_op *op = t->host->alloc(t->host->self, sizeof(*op));
    if (op == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    *op             = (cancel_op){.id = *id};
    patio_status st = PATIO_OK;
    pthread_mutex_lock(&t->lock);
    queue *q = t->running && !t->stopping ? queue_find(t, name, true) : NULL;
    if (q == NULL) {
        st = t->running && !t->stopping
                 ? patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory")
                 : patio_fail(err, PATIO_CLOSED, 0, "cancel: the transport is stopped");
    } else if (q->cancels.count >= CANCELS_MAX) {
        st = patio_fail(err, PATIO_FULL, 0, "cancel: %u wait for their answer already",
                        (unsigned)CANCELS_MAX);
    } else {
        op->next         = q->cancels.first;
        q->cancels.first = op;
        q->cancels.count++;
        awaited_forget(&t->awaited, id);
        turn_recall(&t->turn);
        queue_touch(q);
    }
    pthread_mutex_unlock(&t->lock);
    if (st != PATIO_OK) {
        t->host->free(t->host->self, op);
    }
    return st;
}

void cancel_encode(queue *q)
{
    conn *c = &q->node->w;
    /* behind a publish of ours that has not gone out there is nothing to find */
    while (q->cancels.first != NULL && q->publishes.count == 0 && !c->broken) {
        cancel_op *op = q->cancels.first;
        char       id[33];
        cmd       *k = command_eval(c, CMD_CANCEL, SCRIPT_CANCEL, q, 4);
        if (k == NULL) {
            return;
        }
        q->cancels.first = op->next;
        q->cancels.count--;
        k->ops = op;
        id_to_hex(&op->id, id);
        arg_text(c, id);
        arg_text(c, op->suffix);
        arg_text(c, op->entry);
        arg_text(c, q->t->owner);
    }
}

static void again(queue *q, cancel_op *op)
{
    pthread_mutex_lock(&q->t->lock);
    op->next         = q->cancels.first;
    q->cancels.first = op;
    q->cancels.count++;
    pthread_mutex_unlock(&q->t->lock);
}

void cancel_answer(conn *c, cmd *k, const resp *r)
{
    queue           *q       = k->q;
    patio_transport *t       = q->t;
    cancel_op       *op      = k->ops;
    uint8_t          trouble = r != NULL ? trouble_of(r) : TROUBLE_NONE;
    if (r == NULL || (trouble != TROUBLE_NONE && trouble_note(c, k, trouble, r))) {
        again(q, op);
        return;
    }
    int64_t outcome = trouble == TROUBLE_NONE ? resp_number(resp_at(r, 0), 3) : 3;
    if (outcome == 0) {
        const resp *suffix = resp_at(r, 1);
        const resp *entry  = resp_at(r, 2);
        if (suffix != NULL && suffix->size == 1 && entry != NULL && entry->size < ENTRY_BYTES) {
            memcpy(op->suffix, suffix->text, 2);
            memcpy(op->entry, entry->text, entry->size + 1);
            again(q, op);
            return;
        }
        outcome = PATIO_CANCEL_TOO_LATE;
    }
    t->events->cancelled(t->events->self, &op->id, (uint32_t)outcome);
    t->host->free(t->host->self, op);
}

void cancel_drop_all(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        while (q->cancels.first != NULL) {
            cancel_op *op    = q->cancels.first;
            q->cancels.first = op->next;
            t->host->free(t->host->self, op);
        }
    }
}
