#include "job.h"

#include <pthread.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "manifest.h"
#include "progress.h"
#include "task.h"

typedef struct job job;

/* One call in flight. `next` hangs it into the list of free slots, or of those that are done. */
typedef struct slot {
    job          *job;
    struct slot  *next;
    char         *path; /* absolute; borrowed by nobody: arguments are encoded at the start */
    patio_future *call; /* NULL: the slot is free */
    uint64_t      start_ns;
    uint64_t      done_ns;
} slot;

struct job {
    const job_options *options;
    walk              *walk;
    report            *report;
    progress           progress;
    slot              *slots;
    slot              *free_slots;
    uint32_t           busy;
    bool               stopped;
    pthread_mutex_t    lock;
    pthread_cond_t     changed;
    slot              *done; /* under the lock, as all that callbacks touch */
};

/* The call's answer is there. Runs on a thread of patio, maybe before patio_start has returned: it
 * only takes the time and hands the slot over. */
static void call_done(patio_future *future, void *arg)
{
    slot *s = arg;
    job  *j = s->job;
    (void)future;
    s->done_ns = now_ns();
    (void)pthread_mutex_lock(&j->lock);
    s->next = j->done;
    j->done = s;
    (void)pthread_cond_signal(&j->changed);
    (void)pthread_mutex_unlock(&j->lock);
}

/* ---- answers ---- */

static void take_result(job *j, const slot *s)
{
    const patio_value *result = patio_future_value(s->call);
    const char        *hex    = NULL;
    const char        *name   = walk_shown(j->walk, s->path);
    uint64_t           bytes  = 0;
    if (patio_value_get_string(patio_value_key(result, "sha256"), &hex) != PATIO_OK ||
        patio_value_get_uint64(patio_value_key(result, "bytes"), &bytes) != PATIO_OK) {
        report_failure(j->report, "BadResult", name, "the worker's answer is not a checksum");
        return;
    }
    j->report->files++;
    j->report->bytes += bytes;
    if (j->options->manifest != NULL) {
        manifest_line(j->options->manifest, hex, name);
    }
}

static void take_failure(job *j, const slot *s, patio_status st, const patio_error *err)
{
    const patio_task_error *error   = patio_future_error(s->call);
    const char             *name    = walk_shown(j->walk, s->path);
    int64_t                 problem = 0;
    if (error == NULL) {
        report_failure(j->report, patio_status_name(st), name, err->message);
    } else if (patio_value_get_int64(patio_value_key(error->details, "errno"), &problem) ==
               PATIO_OK) {
        report_failure(j->report, error->type, name, strerror((int)problem));
    } else {
        report_failure(j->report, error->type, name, error->message);
    }
}

static void release(job *j, slot *s)
{
    free(s->path);
    patio_future_destroy(s->call);
    s->path       = NULL;
    s->call       = NULL;
    s->next       = j->free_slots;
    j->free_slots = s;
    j->busy--;
}

static void take_answer(job *j, slot *s)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_future_status(s->call, &err);
    if (st == PATIO_OK || st == PATIO_TASK_FAILED) {
        histogram_add(&j->report->latency, s->done_ns - s->start_ns);
    }
    if (st == PATIO_OK) {
        take_result(j, s);
    } else if (!j->stopped) {
        take_failure(j, s, st, &err);
    }
    release(j, s);
}

/* Somebody wants to stop: cancel what is in flight, which makes it done. */
static void stop(job *j)
{
    j->stopped = true;
    for (uint32_t i = 0; i < j->options->in_flight; i++) {
        if (j->slots[i].call != NULL) {
            patio_future_cancel(j->slots[i].call);
        }
    }
}

/* Wait up to 100 ms for calls to be done, and take their answers. */
static void collect(job *j)
{
    uint64_t        until = now_ns() + 100 * NS_PER_MS;
    struct timespec when  = {(time_t)(until / NS_PER_S), (long)(until % NS_PER_S)};
    int             rc    = 0;
    (void)pthread_mutex_lock(&j->lock);
    while (j->done == NULL && rc == 0) {
        rc = pthread_cond_timedwait(&j->changed, &j->lock, &when);
    }
    slot *done = j->done;
    j->done    = NULL;
    (void)pthread_mutex_unlock(&j->lock);
    while (done != NULL) {
        slot *s = done;
        done    = s->next;
        take_answer(j, s);
    }
    progress_tick(&j->progress, j->report, j->busy);
    if (!j->stopped && j->options->stop_wanted()) {
        stop(j);
    }
}

/* ---- starting ---- */

/* Refusals that pass: there is no room, or no link, right now. */
static bool may_pass(patio_status st)
{
    return st == PATIO_FULL || st == PATIO_BLOCKED || st == PATIO_UNREACHABLE;
}

static void start(job *j, slot *s)
{
    const job_options *o     = j->options;
    patio_error        err   = PATIO_ERROR_INIT;
    patio_value        path  = patio_blob(s->path, strlen(s->path));
    uint64_t           begin = now_ns();
    patio_status       st;
    patio_call_options call = {
        PATIO_SIZED(patio_call_options),
        .flags       = PATIO_CALL_WAIT_ROUTE | PATIO_CALL_IDEMPOTENT,
        .timeout_ms  = o->timeout_ms,
        .on_done     = call_done,
        .on_done_arg = s,
    };
    for (;;) {
        s->start_ns = now_ns();
        st = patio_start(o->broker, CHECKSUM_TASK, PATIO_ARGS(path), &call, &s->call, &err);
        if (!may_pass(st) || j->stopped || now_ns() - begin > o->timeout_ms * NS_PER_MS) {
            break;
        }
        collect(j);
    }
    if (st != PATIO_OK) {
        if (!j->stopped) {
            report_failure(j->report, patio_status_name(st), walk_shown(j->walk, s->path),
                           err.message);
        }
        release(j, s);
    }
}

static void run(job *j)
{
    const char *path;
    while (!j->stopped && (path = walk_next(j->walk)) != NULL) {
        while (j->free_slots == NULL) {
            collect(j);
        }
        if (!j->stopped) {
            slot *s       = j->free_slots;
            j->free_slots = s->next;
            j->busy++;
            s->path = got(strdup(path));
            start(j, s);
        }
    }
    while (j->busy > 0) {
        collect(j);
    }
}

bool job_run(const job_options *options, walk *w, report *r)
{
    pthread_condattr_t monotonic;
    job                j = {.options = options, .walk = w, .report = r};
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&j.lock, NULL);
    (void)pthread_cond_init(&j.changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    j.slots = got(calloc(options->in_flight, sizeof(*j.slots)));
    for (uint32_t i = 0; i < options->in_flight; i++) {
        j.slots[i].job  = &j;
        j.slots[i].next = j.free_slots;
        j.free_slots    = &j.slots[i];
    }
    progress_init(&j.progress, options->progress);
    r->begin_ns = now_ns();
    run(&j);
    r->end_ns = now_ns();
    progress_clear(&j.progress);
    free(j.slots);
    (void)pthread_cond_destroy(&j.changed);
    (void)pthread_mutex_destroy(&j.lock);
    return !j.stopped;
}
