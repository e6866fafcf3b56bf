/* A module whose registration function fails half way, with or without words. */
#include <stdlib.h>
#include <string.h>

#include <patio/patio.h>

static patio_status half(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

static patio_status add_tasks(patio_registry *registry, patio_error *err)
{
    patio_status st = PATIO_ADD_AS(registry, "half", half, err);
    if (st != PATIO_OK) {
        return st;
    }
    if (getenv("PATIO_TEST_SILENT") != NULL) {
        return PATIO_IO;
    }
    return PATIO_ADD_AS(registry, "", half, err);
}
PATIO_TASK_MODULE(add_tasks)
