/* A host as it was written for ABI 1.1, compiled from the headers of that day for ever. It loads
 * the thread executor of today and runs jobs in it, one that waits for its host among them. */
#include <patio/executor.h>
#include <patio/plugin_util.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { JOBS = 100, WORKERS = 2 };

static int             failures;
static pthread_mutex_t lock    = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static uint32_t        done_count;
static uint32_t        started;
static bool            open_gate;

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static void *host_alloc(void *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void *host_resize(void *self, void *p, size_t size)
{
    (void)self;
    return realloc(p, size);
}

static void host_free(void *self, void *p)
{
    (void)self;
    free(p);
}

/* An executor moves buffers along; here are none. */
static patio_buf *buf_new(void *self, size_t size, uint8_t **data)
{
    (void)self;
    (void)size;
    (void)data;
    return NULL;
}

static patio_buf *buf_wrap(void *self, patio_bytes bytes, patio_fn drop, void *arg)
{
    (void)self;
    (void)bytes;
    (void)drop;
    (void)arg;
    return NULL;
}

static patio_buf *buf_ref(void *self, patio_buf *b)
{
    (void)self;
    return b;
}

static void buf_drop(void *self, patio_buf *b)
{
    (void)self;
    MUST(b == NULL);
}

static patio_bytes buf_view(void *self, const patio_buf *b)
{
    (void)self;
    (void)b;
    return (patio_bytes){NULL, 0};
}

static int32_t log_on(void *self, int32_t level)
{
    (void)self;
    return level >= PATIO_LOG_WARN;
}

static void host_log(void *self, int32_t level, const char *text)
{
    (void)self;
    fprintf(stderr, "[%d] %s\n", level, text);
}

static uint64_t now_ns(void *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t host_after(void *self, uint64_t delay_ns, patio_fn fn, void *arg)
{
    (void)self;
    (void)delay_ns;
    (void)fn;
    (void)arg;
    return 0; /* nothing is delayed here */
}

static int32_t host_cancel(void *self, uint64_t timer)
{
    (void)self;
    (void)timer;
    return 0;
}

static patio_status host_random(void *self, void *data, size_t size)
{
    (void)self;
    memset(data, 5, size);
    return PATIO_OK;
}

static void *host_share(void *self, const char *key, void *(*make)(void *arg), void *arg)
{
    (void)self;
    (void)key;
    return make(arg);
}

static void host_unshare(void *self, void *object, void (*destroy)(void *object))
{
    (void)self;
    destroy(object);
}

static const void *host_query(void *self, const char *id)
{
    (void)self;
    (void)id;
    return NULL;
}

/* ---- jobs ---- */

static void run_plain(patio_job *job, patio_outcome *out)
{
    out->verdict = PATIO_ACK;
    out->status  = PATIO_OK;
    MUST(strcmp(job->task, "plain") == 0 && job->attempt == 1);
}

static void run_gate(patio_job *job, patio_outcome *out)
{
    (void)job;
    pthread_mutex_lock(&lock);
    started++;
    pthread_cond_broadcast(&changed);
    while (!open_gate) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    out->verdict = PATIO_RETRY;
    out->status  = PATIO_TASK_RETRY;
}

static bool job_begin(patio_job *job, patio_outcome *out)
{
    (void)job;
    (void)out;
    return true;
}

static bool job_view(patio_job *job, patio_job_view *view, patio_outcome *out)
{
    (void)job;
    (void)view;
    (void)out;
    return false;
}

static void job_succeed(patio_job *job, const patio_payload *result, patio_outcome *out)
{
    (void)job;
    (void)result;
    (void)out;
    failures++;
}

static void job_fail(patio_job *job, patio_status status, uint64_t delay_ms, int32_t code,
                     const char *type, const char *message, patio_outcome *out)
{
    (void)job;
    (void)status;
    (void)delay_ms;
    (void)code;
    (void)type;
    (void)message;
    (void)out;
    failures++;
}

static bool job_cancelled(const patio_job *job)
{
    (void)job;
    return false;
}

static void job_progress(patio_job *job, const patio_progress *progress)
{
    (void)job;
    (void)progress;
}

static void job_log(const patio_job *job, int32_t level, const char *text)
{
    (void)job;
    host_log(NULL, level, text);
}

static const patio_job_ops job_ops = {
    PATIO_SIZED(patio_job_ops), .begin = job_begin, .view = job_view,
    .succeed = job_succeed,     .fail = job_fail,   .cancelled = job_cancelled,
    .progress = job_progress,   .log = job_log,
};

static void job_done(void *self, patio_job *job, const patio_outcome *outcome)
{
    (void)self;
    bool gate = strcmp(job->task, "gate") == 0;
    MUST(outcome->verdict == (gate ? PATIO_RETRY : PATIO_ACK) && outcome->reply == NULL);
    pthread_mutex_lock(&lock);
    done_count++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void room(void *self)
{
    (void)self;
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void stuck(void *self, patio_job *job)
{
    (void)self;
    (void)job;
    failures++;
}

static void worn_out(void *self, const patio_error *why)
{
    (void)self;
    (void)why;
    failures++;
}

static const patio_host host = {
    PATIO_SIZED(patio_host),  .abi_minor = PATIO_ABI_MINOR,
    .version = PATIO_VERSION, .alloc = host_alloc,
    .resize = host_resize,    .free = host_free,
    .buf_new = buf_new,       .buf_wrap = buf_wrap,
    .buf_ref = buf_ref,       .buf_drop = buf_drop,
    .buf_view = buf_view,     .log_on = log_on,
    .log = host_log,          .now_ns = now_ns,
    .after = host_after,      .cancel = host_cancel,
    .random = host_random,    .share = host_share,
    .unshare = host_unshare,  .query = host_query,
};

static const patio_executor_events events = {PATIO_SIZED(patio_executor_events), .done = job_done,
                                             .room = room, .stuck = stuck, .worn_out = worn_out};

static const patio_executor_ops *load(const char *path)
{
    void                  *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void                  *symbol  = library != NULL ? dlsym(library, PATIO_PLUGIN_SYMBOL) : NULL;
    patio_plugin_entry_fn *entry   = NULL;
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    memcpy(&entry, &symbol, sizeof(entry));
    const patio_plugin *p = entry(PATIO_ABI_MAJOR);
    MUST(p != NULL && p->magic == PATIO_PLUGIN_MAGIC && p->abi_major == PATIO_ABI_MAJOR);
    return p->query(PATIO_EXECUTOR_ID);
}

/* Defaults only, in decimal or not at all. */
static void fill_values(const patio_executor_ops *ops, patio_option_value *values, size_t room_for)
{
    for (size_t i = 0; ops->options != NULL && ops->options[i] != NULL && i < room_for; i++) {
        const char *text = ops->options[i]->fallback != NULL ? ops->options[i]->fallback : "";
        values[i]        = (patio_option_value){.text = text, .number = strtoll(text, NULL, 10)};
        if (strcmp(ops->options[i]->name, "workers") == 0) {
            values[i].number = WORKERS;
        } else if (values[i].number < ops->options[i]->min) {
            values[i].number = ops->options[i]->min;
        }
    }
}

static void submit(const patio_executor_ops *ops, patio_executor *x, patio_job *job,
                   const char *task, void (*run)(patio_job *job, patio_outcome *out))
{
    patio_status st = PATIO_FULL;
    *job = (patio_job){PATIO_SIZED(patio_job), .task = task, .run = run,  .ops = &job_ops,
                       .project = "p",         .fence = 1,   .attempt = 1};
    while (st == PATIO_FULL) {
        st = ops->submit(x, job, NULL);
    }
    MUST(st == PATIO_OK);
}

static void await(const uint32_t *number, uint32_t wanted)
{
    pthread_mutex_lock(&lock);
    while (*number != wanted) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void play(const patio_executor_ops *ops, patio_executor *x)
{
    static patio_job jobs[JOBS + WORKERS];
    patio_error      err = PATIO_ERROR_INIT;
    MUST((ops->caps & PATIO_EXECUTOR_RUNS) != 0 && ops->slots(x) == WORKERS);
    MUST(ops->start(x, &err) == PATIO_OK);
    for (uint32_t i = 0; i < WORKERS; i++) {
        submit(ops, x, &jobs[JOBS + i], "gate", run_gate);
    }
    await(&started, WORKERS); /* side by side */
    pthread_mutex_lock(&lock);
    open_gate = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (uint32_t i = 0; i < JOBS; i++) {
        submit(ops, x, &jobs[i], "plain", run_plain);
    }
    await(&done_count, JOBS + WORKERS);
    MUST(ops->stop(x, 1000, &err) == PATIO_OK);
    MUST(ops->submit(x, &jobs[0], &err) == PATIO_CLOSED && err.message[0] != '\0');
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    static patio_option_value values[64];
    const patio_executor_ops *ops    = load(argv[1]);
    patio_executor_params     params = {PATIO_SIZED(patio_executor_params), .values = values,
                                        .stack_bytes = 65536, .events = &events};
    patio_executor           *x      = NULL;
    patio_error               err    = PATIO_ERROR_INIT;
    fill_values(ops, values, 64);
    if (ops->create(&host, &params, &x, &err) != PATIO_OK) {
        fprintf(stderr, "create: %s\n", err.message);
        return 1;
    }
    play(ops, x);
    ops->destroy(x);
    return failures == 0 ? 0 : 1;
}
