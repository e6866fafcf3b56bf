/* Which node has which slot. All keys of a queue lie in one slot, so a queue has one node; what is
 * sent to the wrong one is told where to go, and goes there. */
#include "redis.h"

#include <stdlib.h>

/* [I/O thread, under the lock] The node of that address, made if need be. NULL: too many. */
node *node_for(patio_transport *t, const char *host, uint32_t port)
{
    for (uint32_t i = 0; i < t->node_count; i++) {
        node *n = &t->nodes[i];
        if (n->w.port == port && strcmp(n->w.host, host) == 0) {
            return n;
        }
    }
    node *n = NULL;
    for (uint32_t i = 0; i < t->node_count && n == NULL; i++) {
        n = !t->nodes[i].used && t->nodes[i].w.state == CONN_CLOSED ? &t->nodes[i] : NULL;
    }
    if (n == NULL && t->node_count < NODES_MAX) {
        n = &t->nodes[t->node_count++];
        conn_init(&n->w, t, CONN_NODE, n, NULL);
    }
    if (n != NULL) {
        (void)snprintf(n->w.host, sizeof(n->w.host), "%s", host);
        n->w.port = port;
        n->ready  = false;
    }
    return n;
}

/* Under the lock: every queue to the node that has its slot. */
void cluster_place(patio_transport *t)
{
    if (!t->cluster || !t->slots_known) {
        return;
    }
    for (queue *q = t->queues; q != NULL; q = q->next) {
        uint8_t which = t->slot_node[q->slot];
        node   *n     = which != 0 ? &t->nodes[which - 1] : NULL;
        if (n == q->node || n == NULL) {
            continue;
        }
        q->node         = n;
        n->used         = true;
        q->reader.node  = n;
        q->replies.node = n;
        q->opened       = false;
        q->beat_ns      = 0;
        conn_break(&q->reader, PATIO_CLOSED, "its slot has moved");
        conn_break(&q->replies, PATIO_CLOSED, "its slot has moved");
    }
}

static bool seed_matches(const patio_transport *t, const conn *c, const char *host, uint32_t port)
{
    (void)t;
    return c->port == port && strcmp(c->host, host) == 0;
}

/* CLUSTER SLOTS: {from, to, {host, port, …}, replicas …} … */
void cluster_learn(conn *c, const resp *r)
{
    patio_transport *t     = c->t;
    uint32_t         found = 0;
    pthread_mutex_lock(&t->lock);
    bool own = false;
    for (size_t i = 0; i < r->count; i++) {
        const resp *range  = resp_at(r, i);
        int64_t     from   = resp_number(resp_at(range, 0), -1);
        int64_t     to     = resp_number(resp_at(range, 1), -1);
        const resp *master = resp_at(range, 2);
        const resp *host   = resp_at(master, 0);
        int64_t     port   = resp_number(resp_at(master, 1), 0);
        if (from < 0 || to >= SLOTS || from > to || port <= 0 || port > 65535) {
            continue;
        }
        /* a node that does not know its own name is the one we asked */
        const char *name = host != NULL && host->size > 0 ? host->text : c->host;
        node       *n =
            seed_matches(t, c, name, (uint32_t)port) ? c->node : node_for(t, name, (uint32_t)port);
        if (n == NULL) {
            continue;
        }
        own = own || n == c->node;
        for (int64_t s = from; s <= to; s++) {
            t->slot_node[s] = (uint8_t)(n - t->nodes + 1);
            found++;
        }
    }
    t->slots_wanted = false;
    if (found > 0) {
        t->slots_known = true;
    }
    cluster_place(t);
    /* the one that was asked first, by another name or without slots, is not needed any more */
    for (uint32_t i = 0; i < t->node_count; i++) {
        node *n    = &t->nodes[i];
        bool  used = n == c->node && own;
        for (uint32_t s = 0; s < SLOTS && !used; s++) {
            used = t->slot_node[s] == i + 1;
        }
        n->used = used;
        if (!used) {
            n->trouble.status = PATIO_OK;
        }
    }
    pthread_mutex_unlock(&t->lock);
}

/* "MOVED slot host:port" */
void cluster_moved(conn *c, const char *text)
{
    patio_transport *t = c->t;
    char             host[256];
    unsigned         slot = 0;
    const char      *at   = strchr(text, ' ');
    const char      *port = strrchr(text, ':');
    const char      *name = at != NULL ? strchr(at + 1, ' ') : NULL;
    if (!t->cluster || name == NULL || port == NULL || port < name ||
        sscanf(at, " %u", &slot) != 1 || slot >= SLOTS) {
        return;
    }
    size_t size = (size_t)(port - name - 1);
    if (size >= sizeof(host)) {
        return;
    }
    memcpy(host, name + 1, size);
    host[size] = '\0';
    pthread_mutex_lock(&t->lock);
    node *n = node_for(t, size > 0 ? host : c->host, (uint32_t)strtoul(port + 1, NULL, 10));
    if (n != NULL) {
        n->used            = true;
        t->slot_node[slot] = (uint8_t)(n - t->nodes + 1);
        cluster_place(t);
    }
    pthread_mutex_unlock(&t->lock);
}
