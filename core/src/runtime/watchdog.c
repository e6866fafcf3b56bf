#include "runtime/watchdog.h"

#include <patio/queues.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/job.h"

enum { ASK_MS = 5000, STACK_BYTES = 256 * 1024, WHY_BYTES = 400 };

/* One queue, from look to look. */
typedef struct watched {
    uint64_t received; /* deliveries so far, at the last look */
    uint32_t idle;     /* looks in a row with tasks ready, slots free, and no delivery */
} watched;

typedef struct pt_watchdog {
    patio_broker  *broker;
    pthread_t      thread;
    pthread_cond_t wake;
    bool           ended;   /* under the broker's lock, as is what follows */
    bool           stalled; /* `why` says which queue, and how */
    size_t         queue;   /* which one */
    uint64_t       again_timer;
    char           why[WHY_BYTES];
    uint64_t       pause_ns;
    watched        queues[]; /* the thread's own */
} pt_watchdog;

const char *pt_watchdog_why(const patio_broker *b)
{
    return b->watchdog != NULL && b->watchdog->stalled ? b->watchdog->why : NULL;
}

/* ---- is anything wrong with a queue? ---- */

static uint64_t received(const patio_broker *b, const pt_queue *q)
{
    return b->queue_count > 1 ? atomic_load_explicit(&q->took, memory_order_relaxed)
                              : atomic_load_explicit(&b->received, memory_order_relaxed);
}

/* Jobs that use a slot: all but those whose thread was given up. */
static uint32_t busy(const patio_broker *b)
{
    uint32_t made  = atomic_load_explicit(&b->jobs_made, memory_order_acquire);
    uint32_t count = 0;
    for (uint32_t i = 0; i < made; i++) {
        const pt_job *job = &b->jobs[i];
        count +=
            atomic_load_explicit(&job->busy, memory_order_relaxed) != 0 &&
                    (atomic_load_explicit(&job->told, memory_order_relaxed) & PT_TOLD_STUCK) == 0
                ? 1
                : 0;
    }
    return count;
}

static bool has_room(const patio_broker *b, const pt_queue *q)
{
    uint32_t held = b->queue_count > 1 ? atomic_load(&q->held) : busy(b);
    return q->most > 0 && held < atomic_load(&q->credit) && busy(b) < q->most;
}

static bool is_open(patio_broker *b, const pt_queue *q)
{
    uint32_t                state = PATIO_QUEUE_OPEN;
    const patio_queues_ops *ops   = b->transport_plugin->ops.query(b->transport, PATIO_QUEUES_ID);
    return ops == NULL || ops->get_state(b->transport, q->name, ASK_MS, &state, NULL) != PATIO_OK ||
           state != PATIO_QUEUE_PAUSED;
}

/* How many tasks wait that could be delivered here. 0 as well where that cannot be had now, and
 * where others have some of a queue that may be limited: then nothing is proven. */
static uint64_t waiting(patio_broker *b, const pt_queue *q)
{
    bool         limits = (b->transport_plugin->ops.caps & PATIO_CAP_LIMITS) != 0;
    patio_counts n      = {.struct_size = limits ? offsetof(patio_counts, delayed)
                                                 : offsetof(patio_counts, leased)};
    if (b->transport_plugin->ops.counts(b->transport, q->name, ASK_MS, &n, NULL) != PATIO_OK ||
        n.ready == PATIO_COUNT_UNKNOWN || (limits && n.leased != 0)) {
        return 0;
    }
    return n.ready > 0 && is_open(b, q) ? n.ready : 0;
}

/* ---- and what is done about it ---- */

/* On the timer thread, which is the only one to subscribe once the broker has started. */
static void subscribe_again(void *arg)
{
    pt_watchdog *w = arg;
    pthread_mutex_lock(&w->broker->lock);
    size_t queue   = w->queue;
    w->again_timer = 0;
    bool on        = !w->ended && w->stalled;
    pthread_mutex_unlock(&w->broker->lock);
    if (on) {
        pt_queues_again(w->broker, queue);
    }
}

/* The log hears of it once; subscribing anew is tried again after twice as many looks each time. */
static void tell_stalled(pt_watchdog *w, size_t i, uint64_t ready)
{
    patio_broker *b    = w->broker;
    uint32_t      idle = w->queues[i].idle;
    pthread_mutex_lock(&b->lock);
    bool first = !w->stalled;
    w->stalled = true;
    w->queue   = i;
    (void)snprintf(w->why, sizeof(w->why),
                   "queue %.255s: %llu tasks are ready and slots are free, but none has come for "
                   "%llu ms",
                   b->queues[i].name, (unsigned long long)ready,
                   (unsigned long long)(idle * w->pause_ns / PT_NS_PER_MS));
    if ((idle & (idle - 1)) == 0 && w->again_timer == 0 && !w->ended) {
        w->again_timer = pt_timers_after(b->runtime->timers, 0, subscribe_again, w);
    }
    pt_health_changed(b);
    pthread_mutex_unlock(&b->lock);
    if (first) {
        pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker", "stalled: %s; subscribing anew",
                      w->why);
    }
}

