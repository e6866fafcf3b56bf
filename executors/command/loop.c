/* The one thread that looks after all programs: it begins them, feeds and reads them, and notices
 * their end through a descriptor for each process, so no signal handler and no waiting thread is
 * needed. It is the parent of all of them, and they die with it. */
#include "command.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

static const uint64_t forever = UINT64_MAX;

/* ---- what others ask ---- */

/* Under the lock. */
static bool need_wake(patio_executor *x)
{
    bool need = !x->woken;
    x->woken  = true;
    return need;
}

void loop_wake(patio_executor *x)
{
    uint64_t one = 1;
    while (write(x->wake, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

patio_status loop_submit(patio_executor *x, patio_job *job, patio_error *err)
{
    pthread_mutex_lock(&x->lock);
    if (!x->open) {
        pthread_mutex_unlock(&x->lock);
        return patio_fail(err, PATIO_CLOSED, 0, "task %s: the command executor is stopped",
                          job->task);
    }
    if (x->queue.count >= x->queue_max) {
        x->refused = true;
        pthread_mutex_unlock(&x->lock);
        return patio_fail(err, PATIO_FULL, 0, "task %s: %u tasks are queued, as many as queue_max",
                          job->task, x->queue_max);
    }
    patio_job_queue_push(&x->queue, job);
    bool need = need_wake(x);
    pthread_mutex_unlock(&x->lock);
    if (need) {
        loop_wake(x);
    }
    return PATIO_OK;
}

void loop_give_back(patio_executor *x, patio_job *job, patio_status status)
{
    patio_outcome out = {PATIO_SIZED(patio_outcome), .verdict = PATIO_RETURN, .status = status};
    x->events->done(x->events->self, job, &out);
}

/* What still waits is forgotten by the thread, which is where jobs are handed back: the host may
 * not be ready for that inside its own call. A running one is asked for what the host has marked.
 */
patio_status loop_cancel(patio_executor *x, patio_job *job, patio_error *err)
{
    (void)err;
    pthread_mutex_lock(&x->lock);
    if (patio_job_queue_remove(&x->queue, job) != 0) {
        patio_job_queue_push(&x->forgotten, job);
    } else {
        x->cancels = true;
    }
    bool need = x->has_thread && need_wake(x);
    pthread_mutex_unlock(&x->lock);
    if (need) {
        loop_wake(x);
    }
    return PATIO_OK;
}

/* ---- on the thread ---- */

bool loop_watch(patio_executor *x, child *c, enum stream stream, uint32_t events)
{
    struct epoll_event e = {.events   = events,
                            .data.u64 = (uint64_t)c->index * STREAM_COUNT + (uint64_t)stream};
    return epoll_ctl(x->epoll, EPOLL_CTL_ADD, c->fds[stream], &e) == 0 || errno == EEXIST;
}

/* Begin what waits, as far as there is room. */
static void begin_jobs(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    patio_job *job = x->free != NULL ? patio_job_queue_pop(&x->queue) : NULL;
    while (job != NULL) {
        x->idle = false;
        pthread_mutex_unlock(&x->lock);
        child *c = x->free;
        x->free  = c->next;
        if (child_begin(c, job)) {
            c->next    = x->running;
            x->running = c;
        } else {
            c->next = x->free;
            x->free = c;
        }
        pthread_mutex_lock(&x->lock);
        job = x->free != NULL ? patio_job_queue_pop(&x->queue) : NULL;
    }
    pthread_mutex_unlock(&x->lock);
}

/* Jobs that have begun, or were forgotten, have left room to those that were refused. */
static void tell_room(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    bool room  = x->refused && x->queue.count < x->queue_max;
    x->refused = x->refused && !room;
    pthread_mutex_unlock(&x->lock);
    if (room) {
        x->events->room(x->events->self);
    }
}

static void end_cancelled(patio_executor *x, uint64_t now)
{
    pthread_mutex_lock(&x->lock);
    bool       ask = x->cancels;
    patio_job *job = patio_job_queue_pop(&x->forgotten);
    x->cancels     = false;
    pthread_mutex_unlock(&x->lock);
    while (job != NULL) {
        loop_give_back(x, job, PATIO_CANCELLED);
        pthread_mutex_lock(&x->lock);
        job = patio_job_queue_pop(&x->forgotten);
        pthread_mutex_unlock(&x->lock);
    }
    for (child *c = ask ? x->running : NULL; c != NULL; c = c->next) {
        if (c->job->ops->cancelled(c->job)) {
            child_end(c, WHY_CANCELLED, now,
                      (uint64_t)c->what->values[TASK_TERM_GRACE_MS].number * 1000000);
        }
    }
}

/* A stop ends what runs: TERM before its grace is over, KILL at its end. */
static uint64_t end_stopped(patio_executor *x, uint64_t now)
{
    pthread_mutex_lock(&x->lock);
    uint64_t term = x->stop_term_ns;
    uint64_t last = x->stop_at_ns;
    pthread_mutex_unlock(&x->lock);
    for (child *c = now >= term ? x->running : NULL; c != NULL; c = c->next) {
        child_end(c, WHY_STOP, now, now >= last ? 0 : last - now);
    }
    return now < term ? term : now < last ? last : forever;
}

/* Hand over what has ended. Returns how many still run, and when to look at them again. */
static uint32_t finish_ended(patio_executor *x, uint64_t now, uint64_t *due)
{
    uint32_t running = 0;
    child  **at      = &x->running;
    while (*at != NULL) {
        child   *c    = *at;
        uint64_t next = child_tick(c, now);
        if (!c->exited) {
            *due = next < *due ? next : *due;
            at   = &c->next;
            running++;
            continue;
        }
        *at = c->next;
        (void)child_finish(c);
        c->next = x->free;
        x->free = c;
    }
    return running;
}

/* How long epoll may wait; 0: there is more to do. -1: for ever. */
static int wait_ms(patio_executor *x, uint32_t running, uint64_t due)
{
    pthread_mutex_lock(&x->lock);
    bool more =
        (x->queue.count > 0 && x->free != NULL) || x->forgotten.count > 0 || x->cancels || x->quit;
    x->woken = more; /* from here on who has something for us must wake us */
    x->idle  = running == 0 && x->queue.count == 0 && x->forgotten.count == 0;
    if (x->idle && !x->open) {
        pthread_cond_broadcast(&x->ended);
    }
    pthread_mutex_unlock(&x->lock);
    if (more) {
        return 0;
    }
    if (due == forever) {
        return -1;
    }
    uint64_t now  = x->host->now_ns(x->host->self);
    uint64_t left = due > now ? (due - now + 999999) / 1000000 : 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static void dispatch(patio_executor *x, const struct epoll_event *e)
{
    if (e->data.u64 == (uint64_t)LOOP_WAKE_INDEX) {
        uint64_t count = 0;
        (void)!read(x->wake, &count, sizeof(count));
        return;
    }
    child *c = &x->children[e->data.u64 / STREAM_COUNT];
    child_event(c, (enum stream)(e->data.u64 % STREAM_COUNT));
}

static bool is_over(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    bool over = x->quit;
    pthread_mutex_unlock(&x->lock);
    return over;
}

void *loop_run(void *arg)
{
    patio_executor *x = arg;
    sigset_t        all;
    sigfillset(&all); /* above all SIGPIPE: a program need not read its input */
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (!is_over(x)) {
        struct epoll_event events[EVENTS_MAX];
        begin_jobs(x);
        tell_room(x);
        uint64_t now = x->host->now_ns(x->host->self);
        end_cancelled(x, now);
        uint64_t due     = end_stopped(x, now);
        uint32_t running = finish_ended(x, now, &due);
        int      n       = epoll_wait(x->epoll, events, EVENTS_MAX, wait_ms(x, running, due));
        pthread_mutex_lock(&x->lock);
        x->woken = true;
        pthread_mutex_unlock(&x->lock);
        for (int i = 0; i < n; i++) {
            dispatch(x, &events[i]);
        }
    }
    return NULL;
}
