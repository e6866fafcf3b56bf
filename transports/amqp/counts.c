/* The numbers of one queue: what the broker says of its queues, and what we hold ourselves. */
#include "transport.h"

/* A queue that does not exist is empty. */
static patio_status ask(patio_transport *t, const char *name, uint64_t timeout_ms,
                        uint64_t *messages, uint64_t *consumers, patio_error *err)
{
    rpc *r = rpc_new(t, RPC_PASSIVE, name);
    if (r == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = rpc_wait(t, r, timeout_ms, err);
    *messages += st == PATIO_OK ? r->messages : 0;
    if (consumers != NULL) {
        *consumers = st == PATIO_OK ? r->consumers : 0;
    }
    t->host->free(t->host->self, r);
    return st == PATIO_NOT_FOUND ? PATIO_OK : st;
}

patio_status counts_ask(patio_transport *t, const char *name, uint64_t timeout_ms,
                        patio_counts *out, patio_error *err)
{
    patio_status checked = place_check_name(name, err);
    if (checked != PATIO_OK) {
        return checked;
    }
    pthread_mutex_lock(&t->lock);
    queue *q = place_queue(t, name, true);
    pthread_mutex_unlock(&t->lock);
    if (q == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_counts n  = {PATIO_SIZED(patio_counts), .leased = PATIO_COUNT_UNKNOWN,
                       .oldest_age_ms = PATIO_COUNT_UNKNOWN};
    patio_status st = ask(t, q->work.name, timeout_ms, &n.ready, &n.consumers, err);
    if (st == PATIO_OK) {
        st = ask(t, q->dead.name, timeout_ms, &n.dead, NULL, err);
    }
    for (int i = 0; i < DELAY_STEPS && st == PATIO_OK; i++) {
        place *p = place_step_at(t, q, i);
        st       = p != NULL ? ask(t, p->name, timeout_ms, &n.delayed, NULL, err)
                             : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    if (st == PATIO_OK) {
        n.oldest_age_ms = n.ready == 0 ? 0 : PATIO_COUNT_UNKNOWN;
        n.struct_size   = out->struct_size;
        memcpy(out, &n, out->struct_size < sizeof(n) ? out->struct_size : sizeof(n));
    }
    return st;
}
