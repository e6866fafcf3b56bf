/* Cases 301 to 329: executors. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"

enum { JOBS = 4096 };

typedef struct run {
    patio_job        job; /* first: an executor knows only this */
    kit             *k;
    _Atomic uint32_t started;
    _Atomic uint32_t done;
    _Atomic uint32_t gate; /* 1: wait */
    uint32_t         verdict;
    patio_status     status;
    uint64_t         reply;
    pthread_t        submitter;
    _Atomic bool     in_submit;
} run;

typedef struct bench {
    kit                  *k;
    patio_executor       *x;
    patio_executor_events events;
    patio_option_value   *values;
    run                  *runs;
    uint32_t              count;
    _Atomic uint32_t      running;
    _Atomic uint32_t      most;
    _Atomic uint32_t      finished;
    _Atomic uint32_t      rooms;
    _Atomic bool          stopped;
    _Atomic uint32_t      chain; /* jobs still to be submitted from inside done */
} bench;

/* Jobs may wait at a gate: on their thread, or parked by the executor. */
static const patio_suspend_ops *suspend_of(const bench *b)
{
    return b->k->xops->query != NULL ? b->k->xops->query(b->x, PATIO_SUSPEND_ID) : NULL;
}

static bool jobs_can_wait(const bench *b)
{
    return (b->k->xops->caps & PATIO_EXECUTOR_BLOCKING) != 0 || suspend_of(b) != NULL;
}

static bench *the_bench; /* a case has one; `run` gets nothing but its job */

static void run_job(patio_job *job, patio_outcome *out)
{
    run   *r = (run *)job;
    bench *b = the_bench;
    if (atomic_fetch_add(&r->started, 1) != 0) {
        kit_breach(r->k, "a job was run twice");
    }
    if (atomic_load(&r->in_submit) && pthread_equal(r->submitter, pthread_self())) {
        kit_breach(r->k, "run was called inside submit");
    }
    uint32_t now  = atomic_fetch_add(&b->running, 1) + 1;
    uint32_t most = atomic_load(&b->most);
    while (now > most && !atomic_compare_exchange_weak(&b->most, &most, now)) {
    }
    const patio_suspend_ops *suspend = suspend_of(b);
    while (atomic_load(&r->gate) != 0) {
        if (suspend != NULL) {
            suspend->park(b->x, job, UINT64_MAX);
        } else {
            kit_wait_change(r->k);
        }
    }
    atomic_fetch_sub(&b->running, 1);
    out->verdict  = PATIO_ACK;
    out->status   = PATIO_OK;
    out->delay_ms = 77;
    out->reply    = kit_buf(r->k, 5, KIT_REPLY, 50);
}

static void submit_next(bench *b);
static void free_bench(bench *b);

