#include "executor_bench.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const names[BENCH_TASKS] = {"quick", "other", "lasting"};

static const patio_suspend_ops *suspend_of(const bench *b)
{
    return b->k->xops->query != NULL ? b->k->xops->query(b->x, PATIO_SUSPEND_ID) : NULL;
}

/* On their thread, parked by the executor, or as programs. */
bool bench_can_wait(const bench *b)
{
    return b->external ? b->k->options->lasting_count > 0
                       : (b->k->xops->caps & PATIO_EXECUTOR_BLOCKING) != 0 || suspend_of(b) != NULL;
}

static bench *the_bench; /* a case has one; a job's functions get nothing but their job */

static void count_start(run *r)
{
    bench *b = the_bench;
    if (atomic_fetch_add(&r->started, 1) != 0) {
        kit_breach(r->k, "a job was run twice");
    }
    if (atomic_load(&r->inside) && pthread_equal(r->submitter, pthread_self())) {
        kit_breach(r->k, "a job was run inside submit or cancel");
    }
    atomic_store(&r->order, atomic_fetch_add(&b->order, 1) + 1);
    uint32_t now  = atomic_fetch_add(&b->running, 1) + 1;
    uint32_t most = atomic_load(&b->most);
    while (now > most && !atomic_compare_exchange_weak(&b->most, &most, now)) {
    }
    kit_changed(b->k);
}

static void succeed(patio_job *job, const patio_payload *result, patio_outcome *out)
{
    (void)result;
    out->verdict  = PATIO_ACK;
    out->status   = PATIO_OK;
    out->delay_ms = 77;
    out->reply    = kit_buf(((run *)job)->k, 5, KIT_REPLY, 50);
}

static void run_job(patio_job *job, patio_outcome *out)
{
    run   *r = (run *)job;
    bench *b = the_bench;
    count_start(r);
    const patio_suspend_ops *suspend = suspend_of(b);
    while (atomic_load(&r->gate) != 0) {
        if (suspend != NULL) {
            suspend->park(b->x, job, UINT64_MAX);
        } else {
            kit_wait_change(r->k);
        }
    }
    atomic_fetch_sub(&b->running, 1);
    succeed(job, NULL, out);
}

/* ---- the host of a program ---- */

static bool op_begin(patio_job *job, patio_outcome *out)
{
    run *r = (run *)job;
    if (r->refused) {
        out->verdict  = PATIO_REJECT;
        out->status   = PATIO_TIMEOUT;
        out->delay_ms = 77;
        return false;
    }
    count_start(r);
    return true;
}

static bool op_view(patio_job *job, patio_job_view *view, patio_outcome *out)
{
    const patio_host *host = &((run *)job)->k->host.table;
    (void)out;
    view->kind         = PATIO_PAYLOAD_RAW;
    view->content_type = "application/octet-stream";
    view->payload      = host->buf_view(host->self, job->request);
    view->traceparent  = "";
    view->tracestate   = "";
    return true;
}

static void op_fail(patio_job *job, patio_status status, uint64_t delay_ms, int32_t code,
                    const char *type, const char *message, patio_outcome *out)
{
    run *r = (run *)job;
    (void)code;
    if (type == NULL || message == NULL || message[0] == '\0') {
        kit_breach(r->k, "a program failed without a word about it");
    }
    out->verdict  = status == PATIO_TASK_RETRY ? PATIO_RETRY : PATIO_REJECT;
    out->status   = status;
    out->delay_ms = delay_ms;
    out->reply    = kit_buf(r->k, 5, KIT_REPLY, 50);
}

static bool op_cancelled(const patio_job *job)
{
    return atomic_load(&((const run *)job)->told);
}

static void op_progress(patio_job *job, const patio_progress *progress)
{
    (void)job;
    (void)progress;
}

static void op_log(const patio_job *job, int32_t level, const char *text)
{
    (void)level;
    if (text == NULL || text[0] == '\0') {
        kit_breach(((const run *)job)->k, "a line of the log without a word");
    }
}

static const patio_job_ops job_ops = {
    PATIO_SIZED(patio_job_ops), .begin = op_begin, .view = op_view,
    .succeed = succeed,         .fail = op_fail,   .cancelled = op_cancelled,
    .progress = op_progress,    .log = op_log,
};

/* ---- events ---- */

