/* A question by a thread that waits for the answer, sent on the connection of the queue's node. */
#include "redis.h"

#include <errno.h>

typedef struct ask {
    struct ask   *next;
    const ask_in *in;
    resp_reader  *holder; /* of the answer */
    const resp   *answer;
    bool          done;
    bool          abandoned; /* nobody waits any more; the I/O thread frees it */
    char          why[256];
} ask;

static void append(op_list *l, ask *a)
{
    a->next = NULL;
    if (l->first == NULL) {
        l->first = a;
    } else {
        ((ask *)l->last)->next = a;
    }
    l->last = a;
    l->count++;
}

static bool unlink_ask(op_list *l, ask *a)
{
    ask *before = NULL;
    for (ask *at = l->first; at != NULL; before = at, at = at->next) {
        if (at == a) {
            if (before == NULL) {
                l->first = a->next;
            } else {
                before->next = a->next;
            }
            l->last = l->last == a ? before : l->last;
            l->count--;
            return true;
        }
    }
    return false;
}

static void forget(patio_transport *t, ask *a)
{
    resp_reader_free(a->holder);
    t->host->free(t->host->self, a);
}

static node *node_of(const ask_in *in)
{
    if (in->node != NULL) {
        return in->node;
    }
    return in->q != NULL ? in->q->node : NULL;
}

static patio_status timed_out(patio_transport *t, ask *a, node *n, patio_error *err)
{
    bool         reached = n != NULL && n->ready;
    patio_status st =
        reached
            ? patio_fail(err, PATIO_TIMEOUT, 0, "the server did not answer in time")
            : patio_fail(err, PATIO_UNREACHABLE, 0, "the server is not reached: %.700s",
                         n != NULL ? n->trouble.message : "no node of the cluster is known for it");
    bool found = n == NULL;
    for (uint32_t i = 0; i < t->node_count && !found; i++) {
        found = unlink_ask(&t->nodes[i].asks, a); /* its queue may have moved to another */
    }
    if (found) {
        forget(t, a);
    } else {
        a->abandoned = true;
    }
    return st;
}

/* The caller frees *answer. An answer that is an error is one, too. */
patio_status ask_wait(patio_transport *t, const ask_in *in, uint64_t timeout_ms,
                      resp_reader **answer, const resp **out, patio_error *err)
{
    struct timespec until;
    ask            *a = t->host->alloc(t->host->self, sizeof(*a));
    if (a == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    *a         = (ask){.in = in};
    timeout_ms = timeout_ms < 3600000 ? timeout_ms : 3600000;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanos = (uint64_t)until.tv_nsec + timeout_ms % 1000 * 1000000;
    until.tv_sec += (time_t)(timeout_ms / 1000 + nanos / 1000000000u);
    until.tv_nsec = (long)(nanos % 1000000000u);
    pthread_mutex_lock(&t->lock);
    node *n      = node_of(in);
    bool  queued = t->running && n != NULL;
    if (queued) {
        turn_recall(&t->turn);
        append(&n->asks, a);
        conn_flush(&n->w);
        loop_wake(t);
    }
    while (queued && !a->done && t->running) {
        if (pthread_cond_timedwait(&t->changed, &t->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    patio_status st = PATIO_OK;
    if (!a->done) {
        st = timed_out(t, a, n, err);
    } else if (a->answer == NULL) {
        st = patio_fail(err, PATIO_UNREACHABLE, 0, "%s", a->why);
        forget(t, a);
    } else {
        *answer = a->holder;
        *out    = a->answer;
        t->host->free(t->host->self, a);
        if (resp_error(*out)) {
            uint8_t trouble = trouble_of(*out);
            st              = patio_fail(err, trouble == TROUBLE_AUTH ? PATIO_AUTH : PATIO_IO, 0,
                                         "the server says: %.700s", (*out)->text);
            resp_reader_free(*answer);
            *answer = NULL;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return st;
}

void ask_encode(conn *c)
{
    node *n = c->node;
    while (n->ready && n->asks.first != NULL && !c->broken) {
        ask          *a  = n->asks.first;
        const ask_in *in = a->in;
        cmd *k = in->script < SCRIPT_COUNT ? command_eval(c, CMD_ASK, in->script, in->q, in->args)
                                           : command(c, CMD_ASK, in->q, in->args);
        if (k == NULL) {
            return;
        }
        (void)unlink_ask(&n->asks, a);
        k->ops = a;
        if (in->write != NULL) {
            in->write(c, in->arg);
        }
    }
}

/* Not under the lock. */
static void conclude(patio_transport *t, ask *a)
{
    pthread_mutex_lock(&t->lock);
    bool abandoned = a->abandoned;
    a->done        = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    if (abandoned) {
        forget(t, a);
    }
}

void ask_answer(conn *c, cmd *k, const resp *r)
{
    patio_transport *t       = c->t;
    ask             *a       = k->ops;
    uint8_t          trouble = trouble_of(r);
    bool             again =
        trouble == TROUBLE_NOSCRIPT || trouble == TROUBLE_MOVED || trouble == TROUBLE_READONLY;
    if (again && trouble_note(c, k, trouble, r)) {
        pthread_mutex_lock(&t->lock);
        bool  abandoned = a->abandoned;
        node *n         = abandoned ? NULL : node_of(a->in);
        if (n != NULL) {
            append(&n->asks, a);
        }
        pthread_mutex_unlock(&t->lock);
        if (abandoned) {
            forget(t, a);
        }
        if (n != NULL || abandoned) {
            return;
        }
    }
    a->holder = resp_detach(c->reader);
    a->answer = a->holder != NULL ? r : NULL;
    (void)snprintf(a->why, sizeof(a->why), "out of memory");
    conclude(t, a);
}

void ask_lost(conn *c, cmd *k, const char *why)
{
    ask *a = k->ops;
    (void)snprintf(a->why, sizeof(a->why), "the connection ended before the answer: %.200s", why);
    conclude(c->t, a);
}
