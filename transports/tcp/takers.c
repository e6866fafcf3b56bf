/* Who takes what: for each peer and queue its set of lanes. A lane that nobody can run and nothing
 * is of goes, and so does a queue that only peers knew: else those who come and go would fill the
 * room for names. */
#include "tcp.h"

peersub *taker_find(conn *c, queue *q)
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
        q->takers++;
    }
    return ps;
}

static bool has_lane(const peersub *ps, uint32_t index)
{
    return index / WORD_BITS < ps->words &&
           (ps->lanes[index / WORD_BITS] >> (index % WORD_BITS) & 1u) != 0;
}

static void set_lane(peersub *ps, uint32_t index, bool on)
{
    uint64_t  bit  = UINT64_C(1) << (index % WORD_BITS);
    uint64_t *word = &ps->lanes[index / WORD_BITS];
    *word          = on ? *word | bit : *word & ~bit;
}

bool taker_reserve(peersub *ps)
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

bool taker_room(lane *l)
{
    if (l->route_count < l->route_room) {
        return true;
    }
    const patio_host *host   = l->queue->t->host;
    uint32_t          room   = l->route_room == 0 ? 4 : l->route_room * 2;
    peersub         **routes = host->resize(host->self, l->routes, room * sizeof(peersub *));
    if (routes == NULL) {
        return false;
    }
    l->routes     = routes;
    l->route_room = room;
    return true;
}

bool taker_add(peersub *ps, lane *l)
{
    if (!taker_reserve(ps)) {
        return false;
    }
    if (has_lane(ps, l->index)) {
        return true;
    }
    if (!taker_room(l)) {
        return false;
    }
    l->routes[l->route_count++] = ps;
    set_lane(ps, l->index, true);
    return true;
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

void taker_forget(peersub *ps)
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

void takers_drop(conn *c)
{
    for (peersub **at = &c->subs; *at != NULL;) {
        peersub *ps = *at;
        if (ps->active || ps->outstanding > 0) {
            at = &ps->next;
            continue;
        }
        *at = ps->next;
        ps->queue->takers--;
        c->t->host->free(c->t->host->self, ps->lanes);
        c->t->host->free(c->t->host->self, ps);
    }
}

static void drop_lane(lane *l)
{
    queue            *q    = l->queue;
    const patio_host *host = q->t->host;
    host->free(host->self, l->routes);
    const lane *moved = store_lane_drop(l);
    for (uint32_t i = 0; moved != NULL && i < moved->route_count; i++) {
        set_lane(moved->routes[i], q->lane_count, false);
        set_lane(moved->routes[i], moved->index, true);
    }
}

static void tidy_queue(queue *q)
{
    for (uint32_t i = q->lane_count; i-- > 0;) {
        lane *l = q->lanes[i];
        if (l->route_count == 0 && l->held == 0 && !l->kept) {
            drop_lane(l);
        }
    }
    if (q->lane_count == 0 && q->takers == 0 && q->named == 0 && q->own == NULL &&
        q->state == PATIO_QUEUE_OPEN) {
        store_queue_drop(q);
    }
}

void takers_tidy(patio_transport *t)
{
    for (queue *q = t->room.queues; q != NULL;) {
        queue *next = q->next;
        tidy_queue(q);
        q = next;
    }
}
