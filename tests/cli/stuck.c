/* stuck.c: a task that never returns, whatever it is told. */
#include <patio/patio.h>

#include <unistd.h>

static patio_status hang(patio_context *ctx)
{
    (void)ctx;
    while (pause() != 0) {
    }
    return PATIO_OK;
}

static patio_status add_tasks(patio_registry *registry, patio_error *err)
{
    return PATIO_ADD_AS(registry, "hang", hang, err);
}

PATIO_TASK_MODULE(add_tasks)
