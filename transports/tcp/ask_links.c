/* What the beginning and the end of a link mean for questions of ours. */
#include "tcp.h"

void ask_conn_open(conn *c, effects *fx)
{
    patio_transport *t = c->t;
    if (c->connects) {
        c->endpoint->reached = true;
    }
    for (ask *a = t->ask.asks; a != NULL && ask_can(c);) {
        ask *next = a->next;
        ask_put(a, c, fx);
        ask_changed(t, a, fx);
        a = next;
    }
}

void ask_links(patio_transport *t)
{
    effects  fx;
    uint32_t hoped = 0;
    effects_begin(&fx, t);
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        endpoint *ep   = &t->endpoints[i];
        bool      away = !ep->listens && !ep->reached;
        ep->refused    = away && ep->given_up;
        hoped += away && !ep->given_up && !ep->itself ? 1 : 0;
    }
    bool fewer   = hoped < t->ask.hoped;
    t->ask.hoped = hoped;
    if (fewer) {
        pthread_cond_broadcast(&t->ask.answered);
        ask_tick(t, &fx);
    }
    effects_end(&fx);
}

static void forget_cancels(patio_transport *t, const conn *c)
{
    for (cancelling **at = &t->ask.cancels; *at != NULL;) {
        cancelling *one = *at;
        if (one->from == c) {
            *at = one->next;
            t->host->free(t->host->self, one);
        } else {
            at = &one->next;
        }
    }
}

bool ask_conn_left(conn *c, effects *fx)
{
    patio_transport *t = c->t;
    forget_cancels(t, c);
    for (ask *a = t->ask.asks; a != NULL;) {
        ask *next = a->next;
        if (!effects_room(fx)) {
            return true;
        }
        for (uint32_t i = 0; i < a->target_count; i++) {
            if (a->targets[i].c == c) {
                /* what it held is gone with it: there is no more to be said */
                a->pending -= a->targets[i].pending;
                a->targets[i] = a->targets[--a->target_count];
                ask_changed(t, a, fx);
                break;
            }
        }
        a = next;
    }
    return relay_conn_left(c, fx);
}
