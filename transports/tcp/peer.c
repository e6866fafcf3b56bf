/* Who can run what: announcements, ours and theirs. */
#include "tcp.h"

static void add_route(lane *l, peersub *ps)
{
    const patio_host *host = ps->queue->t->host;
    if (l->route_count == l->route_room) {
        uint32_t  room   = l->route_room == 0 ? 4 : l->route_room * 2;
        peersub **routes = host->resize(host->self, l->routes, room * sizeof(peersub *));
        if (routes == NULL) {
            return; /* that peer does not get this task, others do */
        }
        l->routes     = routes;
        l->route_room = room;
    }
    l->routes[l->route_count++] = ps;
    ps->lanes[l->index / WORD_BITS] |= UINT64_C(1) << (l->index % WORD_BITS);
}

static bool has_lane(const peersub *ps, const lane *l)
{
    return l->index / WORD_BITS < ps->words &&
           (ps->lanes[l->index / WORD_BITS] >> (l->index % WORD_BITS) & 1u) != 0;
}

static void remove_route(lane *l, const peersub *ps)
{
    for (uint32_t i = 0; i < l->route_count; i++) {
        if (l->routes[i] == ps) {
            l->routes[i] = l->routes[--l->route_count];
            return;
        }
    }
}

static void forget_routes(peersub *ps)
{
    const queue *q = ps->queue;
    for (uint32_t w = 0; w < ps->words; w++) {
        for (uint64_t bits = ps->lanes[w]; bits != 0; bits &= bits - 1) {
            remove_route(q->lanes[w * WORD_BITS + (uint32_t)__builtin_ctzll(bits)], ps);
        }
        ps->lanes[w] = 0;
    }
    ps->active = false;
}

static bool grow_bits(peersub *ps)
{
    const patio_host *host  = ps->queue->t->host;
    uint32_t          words = ps->queue->lane_room / WORD_BITS;
    if (words <= ps->words) {
        return true;
    }
    uint64_t *bits = host->resize(host->self, ps->lanes, words * sizeof(*bits));
    if (bits == NULL) {
        return false;
    }
    memset(bits + ps->words, 0, (words - ps->words) * sizeof(*bits));
    ps->lanes = bits;
    ps->words = words;
    return true;
}

static peersub *find_or_make(conn *c, queue *q)
{
    peersub *ps = c->subs;
    while (ps != NULL && ps->queue != q) {
        ps = ps->next;
    }
    if (ps == NULL && (ps = c->t->host->alloc(c->t->host->self, sizeof(*ps))) != NULL) {
        memset(ps, 0, sizeof(*ps));
        ps->link  = c;
        ps->queue = q;
        ps->next  = c->subs;
        c->subs   = ps;
    }
    return ps;
}

bool peer_set_self(queue *q, const patio_subscription *in)
{
    peersub *ps = find_or_make(q->t->self, q);
    if (ps == NULL || !grow_bits(ps)) {
        return false;
    }
    forget_routes(ps);
    ps->credit = in->credit;
    for (size_t i = 0; i < in->task_count; i++) {
        lane *l = store_lane(q, in->tasks[i], false);
        if (l != NULL && !has_lane(ps, l)) {
            add_route(l, ps);
        }
    }
    ps->active = in->task_count > 0;
    return true;
}

/* Nobody can run it any more, or nobody who can takes so much. */
static bool is_orphan(const entry *e)
{
    return e->lane->route_count > 0
               ? route_too_large(e->lane, store_body_size(e))
               : (e->flags & (PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE)) == PATIO_MESSAGE_CALL;
}

/* Such calls end now, and such sends if they are too large; the others wait for somebody. */
static void fail_orphans(patio_transport *t, effects *fx)
{
    bool sizes = t->least_bytes < t->set.max_frame_bytes;
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        for (uint32_t i = 0; q->ready > 0 && i < q->lane_count; i++) {
            lane *l    = q->lanes[i];
            bool  look = l->nonempty != 0 && (l->route_count == 0 || sizes);
            for (unsigned p = 0; look && p < PRIORITIES; p++) {
                for (entry *e = l->ready[p].first; e != NULL;) {
                    entry *next = e->next;
                    if (is_orphan(e)) {
                        if (!effects_room(fx)) {
                            effects_pass(fx);
                            next = l->ready[p].first;
                            e    = next;
                            continue;
                        }
                        store_unlink_ready(e);
                        route_put(e, fx);
                    }
                    e = next;
                }
            }
        }
    }
}

static void take_queue(conn *c, frame_queue *in)
{
    char     name[256];
    queue   *q  = hub_queue(c->t, in->name, true);
    peersub *ps = q != NULL ? find_or_make(c, q) : NULL;
    if (ps == NULL) {
        return;
    }
    ps->credit = in->credit;
    bool full  = false;
    for (uint32_t i = 0; i < in->task_count && frame_next_name(&in->tasks, name); i++) {
        lane *l = store_lane(q, name, true);
        if (l != NULL && grow_bits(ps) && !has_lane(ps, l)) {
            add_route(l, ps);
        }
        full = full || l == NULL;
    }
    if (full) {
        patio_host_log(c->t->host, PATIO_LOG_WARN,
                       "peer %s announced more tasks than there is room for", c->name);
    }
    ps->active = true;
}

