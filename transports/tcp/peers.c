/* patio.peers/1: who is connected. */
#include "tcp.h"

typedef struct row {
    patio_peer   peer;
    const char **tasks;
    char         address[300];
    char         security[128];
    char         project[256];
} row;

/* The next task of a set from a lane on; NULL: there is none. */
static const char *next_task(const peersub *ps, uint32_t *at)
{
    while (*at < ps->words * WORD_BITS) {
        uint32_t i = (*at)++;
        if ((ps->lanes[i / WORD_BITS] >> (i % WORD_BITS) & 1u) != 0) {
            return ps->queue->lanes[i]->task;
        }
    }
    return NULL;
}

/* Pointers and then the names themselves, for their lanes may go when the lock is open. */
static bool take_tasks(const patio_host *host, const conn *c, row *r)
{
    size_t      count = 0;
    size_t      size  = 0;
    const char *task  = NULL;
    for (const peersub *ps = c->subs; ps != NULL; ps = ps->next) {
        for (uint32_t at = 0; (task = next_task(ps, &at)) != NULL; count++) {
            size += strlen(task) + 1;
        }
    }
    r->tasks = host->alloc(host->self, (count + 1) * sizeof(*r->tasks) + size);
    if (r->tasks == NULL) {
        return false;
    }
    char *to = (char *)(r->tasks + count + 1);
    for (const peersub *ps = c->subs; ps != NULL; ps = ps->next) {
        r->peer.credit += ps->credit;
        for (uint32_t at = 0; (task = next_task(ps, &at)) != NULL;) {
            r->tasks[r->peer.task_count++] = to;
            to                             = stpcpy(to, task) + 1;
        }
    }
    return true;
}

static bool take_row(const patio_host *host, const conn *c, row *r)
{
    memset(r, 0, sizeof(*r));
    memcpy(r->address, c->name, sizeof(c->name));
    memcpy(r->security, c->security, sizeof(c->security));
    memcpy(r->project, c->project, sizeof(c->project));
    r->peer = (patio_peer){
        PATIO_SIZED(patio_peer),
        .link        = c->state == CONN_OPEN ? PATIO_LINK_UP : PATIO_LINK_CONNECTING,
        .address     = r->address,
        .security    = r->security,
        .project     = r->project,
        .incarnation = c->peer_incarnation,
        .listening   = c->connects ? 0 : 1,
        .in_flight   = c->given_count,
        .rtt_ns      = c->rtt_ns,
        .bytes_in    = c->bytes_in,
        .bytes_out   = c->written,
    };
    bool ok       = take_tasks(host, c, r);
    r->peer.tasks = r->tasks;
    return ok;
}

/* A URL that nothing connects with at the moment: it waits for its next attempt, or for its name.
 */
static bool is_away(const patio_transport *t, const endpoint *ep)
{
    const conn *c = t->conns;
    while (c != NULL && !(c->connects && c->endpoint == ep && c->state != CONN_CLOSED)) {
        c = c->next;
    }
    return c == NULL && !ep->listens && !ep->itself;
}

static void take_away(const endpoint *ep, row *r)
{
    memset(r, 0, sizeof(*r));
    memcpy(r->address, ep->shown, sizeof(ep->shown));
    r->peer = (patio_peer){
        PATIO_SIZED(patio_peer), .link = ep->refused ? PATIO_LINK_DOWN : PATIO_LINK_CONNECTING,
        .address = r->address,   .security = r->security,
        .project = r->project,
    };
}

static patio_status list_peers(patio_transport *t, patio_peer_visit_fn visit, void *arg,
                               patio_error *err)
{
    const patio_host *host  = t->host;
    size_t            count = 0;
    pthread_mutex_lock(&t->lock);
    size_t room = (size_t)t->conn_count + t->endpoint_count + 1;
    row   *rows = host->alloc(host->self, room * sizeof(*rows));
    bool   ok   = rows != NULL;
    for (const conn *c = t->conns; ok && c != NULL && count < room; c = c->next) {
        if (!c->self && c->state != CONN_CLOSED) {
            ok = take_row(host, c, &rows[count]);
            count += ok ? 1 : 0;
        }
    }
    for (uint32_t i = 0; ok && i < t->endpoint_count && count < room; i++) {
        if (is_away(t, &t->endpoints[i])) {
            take_away(&t->endpoints[i], &rows[count++]);
        }
    }
    pthread_mutex_unlock(&t->lock);
    bool more = ok;
    for (size_t i = 0; i < count; i++) {
        more = more && visit(arg, &rows[i].peer) == 0;
        host->free(host->self, rows[i].tasks);
    }
    host->free(host->self, rows);
    return ok ? PATIO_OK : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
}

static patio_status address_at(patio_transport *t, size_t index, char *text, size_t room,
                               patio_error *err)
{
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        const endpoint *ep = &t->endpoints[i];
        if (index < ep->listener_count) {
            (void)snprintf(text, room, "%s", ep->listeners[index].bound_to);
            return PATIO_OK;
        }
        index -= ep->listener_count;
    }
    return patio_fail(err, PATIO_NOT_FOUND, 0, "this side listens on no more addresses");
}

const patio_peers_ops tcp_peers = {
    PATIO_SIZED(patio_peers_ops),
    .list    = list_peers,
    .address = address_at,
};
