/* liar_executor.c: an executor that breaks a rule; the work is done by the executor thread. */
#include "liar.h"

struct patio_executor {
    const patio_host            *host;
    const patio_executor_ops    *ops;
    patio_executor              *real;
    const patio_executor_events *up;
    patio_executor_events        down;
    patio_job                   *one; /* any that was done */
    bool                         stopped;
};

static const patio_executor_ops *real;

static void done(void *self, patio_job *job, const patio_outcome *outcome)
{
    patio_executor *x = self;
    if (lies(LIE_reply_leaked) && outcome->reply != NULL) {
        (void)x->host->buf_ref(x->host->self, outcome->reply);
    }
    x->one = job;
    if (lies(LIE_done_never)) {
        x->host->buf_drop(x->host->self, outcome->reply);
        return;
    }
    if (lies(LIE_done_twice)) {
        patio_outcome again = *outcome;
        again.reply         = NULL;
        x->up->done(x->up->self, job, &again);
    }
    x->up->done(x->up->self, job, outcome);
}

static void room(void *self)
{
    patio_executor *x = self;
    if (!lies(LIE_never_full_room)) {
        x->up->room(x->up->self);
    }
}

static void stuck(void *self, patio_job *job)
{
    patio_executor *x = self;
    x->up->stuck(x->up->self, job);
}

static void worn_out(void *self, const patio_error *why)
{
    patio_executor *x = self;
    x->up->worn_out(x->up->self, why);
}

static patio_status create(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err)
{
    patio_executor *x = host->alloc(host->self, sizeof(*x));
    if (x == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    *x                         = (patio_executor){.host = host, .ops = real, .up = params->events};
    x->down                    = (patio_executor_events){PATIO_SIZED(patio_executor_events),
                                                         .self     = x,
                                                         .done     = done,
                                                         .room     = room,
                                                         .stuck    = stuck,
                                                         .worn_out = worn_out};
    patio_executor_params mine = *params;
    mine.events                = &x->down;
    patio_status st            = real->create(host, &mine, &x->real, err);
    if (st != PATIO_OK) {
        host->free(host->self, x);
        return st;
    }
    *out = x;
    return PATIO_OK;
}

static patio_status start(patio_executor *x, patio_error *err)
{
    return x->ops->start(x->real, err);
}

static patio_status stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    grace_ms += lies(LIE_stop_takes_its_time) ? 12000 : 0;
    patio_status st = x->ops->stop(x->real, grace_ms, err);
    x->stopped      = true;
    return st;
}

static void destroy(patio_executor *x)
{
    if (x != NULL) {
        if (lies(LIE_done_after_stop) && x->one != NULL) {
            patio_outcome o = {PATIO_SIZED(patio_outcome), .verdict = PATIO_ACK};
            x->up->done(x->up->self, x->one, &o);
        }
        x->ops->destroy(x->real);
        x->host->free(x->host->self, x);
    }
}

static patio_status submit(patio_executor *x, patio_job *job, patio_error *err)
{
    if (lies(LIE_executor_open_after_stop) && x->stopped) {
        return PATIO_OK;
    }
    if (lies(LIE_job_runs_twice)) {
        patio_outcome o = {PATIO_SIZED(patio_outcome)};
        job->run(job, &o);
        x->host->buf_drop(x->host->self, o.reply);
    }
    patio_status st = x->ops->submit(x->real, job, err);
    if (lies(LIE_executor_silent) && st != PATIO_OK && err != NULL) {
        err->message[0] = '\0';
    }
    return st;
}

static patio_status cancel(patio_executor *x, patio_job *job, patio_error *err)
{
    return lies(LIE_executor_cancel_ignored) ? PATIO_OK : x->ops->cancel(x->real, job, err);
}

static uint32_t slots(patio_executor *x)
{
    static uint32_t calls;
    uint32_t        n = x->ops->slots(x->real);
    return lies(LIE_slots_none) ? 0 : lies(LIE_slots_change) ? n + ++calls : n;
}

const void *liar_executor(void)
{
    static patio_executor_ops ops = {
        PATIO_SIZED(patio_executor_ops),
        .create  = create,
        .start   = start,
        .stop    = stop,
        .destroy = destroy,
        .submit  = submit,
        .slots   = slots,
    };
    if (real == NULL) {
        real = liar_borrow("executors", "thread", PATIO_EXECUTOR_ID);
    }
    if (real == NULL) {
        return NULL;
    }
    ops.cancel  = real->cancel != NULL || lies(LIE_executor_cancel_ignored) ? cancel : NULL;
    ops.caps    = real->caps;
    ops.options = real->options;
    return &ops;
}
