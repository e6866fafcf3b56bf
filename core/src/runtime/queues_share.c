/* How a worker shares itself among its queues. How much each may bring is decided once, here, by
 * handing out credit; a transport only ever hears of single queues. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/ahead.h"
#include "runtime/credit.h"
#include "runtime/worker.h"

/* Between two looks: longer than a task that is worth lending a slot for, shorter than a person
 * notices. */
enum { LOOK_MS = 100 };

/* From a settlement to the delivery that it makes room for, over a slow network. */
#define DUE_NS (5 * PT_NS_PER_MS)
/* One that has not had all of its credit for so long has no more than comes anyway. */
#define BACKLOG_NS (100 * PT_NS_PER_MS)

pt_queue *pt_queues_find(patio_broker *b, const char *name)
{
    for (size_t i = 0; i < b->queue_count; i++) {
        if (strcmp(b->queues[i].name, name) == 0) {
            return &b->queues[i];
        }
    }
    return NULL;
}

static uint32_t lent(const patio_broker *b)
{
    uint32_t slots = 0;
    for (size_t i = 0; i < b->executor_count; i++) {
        slots += atomic_load(&b->executors[i].lent);
    }
    return slots;
}

static patio_status subscribe(patio_broker *b, pt_queue *q, uint32_t credit, patio_error *err)
{
    if (q->most == 0 || credit == q->credit) {
        return PATIO_OK; /* an executor that runs nothing: others may */
    }
    patio_subscription s = {
        PATIO_SIZED(patio_subscription), .credit = credit, .queue = q->name, .tasks = q->tasks,
        .task_count = q->task_count,
    };
    patio_status st = b->transport_plugin->ops.subscribe(b->transport, &s, err);
    if (st == PATIO_OK) {
        q->credit = credit;
    } else {
        pt_error_origin(err, "transport.%s", b->transport_plugin->identity->name);
    }
    return st;
}

static bool look(patio_broker *b, pt_claim *shares)
{
    uint32_t more = lent(b);
    bool     any  = more > 0 || atomic_load(&b->lent) > 0;
    atomic_store(&b->lent, more);
    for (size_t i = 0; i < b->queue_count; i++) {
        pt_queue *q    = &b->queues[i];
        uint32_t  held = atomic_load(&q->held);
        /* one queue alone always has all there is */
        bool full = atomic_exchange(&q->full, 0) != 0 || b->queue_count == 1;
        shares[i] = (pt_claim){.weight = q->weight,
                               .most   = q->most + more,
                               .held   = held,
                               .wants  = q->most > 0 && (full || held >= q->credit)};
        any       = any || held > 0;
    }
    pt_credit_share(shares, b->queue_count, pt_queues_capacity(b) + more, b->queues_strict);
    return any;
}

static void share_again(void *self);

/* Under the broker's lock. */
static void look_later(patio_broker *b, uint64_t delay_ms)
{
    if (b->sharing && b->share_timer == 0) {
        b->share_timer =
            pt_timers_after(b->runtime->timers, delay_ms * UINT64_C(1000000), share_again, b);
    }
}

/* Less first, so that the sum is never above what there is for longer than it takes. On the timer
 * thread, which is the only one to subscribe once the broker has started. */
static void share_again(void *self)
{
    patio_broker *b = self;
    pt_claim      shares[PT_QUEUES_MAX];
    pthread_mutex_lock(&b->lock);
    /* if it is not the timer that called: one that is forgotten here would outlive the broker */
    pt_timers_drop(b->runtime->timers, b->share_timer);
    b->share_timer = 0;
    bool on        = b->sharing;
    pthread_mutex_unlock(&b->lock);
    if (!on) {
        return;
    }
    bool any = look(b, shares);
    for (int more = 0; more < 2; more++) {
        for (size_t i = 0; i < b->queue_count; i++) {
            if ((shares[i].credit > b->queues[i].credit) == (more != 0)) {
                (void)subscribe(b, &b->queues[i], shares[i].credit, NULL);
            }
        }
    }
    pthread_mutex_lock(&b->lock);
    if (any) {
        look_later(b, LOOK_MS);
    }
    pthread_mutex_unlock(&b->lock);
}

/* It had all of its credit, or has just been given some back: another task of it is on its way, if
 * it has been so until lately. */