static void on_done(void *self, patio_job *job, const patio_outcome *outcome)
{
    bench *b = self;
    run   *r = (run *)job;
    if (atomic_load(&b->stopped)) {
        kit_breach(b->k, "done was raised after stop had returned OK");
    }
    if (atomic_load(&r->in_submit) && pthread_equal(r->submitter, pthread_self())) {
        kit_breach(b->k, "done was raised inside the submit of the same job");
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

static patio_status create(bench *b, patio_error *err)
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

/* A host may lack what an executor needs beyond the table; then it says so. */
static void create_or_skip(bench *b)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = create(b, &err);
    if (st == PATIO_UNSUPPORTED) {
        kit *k = b->k;
        kit_check_error(k, &err, st, "create");
        free_bench(b);
        kit_skip(k, err.message);
    }
    KIT_CHECK(b->k, st == PATIO_OK, "create returned %s: %s", kit_status_name(st), err.message);
}

static bench *make(kit *k)
{
    patio_error err = PATIO_ERROR_INIT;
    bench      *b   = calloc(1, sizeof(*b));
    KIT_CHECK(k, b != NULL, "the kit itself is out of memory");
    b->k    = k;
    b->runs = calloc(JOBS, sizeof(*b->runs));
    b->values =
        kit_values(k, k->xops->options, k->options->settings, k->options->setting_count, &err);
    KIT_CHECK(k, b->runs != NULL && b->values != NULL, "options: %s", err.message);
    b->events = (patio_executor_events){PATIO_SIZED(patio_executor_events), .self = b,
                                        .done = on_done, .room = on_room};
    the_bench = b;
    return b;
}

static bench *open_bench(kit *k)
{
    bench      *b   = make(k);
    patio_error err = PATIO_ERROR_INIT;
    create_or_skip(b);
    patio_status st = k->xops->start(b->x, &err);
    KIT_CHECK(k, st == PATIO_OK, "start returned %s: %s", kit_status_name(st), err.message);
    return b;
}

static void free_bench(bench *b)
{
    for (uint32_t n = 0; n < JOBS; n++) {
        if (b->runs[n].job.request != NULL) {
            kit_buf_drop(b->k, b->runs[n].job.request);
        }
    }
    kit_values_free(b->k->xops->options, b->values);
    free(b->runs);
    free(b);
}

static void close_bench(bench *b)
{
    patio_error err = PATIO_ERROR_INIT;
    if (!atomic_load(&b->stopped)) {
        KIT_STATUS(b->k, b->k->xops->stop(b->x, 5000, &err), PATIO_OK, "stop");
        atomic_store(&b->stopped, true);
    }
    b->k->xops->destroy(b->x);
    free_bench(b);
}

static patio_status submit(bench *b, uint32_t n, bool gated)
{
    run *r       = &b->runs[n];
    r->k         = b->k;
    r->job       = (patio_job){PATIO_SIZED(patio_job), .task = "t", .id = kit_id(b->k, n),
                               .request = kit_buf(b->k, n, KIT_REQUEST, 10), .run = run_job};
    r->submitter = pthread_self();
    atomic_store(&r->gate, gated ? 1 : 0);
    atomic_store(&r->in_submit, true);
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = b->k->xops->submit(b->x, &r->job, &err);
    atomic_store(&r->in_submit, false);
    if (st != PATIO_OK) {
        kit_buf_drop(b->k, r->job.request);
        r->job.request = NULL;
        if (err.message[0] == '\0') {
            kit_breach(b->k, "submit returned %s without a text", kit_status_name(st));
        }
    }
    return st;
}

static void submit_next(bench *b)
{
    static _Atomic uint32_t next = 1000;
    patio_status            st   = submit(b, atomic_fetch_add(&next, 1), false);
    if (st != PATIO_OK && st != PATIO_FULL && st != PATIO_CLOSED) {
        kit_breach(b->k, "submit from inside done returned %s", kit_status_name(st));
    }
}

static void release(bench *b, uint32_t n)
{
    const patio_suspend_ops *suspend = suspend_of(b);
    atomic_store(&b->runs[n].gate, 0);
    if (suspend != NULL) {
        suspend->wake(b->x, &b->runs[n].job);
    }
    kit_changed(b->k);
}

static void it_lives_and_dies_without_work(kit *k)
{
    bench *b = make(k);
    create_or_skip(b);
    k->xops->destroy(b->x); /* never started */
    KIT_STATUS(k, create(b, NULL), PATIO_OK, "create");
    KIT_STATUS(k, k->xops->start(b->x, NULL), PATIO_OK, "start");
    close_bench(b);
    k->xops->destroy(NULL);
}

static void slots_are_constant(kit *k)
{
    bench   *b     = open_bench(k);
    uint32_t slots = k->xops->slots(b->x);
    bool     runs  = (k->xops->caps & PATIO_EXECUTOR_RUNS) != 0;
    KIT_CHECK(k, runs ? slots > 0 : slots == 0, "%u slots of an executor that runs %s", slots,
              runs ? "tasks" : "nothing");
    KIT_EQUAL(k, k->xops->slots(b->x), slots, "slots");
    kit_note(k, "%u slots", slots);
    close_bench(b);
}

static void what_runs_nothing_says_so(kit *k)
{
    if ((k->xops->caps & PATIO_EXECUTOR_RUNS) != 0) {
        kit_skip(k, "it runs tasks");
    }
    bench *b = open_bench(k);
    KIT_STATUS(k, submit(b, 0, false), PATIO_UNSUPPORTED, "submit");
    close_bench(b);
}

static void each_job_is_done_exactly_once(kit *k)
{
    bench *b = open_bench(k);
    for (uint32_t n = 0; n < 500;) {
        patio_status st = submit(b, n, false);
        if (st == PATIO_FULL) {
            kit_wait_change(k);
            continue;
        }
        KIT_STATUS(k, st, PATIO_OK, "submit");
        n++;
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) >= 500, "%u of 500 jobs are done",
              atomic_load(&b->finished));
    for (uint32_t n = 0; n < 500; n++) {
        KIT_EQUAL(k, atomic_load(&b->runs[n].started), 1, "runs of one job");
        KIT_EQUAL(k, b->runs[n].verdict, PATIO_ACK, "verdict");
        KIT_EQUAL(k, b->runs[n].reply, 50, "bytes of the reply");
    }
    KIT_CHECK(k, atomic_load(&b->most) <= k->xops->slots(b->x), "%u ran at once, %u slots",
              atomic_load(&b->most), k->xops->slots(b->x));
    close_bench(b);
}