static void submit_next(bench *b)
{
    static _Atomic uint32_t next = 1000;
    patio_status            st   = bench_submit(b, atomic_fetch_add(&next, 1), BENCH_QUICK);
    if (st != PATIO_OK && st != PATIO_FULL && st != PATIO_CLOSED) {
        kit_breach(b->k, "submit from inside done returned %s", kit_status_name(st));
    }
}

static void on_done(void *self, patio_job *job, const patio_outcome *outcome)
{
    bench *b = self;
    run   *r = (run *)job;
    if (atomic_load(&b->stopped)) {
        kit_breach(b->k, "done was raised after stop had returned OK");
    }
    if (atomic_load(&r->inside) && pthread_equal(r->submitter, pthread_self())) {
        kit_breach(b->k, "done was raised inside the submit or cancel of the same job");
    }
    if (b->external && atomic_load(&r->started) != 0) {
        atomic_fetch_sub(&b->running, 1);
    }
    r->verdict = outcome->verdict;
    r->status  = outcome->status;
    if (outcome->reply != NULL) {
        r->reply = kit_buf_size(outcome->reply);
        kit_buf_drop(b->k, outcome->reply);
    }
    if (atomic_fetch_add(&r->done, 1) != 0) {
        kit_breach(b->k, "done was raised twice for one job");
    }
    atomic_fetch_add(&b->finished, 1);
    if (atomic_load(&b->chain) > 0) {
        atomic_fetch_sub(&b->chain, 1);
        submit_next(b);
    }
    kit_changed(b->k);
}

static void on_room(void *self)
{
    bench *b = self;
    if (atomic_load(&b->stopped)) {
        kit_breach(b->k, "room was raised after stop had returned OK");
    }
    atomic_fetch_add(&b->rooms, 1);
    kit_changed(b->k);
}

/* ---- life ---- */

static patio_status no_publish(void *self, const patio_message *message, patio_error *err)
{
    (void)self;
    (void)message;
    return patio_fail(err, PATIO_UNSUPPORTED, 0, "the kit's tasks call nobody");
}

static patio_status no_cancel(void *self, const char *queue, const patio_id *id, patio_error *err)
{
    (void)self;
    (void)queue;
    (void)id;
    return patio_fail(err, PATIO_UNSUPPORTED, 0, "the kit's tasks call nobody");
}

/* For executors with child processes: the helper that is installed with this program, without any
 * task. */
static const patio_child_setup *child_setup(void)
{
    static char              path[PATH_MAX];
    static patio_child_setup setup = {
        PATIO_SIZED(patio_child_setup),
        .project          = "conform",
        .program          = path,
        .max_body_bytes   = 1 << 20,
        .max_decode_bytes = 1 << 26,
        .publish          = no_publish,
        .cancel           = no_cancel,
    };
    ssize_t size              = readlink("/proc/self/exe", path, sizeof(path) - 64);
    path[size > 0 ? size : 0] = '\0';
    for (int i = 0; i < 2 && strrchr(path, '/') != NULL; i++) {
        *strrchr(path, '/') = '\0';
    }
    (void)snprintf(path + strlen(path), 64, "/libexec/patio/patio-child");
    return &setup;
}

patio_status bench_create(bench *b, patio_error *err)
{
    patio_executor_params params = {
        PATIO_SIZED(patio_executor_params),
        .values      = b->values,
        .stack_bytes = 16384,
        .events      = &b->events,
        .child       = child_setup(),
    };
    return b->k->xops->create(&b->k->host.table, &params, &b->x, err);
}

void bench_create_or_skip(bench *b)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = bench_create(b, &err);
    if (st == PATIO_UNSUPPORTED) {
        kit *k = b->k;
        kit_check_error(k, &err, st, "create");
        bench_free(b);
        kit_skip(k, err.message);
    }
    KIT_CHECK(b->k, st == PATIO_OK, "create returned %s: %s", kit_status_name(st), err.message);
}

static void parse_tasks(bench *b)
{
    kit               *k   = b->k;
    const kit_options *o   = k->options;
    patio_error        err = PATIO_ERROR_INIT;
    for (int i = 0; i < BENCH_TASKS; i++) {
        bool lasting      = i == BENCH_LASTING && o->lasting_count > 0;
        b->task_values[i] = kit_values(k, k->xops->task_options, lasting ? o->lasting : o->task,
                                       lasting ? o->lasting_count : o->task_count, &err);
        KIT_CHECK(k, b->task_values[i] != NULL, "options of a task: %s", err.message);
    }
}