void peer_limit(conn *c)
{
    if (c->allow != NULL && c->project[0] != '\0' && !c->foreign &&
        !allow_project(c->allow, c->project)) {
        patio_host_log(c->t->host, PATIO_LOG_WARN,
                       "peer %s: its certificate may not call in project \"%s\"", c->name,
                       c->project);
        allow_nothing(c->allow);
    }
}

const char *peer_announced(conn *c, patio_bytes body, effects *fx)
{
    char        project[256];
    uint32_t    queues = 0;
    patio_bytes rest;
    const char *why = frame_check_announce(body);
    if (why != NULL || !frame_get_announce(body, project, &queues, &rest)) {
        return why;
    }
    for (peersub *ps = c->subs; ps != NULL; ps = ps->next) {
        forget_routes(ps);
    }
    bool foreign = strcmp(project, c->t->project) != 0;
    if (foreign && !c->foreign) {
        patio_host_log(c->t->host, PATIO_LOG_WARN,
                       "peer %s is of project \"%s\", this is \"%s\": they share no tasks", c->name,
                       project, c->t->project);
    }
    c->foreign = foreign;
    if (c->max_bytes < c->t->least_bytes) {
        c->t->least_bytes = c->max_bytes;
    }
    memcpy(c->project, project, sizeof(project));
    peer_limit(c);
    for (uint32_t i = 0; i < queues && !foreign; i++) {
        frame_queue q;
        if (frame_next_queue(&rest, &q)) {
            take_queue(c, &q);
        }
    }
    if (!c->announced) {
        c->announced = true;
        ask_conn_open(c, fx);
    }
    for (peersub *ps = c->subs; ps != NULL; ps = ps->next) {
        route_fill(ps, fx);
    }
    fail_orphans(c->t, fx);
    return NULL;
}

static size_t put_name(uint8_t *to, const char *name)
{
    size_t size = strlen(name);
    if (to != NULL) {
        to[0] = (uint8_t)size;
        memcpy(to + 1, name, size); /* NOLINT(bugprone-not-null-terminated-result): as in frame.c */
    }
    return size + 1;
}

/* With to NULL it only measures. */
static size_t put_queue(uint8_t *to, const queue *q)
{
    size_t   at    = put_name(to, q->name) + 12;
    size_t   from  = at;
    uint32_t count = 0;
    for (uint32_t i = 0; i < q->lane_count; i++) {
        if (q->lanes[i]->own) {
            at += put_name(to != NULL ? to + at : NULL, q->lanes[i]->task);
            count++;
        }
    }
    if (to != NULL) {
        frame_put32(to + from - 12, q->state == PATIO_QUEUE_PAUSED ? 0 : q->own->credit);
        frame_put32(to + from - 8, count);
        frame_put32(to + from - 4, (uint32_t)(at - from));
    }
    return at;
}

static size_t put_announce(uint8_t *to, const patio_transport *t)
{
    size_t   at    = put_name(to, t->project);
    size_t   from  = at;
    uint32_t count = 0;
    at += 4;
    for (const queue *q = t->room.queues; q != NULL; q = q->next) {
        if (q->own != NULL && !q->own->closed) {
            at += put_queue(to != NULL ? to + at : NULL, q);
            count++;
        }
    }
    if (to != NULL) {
        frame_put32(to + from, count);
    }
    return at;
}

bool peer_announce(conn *c)
{
    const patio_host *host = c->t->host;
    uint8_t          *data = NULL;
    patio_buf        *body = host->buf_new(host->self, put_announce(NULL, c->t), &data);
    if (body == NULL) {
        c->broken = true;
        return false;
    }
    (void)put_announce(data, c->t);
    frame_header h  = {.type = FRAME_ANNOUNCE};
    bool         ok = write_frame(c, &h, (patio_bytes){NULL, 0}, body, 0);
    host->buf_drop(host->self, body);
    return ok;
}

void peer_announce_all(patio_transport *t, effects *fx)
{
    for (conn *c = t->conns; c != NULL; c = c->next) {
        if (!c->self && c->state == CONN_OPEN && peer_announce(c)) {
            write_kick(c, fx);
        }
    }
}

void peer_leave(conn *c, effects *fx)
{
    for (peersub *ps = c->subs; ps != NULL; ps = ps->next) {
        forget_routes(ps);
    }
    while (route_lost(c, fx) || inbox_lost(c, fx) || ask_conn_left(c, fx)) {
        effects_pass(fx);
    }
    while (c->subs != NULL) {
        peersub *next = c->subs->next;
        c->t->host->free(c->t->host->self, c->subs->lanes);
        c->t->host->free(c->t->host->self, c->subs);
        c->subs = next;
    }
    fail_orphans(c->t, fx);
}
