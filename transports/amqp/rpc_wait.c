/* Callers that wait for an answer of the topology channel. */
#include "transport.h"

#include <sys/socket.h>
#include <time.h>

static void forget(patio_transport *t, rpc *r)
{
    rpc **at = &t->rpc_first;
    while (*at != NULL && *at != r) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return;
    }
    *at = r->next;
    if (r->next == NULL) {
        t->rpc_end = at;
    }
}

static struct timespec until(uint64_t timeout_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    now.tv_sec += (time_t)(timeout_ms / 1000u);
    now.tv_nsec += (long)(timeout_ms % 1000u) * 1000000;
    if (now.tv_nsec >= 1000000000) {
        now.tv_nsec -= 1000000000;
        now.tv_sec++;
    }
    return now;
}

patio_status rpc_wait(patio_transport *t, rpc *r, uint64_t timeout_ms, patio_error *err)
{
    struct timespec end = until(timeout_ms);
    pthread_mutex_lock(&t->lock);
    bool stopped = !t->started || (t->stopping && r->kind != RPC_DELETE);
    if (stopped || t->links[CONSUMING].state != LINK_READY) {
        patio_status st = stopped ? PATIO_CLOSED : PATIO_UNREACHABLE;
        pthread_mutex_unlock(&t->lock);
        return patio_fail(err, st, 0, "ask for queue \"%s\": %s", r->name,
                          st == PATIO_CLOSED ? "the transport is stopped" : "not connected");
    }
    r->awaited = true;
    rpc_add(t, r);
    int failed = 0;
    while (!r->done && failed == 0) {
        failed = pthread_cond_timedwait(&t->calm, &t->lock, &end);
    }
    if (!r->done) {
        bool sent = t->rpc_first == r && t->rpc_sent;
        if (sent) {
            /* the answer must still meet its question: the I/O thread frees a copy */
            rpc *rest = rpc_new(t, r->kind, r->name);
            if (rest != NULL) {
                rest->next   = r->next;
                t->rpc_first = rest;
                t->rpc_end   = rest->next == NULL ? &rest->next : t->rpc_end;
            } else {
                (void)rpc_take_first(t);
                (void)shutdown(t->links[CONSUMING].fd, SHUT_RDWR);
            }
        } else {
            forget(t, r);
        }
        r->status = PATIO_TIMEOUT;
        (void)snprintf(r->why, sizeof(r->why), "no answer within %llu ms",
                       (unsigned long long)timeout_ms);
    }
    patio_status st = r->status;
    pthread_mutex_unlock(&t->lock);
    return st == PATIO_OK ? st
                          : patio_fail(err, st, 0, "ask for queue \"%s\": %s", r->name, r->why);
}

/* What a process leaves behind else lives on for reply_expires_ms. A busy broker has a moment even
 * when the grace is over, and one that has fallen silent does not hold the process for all of it.
 */
void rpc_remove_inbox(patio_transport *t, uint64_t until_ns)
{
    enum { LEAST_MS = 500, MOST_MS = 5000 };
    uint64_t now_ns     = t->host->now_ns(t->host->self);
    uint64_t left_ms    = now_ns < until_ns ? (until_ns - now_ns) / 1000000u : 0;
    uint64_t timeout_ms = left_ms < LEAST_MS ? LEAST_MS : left_ms > MOST_MS ? MOST_MS : left_ms;
    pthread_mutex_lock(&t->lock);
    rpc *r      = rpc_new(t, RPC_DELETE, t->inbox);
    t->removing = r != NULL;
    pthread_mutex_unlock(&t->lock);
    if (r != NULL) {
        (void)rpc_wait(t, r, timeout_ms, NULL);
        t->host->free(t->host->self, r);
    }
}

void rpc_decide(patio_transport *t)
{
    for (;;) {
        pthread_mutex_lock(&t->lock);
        rpc *r = t->decided;
        if (r != NULL) {
            t->decided = r->next;
        }
        pthread_mutex_unlock(&t->lock);
        if (r == NULL) {
            return;
        }
        cancel_decided(t, r->cancel, r->status == PATIO_OK ? r->messages : 0);
        t->host->free(t->host->self, r);
    }
}
