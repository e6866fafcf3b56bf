/* 07_config: which transport, how many workers, how patient: all of that is configuration, the
 * program does not change. Without an argument it uses the text below; with one, a file:
 *     07_config my-patio.yaml
 * The environment wins over both: PATIO_BROKER=tcp://… 07_config */
#include "must.h"

static const char yaml[] = "# patio.yaml\n"
                           "broker: memory://counter\n"
                           "project: demo\n"
                           "executor:\n"
                           "  name: thread\n"
                           "  workers: 2\n"
                           "tasks:\n"
                           "  count:\n"
                           "    call_timeout_ms: 10s\n";

static patio_status count(patio_context *ctx)
{
    const char  *text = NULL;
    patio_status st   = patio_arg_string(ctx, 0, &text);
    return st == PATIO_OK ? PATIO_RETURN(ctx, strlen(text)) : st;
}

/* A mistake is told with file and line, before anything runs. */
static void show_a_mistake(void)
{
    static const char mistake[] = "broker: memory://\nexecuter: thread\n";
    patio_error       err       = PATIO_ERROR_INIT;
    patio_config     *config    = NULL;
    MUST(patio_config_create(&config, &err));
    patio_bytes  text = {(const uint8_t *)mistake, strlen(mistake)};
    patio_status st   = patio_config_load_text(config, text, "mistake.yaml", &err);
    printf("%s: %s\n", patio_status_name(st), err.message);
    patio_config_destroy(config);
}

int main(int argc, char **argv)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_config   *config   = NULL;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_future   *future   = NULL;
    uint64_t        letters  = 0;

    show_a_mistake();
    MUST(patio_config_create(&config, &err));
    if (argc > 1) {
        MUST(patio_config_load_file(config, argv[1], &err));
    } else {
        patio_bytes text = {(const uint8_t *)yaml, strlen(yaml)};
        MUST(patio_config_load_text(config, text, "built in", &err));
    }
    MUST(patio_config_load_env(config, &err));

    /* The project is part of every automatic name, so the registry has to know it first. */
    patio_registry_options options = {PATIO_SIZED(patio_registry_options),
                                      .project = patio_config_get(config, "project")};
    MUST(patio_registry_create(&options, &registry, &err));
    MUST(PATIO_ADD_AS(registry, "count", count, &err));
    MUST(patio_broker_create(NULL, registry, config, &broker, &err));
    MUST(patio_broker_start(broker, &err));
    printf("project %s, transport %s, executor %s\n", patio_broker_project(broker),
           patio_broker_transport(broker), patio_broker_executor(broker));

    MUST(patio_call(broker, "count", PATIO_ARGS("abracadabra"), NULL, &future, &err));
    MUST(patio_value_get_uint64(patio_future_value(future), &letters));
    printf("%" PRIu64 " letters\n", letters);

    patio_future_destroy(future);
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    patio_config_destroy(config);
    return 0;
}
