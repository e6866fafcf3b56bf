/* The I/O thread: one libuv loop that owns all sockets of an instance. Its role may be lent:
 * guest.c.
 */
#include "tcp.h"

#include <errno.h>
#include <sys/eventfd.h>

enum { READ_BYTES = 256 * 1024, LOOP_DESCRIPTORS = 9 };

bool loop_link(patio_transport *t, const patio_error *why, bool news)
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
                    (up || !news || strncmp(text, t->link_why, sizeof(t->link_why) - 1) == 0))) {
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
    if (flush) {
        c->flushing = true;
        c->refs++;
        fx.flush = c;
    }
    effects_end(&fx);
    if (broken || parted) {
        conn_close(c, PATIO_PEER_LOST, parted ? "this side stops" : "writing failed");
        return;
    }
    conn_poll(c);
}

void loop_flush(patio_transport *t)
{
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
    atomic_store_explicit(&t->awake, false, memory_order_relaxed);
    hold_watch(t);
}

/* Before the loop sleeps: all that was appended meanwhile goes out, many messages per write. */
static void on_prepare(uv_prepare_t *prepare)
{
    patio_transport *t = prepare->data;
    if (!t->flushed) {
        pthread_mutex_lock(&t->lock);
        loop_flush(t);
        pthread_mutex_unlock(&t->lock);
    }
    t->flushed = false;
    parting_look(t);
}

static void on_check(uv_check_t *check)
{
    /* set late, it costs a needless wake-up at worst */
    patio_transport *t = check->data;
    atomic_store_explicit(&t->awake, true, memory_order_relaxed);
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
            reconnect_begin(ep);
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
    (void)uv_timer_init(&t->loop, &t->parting_limit);
    (void)uv_timer_init(&t->loop, &t->turn_limit);
    (void)uv_timer_init(&t->loop, &t->hold_limit);
    t->wake.data          = t;
    t->prepare.data       = t;
    t->check.data         = t;
    t->parting_limit.data = t;
    t->hold_limit.data    = t;
    (void)uv_prepare_start(&t->prepare, on_prepare);
    (void)uv_check_start(&t->check, on_check);
    return tick_start(t);
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

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* Whoever ran it has closed what was open; if it was never run, that is done here. */
static void close_loop(patio_transport *t)
{
    while (uv_loop_close(&t->loop) == UV_EBUSY) {
        uv_walk(&t->loop, close_handle, NULL);
        (void)uv_run(&t->loop, UV_RUN_NOWAIT);
    }
    t->loop_made = false;
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
    tick_stop(t);
    if (t->loop_made) {
        close_loop(t);
    }
}
