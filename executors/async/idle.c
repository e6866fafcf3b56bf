/* A loop with nothing to run: a moment of looking, if that has paid lately; then the uv loop, until
 * a wake-up, a timer or a descriptor. */
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

static void sleep_in_uv(loop *l)
{
    uint64_t trim = fiber_trim_due_ns(l);
    uint64_t due  = timers_first_ns(l);
    alarm_set(l, due < trim ? due : trim);
    atomic_store(&l->sleeping, 1);
    /* Who sends mail looks at `sleeping` after; we look at the mail after: one sees the other. */
    if (has_mail(l) || atomic_load(&l->rang) != 0 || timers_first_ns(l) <= now_of(l->x) ||
        atomic_load(&l->cancels) != 0 ||
        (atomic_load(&l->stopping) != 0 && (!l->stops || active_of(l) == 0))) {
        atomic_store(&l->sleeping, 0);
        (void)uv_run(&l->uv, UV_RUN_NOWAIT);
    } else {
        (void)uv_run(&l->uv, UV_RUN_ONCE);
        atomic_store(&l->sleeping, 0);
    }
    l->polled_ns = now_of(l->x);
    watch_begin(l->x);
}

void idle_until_something(loop *l)
{
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
