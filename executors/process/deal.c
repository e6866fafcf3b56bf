/* Which child gets which job.
 *
 * First each job has a child for itself. Jobs that take microseconds get no more done by more
 * children than cores, but by fewer changes of process: they go to a few children, many at once.
 * Should one of them then last, what has not begun behind it is taken back.
 */
#include "pool.h"

uint64_t deal_places(const patio_executor *x, const child *c)
{
    /* numbers that were withdrawn behind one that lasts are places as well */
    uint64_t places = DEPTH_MAX - (c->number - c->first);
    uint64_t most   = (uint64_t)x->values[OPT_MAX_TASKS].number;
    uint64_t left   = most == 0 ? places : most > c->number ? most - c->number : 0;
    return left < places ? left : places;
}

/* ---- under the lock ---- */

static bool are_short(const patio_executor *x)
{
    return x->average_ns < SHORT_JOB_NS && pool_now(x) > x->unsure_until_ns;
}

/* Children whose tasks run, and do not wait for others. */
static uint32_t count_busy(const patio_executor *x)
{
    uint32_t n = 0;
    for (const child *c = x->children; c != NULL; c = c->next) {
        n += c->held > 0 && !c->lends && !c->gone ? 1 : 0;
    }
    return n;
}

static uint32_t depth(const patio_executor *x)
{
    uint64_t average = x->average_ns > 0 ? x->average_ns : DEPTH_NS;
    uint64_t n       = DEPTH_NS / average;
    return n < 1 ? 1 : n > DEPTH_MAX ? DEPTH_MAX : (uint32_t)n;
}

static bool can_get(const patio_executor *x, const child *c)
{
    return c->state == CHILD_READY && !c->taken && !c->killed && deal_places(x, c) > 0;
}

/* May it get a job behind those that it has? */
static bool can_get_more(const patio_executor *x, const child *c)
{
    return c->held > 0 && can_get(x, c) && !give_is_measured(&c->allowed) && !c->stuck && !c->lends;
}

static child *find_idle(const patio_executor *x, uint32_t busy)
{
    if (busy >= x->workers) {
        return NULL; /* children beyond them stand in for those that wait */
    }
    for (child *c = x->children; c != NULL; c = c->next) {
        if (c->held == 0 && can_get(x, c)) {
            return c;
        }
    }
    return NULL;
}

static child *find_busy(const patio_executor *x)
{
    child *best = NULL;
    for (child *c = x->children; c != NULL; c = c->next) {
        if (can_get_more(x, c) && c->held < depth(x) && (best == NULL || c->held < best->held)) {
            best = c;
        }
    }
    return best;
}

child *deal_one(const patio_executor *x, const patio_job *job)
{
    limits   l    = give_limits(x, job);
    uint32_t busy = count_busy(x);
    child   *c    = NULL;
    if (busy >= x->useful && !give_is_measured(&l) && are_short(x)) {
        c = find_busy(x);
    }
    return c != NULL ? c : find_idle(x, busy);
}

/* Take from the queue what this child is to get now. */
static uint32_t pick(patio_executor *x, const child *c, uint32_t most, patio_job **jobs)
{
    uint64_t places = deal_places(x, c);
    uint32_t n      = 0;
    while (n < most && n < places && x->queue.last != NULL) {
        const patio_job *next = patio_job_queue_first(&x->queue);
        limits           l    = give_limits(x, next);
        if (give_is_measured(&l) && c->held + n > 0) {
            break;
        }
        jobs[n++] = pool_pop(x);
        if (give_is_measured(&l)) {
            break;
        }
    }
    return n;
}

/* By one word of the shared page each job is either begun or withdrawn. */
uint32_t deal_withdraw(patio_executor *x, child *c)
{
    uint64_t turn = atomic_load(&c->page->turn);
    do {
    } while (!atomic_compare_exchange_weak(&c->page->turn, &turn,
                                           (uint64_t)(uint32_t)c->number << 32 | (uint32_t)turn));
    uint32_t begun = watch_begun(c);
    uint32_t all   = (uint32_t)(c->number - c->first);
    uint32_t taken = 0;
    if (begun > all) {
        return 0; /* its page holds nonsense: it will not last */
    }
    for (uint64_t n = c->number; n > c->first + begun; n--) {
        patio_job *job = c->jobs[(n - 1) % DEPTH_MAX];
        if (job != NULL) {
            c->jobs[(n - 1) % DEPTH_MAX] = NULL;
            c->held--;
            taken++;
            pool_push_front(x, job);
        }
    }
    return taken;
}

/* ---- the loop's ---- */

/* true: it got something, and may get more. */
static bool deal_some(patio_executor *x, child *c, uint32_t most)
{
    patio_job *jobs[DEPTH_MAX];
    pthread_mutex_lock(&x->lock);
    bool     can   = c->held == 0 ? can_get(x, c) : can_get_more(x, c);
    uint32_t count = can ? pick(x, c, most, jobs) : 0;
    c->taken       = c->taken || count > 0;
    pthread_mutex_unlock(&x->lock);
    return count > 0 && give_many(x, c, jobs, count) > 0;
}

/* Children that take one short job after the other. Those that are held up by another are none. */
static uint32_t count_hands(const patio_executor *x)
{
    uint32_t n = 0;
    for (const child *c = x->children; c != NULL; c = c->next) {
        n += can_get_more(x, c) ? 1 : 0;
    }
    return n;
}

static child *next_idle(patio_executor *x, bool shorts)
{
    pthread_mutex_lock(&x->lock);
    child *c = shorts && count_hands(x) >= x->useful ? NULL : find_idle(x, count_busy(x));
    pthread_mutex_unlock(&x->lock);
    return c;
}

/* First one for everybody who has none, then more for those who take microseconds. */
void deal_all(patio_executor *x)
{
    if (x->queued == 0) {
        return;
    }
    bool   shorts = are_short(x);
    child *idle   = next_idle(x, shorts);
    while (idle != NULL && x->queued > 0 && deal_some(x, idle, 1)) {
        idle = next_idle(x, shorts);
    }
    /* its ring is full of what was withdrawn, or there is no memory to share: nobody says when that
     * is over */
    x->deal_again = idle != NULL && x->queued > 0;
    uint32_t most = depth(x);
    if (most < 2) {
        return;
    }
    uint32_t hands = shorts && x->useful < x->ready ? x->useful : x->ready;
    for (child *c = x->children; c != NULL && x->queued > 0; c = c->next) {
        uint32_t share = x->queued / (hands > 0 ? hands : 1) + 1;
        uint32_t room  = most > c->held ? most - c->held : 0;
        while (c->held > 0 && room > 0 && x->queued > 0 &&
               deal_some(x, c, share < room ? share : room)) {
            room = most > c->held ? most - c->held : 0;
        }
    }
}
