/* An executor under observation: what was submitted is done once, not inside its submit, and not
 * after a stop that succeeded. */
#include "base/error.h"
#include "layer/check_executor_inside.h"

/* The job that this thread submits now. */
static _Thread_local const patio_job *submitting;

patio_status pt_check_executor_leave(check *c, const char *slot, patio_status st,
                                     const patio_error *err)
{
    if (st != PATIO_OK && err != NULL && (err->status != st || err->message[0] == '\0')) {
        REPORT(c, "\"%s\" returned %d and an error that says %d, \"%.100s\"", slot, st, err->status,
               err->message);
    }
    return st;
}

static uint64_t key_of(const patio_job *job)
{
    return (uint64_t)(uintptr_t)job;
}

static patio_status check_start(patio_executor *x, patio_error *err)
{
    check *c = check_of(x);
    if (atomic_exchange(&c->started, true)) {
        REPORT(c, "the host starts twice");
    }
    return pt_check_executor_leave(c, "start", c->real->ops.start(c->x, err), err);
}

static patio_status check_stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    check       *c  = check_of(x);
    patio_status st = c->real->ops.stop(c->x, grace_ms, err);
    pthread_mutex_lock(&c->lock);
    size_t open = c->jobs.count > c->submits ? c->jobs.count - c->submits : 0;
    pthread_mutex_unlock(&c->lock);
    if (st == PATIO_OK) {
        atomic_store(&c->stopped, true);
        if (open > 0) {
            REPORT(c, "%zu jobs are not done when \"stop\" returns OK", open);
        }
    } else if (st != PATIO_TIMEOUT) {
        REPORT(c, "\"stop\" returned %d: only OK and TIMEOUT are allowed", st);
    }
    return pt_check_executor_leave(c, "stop", st, err);
}

static void check_destroy(patio_executor *x)
{
    check *c = check_of(x);
    if (atomic_load(&c->started) && !atomic_load(&c->stopped)) {
        REPORT(c, "the host destroys what has not stopped");
    }
    c->real->ops.destroy(c->x);
    c->x = NULL;
}

static patio_status check_submit(patio_executor *x, patio_job *job, patio_error *err)
{
    check *c = check_of(x);
    pthread_mutex_lock(&c->lock);
    uint64_t *open  = pt_idmap_put(&c->jobs, key_of(job));
    bool      twice = open != NULL && (*open)++ != 0;
    c->submits += open != NULL ? 1 : 0;
    pthread_mutex_unlock(&c->lock);
    if (open == NULL) {
        return pt_fail(err, PATIO_NO_MEMORY, "check", "submit: out of memory");
    }
    if (twice) {
        REPORT(c, "the host submits a job that is not done");
    }
    /* as it was before: one that is taken in time may run, and all be stopped, before this returns
     */
    bool             stopped = atomic_load(&c->stopped);
    const patio_job *outer   = submitting;
    submitting               = job;
    patio_status st          = c->real->ops.submit(c->x, job, err);
    submitting               = outer;
    pthread_mutex_lock(&c->lock);
    c->submits--;
    if (st != PATIO_OK) {
        (void)pt_idmap_remove(&c->jobs, key_of(job));
    }
    pthread_mutex_unlock(&c->lock);
    if (st == PATIO_OK && stopped) {
        REPORT(c, "a job was taken after \"stop\" had succeeded");
    }
    return pt_check_executor_leave(c, "submit", st, err);
}

static patio_status check_cancel(patio_executor *x, patio_job *job, patio_error *err)
{
    check *c = check_of(x);
    return pt_check_executor_leave(c, "cancel", c->real->ops.cancel(c->x, job, err), err);
}

static uint32_t check_slots(patio_executor *x)
{
    check   *c      = check_of(x);
    uint32_t slots  = c->real->ops.slots(c->x);
    uint32_t before = atomic_exchange(&c->slots, slots + 1);
    if (before != 0 && before != slots + 1 && !atomic_load(&c->stopped)) {
        REPORT(c, "\"slots\" was %u and is %u", before - 1, slots);
    }
    return slots;
}

static patio_status check_add_task(patio_executor *x, const char *task,
                                   const patio_option_value *options, patio_error *err)
{
    check *c = check_of(x);
    if (atomic_load(&c->started)) {
        REPORT(c, "\"add_task\" after \"start\"");
    }
    return c->real->ops.add_task(c->x, task, options, err);
}

