/* An executor under observation: what was submitted is done once, not inside its submit, and not
 * after a stop that succeeded. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "layer/check.h"
#include "layer/idset.h"

struct pt_check_executor {
    pt_executor_plugin           plugin;
    const pt_executor_plugin    *real;
    patio_executor              *x;
    const patio_host            *host;
    const patio_executor_events *up;
    patio_executor_events        down;
    const patio_suspend_ops     *suspend;
    const patio_relay_ops       *relay;
    const patio_lend_ops        *lend;
    void (*lent)(void *self, uint32_t count); /* the host's */
    void            *lent_self;
    int              mode;
    pthread_mutex_t  lock;
    pt_idmap         jobs;    /* by address: submitted and not done */
    size_t           submits; /* threads inside submit: their jobs may yet be refused */
    _Atomic uint32_t slots;
    _Atomic bool     started;
    _Atomic bool     stopped;
};

typedef struct pt_check_executor check;

/* The job that this thread submits now. */
static _Thread_local const patio_job *submitting;

static check *check_of(patio_executor *x)
{
    return (check *)(void *)x;
}

#define REPORT(c, ...) pt_check_report((c)->host, (c)->mode, __VA_ARGS__)

static patio_status leave(check *c, const char *slot, patio_status st, const patio_error *err)
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
    return leave(c, "start", c->real->ops.start(c->x, err), err);
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
    return leave(c, "stop", st, err);
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
    return leave(c, "submit", st, err);
}

static patio_status check_cancel(patio_executor *x, patio_job *job, patio_error *err)
{
    check *c = check_of(x);
    return leave(c, "cancel", c->real->ops.cancel(c->x, job, err), err);
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

/* Jobs wait on their thread; the check has nothing to say about that. */
static void pass_park(patio_executor *x, patio_job *job, uint64_t until_ns)
{
    check_of(x)->suspend->park(check_of(x)->x, job, until_ns);
}

static void pass_wake(patio_executor *x, patio_job *job)
{
    check_of(x)->suspend->wake(check_of(x)->x, job);
}

static void pass_yield(patio_executor *x, patio_job *job)
{
    check_of(x)->suspend->yield(check_of(x)->x, job);
}

static patio_status pass_wait_fd(patio_executor *x, patio_job *job, int32_t fd, uint32_t events,
                                 uint64_t until_ns, uint32_t *ready)
{
    return check_of(x)->suspend->wait_fd(check_of(x)->x, job, fd, events, until_ns, ready);
}

static void *pass_loop(patio_executor *x, patio_job *job)
{
    return check_of(x)->suspend->loop(check_of(x)->x, job);
}

static const patio_suspend_ops suspend_ops = {
    PATIO_SIZED(patio_suspend_ops), .park = pass_park, .wake = pass_wake, .yield = pass_yield,
    .wait_fd = pass_wait_fd,        .loop = pass_loop,
};

static int32_t pass_replied(patio_executor *x, const patio_reply *reply)
{
    return check_of(x)->relay->replied(check_of(x)->x, reply);
}

static int32_t pass_published(patio_executor *x, const patio_receipt *receipt)
{
    return check_of(x)->relay->published(check_of(x)->x, receipt);
}

static const patio_relay_ops relay_ops = {PATIO_SIZED(patio_relay_ops), .replied = pass_replied,
                                          .published = pass_published};

static uint32_t pass_most(patio_executor *x)
{
    return check_of(x)->lend->most(check_of(x)->x);
}

static bool pass_lend(patio_executor *x)
{
    return check_of(x)->lend->lend(check_of(x)->x);
}

static void pass_back(patio_executor *x)
{
    check_of(x)->lend->back(check_of(x)->x);
}

static const patio_lend_ops lend_ops = {PATIO_SIZED(patio_lend_ops), .most = pass_most,
                                        .lend = pass_lend, .back = pass_back};

static void check_lent(void *self, uint32_t count)
{
    check *c = self;
    if (c->lend == NULL || count > c->lend->most(c->x)) {
        REPORT(c, "%u slots are lent, more than \"most\" of patio.lend/1", count);
    }
    c->lent(c->lent_self, count);
}

static void pass_listen(patio_executor *x, void (*lent)(void *self, uint32_t count), void *self)
{
    check *c                    = check_of(x);
    c->lent                     = lent;
    c->lent_self                = self;
    const patio_lent_ops *inner = c->real->ops.query(c->x, PATIO_LENT_ID);
    inner->listen(c->x, check_lent, c);
}

static const patio_lent_ops lent_ops = {PATIO_SIZED(patio_lent_ops), .listen = pass_listen};

static void pass_offer(patio_executor *x, const patio_poll_ops *poll, patio_transport *t)
{
    const patio_poller_ops *inner = check_of(x)->real->ops.query(check_of(x)->x, PATIO_POLLER_ID);
    inner->offer(check_of(x)->x, poll, t);
}

static const patio_poller_ops poller_ops = {PATIO_SIZED(patio_poller_ops), .offer = pass_offer};

static patio_status check_reload(patio_executor *x, patio_error *err)
{
    check                  *c     = check_of(x);
    const patio_reload_ops *inner = c->real->ops.query(c->x, PATIO_RELOAD_ID);
    return leave(c, "reload", inner->reload(c->x, err), err);
}

static uint32_t check_reload_state(patio_executor *x)
{
    check                  *c     = check_of(x);
    const patio_reload_ops *inner = c->real->ops.query(c->x, PATIO_RELOAD_ID);
    uint32_t                state = inner->state(c->x);
    if (state > PATIO_RELOAD_FAILED) {
        REPORT(c, "\"state\" of patio.reload/1 is %u, which it has no word for", state);
    }
    return state;
}

static const patio_reload_ops reload_ops = {PATIO_SIZED(patio_reload_ops), .reload = check_reload,
                                            .state = check_reload_state};

static const void *check_query(patio_executor *x, const char *interface_id)
{
    check *c = check_of(x);
    if (strcmp(interface_id, PATIO_RELAY_ID) == 0) {
        c->relay = c->real->ops.query(c->x, interface_id);
        return c->relay != NULL ? &relay_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_LEND_ID) == 0) {
        c->lend = c->real->ops.query(c->x, interface_id);
        return c->lend != NULL ? &lend_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_LENT_ID) == 0) {
        return c->real->ops.query(c->x, interface_id) != NULL ? &lent_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_POLLER_ID) == 0) {
        return c->real->ops.query(c->x, interface_id) != NULL ? &poller_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_RELOAD_ID) == 0) {
        return c->real->ops.query(c->x, interface_id) != NULL ? &reload_ops : NULL;
    }
    if (strcmp(interface_id, PATIO_SUSPEND_ID) != 0) {
        return NULL;
    }
    c->suspend = c->real->ops.query(c->x, interface_id);
    return c->suspend != NULL ? &suspend_ops : NULL;
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
    c->plugin.ops.query   = check_query;

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
    if (leave(c, "create", st, err) != PATIO_OK) {
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
