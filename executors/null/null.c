/* The null executor: forbids execution. For a process that only calls or sends, and must never run
 * a task by mistake; and the least that an executor plugin can be. */
#include <string.h>

#include <patio/executor.h>
#include <patio/plugin_util.h>

struct patio_executor {
    const patio_host *host;
};

static patio_status null_create(const patio_host *host, const patio_executor_params *params,
                                patio_executor **out, patio_error *err)
{
    (void)params;
    patio_executor *x = host->alloc(host->self, sizeof(*x));
    if (x == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    x->host = host;
    *out    = x;
    return PATIO_OK;
}

static patio_status null_start(patio_executor *x, patio_error *err)
{
    (void)x;
    (void)err;
    return PATIO_OK;
}

static patio_status null_stop(patio_executor *x, uint64_t grace_ms, patio_error *err)
{
    (void)x;
    (void)grace_ms;
    (void)err;
    return PATIO_OK;
}

static void null_destroy(patio_executor *x)
{
    if (x != NULL) {
        x->host->free(x->host->self, x);
    }
}

static patio_status null_submit(patio_executor *x, patio_job *job, patio_error *err)
{
    (void)x;
    return patio_fail(err, PATIO_UNSUPPORTED, 0,
                      "the null executor runs no tasks; task %s was refused; "
                      "choose another executor for this broker",
                      job->task);
}

static uint32_t null_slots(patio_executor *x)
{
    (void)x;
    return 0;
}

static const patio_executor_ops null_ops = {
    PATIO_SIZED(patio_executor_ops), .create = null_create, .start = null_start, .stop = null_stop,
    .destroy = null_destroy,         .submit = null_submit, .slots = null_slots,
};

static const void *null_query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &null_ops : NULL;
}

PATIO_PLUGIN_DEFINE(null, PATIO_VERSION, "MIT", "runs no tasks and says so", null_query)
