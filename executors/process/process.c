/* The process executor: tasks in child processes. What a task does to its process, it does to a
 * child, which is replaced; what it may use is limited. */
#include "pool.h"

#include <stdlib.h>
#include <unistd.h>

#define ROW(name_, type_, fallback_, min_, max_, help_)                                            \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_), .type = (type_),            \
                           .fallback = (fallback_), .min = (min_), .max = (max_),                  \
                           .help = (help_)})
#define TEXT(name, help)                     ROW(name, PATIO_OPTION_STRING, "", 0, 0, help)
#define BOOL(name, fallback, help)           ROW(name, PATIO_OPTION_BOOL, fallback, 0, 0, help)
#define INT(name, fallback, min, max, help)  ROW(name, PATIO_OPTION_INT, fallback, min, max, help)
#define MS(name, fallback, min, max, help)   ROW(name, PATIO_OPTION_MS, fallback, min, max, help)
#define SIZE(name, fallback, min, max, help) ROW(name, PATIO_OPTION_SIZE, fallback, min, max, help)

#define DAY_MS (INT64_C(86400000))

static const patio_option *const options[] = {
    [OPT_WORKERS]      = INT("workers", "4", 1, 1024, "child processes, and so tasks side by side"),
    [OPT_QUEUE_MAX]    = INT("queue_max", "1024", 1, 1000000, "tasks that may wait for a child"),
    [OPT_MEMORY_LIMIT] = SIZE("memory_limit_bytes", "0", 0, INT64_MAX,
                              "memory of a child while it runs a task; 0: any"),
    [OPT_CPU_LIMIT]    = MS("cpu_limit_ms", "0", 0, INT64_MAX, "CPU time of one run; 0: any"),
    [OPT_OUTPUT_LIMIT] = SIZE("output_limit_bytes", "1MiB", 1, INT64_MAX,
                              "most that one run may write to standard output and error"),
    [OPT_KILL_GRACE]   = MS("kill_grace_ms", "1s", 0, DAY_MS,
                            "from telling a task to end, by deadline or cancel, to its SIGKILL"),
    [OPT_MAX_TASKS]    = INT("max_tasks_per_child", "0", 0, INT64_MAX,
                             "tasks after which a child is replaced; 0: never"),
    [OPT_MAX_AGE] =
        MS("max_age_ms", "0", 0, INT64_MAX, "age at which a child is replaced; 0: never"),
    [OPT_NICE]       = INT("nice", "0", -20, 19, "niceness of children; more is less CPU"),
    [OPT_CORE_DUMPS] = BOOL("core_dumps", "false", "children may leave core dumps"),
    [OPT_DIRECTORY]  = TEXT("directory", "working directory of children; empty: the worker's"),
    [OPT_PROGRAM]    = TEXT("program", "program to start as child; empty: this one if its main has "
                                          "PATIO_CHILD_MAIN, else patio-child"),
    [OPT_ADDRESS_SPACE] = SIZE("address_space_bytes", "0", 0, INT64_MAX,
                               "RLIMIT_AS of children: beyond, malloc says no; 0: any"),
    [OPT_SHARED_BYTES]  = SIZE("shared_memory_bytes", "32KiB", 1024, 48 * 1024,
                               "longer arguments and results travel in shared memory"),
    [OPT_START_TIMEOUT] =
        MS("start_timeout_ms", "10s", 1, DAY_MS, "how long a child may take to be ready"),
    [OPT_EXTRA] = INT("extra_workers", "16", 0, 1024,
                      "children that may stand in for those whose tasks wait for other tasks"),
    [OPT_COUNT] = NULL,
};

static const patio_option *const task_options[] = {
    [TASK_MEMORY_LIMIT] =
        SIZE("memory_limit_bytes", "0", 0, INT64_MAX, "memory of its child while it runs; 0: any"),
    [TASK_CPU_LIMIT]    = MS("cpu_limit_ms", "0", 0, INT64_MAX, "CPU time of one run; 0: any"),
    [TASK_OUTPUT_LIMIT] = SIZE("output_limit_bytes", "1MiB", 1, INT64_MAX,
                               "most that one run may write to standard output and error"),
    [TASK_KILL_GRACE]   = MS("kill_grace_ms", "1s", 0, DAY_MS,
                             "from telling it to end, by deadline or cancel, to its SIGKILL"),
    NULL,
};

static char *copy(const patio_host *host, const char *text)
{
    size_t size = strlen(text) + 1;
    char  *to   = host->alloc(host->self, size);
    if (to != NULL) {
        memcpy(to, text, size);
    }
    return to;
}

