/* patio.presence/1: who is there. Everybody is asked, and whoever has a
 * description answers. */
#include "transport.h"

#include <patio/presence.h>

static patio_status announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    if (info.size > PATIO_PRESENCE_MAX_BYTES) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "announce: %zu bytes, at most %d are allowed",
                          info.size, PATIO_PRESENCE_MAX_BYTES);
    }
    pthread_mutex_lock(&t->lock);
    t->info.size = 0;
    bool ok      = obuf_add(t, &t->info, info.data, info.size);
    pthread_mutex_unlock(&t->lock);
    return ok ? PATIO_OK : patio_fail(err, PATIO_NO_MEMORY, 0, "announce: out of memory");
}

/* Its number as 8 bytes, then what it says of itself. */
void presence_answer(patio_transport *t, const inbound *in)
{
    obuf words = {.data = NULL};
    pthread_mutex_lock(&t->lock);
    bool ok = t->info.size > 0 && obuf_add(t, &words, &t->incarnation, sizeof(t->incarnation)) &&
              obuf_add(t, &words, t->info.data, t->info.size);
    pthread_mutex_unlock(&t->lock);
    if (ok) {
        control_answer(t, in, words.data, words.size);
    }
    t->host->free(t->host->self, words.data);
}

/* Under the lock: an answer, kept with its length and its time. */
void presence_heard(patio_transport *t, ask *a, patio_bytes body)
{
    enum { MOST_BYTES = 16 * 1024 * 1024 };
    uint64_t head[2] = {body.size, t->host->now_ns(t->host->self) - a->asked_ns};
    if (body.size > sizeof(uint64_t) && a->got.size + body.size < MOST_BYTES) {
        size_t mark = a->got.size;
        if (!obuf_add(t, &a->got, head, sizeof(head)) ||
            !obuf_add(t, &a->got, body.data, body.size)) {
            a->got.size = mark;
        }
    }
}

static void visit_all(const ask *a, patio_presence_visit_fn visit, void *arg)
{
    for (size_t at = 0; at < a->got.size;) {
        uint64_t       head[2];
        patio_presence p = {PATIO_SIZED(patio_presence)};
        memcpy(head, a->got.data + at, sizeof(head));
        const uint8_t *body = a->got.data + at + sizeof(head);
        memcpy(&p.incarnation, body, sizeof(p.incarnation));
        p.rtt_ns = head[1] > 0 ? head[1] : 1;
        p.info   = (patio_bytes){body + sizeof(p.incarnation), head[0] - sizeof(p.incarnation)};
        if (visit(arg, &p) != 0) {
            return;
        }
        at += sizeof(head) + head[0];
    }
}

static patio_status list(patio_transport *t, uint64_t timeout_ms, patio_presence_visit_fn visit,
                         void *arg, patio_error *err)
{
    enum { WAIT_MS = 500, MOST_MS = 5000 };
    if (!control_can(t, err, "list workers")) {
        return PATIO_UNSUPPORTED;
    }
    ask *a = control_new(t, ASK_PRESENCE);
    if (a == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    pthread_mutex_lock(&t->lock);
    a->awaited = true;
    (void)state_await(t, timeout_ms);
    bool stopped = !t->started || t->stopping;
    bool asked   = !stopped && control_ask(t, a, "presence");
    if (asked) {
        control_wait(t, a, timeout_ms < WAIT_MS ? timeout_ms : WAIT_MS,
                     timeout_ms < MOST_MS ? timeout_ms : MOST_MS);
        ask **at = &t->asks;
        while (*at != NULL && *at != a) {
            at = &(*at)->next;
        }
        if (*at == a) {
            *at = a->next;
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (asked) {
        visit_all(a, visit, arg);
    }
    t->host->free(t->host->self, a->got.data);
    t->host->free(t->host->self, a);
    return asked     ? PATIO_OK
           : stopped ? patio_fail(err, PATIO_CLOSED, 0, "list workers: the transport is stopped")
                     : patio_fail(err, PATIO_UNREACHABLE, 0, "list workers: not connected");
}

const patio_presence_ops presence_ops = {PATIO_SIZED(patio_presence_ops), .announce = announce,
                                         .list = list};
