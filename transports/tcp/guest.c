#include "tcp.h"

enum {
    LIMIT_MS = 250, /* the loop wakes by itself so often: see TICK_MS */
    PARK_NS  = 2 * 1000 * 1000,
};

/* Calls are all there is to do here; or, where tasks are executed, nothing but those that come. So
 * it is the executor that asks there, and who calls there is refused. */
static bool is_alone(const void *self)
{
    const patio_transport *t     = self;
    bool                   calls = t->room.held != t->room.dead;
    return t->running && !t->quit && !atomic_load(&t->stopping) && calls == !t->turn.serves &&
           t->sends == 0 && t->ask.asks == NULL && t->ask.cancels == NULL;
}

/* Replies that are still due are read when the guest comes again, as it does where it makes calls
 * by the dozen; or by the I/O thread a moment later. */
static bool has_rest(const void *self)
{
    const patio_transport *t = self;
    return t->dirty != NULL;
}

static void on_limit(uv_timer_t *timer)
{
    (void)timer; /* the loop has been woken */
}

static bool run_once(void *self, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    (void)done; /* whoever makes it true while the loop runs interrupts it */
    (void)arg;
    patio_transport *t       = self;
    int              most_ms = turn_sleep_ms(until_ns);
    if (most_ms == 0) {
        return false;
    }
    loop_flush(t);
    t->flushed = true;
    pthread_mutex_unlock(&t->lock);
    if (most_ms < LIMIT_MS) {
        uv_update_time(&t->loop);
        (void)uv_timer_start(&t->turn_limit, on_limit, (uint64_t)most_ms, 0);
    }
    (void)uv_run(&t->loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&t->turn_limit);
    pthread_mutex_lock(&t->lock);
    loop_flush(t); /* the guest may leave */
    return true;
}

static void kick(void *self)
{
    patio_transport *t = self;
    (void)uv_async_send(&t->wake);
}

static void hurry(void *self)
{
    patio_transport *t = self;
    uv_stop(&t->loop);
}

static uint64_t now_ns(const void *self)
{
    const patio_transport *t = self;
    return t->host->now_ns(t->host->self);
}

const io_turn_ops tcp_turn = {
    .alone   = is_alone,
    .rest    = has_rest,
    .run     = run_once,
    .kick    = kick,
    .hurry   = hurry,
    .now_ns  = now_ns,
    .park_ns = PARK_NS,
};

static patio_status poll_reply(patio_transport *t, patio_poll_done_fn done, const void *arg,
                               uint64_t until_ns)
{
    hold_release(t);
    return turn_poll(&t->turn, done, arg, until_ns);
}

static void interrupt(patio_transport *t)
{
    turn_interrupt(&t->turn);
}

const patio_poll_ops tcp_poll = {PATIO_SIZED(patio_poll_ops), .poll = poll_reply,
                                 .interrupt = interrupt};
