/* Tasks that do not return.
 *
 * C has no way to end a thread. A task past its deadline has been told; if it does not return for
 * stuck_after_ms more, its thread is given up: the host settles its delivery, an extra thread takes
 * its place. After stuck_max of them the process is worn out, and says so. Should the task return
 * after all, its thread is one of the extra ones.
 *
 * One timer for the whole pool looks when the earliest job in work is due; nearly all jobs are long
 * done by then, so it runs every few seconds at most, and in an idle pool not at all. */
#include "pool.h"

#include <inttypes.h>

static const uint64_t forever = UINT64_MAX;
/* One that waits for other tasks is looked at again when it may have its slot back. */
static const uint64_t again_ns = UINT64_C(100000000);
static void           look(void *arg);

/* Under the lock. */
static void set_timer(patio_executor *x, uint64_t due, uint64_t now)
{
    x->watch_ns = due;
    x->timer    = x->host->after(x->host->self, due > now ? due - now : 0, look, x);
    if (x->timer == 0) {
        x->watch_ns = forever; /* no memory: the next job asks again */
    }
}

uint64_t stuck_watch(patio_executor *x, uint64_t due_ns)
{
    uint64_t old = x->timer;
    set_timer(x, due_ns, x->host->now_ns(x->host->self));
    return old;
}

bool stuck_given_up(worker *me)
{
    while (atomic_load(&me->at) != AT_GIVEN_UP) {
        patio_spin_pause(); /* the host is being told this very moment */
    }
    atomic_store(&me->at, AT_QUEUE);
    return true;
}

/* The next worker whose job is overdue, marked; and when to look again. */
static worker *find_overdue(patio_executor *x, uint64_t now, uint64_t *next)
{
    *next = forever;
    for (uint32_t i = 0; i < x->started; i++) {
        worker  *w  = &x->workers[i];
        uint32_t at = AT_JOB;
        if (w->job == NULL || atomic_load(&w->at) != AT_JOB) {
            continue;
        }
        uint64_t due = w->lent && w->due_ns <= now ? now + again_ns : w->due_ns;
        if (due > now) {
            *next = due < *next ? due : *next;
        } else if (atomic_compare_exchange_strong(&w->at, &at, AT_STUCK)) {
            return w;
        }
    }
    return NULL;
}

static void give_up(patio_executor *x, worker *w)
{
    char        text[256];
    patio_error why  = PATIO_ERROR_INIT;
    const char *task = w->job->task;
    x->events->stuck(x->events->self, w->job);
    atomic_store(&w->at, AT_GIVEN_UP);
    pthread_mutex_lock(&x->lock);
    uint32_t stuck = x->stuck;
    bool     worn  = stuck >= x->stuck_max && !x->worn;
    x->worn        = x->worn || worn;
    threads_more(x);
    pthread_mutex_unlock(&x->lock);
    (void)snprintf(text, sizeof(text),
                   "task %.128s does not return %" PRIu64 " ms after its deadline: its thread is "
                   "given up (%u of %u)",
                   task, x->stuck_after_ns / 1000000, stuck, x->stuck_max);
    x->host->log(x->host->self, PATIO_LOG_ERROR, text);
    if (worn) {
        (void)patio_fail(&why, PATIO_TASK_CRASHED, 0,
                         "%u threads are held by tasks that do not return, the last one by %.128s",
                         stuck, task);
        x->events->worn_out(x->events->self, &why);
    }
}

static void look(void *arg)
{
    patio_executor *x    = arg;
    uint64_t        now  = x->host->now_ns(x->host->self);
    uint64_t        next = forever;
    pthread_mutex_lock(&x->lock);
    if (now < x->watch_ns) {
        pthread_mutex_unlock(&x->lock);
        return; /* another timer was set instead of this one */
    }
    x->watch_ns = forever;
    x->timer    = 0;
    x->looking  = true;
    for (worker *w = find_overdue(x, now, &next); w != NULL; w = find_overdue(x, now, &next)) {
        x->stuck++;
        pthread_mutex_unlock(&x->lock);
        give_up(x, w);
        pthread_mutex_lock(&x->lock);
    }
    if (next != forever && next < x->watch_ns && x->left < x->started) {
        set_timer(x, next, now);
    }
    x->looking = false;
    pthread_cond_broadcast(&x->ended);
    pthread_mutex_unlock(&x->lock);
}

void stuck_fini(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    while (x->looking) { /* the task that was given up may have returned while that was told */
        pthread_cond_wait(&x->ended, &x->lock);
    }
    uint64_t timer = x->timer;
    x->timer       = 0;
    x->watch_ns    = forever;
    pthread_mutex_unlock(&x->lock);
    if (timer != 0) {
        (void)x->host->cancel(x->host->self, timer);
    }
}
