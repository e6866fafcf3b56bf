/* New code for tasks: children load it from disk when they are started, so each is replaced by a
 * new one, on the way on which they are replaced for their age. The new one comes first, one at a
 * time; so there are never fewer than `workers`, and if it does not come up nothing has changed. */
#include "pool.h"

/* ---- asked for by any thread ---- */

static patio_status reload(patio_executor *x, patio_error *err)
{
    if (x->fixed) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "its tasks are of this program and no task modules: restart it, or name "
                          "the program to start with executors.process.program");
    }
    pthread_mutex_lock(&x->lock);
    bool running = x->running;
    if (running) {
        x->reload_asked = true;
        x->reload_state = PATIO_RELOAD_RUNNING;
    }
    pthread_mutex_unlock(&x->lock);
    if (!running) {
        return patio_fail(err, PATIO_CLOSED, 0, "the process executor is stopped");
    }
    pool_wake(x);
    return PATIO_OK;
}

static uint32_t reload_state(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    uint32_t state = x->reload_state;
    pthread_mutex_unlock(&x->lock);
    return state;
}

const patio_reload_ops reload_ops = {PATIO_SIZED(patio_reload_ops), .reload = reload,
                                     .state = reload_state};

/* ---- the loop's ---- */

static bool is_staff(const child *c)
{
    return c->state == CHILD_STARTING || c->state == CHILD_READY;
}

bool reload_is_stale(const patio_executor *x, const child *c)
{
    return x->reloading && c->generation != x->generation && is_staff(c);
}

bool reload_any_stale(const patio_executor *x)
{
    const child *c = x->children;
    while (c != NULL && !reload_is_stale(x, c)) {
        c = c->next;
    }
    return c != NULL;
}

static void count(const patio_executor *x, uint32_t *staff, uint32_t *stale)
{
    *staff = 0;
    *stale = 0;
    for (const child *c = x->children; c != NULL; c = c->next) {
        *staff += is_staff(c) ? 1 : 0;
        *stale += reload_is_stale(x, c) ? 1 : 0;
    }
}

/* Whoever asked meanwhile is told the state of what comes then. */
static void end(patio_executor *x, uint32_t state)
{
    x->reloading = false;
    pthread_mutex_lock(&x->lock);
    if (!x->reload_asked) {
        x->reload_state = state;
    }
    pthread_mutex_unlock(&x->lock);
}

static void begin(patio_executor *x, uint64_t now)
{
    uint32_t staff = 0;
    uint32_t stale = 0;
    x->generation++;
    x->reloading       = true;
    x->renewed         = 0;
    x->reload_since_ns = now;
    pthread_mutex_lock(&x->lock);
    x->failures       = 0; /* what was wrong may have been put right */
    x->spawn_after_ns = 0;
    pthread_mutex_unlock(&x->lock);
    count(x, &staff, &stale);
    patio_host_log(x->host, PATIO_LOG_INFO,
                   "reload: %u child processes are replaced one after another, by new ones that "
                   "load their tasks from disk",
                   stale);
}

void reload_look(patio_executor *x, uint64_t now)
{
    pthread_mutex_lock(&x->lock);
    bool asked      = x->reload_asked && !x->stopping;
    x->reload_asked = false;
    pthread_mutex_unlock(&x->lock);
    if (asked) {
        begin(x, now);
    }
    if (x->reloading && x->renewed > 0 && !reload_any_stale(x)) {
        patio_host_log(x->host, PATIO_LOG_INFO,
                       "reload: done after %llu ms, %u new child processes run what begins now",
                       (unsigned long long)((now - x->reload_since_ns) / NS_PER_MS), x->renewed);
        end(x, PATIO_RELOAD_DONE);
    }
}

void reload_failed(patio_executor *x, uint32_t generation, const char *why)
{
    uint32_t staff = 0;
    uint32_t stale = 0;
    if (!x->reloading || generation != x->generation) {
        return;
    }
    count(x, &staff, &stale);
    patio_host_log(x->host, PATIO_LOG_ERROR,
                   "reload given up, %u of %u child processes go on with what they loaded before: "
                   "%s; put that right and reload again",
                   stale, stale + x->renewed, why);
    end(x, PATIO_RELOAD_FAILED);
}
