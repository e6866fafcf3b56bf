/* The numbers of one queue: what the broker says of its queues, and what we
 * hold ourselves. */
#include "transport.h"

/* A queue that does not exist is empty. */
static patio_status ask_for(patio_transport *t, const char *name, uint64_t timeout_ms,
                            uint64_t *messages, uint64_t *consumers, bool *absent, patio_error *err)
{
    rpc *r = rpc_new(t, RPC_PASSIVE, name);
    if (r == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = rpc_wait(t, r, timeout_ms, err);
    *messages += st == PATIO_OK ? r->messages : 0;
    *consumers += st == PATIO_OK ? r->consumers : 0;
    if (absent != NULL) {
        *absent = st == PATIO_NOT_FOUND;
    }
    t->host->free(t->host->self, r);
    return st == PATIO_NOT_FOUND ? PATIO_OK : st;
}

/* Who works on the queue says what it holds. What is missing after a while is not known. Who is
 * full has no consumer for now, and is known by its answer alone. */
static void ask_leased(patio_transport *t, queue *q, uint64_t timeout_ms, patio_counts *n)
{
    enum { NOBODY_MS = 100, SOME_MS = 500, MOST_MS = 5000 };
    char     words[NAME_MAX_BYTES + 16];
    ask     *a       = t->set.reply == REPLY_DIRECT ? NULL : control_new(t, ASK_LEASED);
    uint64_t workers = n->consumers;
    n->leased        = PATIO_COUNT_UNKNOWN;
    if (a == NULL) {
        return;
    }
    (void)snprintf(words, sizeof(words), "leased %s", q->name);
    pthread_mutex_lock(&t->lock);
    a->awaited  = true;
    a->expected = workers;
    bool asked  = control_ask(t, a, words);
    if (asked) {
        /* some may be just leaving */
        control_wait(t, a, workers > 0 ? SOME_MS : NOBODY_MS,
                     timeout_ms < MOST_MS ? timeout_ms : MOST_MS);
    }
    n->leased    = asked && a->answers >= workers ? a->sum : PATIO_COUNT_UNKNOWN;
    n->consumers = a->answers > workers ? a->answers : workers;
    control_forget(t, a);
    pthread_mutex_unlock(&t->lock);
}

static patio_status ask_step(patio_transport *t, queue *q, int step, uint64_t timeout_ms,
                             uint64_t *delayed, patio_error *err)
{
    uint64_t others = 0;
    pthread_mutex_lock(&t->lock);
    place   *p      = place_step_at(t, q, step);
    bool     absent = p != NULL && p->absent;
    uint32_t made   = p != NULL ? p->made : 0;
    pthread_mutex_unlock(&t->lock);
    if (p == NULL || absent) {
        return p != NULL ? PATIO_OK : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = ask_for(t, p->name, timeout_ms, delayed, &others, &absent, err);
    pthread_mutex_lock(&t->lock);
    p->absent = absent && made == p->made;
    pthread_mutex_unlock(&t->lock);
    return st;
}

patio_status counts_ask(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err)
{
    patio_status st = place_check_name(name, err);
    if (st != PATIO_OK) {
        return st;
    }
    pthread_mutex_lock(&t->lock);
    queue *q = place_queue(t, name, true);
    (void)state_await(t, timeout_ms); /* a link that is just coming back; else rpc_wait says why */
    pthread_mutex_unlock(&t->lock);
    if (q == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    bool         no_queue = false;
    uint64_t     others   = 0;
    patio_counts n        = {PATIO_SIZED(patio_counts)};
    bool         all      = PATIO_HAS(patio_counts, out, leased);
    st = ask_for(t, q->work.name, timeout_ms, &n.ready, &n.consumers, &no_queue, err);
    if (st == PATIO_OK && all) {
        st = ask_for(t, q->dead.name, timeout_ms, &n.dead, &others, NULL, err);
    }
    for (int i = 0; i < DELAY_STEPS && st == PATIO_OK && all; i++) {
        st = ask_step(t, q, i, timeout_ms, &n.delayed, err);
    }
    if (st == PATIO_OK) {
        if (!no_queue && all) {
            ask_leased(t, q, timeout_ms, &n);
        }
        n.ready         = cancel_still_ready(t, q, n.ready);
        n.oldest_age_ms = n.ready == 0 ? 0 : PATIO_COUNT_UNKNOWN;
        n.struct_size   = out->struct_size;
        memcpy(out, &n, out->struct_size < sizeof(n) ? out->struct_size : sizeof(n));
    }
    return st;
}