bench *bench_make(kit *k)
{
    patio_error err = PATIO_ERROR_INIT;
    bench      *b   = calloc(1, sizeof(*b));
    KIT_CHECK(k, b != NULL, "the kit itself is out of memory");
    b->k    = k;
    b->runs = calloc(BENCH_JOBS, sizeof(*b->runs));
    b->values =
        kit_values(k, k->xops->options, k->options->settings, k->options->setting_count, &err);
    KIT_CHECK(k, b->runs != NULL && b->values != NULL, "options: %s", err.message);
    b->external = (k->xops->caps & PATIO_EXECUTOR_EXTERNAL) != 0 && k->options->task_count > 0;
    if (b->external) {
        parse_tasks(b);
    }
    b->events = (patio_executor_events){PATIO_SIZED(patio_executor_events), .self = b,
                                        .done = on_done, .room = on_room};
    the_bench = b;
    return b;
}

patio_status bench_add_tasks(bench *b, patio_error *err)
{
    patio_status st = PATIO_OK;
    for (int i = 0; b->external && i < BENCH_TASKS && st == PATIO_OK; i++) {
        st = b->k->xops->add_task(b->x, names[i], b->task_values[i], err);
    }
    return st;
}

bench *bench_open(kit *k)
{
    bench      *b   = bench_make(k);
    patio_error err = PATIO_ERROR_INIT;
    bench_create_or_skip(b);
    patio_status st = bench_add_tasks(b, &err);
    KIT_CHECK(k, st == PATIO_OK, "add_task returned %s: %s", kit_status_name(st), err.message);
    st = k->xops->start(b->x, &err);
    KIT_CHECK(k, st == PATIO_OK, "start returned %s: %s", kit_status_name(st), err.message);
    return b;
}

void bench_free(bench *b)
{
    for (uint32_t n = 0; n < BENCH_JOBS; n++) {
        if (b->runs[n].job.request != NULL) {
            kit_buf_drop(b->k, b->runs[n].job.request);
        }
    }
    for (int i = 0; i < BENCH_TASKS; i++) {
        kit_values_free(b->k->xops->task_options, b->task_values[i]);
    }
    kit_values_free(b->k->xops->options, b->values);
    free(b->runs);
    free(b);
}

void bench_close(bench *b)
{
    patio_error err = PATIO_ERROR_INIT;
    if (!atomic_load(&b->stopped)) {
        KIT_STATUS(b->k, b->k->xops->stop(b->x, 5000, &err), PATIO_OK, "stop");
        atomic_store(&b->stopped, true);
    }
    b->k->xops->destroy(b->x);
    bench_free(b);
}

/* ---- jobs ---- */

patio_status bench_submit(bench *b, uint32_t n, int task)
{
    run *r       = &b->runs[n];
    r->k         = b->k;
    r->job       = (patio_job){PATIO_SIZED(patio_job),
                               .task    = names[task],
                               .id      = kit_id(b->k, n),
                               .request = kit_buf(b->k, n, KIT_REQUEST, 10),
                               .run     = run_job,
                               .ops     = &job_ops,
                               .options = b->task_values[task],
                               .project = "conform",
                               .attempt = 1};
    r->submitter = pthread_self();
    atomic_store(&r->gate, task == BENCH_LASTING ? 1 : 0);
    atomic_store(&r->inside, true);
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = b->k->xops->submit(b->x, &r->job, &err);
    atomic_store(&r->inside, false);
    if (st != PATIO_OK) {
        kit_buf_drop(b->k, r->job.request);
        r->job.request = NULL;
        if (err.message[0] == '\0') {
            kit_breach(b->k, "submit returned %s without a text", kit_status_name(st));
        }
    }
    return st;
}

patio_status bench_cancel(bench *b, uint32_t n, patio_error *err)
{
    run *r = &b->runs[n];
    atomic_store(&r->told, true);
    atomic_store(&r->inside, true);
    patio_status st = b->k->xops->cancel(b->x, &r->job, err);
    atomic_store(&r->inside, false);
    return st;
}

void bench_release(bench *b, uint32_t n)
{
    const patio_suspend_ops *suspend = suspend_of(b);
    atomic_store(&b->runs[n].gate, 0);
    if (b->external) {
        /* one that is done by itself is no job of the executor's any more */
        if (atomic_load(&b->runs[n].done) == 0) {
            (void)bench_cancel(b, n, NULL);
        }
    } else if (suspend != NULL) {
        suspend->wake(b->x, &b->runs[n].job);
    }
    kit_changed(b->k);
}