static void tell_well(pt_watchdog *w)
{
    patio_broker *b = w->broker;
    pthread_mutex_lock(&b->lock);
    bool was   = w->stalled;
    w->stalled = false;
    pt_health_changed(b);
    pthread_mutex_unlock(&b->lock);
    if (was) {
        pt_log_printf(&b->runtime->log, PATIO_LOG_INFO, "broker", "no longer stalled");
    }
}

static void look_at(pt_watchdog *w, size_t i, bool *well)
{
    enum { PROVEN = 2 }; /* looks in a row */
    patio_broker *b    = w->broker;
    watched      *seen = &w->queues[i];
    pt_queue     *q    = &b->queues[i];
    uint64_t      now  = received(b, q);
    bool          came = now != seen->received;
    seen->received     = now;
    uint64_t ready     = came || !has_room(b, q) ? 0 : waiting(b, q);
    if (ready == 0 || received(b, q) != now) {
        seen->idle = 0;
        return;
    }
    seen->idle += seen->idle < UINT32_MAX / 2 ? 1 : 0;
    if (seen->idle >= PROVEN) {
        *well = false;
        tell_stalled(w, i, ready);
    }
}

static void *watch(void *arg)
{
    pt_watchdog  *w = arg;
    patio_broker *b = w->broker;
    pthread_mutex_lock(&b->lock);
    while (!w->ended) {
        uint64_t        until = pt_now_ns() + w->pause_ns;
        struct timespec when  = {.tv_sec  = (time_t)(until / 1000000000u),
                                 .tv_nsec = (long)(until % 1000000000u)};
        while (!w->ended && pt_now_ns() < until) {
            (void)pthread_cond_timedwait(&w->wake, &b->lock, &when);
        }
        /* without a link, that is what is wrong */
        bool look = !w->ended && atomic_load(&b->link) == PATIO_LINK_UP;
        bool well = true;
        pthread_mutex_unlock(&b->lock);
        for (size_t i = 0; look && i < b->queue_count; i++) {
            look_at(w, i, &well);
        }
        if (well) {
            tell_well(w);
        }
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static bool is_watched(const patio_broker *b)
{
    uint32_t caps  = b->transport_plugin->ops.caps;
    bool     works = false;
    for (size_t i = 0; i < b->queue_count; i++) {
        works = works || b->queues[i].most > 0;
    }
    return works && b->core[PT_CORE_WATCHDOG_MS].number > 0 && !b->runtime->clock.manual &&
           b->runtime->to_parent == NULL && (caps & PATIO_CAP_QUEUE) != 0 &&
           (caps & PATIO_CAP_ROUTES) == 0;
}

patio_status pt_watchdog_start(patio_broker *b, patio_error *err)
{
    if (!is_watched(b)) {
        return PATIO_OK;
    }
    pt_watchdog *w = pt_calloc(b->mem, 1, sizeof(*w) + b->queue_count * sizeof(w->queues[0]));
    if (w == NULL) {
        return pt_no_memory(err, "broker");
    }
    w->broker   = b;
    w->pause_ns = (uint64_t)b->core[PT_CORE_WATCHDOG_MS].number * PT_NS_PER_MS;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    int failed = pthread_create(&w->thread, &attr, watch, w);
    pthread_attr_destroy(&attr);
    if (failed != 0) {
        pthread_cond_destroy(&w->wake);
        pt_free(b->mem, w);
        return pt_fail_errno(err, PATIO_NO_MEMORY, failed, "broker", "start the watchdog's thread");
    }
    (void)pthread_setname_np(w->thread, "patio-watch");
    pthread_mutex_lock(&b->lock);
    b->watchdog = w;
    pthread_mutex_unlock(&b->lock);
    return PATIO_OK;
}

void pt_watchdog_end(patio_broker *b)
{
    if (b->watchdog != NULL) {
        pthread_mutex_lock(&b->lock);
        b->watchdog->ended = true;
        pt_timers_drop(b->runtime->timers, b->watchdog->again_timer);
        pthread_cond_signal(&b->watchdog->wake);
        pthread_mutex_unlock(&b->lock);
    }
}

void pt_watchdog_join(patio_broker *b)
{
    pt_watchdog *w = b->watchdog;
    if (w == NULL) {
        return;
    }
    pthread_join(w->thread, NULL);
    pt_timers_quiesce(b->runtime->timers); /* one that ran when it was dropped */
    pthread_mutex_lock(&b->lock);
    b->watchdog = NULL;
    pthread_mutex_unlock(&b->lock);
    pthread_cond_destroy(&w->wake);
    pt_free(b->mem, w);
}
