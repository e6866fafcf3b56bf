/* program EXECUTOR [MODULE]: call the task of the module, or one of its own, in that executor. */
#include <patio/patio.h>

#include <stdio.h>

static patio_status mul(patio_context *ctx)
{
    int64_t      a = 0, b = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    if (st == PATIO_OK) {
        st = patio_arg_int64(ctx, 1, &b);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, a * b) : st;
}

static patio_status make(const char *executor, const char *module, patio_registry **registry,
                         patio_broker **broker, patio_error *err)
{
    patio_config *config = NULL;
    patio_status  st     = patio_registry_create(NULL, registry, err);
    if (st == PATIO_OK) {
        st = module != NULL ? patio_registry_load(*registry, module, err)
                            : PATIO_ADD_AS(*registry, "mul", mul, err);
    }
    if (st == PATIO_OK) {
        st = patio_config_create(&config, err);
    }
    if (st == PATIO_OK) {
        st = patio_config_set(config, "executor", executor, "the command line", err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_create(NULL, *registry, config, broker, err);
    }
    patio_config_destroy(config);
    return st == PATIO_OK ? patio_broker_start(*broker, err) : st;
}

static void print(const patio_value *value, const char *executor)
{
    int64_t     number = 0;
    const char *text   = NULL;
    if (patio_value_get_int64(value, &number) == PATIO_OK) {
        printf("%lld in %s\n", (long long)number, executor);
    } else if (patio_value_get_string(value, &text) == PATIO_OK) {
        printf("%s in %s\n", text, executor);
    }
}

int main(int argc, char **argv)
{
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_future   *future   = NULL;
    patio_error     err      = PATIO_ERROR_INIT;
    const char     *module   = argc > 2 ? argv[2] : NULL;
    patio_status    st = make(argc > 1 ? argv[1] : "thread", module, &registry, &broker, &err);
    if (st == PATIO_OK) {
        st = module != NULL ? patio_call(broker, "greet", PATIO_ARGS("patio"), NULL, &future, &err)
                            : patio_call_fn(broker, mul, PATIO_ARGS(6, 7), NULL, &future, &err);
    }
    if (st == PATIO_OK) {
        print(patio_future_value(future), patio_broker_executor(broker));
    } else {
        printf("%s: %s\n", patio_status_name(st), err.message);
    }
    patio_future_destroy(future);
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return st == PATIO_OK ? 0 : 1;
}
