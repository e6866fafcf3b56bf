/* A loop with nothing to run: it does the transport's I/O, if that may be had; else a moment of
 * looking, if that has paid lately; then the uv loop, until a wake-up, a timer or a descriptor.
 *
 * No wake-up is lost, wherever it sleeps. The loop says so in `sleeping` and then looks at all that
 * it could be woken for (may_sleep). Who brings such a thing writes it first and then looks at
 * `sleeping`: one sees the other. Who finds the loop asleep takes `sleeping` back, and only he
 * wakes it, by the uv loop's descriptor or by `interrupt`. That `sleeping` was taken back is what
 * `poll` waits for. An `interrupt` that comes before the transport has looked at it changes
 * nothing, for the look follows; one that comes later ends the sleep, or keeps it from beginning
 * (turn.h). */
#include "async.h"

#include <stdio.h>

static void on_async(uv_async_t *async)
{
    (void)async; /* that the loop woke is all that is wanted */
}

static bool has_mail(const void *arg)
{
    const loop *l = arg;
    return atomic_load(&l->inbox) != 0;
}

void idle_poll(loop *l, uint64_t now_ns)
{
    l->polled_ns = now_ns;
    (void)uv_run(&l->uv, UV_RUN_NOWAIT);
}

/* Nothing has come that this loop would have been woken for. */
static bool may_sleep(const loop *l)
{
    return !has_mail(l) && atomic_load(&l->rang) == 0 && timers_first_ns(l) > now_of(l->x) &&
           atomic_load(&l->cancels) == 0 &&
           (atomic_load(&l->stopping) == 0 || (l->stops && active_of(l) > 0));
}

static uint64_t due_ns(const loop *l)
{
    uint64_t trim = fiber_trim_due_ns(l);
    uint64_t due  = timers_first_ns(l);
    return due < trim ? due : trim;
}

static void sleep_in_uv(loop *l)
{
    alarm_set(l, due_ns(l));
    atomic_store(&l->sleeping, LOOP_SLEEPS);
    if (may_sleep(l)) {
        (void)uv_run(&l->uv, UV_RUN_ONCE);
        atomic_store(&l->sleeping, LOOP_AWAKE);
    } else {
        atomic_store(&l->sleeping, LOOP_AWAKE);
        (void)uv_run(&l->uv, UV_RUN_NOWAIT);
    }
    l->polled_ns = now_of(l->x);
    watch_begin(l->x);
}

static uint32_t is_woken(const void *arg)
{
    const loop *l = arg;
    return atomic_load(&l->sleeping) == LOOP_AWAKE ? 1 : 0;
}

/* Be the one who reads what comes, instead of being woken by him. What only the uv loop sees would
 * not be seen meanwhile, nor would the host's timers be kept where the clock is not the machine's.
 * False: it has to wait in its own way. */
static bool sleep_in_poll(loop *l)
{
    const patio_poll_ops *poll = l->x->poll;
    if (poll == NULL || l->fd_count > 0 || l->uv_shown || l->hosts_clock) {
        return false;
    }
    atomic_store(&l->sleeping, LOOP_POLLS);
    bool woken = !may_sleep(l) || poll->poll(l->x->transport, is_woken, l, due_ns(l)) == PATIO_OK;
    atomic_store(&l->sleeping, LOOP_AWAKE);
    watch_begin(l->x);
    return woken;
}

void idle_until_something(loop *l)
{
    if (sleep_in_poll(l)) {
        return;
    }
    uint64_t from = now_of(l->x);
    /* looking at mail only would keep descriptors waiting */
    if (l->fd_count == 0 && patio_spin_until(&l->spin, has_mail, l)) {
        patio_spin_learn(&l->spin, now_of(l->x) - from);
        return;
    }
    fiber_trim(l, from);
    sleep_in_uv(l);
    patio_spin_learn(&l->spin, l->polled_ns - from);
}

patio_status idle_open(loop *l, patio_error *err)
{
    int rc = uv_loop_init(&l->uv);
    if (rc != 0) {
        return patio_fail(err, rc == UV_ENOMEM ? PATIO_NO_MEMORY : PATIO_IO, -rc,
                          "make an event loop: %s", uv_strerror(rc));
    }
    l->uv.data = l;
    rc         = uv_async_init(&l->uv, &l->async, on_async);
    if (rc != 0) {
        (void)uv_loop_close(&l->uv);
        return patio_fail(err, PATIO_IO, -rc, "make the wake-up of an event loop: %s",
                          uv_strerror(rc));
    }
    patio_status st = alarm_open(l, err);
    if (st != PATIO_OK) {
        uv_close((uv_handle_t *)&l->async, NULL);
        (void)uv_run(&l->uv, UV_RUN_DEFAULT);
        (void)uv_loop_close(&l->uv);
        return st;
    }
    patio_spin_init(&l->spin, 1);
    return PATIO_OK;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    uint32_t *left = arg;
    if (!uv_is_closing(handle)) {
        *left += 1;
        uv_close(handle, NULL);
    }
}

void idle_close(loop *l)
{
    const patio_host *host = l->x->host;
    uint32_t          left = 0;
    alarm_cancel(l);
    /* who was about to wake us has done so */
    while (atomic_load(&l->senders) != 0) {
        (void)sched_yield();
    }
    uv_close((uv_handle_t *)&l->async, NULL);
    alarm_close(l);
    /* closes may be under way, whose callbacks count on being called */
    (void)uv_run(&l->uv, UV_RUN_NOWAIT);
    uv_walk(&l->uv, close_handle, &left);
    if (left > 0) {
        char text[128];
        (void)snprintf(text, sizeof(text),
                       "%u handles were left open on an event loop by tasks that have ended; they "
                       "were closed",
                       left);
        host->log(host->self, PATIO_LOG_ERROR, text);
    }
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(&l->uv);
    fd_free_all(l);
}
