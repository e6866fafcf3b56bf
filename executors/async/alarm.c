/* When a sleeping loop wakes for its first timer: by a timerfd of its own, so that nobody else has
 * to wake first and wake it then (timerfd_create(2); uv's own timers know milliseconds only). Where
 * the host's clock is not the machine's (a virtual one, in tests), by the host's timers, which
 * follow it. */
#include "async.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_NS = 1000 * 1000 };

static uint64_t machine_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool is_machines(const patio_executor *x)
{
    uint64_t before = machine_ns();
    uint64_t hosts  = now_of(x);
    return before <= hosts && hosts <= machine_ns();
}

static void on_alarm(uv_poll_t *poll, int status, int events)
{
    loop    *l     = poll->data;
    uint64_t times = 0;
    (void)status;
    (void)events;
    l->armed_ns = UINT64_MAX;
    (void)!read(l->alarm_fd, &times, sizeof(times)); /* else it stays readable */
}

patio_status alarm_open(loop *l, patio_error *err)
{
    l->armed_ns    = UINT64_MAX;
    l->hosts_clock = !is_machines(l->x);
    l->alarm_fd    = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->alarm_fd < 0) {
        return patio_fail(err, PATIO_IO, errno, "make the timer of an event loop: %s",
                          strerror(errno));
    }
    int rc = uv_poll_init(&l->uv, &l->alarm, l->alarm_fd);
    if (rc != 0) {
        (void)close(l->alarm_fd);
        return patio_fail(err, PATIO_IO, -rc, "watch the timer of an event loop: %s",
                          uv_strerror(rc));
    }
    l->alarm.data = l;
    (void)uv_poll_start(&l->alarm, UV_READABLE, on_alarm);
    return PATIO_OK;
}

/* On the host's timer thread. */
static void ring(void *arg)
{
    loop *l = arg;
    atomic_store(&l->rang, 1);
    wake_loop(l);
}

static void set_own(const loop *l, uint64_t at_ns)
{
    struct itimerspec at = {.it_value = {.tv_sec  = (time_t)(at_ns / 1000000000u),
                                         .tv_nsec = (long)(at_ns % 1000000000u)}};
    (void)timerfd_settime(l->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL); /* a valid time is taken */
}

static void set_hosts(loop *l, uint64_t due_ns)
{
    const patio_host *host = l->x->host;
    if (l->armed != 0) {
        (void)host->cancel(host->self, l->armed);
        atomic_store(&l->rang, 0); /* from here on it is of the new one */
    }
    uint64_t now   = now_of(l->x);
    uint64_t delay = due_ns > now ? due_ns - now : 0;
    l->armed       = host->after(host->self, delay, ring, l);
    if (l->armed == 0) { /* no memory: look again */
        set_own(l, machine_ns() + RETRY_NS);
    }
}

void alarm_set(loop *l, uint64_t due_ns)
{
    if (l->hosts_clock && atomic_load_explicit(&l->rang, memory_order_relaxed) != 0) {
        atomic_store(&l->rang, 0);
        l->armed_ns = UINT64_MAX;
        l->armed    = 0;
    }
    if (due_ns >= l->armed_ns) {
        return; /* one that rings too early does no harm */
    }
    l->armed_ns = due_ns;
    if (l->hosts_clock) {
        set_hosts(l, due_ns);
    } else {
        set_own(l, due_ns > 0 ? due_ns : 1); /* 0 would mean never */
    }
}

void alarm_cancel(loop *l)
{
    if (l->armed != 0) {
        (void)l->x->host->cancel(l->x->host->self, l->armed);
    }
}

static void on_closed(uv_handle_t *handle)
{
    (void)close(((loop *)handle->data)->alarm_fd);
}

void alarm_close(loop *l)
{
    uv_close((uv_handle_t *)&l->alarm, on_closed);
}
