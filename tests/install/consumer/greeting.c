/* A task module: greet("you") gives "hello, you". */
#include <patio/patio.h>

#include <stdio.h>

static patio_status greet(patio_context *ctx)
{
    const char  *name = NULL;
    char         text[64];
    patio_status st = patio_arg_string(ctx, 0, &name);
    if (st != PATIO_OK) {
        return st;
    }
    (void)snprintf(text, sizeof(text), "hello, %s", name);
    return PATIO_RETURN(ctx, (const char *)text);
}

static patio_status add_tasks(patio_registry *registry, patio_error *err)
{
    return PATIO_ADD_AS(registry, "greet", greet, err);
}

PATIO_TASK_MODULE(add_tasks)
