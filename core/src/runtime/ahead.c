/* What was fetched ahead of its turn does not wait without end behind a task that takes long. After
 * `lookahead_wait_ms` it goes back to the transport, uncharged, for a worker that is free, and no
 * more is fetched ahead until the executor has got as far as what it gave back.
 *
 * Nothing is asked of the executor: a job that went back stays where it is, and ends unrun when its
 * turn comes. Whoever changes `stage` first, decides: the look here, or the executor that begins
 * it.
 */
#include "runtime/ahead.h"
#include "base/clock.h"
#include "runtime/worker.h"

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

/* One look is planned for as long as anything waits. */
static void plan(patio_broker *b, uint64_t delay_ns)
{
    if (atomic_exchange(&b->ahead.planned, 1) == 0) {
        pthread_mutex_lock(&b->lock);
        if (b->sharing && b->ahead.timer == 0) {
            b->ahead.timer = pt_timers_after(b->runtime->timers, delay_ns, look, b);
        }
        pthread_mutex_unlock(&b->lock);
    }
}

void pt_ahead_start(patio_broker *b)
{
    if (b->ahead.wait_ns != 0) {
        atomic_store(&b->ahead.planned, 0); /* what has come by now was planned for nobody */
        plan(b, b->ahead.wait_ns);
    }
}

void pt_ahead_waits(pt_job *job)
{
    patio_broker *b = job->end.broker;
    if (b->ahead.wait_ns != 0) {
        job->since_ns = pt_clock_tick(&b->runtime->clock);
        atomic_store(&job->stage, STAGE_WAITS);
        plan(b, b->ahead.wait_ns);
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

bool pt_ahead_went(const pt_job *job)
{
    return atomic_load_explicit(&job->stage, memory_order_relaxed) == STAGE_RETURNED;
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

/* It waits, and nobody begins it any more. The count comes first: the executor may be through with
 * it at once. */
static bool take_back(patio_broker *b, pt_job *job, bool *first)
{
    uint32_t waits = STAGE_WAITS;
    *first         = atomic_fetch_add(&b->ahead.returned, 1) == 0;
    if (atomic_compare_exchange_strong(&job->stage, &waits, STAGE_RETURNED)) {
        return true;
    }
    pt_ahead_gone(b); /* it was begun at this very moment */
    return false;
}

/* Until when it may wait; UINT64_MAX: it does not. */
static uint64_t look_at(patio_broker *b, pt_job *job, uint64_t now_ns)
{
    if (atomic_load_explicit(&job->stage, memory_order_relaxed) != STAGE_WAITS ||
        !pt_job_pin(job)) {
        return UINT64_MAX;
    }
    bool      waits = atomic_load(&job->stage) == STAGE_WAITS;
    uint64_t  until = waits ? job->since_ns + b->ahead.wait_ns : UINT64_MAX;
    patio_tag tag   = job->end.tag;
    bool      first = false;
    bool      taken = until <= now_ns && take_back(b, job, &first);
    pt_job_unpin(job);
    if (taken && first) {
        pt_queues_look_now(b); /* less credit first, else it would come straight back */
    }
    if (taken) {
        pt_settle_return(b, tag, 0);
    }
    return until > now_ns ? until : UINT64_MAX;
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
    uint32_t made = atomic_load_explicit(&b->jobs_made, memory_order_acquire);
    uint64_t now  = pt_clock_now(&b->runtime->clock);
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < made; i++) {
        uint64_t until = look_at(b, &b->jobs[i], now);
        next           = until < next ? until : next;
    }
    if (b->queue_count > 1) {
        pt_held_look(b); /* what never got to the executor is free at once */
    }
    if (next != UINT64_MAX) {
        plan(b, next - now);
    }
}
