/* Sentinels are asked who is master, each time before the master is connected to. */
#include "redis.h"

void sentinel_answer(conn *c, const resp *r)
{
    patio_transport *t    = c->t;
    const resp      *host = resp_at(r, 0);
    int64_t          port = resp_number(resp_at(r, 1), 0);
    if (host == NULL || host->text == NULL || port <= 0 || port > 65535) {
        pthread_mutex_lock(&t->lock);
        node *n           = &t->nodes[0];
        n->trouble.status = PATIO_UNREACHABLE;
        (void)snprintf(n->trouble.message, sizeof(n->trouble.message),
                       "sentinel %s:%u does not know a master \"%s\"", c->host, c->port, t->master);
        pthread_mutex_unlock(&t->lock);
        conn_close(c, PATIO_UNREACHABLE, "no such master");
        return;
    }
    (void)snprintf(t->sentinel_host, sizeof(t->sentinel_host), "%s", host->text);
    t->sentinel_port = (uint32_t)port;
    pthread_mutex_lock(&t->lock);
    t->master_known = true;
    c->attempts     = 0;
    pthread_mutex_unlock(&t->lock);
    conn_close(c, PATIO_CLOSED, "answered");
}
