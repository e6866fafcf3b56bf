/* Who can run what: announcements, ours and theirs. */
#include "tcp.h"

bool peer_set_self(queue *q, const patio_subscription *in)
{
    peersub *ps = taker_find(q->t->self, q);
    if (ps == NULL || !taker_reserve(ps)) {
        return false;
    }
    for (size_t i = 0; i < in->task_count; i++) {
        lane *l = store_lane(q, in->tasks[i], false);
        if (l == NULL || !taker_room(l)) {
            return false;
        }
    }
    taker_forget(ps);
    ps->credit = in->credit;
    for (size_t i = 0; i < in->task_count; i++) {
        (void)taker_add(ps, store_lane(q, in->tasks[i], false)); /* needs no memory any more */
    }
    ps->active = in->task_count > 0;
    return true;
}

/* Nobody can run it any more, or nobody who can takes so much. */
static bool is_orphan(const entry *e)
{
    return e->lane->route_count > 0
               ? route_too_large(e->lane, store_body_size(e))
               : e->t->arriving == 0 && (e->flags & CALL_WAITS) == PATIO_MESSAGE_CALL;
}

/* False: the effects are full, and there may be more. */
static bool fail_lane(const lane *l, effects *fx)
{
    bool sizes = fx->t->least_bytes < fx->t->set.max_frame_bytes;
    bool look  = l->nonempty != 0 && (l->route_count == 0 || sizes);
    for (unsigned p = 0; look && p < PRIORITIES; p++) {
        for (entry *e = l->ready[p].first; e != NULL;) {
            entry *next = e->next;
            if (is_orphan(e)) {
                if (!effects_room(fx)) {
                    return false;
                }
                store_unlink_ready(e);
                route_put(e, fx);
            }
            e = next;
        }
    }
    return true;
}

void peer_fail_orphans(queue *q, effects *fx)
{
    /* downwards: while the lock is open lanes may go, and the last one takes the place of one */
    for (uint32_t i = q->lane_count; q->ready > 0 && i > 0;) {
        if (fail_lane(q->lanes[i - 1], fx)) {
            i--;
        } else {
            effects_pass(fx);
            i = i < q->lane_count ? i : q->lane_count;
        }
    }
}

/* The I/O thread: no queue goes meanwhile. */
static void fail_all_orphans(patio_transport *t, effects *fx)
{
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        peer_fail_orphans(q, fx);
    }
}

/* How many of its tasks there is no room for. */
static uint32_t take_queue(conn *c, frame_queue *in)
{
    char     name[256];
    uint32_t taken = 0;
    queue   *q     = hub_queue(c->t, in->name, true);
    peersub *ps    = q != NULL ? taker_find(c, q) : NULL;
    if (ps == NULL) {
        return in->task_count;
    }
    for (uint32_t i = 0; i < in->task_count && frame_next_name(&in->tasks, name); i++) {
        lane *l = store_lane(q, name, true);
        taken += l != NULL && taker_add(ps, l) ? 1 : 0;
    }
    ps->credit = in->credit;
    ps->active = true;
    return in->task_count - taken;
}

static void warn_left_out(const conn *c, uint64_t left_out, uint64_t now)
{
    const store_room *room = &c->t->room;
    if (left_out > 0 && limits_may_warn(c->t, now)) {
        patio_host_log(
            c->t->host, PATIO_LOG_WARN,
            "peer %s gets nothing for %llu of the tasks it announced: %llu names of tasks "
            "in %u queues are known here (at most %d in %d)",
            c->name, (unsigned long long)left_out, (unsigned long long)room->lanes,
            room->queue_count, LANES_MAX, QUEUES_MAX);
    }
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
        taker_forget(ps);
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
    if (c->t->room.lanes + FRAME_TASKS_MAX > LANES_MAX ||
        c->t->room.queue_count + FRAME_QUEUES_MAX > QUEUES_MAX) {
        takers_tidy(c->t);
    }
    uint64_t left_out = 0;
    for (uint32_t i = 0; i < queues && !foreign; i++) {
        frame_queue q;
        if (frame_next_queue(&rest, &q)) {
            left_out += take_queue(c, &q);
        }
    }
    const store_room *room = &c->t->room;
    if (left_out > 0 && room->lanes < LANES_MAX && room->queue_count < QUEUES_MAX) {
        return "no memory for the tasks it announced"; /* they come again, with a new connection */
    }
    warn_left_out(c, left_out, fx->now);
    bool again = c->announced;
    if (!again) {
        c->announced = true;
        ask_conn_open(c, fx);
    }
    for (peersub *ps = c->subs; ps != NULL; ps = ps->next) {
        route_fill(ps, fx);
    }
    fail_all_orphans(c->t, fx);
    if (again) { /* what it has no more may be nobody's now */
        takers_drop(c);
        takers_tidy(c->t);
    }
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

/* Without queues it is that this side takes nothing. */
static size_t put_announce(uint8_t *to, const patio_transport *t, bool queues)
{
    size_t   at    = put_name(to, t->project);
    size_t   from  = at;
    uint32_t count = 0;
    at += 4;
    for (const queue *q = t->room.queues; q != NULL; q = q->next) {
        if (queues && q->own != NULL && !q->own->closed) {
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
    size_t            size = put_announce(NULL, c->t, true);
    bool              fits = size <= c->max_bytes;
    uint8_t          *data = NULL;
    if (!fits) {
        patio_host_log(host, PATIO_LOG_WARN,
                       "peer %s takes messages of %u bytes at most, and to announce the tasks of "
                       "this side takes %zu: it gets none of them; raise its max_frame_bytes, or "
                       "leave some tasks to another process",
                       c->name, c->max_bytes, size);
        size = put_announce(NULL, c->t, false);
    }
    patio_buf *body = host->buf_new(host->self, size, &data);
    if (body == NULL) {
        c->broken = true; /* better gone than taken for one without tasks */
        write_mark_dirty(c);
        return false;
    }
    (void)put_announce(data, c->t, fits);
    frame_header h  = {.type = FRAME_ANNOUNCE, .id = ++c->announces};
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

void peer_arrived(patio_transport *t, uint32_t less, effects *fx)
{
    if (less > 0 && t->arriving > 0) {
        t->arriving -= less;
        if (t->arriving == 0) {
            fail_all_orphans(t, fx);
        }
    }
}

void peer_leave(conn *c, effects *fx)
{
    bool took = c->subs != NULL;
    for (peersub *ps = c->subs; ps != NULL; ps = ps->next) {
        taker_forget(ps);
    }
    while (route_lost(c, fx) || inbox_lost(c, fx) || ask_conn_left(c, fx)) {
        effects_pass(fx);
    }
    takers_drop(c); /* nothing of theirs is outstanding any more */
    fail_all_orphans(c->t, fx);
    if (took) {
        takers_tidy(c->t);
    }
}
