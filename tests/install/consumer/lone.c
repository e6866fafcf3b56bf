/* An executor with one thread, which runs one task at a time and keeps no other waiting. */
#include <patio/executor.h>
#include <patio/plugin_util.h>

#include <pthread.h>
#include <stdbool.h>

struct patio_executor {
    const patio_host            *host;
    const patio_executor_events *events;
    pthread_t                    thread;
    pthread_mutex_t              lock;
    pthread_cond_t               changed;
    patio_job                   *job;
    bool                         running;
    bool                         refused; /* somebody heard FULL: `room` is to come */
};

static patio_status create(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err)
{
    patio_executor *x = host->alloc(host->self, sizeof(*x));
    if (x == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(x, 0, sizeof(*x));
    x->host   = host;
    x->events = params->events;
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->changed, NULL);
    *out = x;
    return PATIO_OK;
}

static void destroy(patio_executor *x)
{
    if (x != NULL) {
        pthread_cond_destroy(&x->changed);
        pthread_mutex_destroy(&x->lock);
        x->host->free(x->host->self, x);
    }
}

static void *work(void *arg)
{
    patio_executor *x = arg;
    pthread_mutex_lock(&x->lock);
    while (x->running || x->job != NULL) {
        patio_job *job = x->job;
        if (job == NULL) {
            pthread_cond_wait(&x->changed, &x->lock);
            continue;
        }
        pthread_mutex_unlock(&x->lock);
        patio_outcome outcome = {PATIO_SIZED(patio_outcome)};
        job->run(job, &outcome);
        pthread_mutex_lock(&x->lock);
        bool room  = x->refused;
        x->job     = NULL;
        x->refused = false;
        pthread_mutex_unlock(&x->lock);
        x->events->done(x->events->self, job, &outcome);
        if (room) {
            x->events->room(x->events->self);
        }
        pthread_mutex_lock(&x->lock);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

static patio_status start(patio_executor *x, patio_error *err)
{
    x->running = true;
    int rc     = pthread_create(&x->thread, NULL, work, x);
    if (rc != 0) {
        x->running = false;
        return patio_fail(err, PATIO_NO_MEMORY, rc, "start a thread");
    }
    return PATIO_OK;
}

static patio_status stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    (void)grace_ms;
    (void)err;
    pthread_mutex_lock(&x->lock);
    bool was_running = x->running;
    x->running       = false;
    pthread_cond_signal(&x->changed);
    pthread_mutex_unlock(&x->lock);
    if (was_running) {
        pthread_join(x->thread, NULL);
    }
    return PATIO_OK;
}

static patio_status submit(patio_executor *x, patio_job *job, patio_error *err)
{
    pthread_mutex_lock(&x->lock);
    patio_status st = !x->running ? PATIO_CLOSED : x->job != NULL ? PATIO_FULL : PATIO_OK;
    if (st == PATIO_OK) {
        x->job = job;
        pthread_cond_signal(&x->changed);
    }
    x->refused = x->refused || st == PATIO_FULL;
    pthread_mutex_unlock(&x->lock);
    return st == PATIO_OK ? st : patio_fail(err, st, 0, "task %s: the thread is busy", job->task);
}

static uint32_t slots(patio_executor *x)
{
    (void)x;
    return 1;
}

static const patio_executor_ops ops = {
    PATIO_SIZED(patio_executor_ops),
    .caps    = PATIO_EXECUTOR_RUNS | PATIO_EXECUTOR_BLOCKING,
    .create  = create,
    .start   = start,
    .stop    = stop,
    .destroy = destroy,
    .submit  = submit,
    .slots   = slots,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(lone, "1.0.0", "MIT", "runs one task at a time", query)