static void as_many_run_at_once_as_there_are_slots(kit *k)
{
    bench   *b     = open_bench(k);
    uint32_t slots = k->xops->slots(b->x);
    uint32_t use   = slots < 64 ? slots : 64;
    if (!jobs_can_wait(b)) {
        close_bench(b);
        kit_skip(k, "its tasks must not block their thread");
    }
    for (uint32_t n = 0; n < use; n++) {
        KIT_STATUS(k, submit(b, n, true), PATIO_OK, "submit");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->running) == use, "%u of %u run at once",
              atomic_load(&b->running), use);
    for (uint32_t n = 0; n < use; n++) {
        release(b, n);
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) == use, "they do not end");
    close_bench(b);
}

static void done_may_submit_the_next(kit *k)
{
    bench *b = open_bench(k);
    atomic_store(&b->chain, 200);
    KIT_STATUS(k, submit(b, 0, false), PATIO_OK, "submit");
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) >= 201, "%u of 201 jobs are done",
              atomic_load(&b->finished));
    close_bench(b);
}

static void stop_gives_back_what_has_not_started(kit *k)
{
    bench   *b     = open_bench(k);
    uint32_t slots = k->xops->slots(b->x);
    if (slots > 64 || !jobs_can_wait(b)) {
        close_bench(b);
        kit_skip(k, "it has too many slots to fill, or its tasks must not block");
    }
    uint32_t taken = 0;
    while (taken < slots + 10 && submit(b, taken, true) == PATIO_OK) {
        taken++;
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->running) == slots, "they do not run");
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = k->xops->stop(b->x, 100, &err);
    KIT_STATUS(k, st, PATIO_TIMEOUT, "stop while tasks run");
    kit_check_error(k, &err, PATIO_TIMEOUT, "stop");
    for (uint32_t n = slots; n < taken; n++) {
        KIT_EQUAL(k, atomic_load(&b->runs[n].done), 1, "completions of a job that waited");
        KIT_EQUAL(k, b->runs[n].verdict, PATIO_RETURN, "verdict of a job that waited");
        KIT_EQUAL(k, atomic_load(&b->runs[n].started), 0, "starts of a job that waited");
    }
    KIT_STATUS(k, submit(b, 100, false), PATIO_CLOSED, "submit after stop");
    for (uint32_t n = 0; n < slots; n++) {
        release(b, n);
    }
    close_bench(b);
}

static void submit_after_stop_is_closed(kit *k)
{
    bench *b = open_bench(k);
    KIT_STATUS(k, k->xops->stop(b->x, 1000, NULL), PATIO_OK, "stop");
    atomic_store(&b->stopped, true);
    patio_status st = submit(b, 0, false);
    KIT_CHECK(k, st == PATIO_CLOSED || st == PATIO_UNSUPPORTED, "submit after stop returned %s",
              kit_status_name(st));
    close_bench(b);
}

typedef struct feeder {
    bench    *b;
    uint32_t  first;
    pthread_t thread;
} feeder;

static void *feed(void *arg)
{
    feeder *f = arg;
    for (uint32_t n = 0; n < 200;) {
        patio_status st = submit(f->b, f->first + n, false);
        n += st == PATIO_OK;
        if (st == PATIO_FULL) {
            kit_wait_change(f->b->k);
        } else if (st != PATIO_OK) {
            kit_breach(f->b->k, "submit returned %s", kit_status_name(st));
            break;
        }
    }
    return NULL;
}

static void many_threads_submit_at_once(kit *k)
{
    feeder f[16];
    bench *b = open_bench(k);
    for (uint32_t n = 0; n < 16; n++) {
        f[n] = (feeder){.b = b, .first = n * 200};
        KIT_CHECK(k, pthread_create(&f[n].thread, NULL, feed, &f[n]) == 0, "no thread");
    }
    for (uint32_t n = 0; n < 16; n++) {
        (void)pthread_join(f[n].thread, NULL);
    }
    KIT_AWAIT(k, 40000, atomic_load(&b->finished) == 3200, "%u of 3200 jobs are done",
              atomic_load(&b->finished));
    close_bench(b);
}

static void a_full_executor_says_when_there_is_room(kit *k)
{
    bench   *b     = open_bench(k);
    uint32_t taken = 0;
    if (!jobs_can_wait(b)) {
        close_bench(b);
        kit_skip(k, "its tasks must not block their thread");
    }
    while (taken < JOBS && submit(b, taken, true) == PATIO_OK) {
        taken++;
    }
    uint32_t rooms = atomic_load(&b->rooms);
    for (uint32_t n = 0; n < taken; n++) {
        release(b, n);
    }
    if (taken < JOBS) {
        KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->rooms) > rooms, "FULL, and no room came");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) == taken, "they do not end");
    kit_note(k, taken < JOBS ? "full after %u" : "not full after %u", taken);
    close_bench(b);
}

