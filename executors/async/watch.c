/* Who holds a loop for long is named. While any loop is awake a timer of the host looks every
 * block_warn_ms whether each still runs the task that it ran at the last look; when all sleep it is
 * not set again. */
#include "async.h"

#include <stdio.h>

static void print_id(loop *l, char text[33])
{
    uint64_t id[2] = {atomic_load(&l->running_id[0]), atomic_load(&l->running_id[1])};
    uint8_t  bytes[16];
    memcpy(bytes, id, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void report(loop *l, uint64_t resumed, uint64_t now)
{
    const patio_host *host = l->x->host;
    const char       *name = atomic_load_explicit(&l->running, memory_order_relaxed);
    char              text[512];
    char              id[33];
    print_id(l, id);
    if (atomic_load(&l->resumed) != resumed) {
        return; /* it has just stopped, and the name may be the next one's */
    }
    atomic_store(&l->reported_since_ns, l->watched_ns);
    atomic_store(&l->reported, resumed);
    (void)snprintf(
        text, sizeof(text),
        "task %.255s (%s) holds event loop %u for %llu ms now without waiting: %u others "
        "of this loop stand still",
        name, id, (unsigned)(l - l->x->loops),
        (unsigned long long)((now - l->watched_ns) / 1000000), active_of(l) - 1);
    host->log(host->self, PATIO_LOG_WARN, text);
}

/* True if this loop is awake. */
static bool look(loop *l, uint64_t now)
{
    uint64_t resumed = atomic_load_explicit(&l->resumed, memory_order_acquire);
    if (resumed != l->watched) {
        l->watched    = resumed;
        l->watched_ns = now;
    } else if ((resumed & 1) != 0 && atomic_load(&l->reported) != resumed &&
               now - l->watched_ns >= l->x->block_warn_ns) {
        report(l, resumed, now);
    }
    return atomic_load(&l->sleeping) == 0;
}

static void watch(void *arg);

/* Under the lock, so that the number that is kept is that of the newest. Out of memory: whoever
 * wakes next tries again. */
static void arm(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    x->watch_timer = x->host->after(x->host->self, x->block_warn_ns, watch, x);
    bool armed     = x->watch_timer != 0;
    pthread_mutex_unlock(&x->lock);
    if (!armed) {
        atomic_store(&x->watching, 0);
    }
}

static void watch(void *arg)
{
    patio_executor *x     = arg;
    bool            awake = false;
    uint64_t        now   = now_of(x);
    for (uint32_t i = 0; i < x->loop_count; i++) {
        awake = look(&x->loops[i], now) || awake;
    }
    if (awake && atomic_load(&x->watch_off) == 0) {
        arm(x);
        return;
    }
    atomic_store(&x->watching, 0);
    /* a loop says that it is awake and then looks whether it is watched: one sees the other */
    for (uint32_t i = 0; i < x->loop_count && atomic_load(&x->watch_off) == 0; i++) {
        if (atomic_load(&x->loops[i].sleeping) == LOOP_AWAKE) {
            watch_begin(x);
        }
    }
}

void watch_begin(patio_executor *x)
{
    if (x->block_warn_ns == 0 || atomic_load(&x->watching) != 0 ||
        atomic_exchange(&x->watching, 1) != 0) {
        return;
    }
    arm(x);
}

static uint64_t newest_timer(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    uint64_t timer = x->watch_timer;
    pthread_mutex_unlock(&x->lock);
    return timer;
}

/* After the loops have ended. A look that runs now may set one more timer, but none after that. */
void watch_end(patio_executor *x)
{
    atomic_store(&x->watch_off, 1);
    uint64_t last = 0;
    for (uint64_t timer = newest_timer(x); timer != last; timer = newest_timer(x)) {
        (void)x->host->cancel(x->host->self, timer);
        last = timer;
    }
}

void watch_released(loop *l)
{
    char     text[512];
    uint64_t now = now_of(l->x);
    (void)snprintf(
        text, sizeof(text), "task %.255s has let go of event loop %u, after some %llu ms",
        atomic_load_explicit(&l->running, memory_order_relaxed), (unsigned)(l - l->x->loops),
        (unsigned long long)((now - atomic_load(&l->reported_since_ns)) / 1000000));
    l->x->host->log(l->x->host->self, PATIO_LOG_WARN, text);
}
