/* The I/O thread: one libuv loop that owns all sockets of an instance. Its role may be lent:
 * guest.c.
 */
#include "tcp.h"

#include <errno.h>
#include <sys/eventfd.h>

enum {
    TICK_MS          = 250,
    AWAY_NS          = 1000 * 1000 * 1000,
    READ_BYTES       = 256 * 1024,
    MANY             = 256,
    LOOP_DESCRIPTORS = 8
};

bool loop_link(patio_transport *t, const patio_error *why)
{
    bool up   = false;
    bool hope = false;
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        const endpoint *ep = &t->endpoints[i];
        up                 = up || ep->listens || (ep->link != NULL && ep->link->announced);
        hope               = hope || !ep->given_up;
    }
    ask_links(t);
    uint32_t    state = up ? PATIO_LINK_UP : hope ? PATIO_LINK_CONNECTING : PATIO_LINK_DOWN;
    const char *text  = why != NULL ? why->message : "";
    if (t->quit || (state == t->link_state &&
                    (up || strncmp(text, t->link_why, sizeof(t->link_why) - 1) == 0))) {
        return false;
    }
    t->link_state = state;
    (void)snprintf(t->link_why, sizeof(t->link_why), "%.199s", text);
    t->events->link(t->events->self, state, up ? NULL : why);
    return !up;
}

/* One connection that something was done to; what it needs now. Not under the lock. */
static void look_after(conn *c)
{
    patio_transport *t = c->t;
    effects          fx;
    effects_begin(&fx, t);
    bool broken = c->broken;
    bool parted = c->parting && write_backlog(c) == 0;
    bool flush  = !broken && !parted && !c->flushing && !c->want_write && c->state != CONN_CLOSED &&
                 write_backlog(c) > 0;
    if (c->choked && write_backlog(c) < t->set.write_queue_bytes / 2) {
        c->choked = false;
        for (peersub *ps = c->subs; ps != NULL; ps = ps->next) {
            route_fill(ps, &fx);
        }
    }
    if (c->aside.first != NULL && write_replies(c) < t->set.write_queue_bytes / 2) {
        inbox_resume(c, &fx);
    }
    c->flushing = c->flushing || flush;
    c->refs += flush ? 1 : 0;
    effects_end(&fx);
    if (broken || parted) {
        conn_close(c, PATIO_PEER_LOST, parted ? "this side stops" : "writing failed");
        return;
    }
    if (flush) {
        write_flush(c);
    }
    conn_poll(c);
}

void loop_flush(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->dirty != NULL) {
        conn *c       = t->dirty;
        t->dirty      = c->dirty_next;
        c->dirty_next = NULL;
        c->dirty      = false;
        pthread_mutex_unlock(&t->lock);
        look_after(c);
        pthread_mutex_lock(&t->lock);
        conn_unref(c);
    }
    t->awake = false;
    hold_watch(t);
    pthread_mutex_unlock(&t->lock);
}

/* Before the loop sleeps: all that was appended meanwhile goes out, many messages per write. */
static void on_prepare(uv_prepare_t *prepare)
{
    patio_transport *t = prepare->data;
    loop_flush(t);
    parting_look(t);
}

static void on_check(uv_check_t *check)
{
    /* set late, it costs a needless wake-up at worst */
    patio_transport *t = check->data;
    pthread_mutex_lock(&t->lock);
    t->awake = true;
    pthread_mutex_unlock(&t->lock);
}

static void on_wake(uv_async_t *wake)
{
    patio_transport *t = wake->data;
    pthread_mutex_lock(&t->lock);
    bool guest = t->turn.parked; /* who is only to look again, and to leave */
    bool quit  = t->quit && !guest;
    bool lend  = t->turn.asked && !guest;
    pthread_mutex_unlock(&t->lock);
    if (quit && !t->parting) {
        parting_begin(t);
    }
    if (lend) {
        uv_stop(&t->loop);
    }
}

/* What nobody can run does not stay for longer than it is worth. */
static void drop_expired(patio_transport *t, uint64_t now, effects *fx)
{
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        for (uint32_t i = 0; q->ready > 0 && i < q->lane_count; i++) {
            for (unsigned p = 0; p < PRIORITIES; p++) {
                for (entry *e = q->lanes[i]->ready[p].first; e != NULL;) {
                    entry *next = e->next;
                    if (!effects_room(fx)) {
                        return; /* the others at the next tick */
                    }
                    if (e->deadline_ns != 0 && e->deadline_ns < now) {
                        route_expire(e, fx);
                    }
                    e = next;
                }
            }
        }
    }
}

/* Under the lock. Who was away himself, as a machine is that was halted for some seconds, cannot
 * say that nobody spoke. */
static void forgive_absence(patio_transport *t, uint64_t now)
{
    if (now > t->ticked_ns + AWAY_NS) {
        for (conn *c = t->conns; c != NULL; c = c->next) {
            c->heard_ns    = now;
            c->progress_ns = now;
        }
    }
    t->ticked_ns = now;
}

