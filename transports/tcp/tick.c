/* What is looked after four times a second. The kernel keeps that time, and the loop has no timer
 * of its own while all is well: a sleep with an end costs more than one without, and nearly all of
 * them are over long before their end.
 */
#include "tcp.h"

#include <sys/timerfd.h>

enum {
    TICK_MS   = 250,
    AWAY_NS   = 1000 * 1000 * 1000,
    MANY      = 256,
    NS_PER_MS = 1000 * 1000,
};

/* What nobody can run does not stay for longer than it is worth. */
static void drop_expired(patio_transport *t, uint64_t now, effects *fx)
{
    for (queue *q = t->room.queues; q != NULL; q = q->next) {
        for (uint32_t i = 0; q->ready > 0 && i < q->lane_count; i++) {
            const lane *l = q->lanes[i];
            for (unsigned p = 0; l->nonempty != 0 && p < PRIORITIES; p++) {
                for (entry *e = l->ready[p].first; e != NULL;) {
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
            for (unsigned i = 0; i < FRAME_CHANNELS; i++) {
                c->pieces[i].looked_ns = now;
            }
        }
    }
    t->ticked_ns = now;
}

static void look_around(patio_transport *t)
{
    effects fx;
    effects_begin(&fx, t);
    forgive_absence(t, fx.now);
    drop_expired(t, fx.now, &fx);
    peer_arrived(t, fx.now > t->arrive_ns ? t->arriving : 0, &fx);
    if (t->room.lanes >= LANES_MAX || t->room.queue_count >= QUEUES_MAX) {
        takers_tidy(t); /* of sends that are over, no peer's leaving tells */
    }
    ask_tick(t, &fx);
    fx.again   = fx.again || t->starved;
    t->starved = false;
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

static void on_tick(uv_poll_t *poll, int status, int events)
{
    patio_transport *t       = poll->data;
    uint64_t         expired = 0;
    (void)status;
    (void)events;
    if (read(t->tick_fd, &expired, sizeof(expired)) == (ssize_t)sizeof(expired)) {
        look_around(t);
    }
}

bool tick_start(patio_transport *t)
{
    const struct timespec   period = {.tv_nsec = (long)TICK_MS * NS_PER_MS};
    const struct itimerspec times  = {.it_interval = period, .it_value = period};
    int                     fd     = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (timerfd_settime(fd, 0, &times, NULL) != 0 || uv_poll_init(&t->loop, &t->tick, fd) != 0) {
        (void)close(fd);
        return false;
    }
    t->tick_fd   = fd;
    t->tick.data = t;
    return uv_poll_start(&t->tick, UV_READABLE, on_tick) == 0;
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

void tick_stop(patio_transport *t)
{
    if (t->tick_fd >= 0) {
        uv_close((uv_handle_t *)&t->tick, on_closed);
        (void)close(t->tick_fd);
        t->tick_fd = -1;
    }
}