static void destroy(patio_executor *x)
{
    if (x == NULL) {
        return;
    }
    const patio_host *host = x->host;
    if (x->epoll_fd >= 0) {
        (void)close(x->epoll_fd);
    }
    if (x->wake_fd >= 0) {
        (void)close(x->wake_fd);
    }
    host->free(host->self, x->directory);
    host->free(host->self, x->program);
    host->free(host->self, x->packet);
    host->free(host->self, x->inbound);
    pthread_cond_destroy(&x->changed);
    pthread_mutex_destroy(&x->lock);
    host->free(host->self, x);
}

/* All cores but one, which those who bring the jobs need. */
static uint32_t useful_children(void)
{
    cpu_set_t cpus;
    int       cores = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return cores > 2 ? (uint32_t)cores - 1 : 1;
}

static void fill(patio_executor *x, const patio_host *host, const patio_executor_params *params)
{
    memset(x, 0, sizeof(*x));
    x->host         = host;
    x->events       = params->events;
    x->setup        = params->child;
    x->epoll_fd     = -1;
    x->wake_fd      = -1;
    x->average_ns   = DEPTH_NS;
    x->workers      = (uint32_t)params->values[OPT_WORKERS].number;
    x->shared_bytes = (uint64_t)params->values[OPT_SHARED_BYTES].number;
    memcpy(x->values, params->values, sizeof(x->values));
    const char *program        = params->values[OPT_PROGRAM].text;
    x->fixed                   = x->setup->embedded != 0 && program[0] == '\0';
    x->program                 = copy(host, program[0] != '\0' ? program : x->setup->program);
    x->directory               = copy(host, params->values[OPT_DIRECTORY].text);
    x->packet                  = host->alloc(host->self, PATIO_CHILD_PACKET);
    x->inbound                 = host->alloc(host->self, PATIO_CHILD_PACKET);
    x->start_error.struct_size = sizeof(x->start_error);
    x->useful                  = useful_children();
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static patio_status create(const patio_host *host, const patio_executor_params *params,
                           patio_executor **out, patio_error *err)
{
    if (!PATIO_HAS(patio_executor_params, params, child) || params->child == NULL) {
        return patio_fail(err, PATIO_UNSUPPORTED, 0,
                          "this host cannot tell the process executor what to start");
    }
    patio_executor *x = host->alloc(host->self, sizeof(*x));
    if (x == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    fill(x, host, params);
    if (x->program == NULL || x->directory == NULL || x->packet == NULL || x->inbound == NULL) {
        destroy(x);
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    if (x->program[0] == '\0') {
        destroy(x);
        return patio_fail(err, PATIO_NOT_FOUND, 0,
                          "no program to start as child: patio-child is not installed beside "
                          "libpatio, and this program's main does not begin with PATIO_CHILD_MAIN");
    }
    *out = x;
    return PATIO_OK;
}

static uint32_t slots(patio_executor *x)
{
    return x->workers;
}

/* ---- lent slots: by tasks in children, so that the two calls of a job in this process are none
 * ---- */

static uint32_t lend_most(patio_executor *x)
{
    return (uint32_t)x->values[OPT_EXTRA].number;
}

static bool lend_nothing(patio_executor *x)
{
    (void)x;
    return false;
}

static void back_nothing(patio_executor *x)
{
    (void)x;
}

static const patio_lend_ops lend_ops = {PATIO_SIZED(patio_lend_ops), .most = lend_most,
                                        .lend = lend_nothing, .back = back_nothing};

static void listen_lent(patio_executor *x, void (*lent)(void *self, uint32_t count), void *self)
{
    x->tell_lent      = lent;
    x->tell_lent_self = self;
}

static const patio_lent_ops lent_ops = {PATIO_SIZED(patio_lent_ops), .listen = listen_lent};

static const void *query_instance(patio_executor *x, const char *interface_id)
{
    (void)x;
    if (strcmp(interface_id, PATIO_LEND_ID) == 0) {
        return &lend_ops;
    }
    if (strcmp(interface_id, PATIO_LENT_ID) == 0) {
        return &lent_ops;
    }
    if (strcmp(interface_id, PATIO_RELOAD_ID) == 0) {
        return &reload_ops;
    }
    return strcmp(interface_id, PATIO_RELAY_ID) == 0 ? &calls_relay_ops : NULL;
}

static const patio_executor_ops ops = {
    PATIO_SIZED(patio_executor_ops),
    .caps = PATIO_EXECUTOR_RUNS | PATIO_EXECUTOR_BLOCKING | PATIO_EXECUTOR_ISOLATED |
            PATIO_EXECUTOR_KILL,
    .options      = options,
    .create       = create,
    .start        = pool_start,
    .stop         = pool_stop,
    .destroy      = destroy,
    .submit       = pool_submit,
    .cancel       = pool_cancel,
    .slots        = slots,
    .query        = query_instance,
    .task_options = task_options,
};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &ops : NULL;
}

PATIO_PLUGIN_DEFINE(process, "0.1.0", "MIT", "runs tasks in child processes, within limits", query)