static void on_tick(uv_timer_t *timer)
{
    patio_transport *t = timer->data;
    effects          fx;
    effects_begin(&fx, t);
    forgive_absence(t, fx.now);
    drop_expired(t, fx.now, &fx);
    ask_tick(t, &fx);
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        if (q->own != NULL && q->own->waiting > 0) {
            inbox_return_old(q->own, fx.now, &fx);
        }
    }
    inbox_fence(t, &fx);
    effects_end(&fx);
    limits_warn_summary(t, fx.now);
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        endpoint_resume(&t->endpoints[i]);
        secure_reload(&t->endpoints[i], fx.now);
    }
    /* of many connections each is looked at once a second only */
    if (t->conn_count > MANY && ++t->ticks % (1000 / TICK_MS) != 0) {
        return;
    }
    for (conn *c = t->conns; c != NULL;) {
        conn *next = c->next;
        conn_tick(c, fx.now);
        c = next;
    }
}

static void *run(void *arg)
{
    patio_transport *t = arg;
    /* the creator writes has_thread and thread before it lets this lock go */
    turn_begin(&t->turn);
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        endpoint *ep = &t->endpoints[i];
        if (ep->listens) {
            endpoint_accept_start(ep);
        } else {
            (void)uv_timer_init(&t->loop, &ep->timer);
            ep->timer.data = ep;
            ep->timer_on   = true;
            reconnect_now(ep);
        }
    }
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0) {
        turn_lend(&t->turn);
        if (t->quit && !t->parting) {
            parting_begin(t); /* whoever had the loop meanwhile has had the wake-up */
        }
    }
    turn_end(&t->turn);
    return NULL;
}

/* libuv ends the process when there is no descriptor left for its first loop: ask before it does.
 */
static int descriptors_missing(void)
{
    int fds[LOOP_DESCRIPTORS];
    int made  = 0;
    int error = 0;
    while (made < LOOP_DESCRIPTORS && error == 0) {
        fds[made] = eventfd(0, EFD_CLOEXEC);
        error     = fds[made] < 0 ? errno : 0;
        made += error == 0;
    }
    while (made > 0) {
        (void)close(fds[--made]);
    }
    return error;
}

static bool make_loop(patio_transport *t)
{
    if (uv_loop_init(&t->loop) != 0) {
        return false;
    }
    t->loop_made = true;
    if (uv_async_init(&t->loop, &t->wake, on_wake) != 0) {
        return false;
    }
    (void)uv_prepare_init(&t->loop, &t->prepare);
    (void)uv_check_init(&t->loop, &t->check);
    (void)uv_timer_init(&t->loop, &t->tick);
    (void)uv_timer_init(&t->loop, &t->turn_limit);
    (void)uv_timer_init(&t->loop, &t->hold_limit);
    t->wake.data       = t;
    t->prepare.data    = t;
    t->check.data      = t;
    t->tick.data       = t;
    t->hold_limit.data = t;
    (void)uv_prepare_start(&t->prepare, on_prepare);
    (void)uv_check_start(&t->check, on_check);
    (void)uv_timer_start(&t->tick, on_tick, TICK_MS, TICK_MS);
    return true;
}

patio_status loop_start(patio_transport *t, patio_error *err)
{
    t->read_data = t->host->alloc(t->host->self, READ_BYTES);
    int missing  = descriptors_missing();
    if (missing != 0) {
        return patio_fail(err, PATIO_IO, missing, "make the event loop: %s", uv_strerror(-missing));
    }
    if (t->read_data == NULL || !make_loop(t)) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory for the event loop");
    }
    pthread_mutex_lock(&t->lock);
    int rc        = pthread_create(&t->thread, NULL, run, t);
    t->has_thread = rc == 0;
    pthread_mutex_unlock(&t->lock);
    if (rc != 0) {
        return patio_fail(err, PATIO_NO_MEMORY, rc, "start the I/O thread");
    }
    (void)pthread_setname_np(t->thread, "patio-tcp");
    return PATIO_OK;
}

/* What was to be written when the loop ended: those connections are closed, and held only by this.
 */
static void forget_dirty(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->dirty != NULL) {
        conn *c  = t->dirty;
        t->dirty = c->dirty_next;
        c->dirty = false;
        conn_unref(c);
    }
    pthread_mutex_unlock(&t->lock);
}

void loop_stop(patio_transport *t)
{
    if (t->has_thread) {
        pthread_mutex_lock(&t->lock);
        t->quit = true;
        turn_recall(&t->turn);
        (void)uv_async_send(&t->wake);
        pthread_mutex_unlock(&t->lock);
        (void)pthread_join(t->thread, NULL);
        t->has_thread = false;
    }
    forget_dirty(t);
    if (t->loop_made) {
        (void)uv_loop_close(&t->loop);
        t->loop_made = false;
    }
}
