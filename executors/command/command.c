/* The command executor: any program as a task. It runs nothing in this process but one thread that
 * looks after them all. */
#include "command.h"

enum { OPT_WORKERS, OPT_QUEUE_MAX };

static const patio_option option_workers = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "workers",
    .fallback = "4",
    .help     = "programs that run side by side",
    .min      = 1,
    .max      = 4096,
};
static const patio_option option_queue_max = {
    PATIO_SIZED(patio_option),
    .type     = PATIO_OPTION_INT,
    .name     = "queue_max",
    .fallback = "0",
    .help     = "tasks that may wait for their turn; 0: twice the workers",
    .min      = 0,
    .max      = 1000000,
};
static const patio_option *const options[] = {&option_workers, &option_queue_max, NULL};

/* clang-format off */
static const patio_option task_command = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_STRING, .name = "command", .fallback = NULL,
    .help = "program and arguments, quoted as for a shell; {0} and {name} are the call's arguments",
};
static const patio_option task_shell = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_BOOL, .name = "shell", .fallback = "false",
    .help = "give the command to /bin/sh -c; the call's arguments are $1, $2 ...",
};
static const patio_option task_content_type = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_STRING, .name = "content_type",
    .fallback = "application/octet-stream", .help = "what standard output is",
};
static const patio_option task_max_output = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_SIZE, .name = "max_output_bytes",
    .fallback = "1MiB", .help = "most that it may write to standard output; more ends it",
    .min = 0, .max = INT64_C(1) << 30,
};
static const patio_option task_term_grace = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_MS, .name = "term_grace_ms", .fallback = "5s",
    .help = "from SIGTERM, at its deadline or when it is cancelled, to SIGKILL",
    .min = 0, .max = INT64_C(86400000),
};
static const patio_option task_retry_exit = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_INT, .name = "retry_exit", .fallback = "75",
    .help = "exit code that asks for another attempt; 0: none", .min = 0, .max = 255,
};
static const patio_option task_snooze_exit = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_INT, .name = "snooze_exit", .fallback = "0",
    .help = "exit code that asks for a later run at no cost of an attempt; 0: none",
    .min = 0, .max = 255,
};
static const patio_option task_env = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_STRING, .name = "env",
    .fallback = "PATH,HOME,USER,LANG,LC_ALL,TZ,TMPDIR",
    .help = "its environment: names that are passed on, and NAME=VALUE, with commas between them",
};
static const patio_option task_directory = {
    PATIO_SIZED(patio_option), .type = PATIO_OPTION_STRING, .name = "directory", .fallback = "",
    .help = "working directory; empty: the worker's",
};
/* clang-format on */
static const patio_option *const task_options[] = {
    [TASK_COMMAND] = &task_command,           [TASK_SHELL] = &task_shell,
    [TASK_CONTENT_TYPE] = &task_content_type, [TASK_MAX_OUTPUT_BYTES] = &task_max_output,
    [TASK_TERM_GRACE_MS] = &task_term_grace,  [TASK_RETRY_EXIT] = &task_retry_exit,
    [TASK_SNOOZE_EXIT] = &task_snooze_exit,   [TASK_ENV] = &task_env,
    [TASK_DIRECTORY] = &task_directory,       NULL,
};

static void init_children(patio_executor *x)
{
    for (uint32_t i = 0; i < x->worker_count; i++) {
        child *c = &x->children[i];
        c->x     = x;
        c->index = i;
        c->next  = x->free;
        x->free  = c;
    }
}

static void free_memory(patio_executor *x)
{
    const patio_host *host = x->host;
    host->free(host->self, x->children);
    host->free(host->self, x->stack);
    host->free(host->self, x->buffer);
    host->free(host->self, x);
}

static patio_status create(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err)
{
    const patio_option_value *values  = params->values;
    uint32_t                  workers = (uint32_t)values[OPT_WORKERS].number;
    patio_executor           *x       = host->alloc(host->self, sizeof(*x));
    if (x == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(x, 0, sizeof(*x));
    x->host         = host;
    x->events       = params->events;
    x->worker_count = workers;
    x->queue_max    = (uint32_t)values[OPT_QUEUE_MAX].number;
    x->queue_max    = x->queue_max != 0 ? x->queue_max : 2 * workers;
    x->epoll        = -1;
    x->wake         = -1;
    x->guard        = -1;
    x->children     = host->alloc(host->self, workers * sizeof(*x->children));
    x->stack        = host->alloc(host->self, SPAWN_STACK_BYTES);
    x->buffer       = host->alloc(host->self, READ_BYTES);
    if (x->children == NULL || x->stack == NULL || x->buffer == NULL) {
        free_memory(x);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(x->children, 0, workers * sizeof(*x->children));
    init_children(x);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = x;
    return PATIO_OK;
}

static void destroy(patio_executor *x)
{
    if (x == NULL) {
        return;
    }
    life_close(x);
    while (x->tasks != NULL) {
        prepared *p = x->tasks;
        x->tasks    = p->next;
        prepared_free(x->host, p);
    }
    for (uint32_t i = 0; i < x->worker_count; i++) {
        child_fini(&x->children[i]);
    }
    pthread_cond_destroy(&x->ended);
    pthread_mutex_destroy(&x->lock);
    free_memory(x);
}

static patio_status add_task(patio_executor *x, const char *task, const patio_option_value *values,
                             patio_error *err)
{
    prepared    *p  = NULL;
    patio_status st = prepare(x->host, task, values, &p, err);
    if (st == PATIO_OK) {
        p->next  = x->tasks;
        x->tasks = p;
    }
    return st;
}

static uint32_t slots(patio_executor *x)
{
    return x->worker_count;
}

static const patio_executor_ops ops = {
    PATIO_SIZED(patio_executor_ops),
    .caps = PATIO_EXECUTOR_RUNS | PATIO_EXECUTOR_BLOCKING | PATIO_EXECUTOR_ISOLATED |
            PATIO_EXECUTOR_KILL | PATIO_EXECUTOR_EXTERNAL,
    .options      = options,
    .create       = create,
    .start        = life_start,
    .stop         = life_stop,
    .destroy      = destroy,
    .submit       = loop_submit,
    .cancel       = loop_cancel,
    .slots        = slots,
    .task_options = task_options,
    .add_task     = add_task,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(command, "0.1.0", "MIT", "runs programs as tasks", query)