static void expect_more(const patio_broker *b, pt_queue *q, bool full)
{
    uint64_t now = pt_clock_now(&b->runtime->clock);
    if (full) {
        atomic_store(&q->full_ns, now);
    }
    if (full || atomic_load(&q->due_ns) > now) {
        uint64_t end = atomic_load(&q->full_ns) + BACKLOG_NS;
        atomic_store(&q->due_ns, now + DUE_NS < end ? now + DUE_NS : end);
    }
}

patio_status pt_queues_subscribe(patio_broker *b, patio_error *err)
{
    pt_claim     shares[PT_QUEUES_MAX];
    patio_status st = PATIO_OK;
    if (b->queue_count > PT_QUEUES_MAX) {
        return pt_fail(err, PATIO_CONFIG, "broker",
                       "the tasks of one broker stand in %zu queues; at most %d can be served",
                       b->queue_count, PT_QUEUES_MAX);
    }
    for (size_t i = 0; i < b->queue_count; i++) {
        b->queues[i].credit = UINT32_MAX; /* not yet subscribed: whatever comes out is a change */
        atomic_store(&b->queues[i].full, 1);
        expect_more(b, &b->queues[i], true);
    }
    (void)look(b, shares);
    for (size_t i = 0; i < b->queue_count && st == PATIO_OK; i++) {
        st = subscribe(b, &b->queues[i], shares[i].credit, err);
    }
    pthread_mutex_lock(&b->lock);
    b->sharing = st == PATIO_OK && b->queue_count > 0;
    if (b->sharing && b->queue_count > 1) {
        look_later(b, LOOK_MS);
    }
    pthread_mutex_unlock(&b->lock);
    pt_ahead_start(b);
    pt_held_look(b);
    return st;
}

void pt_queues_again(patio_broker *b, size_t queue)
{
    pt_queue *q = &b->queues[queue];
    pthread_mutex_lock(&b->lock);
    bool on = b->sharing;
    pthread_mutex_unlock(&b->lock);
    if (on) {
        uint32_t credit = atomic_exchange(&q->credit, UINT32_MAX);
        (void)b->transport_plugin->ops.unsubscribe(b->transport, q->name, NULL);
        (void)subscribe(b, q, credit, NULL);
    }
}

void pt_queues_unsubscribe(patio_broker *b)
{
    pthread_mutex_lock(&b->lock);
    b->sharing = false;
    pt_timers_drop(b->runtime->timers, b->share_timer);
    pt_timers_drop(b->runtime->timers, b->ahead.timer);
    pt_timers_drop(b->runtime->timers, b->turn_timer);
    b->share_timer = 0;
    b->ahead.timer = 0;
    b->turn_timer  = 0;
    pthread_mutex_unlock(&b->lock);
    pt_timers_quiesce(b->runtime->timers);
    for (size_t i = 0; i < b->queue_count; i++) {
        (void)b->transport_plugin->ops.unsubscribe(b->transport, b->queues[i].name, NULL);
    }
}

void pt_queues_look_now(patio_broker *b)
{
    share_again(b);
}

void pt_queues_lent(patio_broker *b)
{
    if (lent(b) > atomic_load(&b->lent)) {
        pt_queues_look(b); /* credit that was handed out before is not taken back at once */
    }
}

void pt_queues_look(patio_broker *b)
{
    pthread_mutex_lock(&b->lock);
    if (b->sharing) {
        /* a look that is planned for later comes too late; it may come all the same */
        pt_timers_drop(b->runtime->timers, b->share_timer);
        b->share_timer = 0;
        look_later(b, 0);
    }
    pthread_mutex_unlock(&b->lock);
}

/* ---- deliveries ---- */

pt_queue *pt_queues_took(patio_broker *b, const char *name)
{
    if (b->queue_count < 2) {
        return NULL;
    }
    pt_queue *q = pt_queues_find(b, name);
    if (q != NULL) {
        (void)atomic_fetch_add_explicit(&q->took, 1, memory_order_relaxed);
    }
    if (q == NULL || atomic_fetch_add(&q->held, 1) + 1 < q->credit) {
        return q;
    }
    expect_more(b, q, true);
    if (atomic_exchange(&q->full, 1) == 0) {
        pthread_mutex_lock(&b->lock);
        look_later(b, LOOK_MS);
        pthread_mutex_unlock(&b->lock);
    }
    return q;
}

void pt_queues_gave(patio_broker *b, pt_queue *q)
{
    if (q == NULL) {
        return;
    }
    bool full = atomic_fetch_sub(&q->held, 1) >= q->credit;
    if (b->queue_count > 1) { /* nothing is expected of one alone, and a clock is not for nothing */
        expect_more(b, q, full);
    }
}
