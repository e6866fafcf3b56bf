/* How many children there are: started, retired, buried; and those that stand in for others, whose
 * tasks wait for tasks. */
#include "pool.h"

#include <sys/socket.h>

enum { RETRY_MIN_MS = 100, RETRY_MAX_MS = 5000 };
static const uint64_t spare_ns = UINT64_C(5000000000);

void staff_note_failure(patio_executor *x, patio_status status, const char *why)
{
    uint64_t pause = RETRY_MIN_MS;
    for (uint32_t i = 0; i < x->failures && pause < RETRY_MAX_MS; i++) {
        pause *= 2;
    }
    uint64_t now = pool_now(x);
    pthread_mutex_lock(&x->lock);
    x->failures++;
    x->spawn_after_ns = now + (pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS) * NS_PER_MS;
    if (x->start_error.status == PATIO_OK) {
        (void)patio_fail(&x->start_error, status, 0, "%s", why);
    }
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    patio_host_log(x->host, PATIO_LOG_ERROR, "start a child process: %s", why);
}

static uint32_t count_staff(const patio_executor *x)
{
    uint32_t have = 0;
    for (const child *c = x->children; c != NULL; c = c->next) {
        have += c->state == CHILD_STARTING || c->state == CHILD_READY ? 1 : 0;
    }
    return have;
}

/* Those that stand in for others are started when there is something to do for them; one more while
 * some are to be replaced. */
static uint32_t wanted(const patio_executor *x)
{
    bool stale = reload_any_stale(x);
    return x->workers + (x->queued > 0 || stale ? x->lent : 0) + (stale ? 1 : 0);
}

void staff_spawn(patio_executor *x, uint64_t now)
{
    uint32_t have = count_staff(x);
    while (have < wanted(x) && !x->stopping && now >= x->spawn_after_ns) {
        patio_error err = PATIO_ERROR_INIT;
        if (spawn_child(x, &err) != PATIO_OK) {
            staff_note_failure(x, err.status, err.message);
            reload_failed(x, x->generation, err.message);
            return;
        }
        have++;
    }
}

/* Under the lock. */
static void leave(patio_executor *x, child *c)
{
    x->ready -= c->state == CHILD_READY ? 1 : 0;
    c->state = CHILD_LEAVING;
}

static bool is_old(const patio_executor *x, const child *c, uint64_t now)
{
    uint64_t tasks  = (uint64_t)x->values[OPT_MAX_TASKS].number;
    uint64_t age_ms = (uint64_t)x->values[OPT_MAX_AGE].number;
    return (tasks != 0 && c->number >= tasks) ||
           (age_ms != 0 && now - c->born_ns >= age_ms * NS_PER_MS);
}

/* It loaded its tasks too long ago, and another is there in its place. */
static bool is_replaced(const patio_executor *x, const child *c)
{
    return reload_is_stale(x, c) && x->ready > x->workers + x->lent;
}

/* It stood in for another, and has not been needed for a while. */
static bool is_spare(const patio_executor *x, const child *c, uint64_t now)
{
    return !x->reloading && c->held == 0 && now - c->moved_ns >= spare_ns &&
           count_staff(x) > x->workers + x->lent;
}

void staff_retire(patio_executor *x, uint64_t now)
{
    for (child *c = x->children; c != NULL; c = c->next) {
        pthread_mutex_lock(&x->lock);
        if (!c->taken && (c->state == CHILD_READY || c->state == CHILD_STARTING) &&
            (x->stopping || (c->state == CHILD_READY &&
                             (is_old(x, c, now) || is_replaced(x, c) || is_spare(x, c, now))))) {
            leave(x, c);
            (void)deal_withdraw(x, c);
        }
        bool over = c->state == CHILD_LEAVING && c->held == 0 && !c->taken;
        if (over) {
            c->state    = CHILD_CLOSED;
            c->moved_ns = now;
            (void)shutdown(c->jobs_fd, SHUT_WR);
            atomic_store(&c->page->closing, 1);
            patio_child_wake(c->page);
        }
        pthread_mutex_unlock(&x->lock);
    }
}

void staff_bury(patio_executor *x)
{
    for (child **at = &x->children; *at != NULL;) {
        child *c = *at;
        if (!c->gone) {
            at = &c->next;
            continue;
        }
        pthread_mutex_lock(&x->lock);
        /* somebody is about to send to it, and will fail, and then wake this thread */
        bool taken = c->taken || c->pins > 0;
        if (!taken) {
            *at = c->next;
        }
        pthread_mutex_unlock(&x->lock);
        if (taken) {
            at = &c->next;
        } else {
            spawn_close(x, c);
        }
    }
}

/* ---- lent slots ---- */

/* Under the lock. What lies behind a task that waits may be what it waits for. */
static uint32_t count_lent(patio_executor *x)
{
    uint32_t most = (uint32_t)x->values[OPT_EXTRA].number;
    uint32_t lent = 0;
    for (child *c = x->children; c != NULL; c = c->next) {
        c->lending = atomic_load(&c->page->lending);
        bool lends = c->lending != 0 && c->held > 0 && !c->gone && !c->killed && lent < most;
        if (lends && !c->lends) {
            (void)deal_withdraw(x, c);
        }
        c->lends = lends;
        lent += lends ? 1 : 0;
    }
    return lent;
}

void staff_lend(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    uint32_t lent    = count_lent(x);
    bool     changed = lent != x->lent;
    x->lent          = lent;
    pthread_mutex_unlock(&x->lock);
    if (changed && x->tell_lent != NULL) {
        x->tell_lent(x->tell_lent_self, lent);
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t staff_next(const patio_executor *x, uint64_t now)
{
    uint64_t next   = NEVER;
    uint64_t age_ms = (uint64_t)x->values[OPT_MAX_AGE].number;
    uint32_t have   = count_staff(x);
    if (x->stopping) {
        return next;
    }
    for (const child *c = x->children; c != NULL; c = c->next) {
        if (age_ms != 0 && c->state == CHILD_READY) {
            next = sooner(next, c->born_ns + age_ms * NS_PER_MS);
        }
        if (!x->reloading && have > x->workers + x->lent && c->state == CHILD_READY &&
            c->held == 0) {
            next = sooner(next, c->moved_ns + spare_ns);
        }
    }
    return have < wanted(x) ? sooner(next, x->spawn_after_ns > now ? x->spawn_after_ns : now)
                            : next;
}
