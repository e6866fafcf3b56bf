/* 08_two_brokers: one broker calls, another executes. They share nothing but a runtime and a
 * meeting place, memory://kitchen. Give both a tcp:// or amqp:// URL instead, and they may be two
 * programs on two machines. */
#include "must.h"

static patio_status cook(patio_context *ctx)
{
    const char  *dish = NULL;
    patio_status st   = patio_arg_string(ctx, 0, &dish);
    if (st != PATIO_OK) {
        return st;
    }
    char plate[64];
    (void)snprintf(plate, sizeof(plate), "one hot %s", dish);
    return PATIO_RETURN(ctx, plate); /* encoded at once: plate may go */
}

/* registry NULL: a broker that only calls. */
static patio_broker *open_broker(patio_runtime *runtime, patio_registry *registry)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    MUST(patio_config_create(&config, &err));
    MUST(patio_config_set(config, "broker", "memory://kitchen", NULL, &err));
    MUST(patio_broker_create(runtime, registry, config, &broker, &err));
    MUST(patio_broker_start(broker, &err));
    patio_config_destroy(config);
    return broker;
}

int main(void)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_runtime  *runtime  = NULL;
    patio_registry *registry = NULL;
    patio_future   *future   = NULL;
    const char     *plate    = NULL;

    MUST(patio_runtime_create(NULL, &runtime, &err));
    MUST(patio_registry_create(NULL, &registry, &err));
    MUST(PATIO_ADD_AS(registry, "cook", cook, &err));

    patio_broker *waiter = open_broker(runtime, NULL);
    patio_status  st     = patio_call(waiter, "cook", PATIO_ARGS("soup"), NULL, NULL, &err);
    printf("without a kitchen: %s\n", patio_status_name(st));

    patio_broker *kitchen = open_broker(runtime, registry);
    MUST(patio_call(waiter, "cook", PATIO_ARGS("soup"), NULL, &future, &err));
    MUST(patio_value_get_string(patio_future_value(future), &plate));
    printf("with one: %s\n", plate);
    patio_future_destroy(future);

    patio_broker_destroy(waiter);
    patio_broker_destroy(kitchen);
    patio_registry_destroy(registry);
    patio_runtime_destroy(runtime);
    return 0;
}
