/* What was fetched ahead of its turn does not wait without end behind a task that takes long. After
 * `lookahead_wait_ms` it goes back to the transport, uncharged, for a worker that is free, and no
 * more is fetched ahead until the executor has got as far as what it gave back.
 *
 * Nothing is asked of the executor: a job that went back stays where it is, and ends unrun when its
 * turn comes. Whoever changes `stage` first, decides: the look here, or the executor that begins
 * it.
 */
#include "base/clock.h"
#include "runtime/broker.h"

enum {
    STAGE_RUNS     = 0, /* or ends in another way: not looked after */
    STAGE_WAITS    = 1,
    STAGE_RETURNED = 2, /* its delivery is settled */
};

static void look(void *self);

void pt_ahead_init(patio_broker *b)
{
    bool ahead       = b->core[PT_CORE_LOOKAHEAD].number > 0 || b->queue_count > 1;
    b->ahead.wait_ns = ahead ? (uint64_t)b->core[PT_CORE_LOOKAHEAD_WAIT_MS].number * 1000000u : 0;
}

/* Under the lock. */
static void look_later(patio_broker *b)
{
    if (b->sharing && b->ahead.timer == 0) {
        b->ahead.timer = pt_timers_after(b->runtime->timers, b->ahead.wait_ns, look, b);
    }
}

/* One look is planned for as long as anything waits. */
static void plan(patio_broker *b)
{
    if (atomic_exchange(&b->ahead.planned, 1) == 0) {
        pthread_mutex_lock(&b->lock);
        look_later(b);
        pthread_mutex_unlock(&b->lock);
    }
}

void pt_ahead_waits(pt_job *job)
{
    patio_broker *b = job->end.broker;
    if (b->ahead.wait_ns != 0) {
        job->since_ns = pt_clock_tick(&b->runtime->clock);
        atomic_store(&job->stage, STAGE_WAITS);
        plan(b);
    }
}

bool pt_ahead_over(pt_job *job)
{
    uint32_t waits = STAGE_WAITS;
    if (job->end.broker->ahead.wait_ns == 0) {
        return true;
    }
    return atomic_compare_exchange_strong(&job->stage, &waits, STAGE_RUNS) || waits == STAGE_RUNS;
}

void pt_ahead_gone(patio_broker *b)
{
    if (atomic_fetch_sub(&b->ahead.returned, 1) == 1) {
        pt_queues_look(b); /* it may fetch ahead again */
    }
}

bool pt_ahead_rests(const patio_broker *b)
{
    return atomic_load(&b->ahead.returned) != 0;
}

/* ---- the look, on the timer thread ---- */

static void give_back(patio_broker *b, pt_job *job)
{
    uint32_t  waits = STAGE_WAITS;
    patio_tag tag   = job->end.tag;
    if (atomic_fetch_add(&b->ahead.returned, 1) == 0) {
        pt_queues_look_now(b); /* less credit first, else it would come straight back */
    }
    if (atomic_compare_exchange_strong(&job->stage, &waits, STAGE_RETURNED)) {
        pt_settle_return(b, tag);
    } else {
        pt_ahead_gone(b); /* it was begun at this very moment */
    }
}

/* True if it goes on waiting. */
static bool look_at(patio_broker *b, pt_job *job, uint64_t now_ns)
{
    if (atomic_load_explicit(&job->stage, memory_order_relaxed) != STAGE_WAITS ||
        !pt_job_pin(job)) {
        return false;
    }
    bool waits = atomic_load(&job->stage) == STAGE_WAITS;
    bool due   = waits && now_ns >= job->since_ns + b->ahead.wait_ns;
    if (due) {
        give_back(b, job);
    }
    pt_job_unpin(job);
    return waits && !due;
}

static bool look_at_all(patio_broker *b)
{
    uint32_t made  = atomic_load_explicit(&b->jobs_made, memory_order_acquire);
    uint64_t now   = pt_clock_now(&b->runtime->clock);
    bool     waits = false;
    for (uint32_t i = 0; i < made; i++) {
        waits = look_at(b, &b->jobs[i], now) || waits;
    }
    return waits;
}

static void look(void *self)
{
    patio_broker *b = self;
    pthread_mutex_lock(&b->lock);
    b->ahead.timer = 0;
    bool on        = b->sharing;
    pthread_mutex_unlock(&b->lock);
    if (!on) {
        return;
    }
    /* what comes from here on plans its own look; what came before is seen here */
    atomic_store(&b->ahead.planned, 0);
    if (look_at_all(b)) {
        plan(b);
    }
}
