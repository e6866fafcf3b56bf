/* Deliveries that wait here: their executor has no room, or it is not their queue's turn. They stay
 * unsettled, so the transport brings no more than that: this is how a full executor withholds
 * credit.
 *
 * With one queue all go to the executor at once, and only what it refuses comes here. Among several
 * an executor is given no more than it has slots, so that it is decided here which queue is next:
 * in strict order the first that has any, by weight the one that is behind its share. A queue that
 * had all of its credit and has just been given some back counts as one that has more: its next
 * delivery is on its way, and a slot is kept for it that long.
 */
#include "base/clock.h"
#include "runtime/ahead.h"
#include "runtime/worker.h"

enum { STRIDE = 1u << 20 };

static bool has_slot(const pt_executor *x)
{
    return x->broker->queue_count < 2 || x->taken < x->slots + atomic_load(&x->lent);
}

/* ---- whose turn is it? all under the lock ---- */

/* Lower is sooner. By weight: what a queue did not use while it had nothing, it does not get later.
 */
static uint64_t turn_of(const patio_broker *b, const pt_queue *q)
{
    if (q == NULL) {
        return 0;
    }
    if (b->queues_strict) {
        return (uint64_t)(q - b->queues);
    }
    return q->turn > b->queues_turn ? q->turn : b->queues_turn;
}

static void count_turn(patio_broker *b, pt_queue *q)
{
    if (q != NULL && !b->queues_strict) {
        b->queues_turn = turn_of(b, q);
        q->turn        = b->queues_turn + STRIDE / q->weight;
    }
}

/* The first of the queue whose turn it is. */
static pt_job **choose(pt_executor *x)
{
    pt_job **best = &x->held;
    for (pt_job **at = best; *at != NULL; at = &(*at)->next) {
        if (turn_of(x->broker, (*at)->queue) < turn_of(x->broker, (*best)->queue)) {
            best = at;
        }
    }
    return best;
}

/* Is one expected whose turn is before this job's? Then it is looked again. */
static bool must_wait(patio_broker *b, const pt_job *job)
{
    uint64_t now = pt_clock_now(&b->runtime->clock);
    for (size_t i = 0; i < b->queue_count && !b->runtime->clock.manual; i++) {
        const pt_queue *q   = &b->queues[i];
        uint64_t        due = atomic_load(&q->due_ns);
        if (due > now && turn_of(b, q) < turn_of(b, job->queue)) {
            if (b->sharing && b->turn_timer == 0) {
                b->turn_timer = pt_timers_after(b->runtime->timers, due - now, pt_held_look, b);
            }
            return true;
        }
    }
    return false;
}

/* ---- in and out ---- */

void pt_held_add(pt_executor *x, pt_job *job)
{
    patio_broker *b = x->broker;
    pthread_mutex_lock(&b->lock);
    pt_job **at = &x->held;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    job->next = NULL;
    *at       = job;
    pthread_mutex_unlock(&b->lock);
    /* room may have come before the job was here */
    pt_held_submit(x);
}

/* NULL: there is none that may go. *rooms: how often there was room so far. */
static pt_job *take(pt_executor *x, uint32_t *rooms)
{
    patio_broker *b = x->broker;
    pthread_mutex_lock(&b->lock);
    pt_job **at  = choose(x);
    pt_job  *job = has_slot(x) ? *at : NULL;
    if (job != NULL && b->queue_count > 1 && must_wait(b, job)) {
        job = NULL;
    }
    if (job != NULL) {
        *at = job->next;
        x->taken++;
        count_turn(b, job->queue);
    }
    *rooms = x->rooms;
    pthread_mutex_unlock(&b->lock);
    return job;
}

/* Back to the front; true if there was room meanwhile, and nobody saw this job. */
static bool put_back(pt_executor *x, pt_job *job, uint32_t rooms)
{
    patio_broker *b = x->broker;
    pthread_mutex_lock(&b->lock);
    job->next  = x->held;
    x->held    = job;
    bool again = x->rooms != rooms;
    x->taken--;
    pthread_mutex_unlock(&b->lock);
    return again;
}

static void give_slot_back(pt_executor *x)
{
    pthread_mutex_lock(&x->broker->lock);
    x->taken--;
    pthread_mutex_unlock(&x->broker->lock);
}

void pt_held_submit(pt_executor *x)
{
    uint32_t rooms = 0;
    bool     go_on = true;
    for (pt_job *job = take(x, &rooms); job != NULL; job = go_on ? take(x, &rooms) : NULL) {
        patio_status st = x->plugin->ops.submit(x->instance, &job->base, NULL);
        if (st == PATIO_FULL) {
            go_on = put_back(x, job, rooms);
        } else if (st != PATIO_OK) {
            give_slot_back(x);
            pt_settle_later(job, PATIO_RETURN, st, 0);
        }
    }
}

void pt_held_freed(pt_executor *x)
{
    give_slot_back(x);
    pt_held_submit(x);
}

/* Under the lock. Those that waited too long: see ahead.c. */
static pt_job *take_returned(pt_executor *x)
{
    pt_job *list = NULL;
    for (pt_job **at = &x->held; *at != NULL;) {
        pt_job *job = *at;
        if (pt_ahead_went(job)) {
            *at       = job->next;
            job->next = list;
            list      = job;
        } else {
            at = &job->next;
        }
    }
    return list;
}

static void settle_all(pt_job *list)
{
    while (list != NULL) {
        pt_job *next = list->next;
        pt_settle_later(list, PATIO_RETURN, PATIO_CLOSED, 0);
        list = next;
    }
}

void pt_held_look(void *self)
{
    patio_broker *b = self;
    for (size_t i = 0; i < b->executor_count; i++) {
        pthread_mutex_lock(&b->lock);
        pt_timers_drop(b->runtime->timers, b->turn_timer); /* if it is not the timer that called */
        b->turn_timer    = 0;
        pt_job *returned = take_returned(&b->executors[i]);
        pthread_mutex_unlock(&b->lock);
        settle_all(returned);
        pt_held_submit(&b->executors[i]);
    }
}

void pt_worker_room(void *self)
{
    pt_executor *x = self;
    pthread_mutex_lock(&x->broker->lock);
    x->rooms++;
    bool any = x->held != NULL;
    pthread_mutex_unlock(&x->broker->lock);
    if (any) {
        pt_held_submit(x);
    }
}

void pt_held_return(patio_broker *b)
{
    for (size_t i = 0; i < b->executor_count; i++) {
        pthread_mutex_lock(&b->lock);
        pt_job *list         = b->executors[i].held;
        b->executors[i].held = NULL;
        pthread_mutex_unlock(&b->lock);
        settle_all(list);
    }
}
