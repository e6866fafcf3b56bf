/* An executor that cannot be given a job. */
#include "fake.h"

static uint32_t slots(patio_executor *x)
{
    (void)x;
    return 1;
}

static const patio_executor_ops ops = {PATIO_SIZED(patio_executor_ops), .slots = slots};

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_EXECUTOR_ID) == 0 ? &ops : NULL;
}
PATIO_PLUGIN_DEFINE(lazy, "1.0.0", "MIT", "", query)
