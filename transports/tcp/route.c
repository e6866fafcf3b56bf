/* From a lane to a peer, and back when the peer is lost. */
#include "tcp.h"

static bool has_room(const peersub *ps, size_t size)
{
    conn *c = ps->link;
    if (ps->outstanding >= (uint64_t)ps->credit + ps->extra) {
        return false;
    }
    if (c->self) {
        return true;
    }
    if (c->state != CONN_OPEN || c->parting || c->broken || size > c->max_bytes) {
        return false;
    }
    if (write_backlog(c) > c->t->set.write_queue_bytes) {
        c->choked = true;
        return false;
    }
    return true;
}

static bool is_shunned(const entry *e, const peersub *ps)
{
    return e->returns > 0 && e->shunned == (uint32_t)ps->link->peer_incarnation;
}

static bool is_better(const entry *e, const peersub *ps, const peersub *than)
{
    bool shunned = is_shunned(e, ps);
    return shunned != is_shunned(e, than) ? !shunned : ps->outstanding < than->outstanding;
}

static peersub *choose(const entry *e, size_t size)
{
    lane    *l     = e->lane;
    uint32_t count = l->route_count;
    if (count == 1) {
        return has_room(l->routes[0], size) ? l->routes[0] : NULL;
    }
    /* from the one behind who got the last: a busy one's share is not all its neighbour's */
    peersub *best = NULL;
    uint32_t from = l->turn;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (from + i) % count;
        peersub *ps = l->routes[at];
        if ((best == NULL || is_better(e, ps, best)) && has_room(ps, size)) {
            best    = ps;
            l->turn = at + 1;
        }
    }
    return best;
}

static void describe(const entry *e, uint64_t now, frame_publish *p)
{
    p->id       = e->id;
    p->flags    = e->flags & PATIO_MESSAGE_CARRIED;
    p->fence    = e->fence;
    p->ttl_ms   = store_time_left(e, now, &p->flags);
    p->age_ms   = (now - e->accepted_ns) / 1000000u;
    p->priority = e->priority;
    p->attempt  = e->attempt;
    p->crashes  = e->crashes;
    if (e->fence > 1) {
        p->flags |= PATIO_MESSAGE_REDELIVERED;
    }
}

static bool write_task(conn *c, const entry *e, const frame_publish *p)
{
    uint8_t      head[FRAME_PUBLISH_BYTES + 2 * 255];
    frame_header h    = {.type = FRAME_PUBLISH, .id = e->tag};
    size_t       size = frame_put_publish(head, p, e->lane->queue->name, e->lane->task);
    return write_frame(c, &h, (patio_bytes){head, size}, e->body, e->tag);
}

/* The entry is in no list. False: memory is out, and it was not given. */
bool route_give(entry *e, peersub *to, effects *fx)
{
    conn         *c = to->link;
    frame_publish p;
    e->tag += UINT64_C(1) << 32;
    e->fence++;
    e->moved_ns = fx->now;
    e->state    = ENTRY_GIVEN;
    e->holder   = to;
    e->wrote    = UINT64_MAX;
    describe(e, fx->now > e->accepted_ns ? fx->now : e->accepted_ns, &p);
    to->outstanding++;
    e->lane->queue->leased++;
    c->given_count++;
    hub_link(c, &c->given, e);
    bool taken = c->self ? inbox_put(c, e->tag, &p, e->lane,
                                     e->t->host->buf_ref(e->t->host->self, e->body), fx)
                         : write_task(c, e, &p);
    if (!taken) {
        route_take_back(e);
        e->fence--;
        e->t->starved = e->t->starved || c->self; /* a peer's link ends, and so it goes on */
        return false;
    }
    if (!c->self) {
        write_kick(c, fx);
    }
    return true;
}

void route_fill(peersub *ps, effects *fx)
{
    while (ps->active && ps->queue->ready > 0 && ps->queue->state != PATIO_QUEUE_PAUSED) {
        if (!effects_room(fx)) {
            fx->again = true;
            return;
        }
        entry *e = has_room(ps, 0) ? store_next(ps->queue, ps->lanes, ps->words) : NULL;
        if (e != NULL && store_body_size(e) > ps->link->max_bytes) {
            e = route_next_within(ps);
        }
        if (e == NULL) {
            return;
        }
        store_unlink_ready(e);
        if (!route_give(e, ps, fx)) {
            store_push_ready(e);
            return;
        }
    }
}

void route_fill_all(patio_transport *t, effects *fx)
{
    for (conn *c = t->conns; c != NULL; c = c->next) {
        for (peersub *ps = c->subs; ps != NULL; ps = ps->next) {
            route_fill(ps, fx);
        }
    }
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        if (q->own != NULL) {
            inbox_pump(q->own, fx);
        }
    }
}

static void fail_call(entry *e, enum effect_kind kind, patio_status status, const char *text,
                      effects *fx)
{
    effect *x = effects_add(fx, kind);
    x->id     = e->id;
    x->status = status;
    x->text   = text;
    hub_end_key(e, NULL, status, text, fx);
    hub_entry_free(e);
}