static void check_done(void *self, patio_job *job, const patio_outcome *outcome)
{
    check *c = self;
    if (atomic_load(&c->stopped)) {
        REPORT(c, "\"done\" was raised after \"stop\" had succeeded");
    }
    if (submitting == job) {
        REPORT(c, "\"done\" was raised inside the \"submit\" of the same job");
    }
    if (outcome->verdict < PATIO_ACK || outcome->verdict > PATIO_REJECT) {
        REPORT(c, "done with verdict %u", outcome->verdict);
    }
    pthread_mutex_lock(&c->lock);
    bool known = pt_idmap_remove(&c->jobs, key_of(job));
    pthread_mutex_unlock(&c->lock);
    if (!known) {
        REPORT(c, "\"done\" for a job that was not submitted, or is done");
        return; /* the host may have used it again: it must not hear of it */
    }
    c->up->done(c->up->self, job, outcome);
}

static void check_room(void *self)
{
    check *c = self;
    if (atomic_load(&c->stopped)) {
        REPORT(c, "\"room\" was raised after \"stop\" had succeeded");
    }
    c->up->room(c->up->self);
}

static void check_stuck(void *self, patio_job *job)
{
    check *c = self;
    pthread_mutex_lock(&c->lock);
    bool known = pt_idmap_find(&c->jobs, key_of(job)) != NULL;
    pthread_mutex_unlock(&c->lock);
    if (!known) {
        REPORT(c, "\"stuck\" for a job that was not submitted, or is done");
        return;
    }
    c->up->stuck(c->up->self, job);
}

static void check_worn_out(void *self, const patio_error *why)
{
    check *c = self;
    if (why == NULL || why->status == PATIO_OK || why->message[0] == '\0') {
        REPORT(c, "\"worn_out\" without an error that says why");
    }
    c->up->worn_out(c->up->self, why);
}

static void fill(check *c)
{
    const patio_executor_ops *ops = &c->real->ops;
    c->plugin                     = (pt_executor_plugin){
                            .identity = c->real->identity,
                            .path     = c->real->path,
                            .ops      = *ops,
    };
    c->plugin.ops.start   = check_start;
    c->plugin.ops.stop    = check_stop;
    c->plugin.ops.destroy = check_destroy;
    c->plugin.ops.submit  = check_submit;
    c->plugin.ops.cancel  = check_cancel;
    c->plugin.ops.slots   = check_slots;
    c->plugin.ops.query   = pt_check_executor_query;

    c->plugin.ops.add_task = check_add_task;
    c->down                = (patio_executor_events){PATIO_SIZED(patio_executor_events),
                                                     .self     = c,
                                                     .done     = check_done,
                                                     .room     = check_room,
                                                     .stuck    = check_stuck,
                                                     .worn_out = check_worn_out};
}

patio_status pt_check_executor_create(const pt_executor_plugin **plugin, const patio_host *host,
                                      const patio_executor_params *params,
                                      pt_check_executor **layer, patio_executor **out,
                                      patio_error *err)
{
    check *c = pt_calloc(&pt_malloc_allocator, 1, sizeof(*c));
    if (c == NULL) {
        return pt_no_memory(err, "check");
    }
    c->real     = *plugin;
    c->host     = host;
    c->up       = params->events;
    c->mode     = pt_check_mode();
    c->jobs.mem = &pt_malloc_allocator;
    (void)pthread_mutex_init(&c->lock, NULL);
    fill(c);
    patio_executor_params mine = *params;
    mine.events                = &c->down;
    patio_status st            = c->real->ops.create(host, &mine, &c->x, err);
    if (pt_check_executor_leave(c, "create", st, err) != PATIO_OK) {
        pt_check_executor_free(c);
        return st;
    }
    *layer  = c;
    *plugin = &c->plugin;
    *out    = (patio_executor *)(void *)c;
    return PATIO_OK;
}

void pt_check_executor_free(pt_check_executor *c)
{
    if (c != NULL) {
        pt_idmap_fini(&c->jobs);
        pthread_mutex_destroy(&c->lock);
        pt_free(&pt_malloc_allocator, c);
    }
}
