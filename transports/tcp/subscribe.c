#include "tcp.h"

static subscription *find_or_make(queue *q)
{
    if (q->own == NULL) {
        q->own = q->t->host->alloc(q->t->host->self, sizeof(*q->own));
        if (q->own != NULL) {
            memset(q->own, 0, sizeof(*q->own));
            q->own->queue  = q;
            q->own->closed = true;
        }
    }
    return q->own;
}

static void forget_own(queue *q)
{
    for (uint32_t i = 0; i < q->lane_count; i++) {
        q->lanes[i]->own = false;
    }
}

void subscribe_close(queue *q)
{
    patio_subscription none = {PATIO_SIZED(patio_subscription), .queue = q->name};
    q->own->closed          = true;
    forget_own(q);
    (void)peer_set_self(q, &none); /* needs no memory */
}

/* A peer takes so many names and no more. */
static patio_status check_names(const patio_transport *t, const patio_subscription *in,
                                patio_error *err)
{
    uint64_t tasks  = in->task_count;
    uint32_t queues = 1;
    for (const queue *q = t->room.queues; q != NULL; q = q->next) {
        if (q->own != NULL && !q->own->closed && strcmp(q->name, in->queue) != 0) {
            tasks += q->own->task_count;
            queues++;
        }
    }
    if (tasks > FRAME_TASKS_MAX || queues > FRAME_QUEUES_MAX) {
        return patio_fail(
            err, PATIO_FULL, 0,
            "subscribe: %llu tasks in %u queues, at most %d in %d can be announced to "
            "a peer: leave some to another process",
            (unsigned long long)tasks, queues, FRAME_TASKS_MAX, FRAME_QUEUES_MAX);
    }
    return PATIO_OK;
}

patio_status tcp_subscribe(patio_transport *t, const patio_subscription *in, patio_error *err)
{
    effects fx;
    effects_begin(&fx, t);
    if (!t->running) {
        effects_end(&fx);
        return patio_fail(err, PATIO_CLOSED, 0, "subscribe: the transport is stopped");
    }
    patio_status st = check_names(t, in, err);
    if (st != PATIO_OK) {
        effects_end(&fx);
        return st;
    }
    queue        *q  = hub_queue(t, in->queue, true);
    subscription *s  = q != NULL ? find_or_make(q) : NULL;
    bool          ok = s != NULL;
    for (size_t i = 0; ok && i < in->task_count; i++) {
        ok = store_lane(q, in->tasks[i], true) != NULL;
    }
    ok = ok && peer_set_self(q, in);
    if (ok) {
        t->turn.serves = true;
        turn_recall(&t->turn);
        forget_own(q);
        for (size_t i = 0; i < in->task_count; i++) {
            lane *l = store_lane(q, in->tasks[i], false);
            l->own  = true;
            l->kept = true;
        }
        s->closed     = false;
        s->credit     = in->credit;
        s->task_count = in->task_count;
        peer_announce_all(t, &fx);
        peer_fail_orphans(q, &fx); /* it may be that there are fewer tasks than before */
        fx.again = true;           /* what waits may run now */
    }
    st = ok ? PATIO_OK : store_no_name(&t->room, q, "subscribe", in->queue, err);
    effects_end(&fx);
    return st;
}

patio_status tcp_unsubscribe(patio_transport *t, const char *name, patio_error *err)
{
    effects fx;
    effects_begin(&fx, t);
    queue        *q     = hub_queue(t, name, false);
    subscription *s     = q != NULL ? q->own : NULL;
    bool          found = s != NULL && !s->closed;
    if (found) {
        subscribe_close(q);
        peer_announce_all(t, &fx);
        while (s->waiting > 0) {
            inbox_return_all(s, &fx);
            effects_pass(&fx);
        }
        peer_fail_orphans(q, &fx);
    }
    effects_end(&fx);
    return found ? PATIO_OK
                 : patio_fail(err, PATIO_NOT_FOUND, 0, "no subscription of queue \"%s\"", name);
}