static void end_unfit(entry *e, effects *fx)
{
    if ((e->flags & PATIO_MESSAGE_CALL) != 0) {
        fail_call(e, EFFECT_REJECTED, PATIO_TOO_LARGE,
                  "larger than any connected worker that has the task takes (its max_frame_bytes, "
                  "max_queued_bytes)",
                  fx);
    } else {
        hub_bury(e, hub_cause_too_large, fx);
    }
}

void route_put(entry *e, effects *fx)
{
    const patio_transport *t    = e->t;
    lane                  *l    = e->lane;
    size_t                 size = store_body_size(e);
    if (l->route_count == 0 && t->arriving == 0 && (e->flags & CALL_WAITS) == PATIO_MESSAGE_CALL) {
        fail_call(e, EFFECT_REJECTED, PATIO_NO_ROUTE,
                  "no connected worker can run the task, or none any more", fx);
        return;
    }
    if (route_too_large(l, size)) {
        end_unfit(e, fx);
        return;
    }
    bool     next = l->nonempty == 0 && l->queue->state != PATIO_QUEUE_PAUSED;
    peersub *ps   = next ? choose(e, size) : NULL;
    if (ps != NULL && route_give(e, ps, fx)) {
        return;
    }
    store_push_ready(e);
    /* what waits before it may be too large for one who has room for this */
    for (uint32_t i = 0; t->least_bytes < t->set.max_frame_bytes && i < l->route_count; i++) {
        route_fill(l->routes[i], fx);
    }
}

void route_expire(entry *e, effects *fx)
{
    store_unlink_ready(e);
    if ((e->flags & PATIO_MESSAGE_CALL) != 0) {
        fail_call(e, EFFECT_UNKNOWN, PATIO_TIMEOUT, "nobody started it before its time was over",
                  fx);
    } else {
        hub_bury(e, hub_cause_expired, fx);
    }
}

static void due(void *arg)
{
    entry  *e = arg;
    effects fx;
    effects_begin(&fx, e->t);
    if (e->t->running && e->state == ENTRY_DELAYED) {
        e->lane->queue->delayed--;
        e->timer = 0;
        e->order = ++e->t->room.order;
        route_put(e, &fx);
    }
    effects_end(&fx);
}

void route_delay(entry *e, uint64_t delay_ms, effects *fx)
{
    const patio_host *host  = e->t->host;
    uint64_t          delay = delay_ms > UINT64_MAX / 1000000u ? UINT64_MAX : delay_ms * 1000000u;
    e->state                = ENTRY_DELAYED;
    e->lane->queue->delayed++;
    e->timer = host->after(host->self, delay, due, e);
    if (e->timer == 0) {
        /* no memory for a timer: sooner than asked is better than never */
        e->lane->queue->delayed--;
        route_put(e, fx);
    }
}

void route_take_back(entry *e)
{
    peersub *ps = e->holder;
    conn    *c  = e->link;
    ps->outstanding--;
    ps->queue->leased--;
    c->given_count--;
    hub_unlink_link(&c->given, e);
    e->holder = NULL;
    /* whatever its old holder still says about it is stale */
    e->tag += UINT64_C(1) << 32;
}

/* What to do with a task whose peer has gone. `started`: the peer may have begun it. */
static void lose_one(entry *e, bool started, effects *fx)
{
    patio_transport *t    = e->t;
    bool             call = (e->flags & PATIO_MESSAGE_CALL) != 0;
    if (e->asked) {
        (void)cancel_outcome(t, &e->id, PATIO_CANCEL_TOO_LATE, fx);
        e->asked = false;
    }
    if (started && call && (e->claimed || (e->flags & PATIO_MESSAGE_IDEMPOTENT) == 0)) {
        fail_call(e, EFFECT_UNKNOWN, PATIO_PEER_LOST,
                  "the connection to the worker was lost before it answered", fx);
        return;
    }
    e->crashes = (uint16_t)(started && e->crashes < UINT16_MAX ? e->crashes + 1 : e->crashes);
    if (e->claimed || e->crashes >= t->set.max_crashes) {
        patio_host_log(t->host, PATIO_LOG_WARN, "task %s: %s; it is a dead letter now",
                       e->lane->task,
                       e->claimed ? "its worker was lost after taking it for good"
                                  : "max_crashes workers were lost while they had it");
        if (call) {
            fail_call(e, EFFECT_UNKNOWN, PATIO_PEER_LOST,
                      "the connection to the worker was lost before it answered, again", fx);
            return;
        }
        hub_bury(e, hub_cause_crashes, fx);
        return;
    }
    route_put(e, fx);
}

bool route_lost(conn *c, effects *fx)
{
    while (c->given != NULL) {
        if (!effects_room(fx)) {
            return true;
        }
        entry *e       = c->given;
        bool   started = e->wrote <= write_reach(c);
        route_take_back(e);
        lose_one(e, started, fx);
    }
    return false;
}