static void a_queued_job_is_forgotten_when_cancelled(kit *k)
{
    bench      *b     = open_bench(k);
    patio_error err   = PATIO_ERROR_INIT;
    uint32_t    slots = k->xops->slots(b->x);
    if (slots > 64 || !jobs_can_wait(b)) {
        close_bench(b);
        kit_skip(k, "it has too many slots to fill, or its tasks must not block");
    }
    for (uint32_t n = 0; n < slots; n++) {
        KIT_STATUS(k, submit(b, n, true), PATIO_OK, "submit");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->running) == slots, "they do not run");
    patio_status st     = submit(b, slots, false);
    bool         queued = st == PATIO_OK;
    if (queued) {
        st = k->xops->cancel(b->x, &b->runs[slots].job, &err);
        if (st == PATIO_UNSUPPORTED) {
            kit_check_error(k, &err, st, "cancel");
            kit_note(k, "it cannot cancel, and says so");
        } else {
            KIT_STATUS(k, st, PATIO_OK, "cancel");
            KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->runs[slots].done) == 1, "no completion");
            KIT_EQUAL(k, b->runs[slots].verdict, PATIO_RETURN, "verdict");
            KIT_STATUS(k, b->runs[slots].status, PATIO_CANCELLED, "the outcome");
            KIT_EQUAL(k, atomic_load(&b->runs[slots].started), 0, "starts");
        }
    }
    for (uint32_t n = 0; n < slots; n++) {
        release(b, n);
    }
    close_bench(b);
}

static void every_allocation_may_fail(kit *k)
{
    uint64_t tried = 0;
    for (bool whole = false; !whole && tried < 300; tried++) {
        bench      *b    = make(k);
        patio_error err  = PATIO_ERROR_INIT;
        uint64_t    from = atomic_load(&k->host.allocs);
        atomic_store(&k->host.fail_at, from + tried + 1);
        patio_status st = create(b, &err);
        if (st == PATIO_OK) {
            st = k->xops->start(b->x, &err);
            if (st == PATIO_OK) {
                st = k->xops->stop(b->x, 1000, NULL);
                atomic_store(&b->stopped, true);
            }
            k->xops->destroy(b->x);
        }
        whole = atomic_load(&k->host.allocs) <= from + tried;
        atomic_store(&k->host.fail_at, 0);
        KIT_CHECK(k, whole || st == PATIO_OK || st == PATIO_NO_MEMORY, "it returned %s",
                  kit_status_name(st));
        if (st != PATIO_OK) {
            kit_check_error(k, &err, st, "create or start");
        }
        free_bench(b);
        kit_host_check_empty(&k->host);
    }
    kit_note(k, "%llu allocations failed in turn", (unsigned long long)tried);
}

const kit_case kit_executor_cases[] = {
#define X(number, name, rule, flags, fn)                                                           \
    {                                                                                              \
        number, 0, name, rule, 0, KIT_EXECUTOR | (flags), NULL, fn                                 \
    }
    X(301, "the_executor_lives_and_dies_without_work", "executor.h life", 0,
      it_lives_and_dies_without_work),
    X(302, "slots_are_constant", "executor.h slots", 0, slots_are_constant),
    X(303, "what_runs_nothing_says_so", "executor.h submit", 0, what_runs_nothing_says_so),
    X(304, "each_job_is_done_exactly_once", "abi: exactly one completion", KIT_RUNS,
      each_job_is_done_exactly_once),
    X(305, "as_many_run_at_once_as_there_are_slots", "executor.h slots", KIT_RUNS,
      as_many_run_at_once_as_there_are_slots),
    X(306, "done_may_submit_the_next", "executor.h done", KIT_RUNS, done_may_submit_the_next),
    X(307, "stop_gives_back_what_has_not_started", "executor.h stop", KIT_RUNS,
      stop_gives_back_what_has_not_started),
    X(308, "submit_after_stop_is_closed", "executor.h submit", 0, submit_after_stop_is_closed),
    X(309, "many_threads_submit_at_once", "executor.h submit", KIT_RUNS,
      many_threads_submit_at_once),
    X(310, "a_full_executor_says_when_there_is_room", "executor.h room", KIT_RUNS,
      a_full_executor_says_when_there_is_room),
    X(311, "a_queued_job_is_forgotten_when_cancelled", "executor.h cancel", KIT_RUNS,
      a_queued_job_is_forgotten_when_cancelled),
    X(312, "an_executor_survives_every_failing_allocation", "abi: memory", 0,
      every_allocation_may_fail),
#undef X
    {0},
};
