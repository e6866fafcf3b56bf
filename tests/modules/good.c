/* A task module as users write them. */
#include <patio/patio.h>

static patio_status greet(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

static patio_status add_tasks(patio_registry *registry, patio_error *err)
{
    patio_status st = PATIO_ADD(registry, greet, err);
    return st == PATIO_OK ? PATIO_ADD_AS(registry, "hello", greet, err) : st;
}
PATIO_TASK_MODULE(add_tasks)
