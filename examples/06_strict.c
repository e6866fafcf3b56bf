/* 06_strict: names that carry a hash of the function's source. Two worker programs have a task
 * `price`: one has today's source, the other last week's. A caller built from today's meets only
 * the first: silently computing with another version's code is not possible.
 *
 * The two sources are 06_strict_today.c and 06_strict_last_week.c. */
#include "06_strict.h"

#include "must.h"

static patio_broker *open_broker(patio_runtime *runtime, patio_registry *registry)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    MUST(patio_config_create(&config, &err));
    MUST(patio_config_set(config, "broker", "memory://shop", NULL, &err));
    MUST(patio_broker_create(runtime, registry, config, &broker, &err));
    MUST(patio_broker_start(broker, &err));
    patio_config_destroy(config);
    return broker;
}

/* The name under which a source's `price` is known. */
static void read_name(const patio_registry *registry, char name[256])
{
    patio_error     err  = PATIO_ERROR_INIT;
    patio_task_info info = {PATIO_SIZED(patio_task_info)};
    MUST(patio_registry_at(registry, 0, &info, &err));
    (void)snprintf(name, 256, "%s", info.name);
}

static void ask(patio_broker *caller, const char *task)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    int64_t       cents  = 0;
    patio_status  st     = patio_call(caller, task, PATIO_ARGS(3), NULL, &future, &err);
    if (st != PATIO_OK) {
        printf("nobody computes as the caller wants: %s\n", patio_status_name(st));
        return;
    }
    MUST(patio_value_get_int64(patio_future_value(future), &cents));
    printf("three cost %" PRId64 " cents\n", cents);
    patio_future_destroy(future);
}

int main(void)
{
    patio_error     err       = PATIO_ERROR_INIT;
    patio_runtime  *runtime   = NULL;
    patio_registry *today     = NULL;
    patio_registry *last_week = NULL;
    char            name[256];

    MUST(patio_runtime_create(NULL, &runtime, &err));
    MUST(patio_registry_create(NULL, &today, &err));
    MUST(patio_registry_create(NULL, &last_week, &err));
    MUST(add_price_of_today(today, &err));
    MUST(add_price_of_last_week(last_week, &err));
    read_name(today, name);
    printf("the caller wants %.24s…\n", name);

    patio_broker *caller = open_broker(runtime, NULL);
    patio_broker *old    = open_broker(runtime, last_week);
    ask(caller, name);
    patio_broker *new = open_broker(runtime, today);
    ask(caller, name);

    patio_broker_destroy(caller);
    patio_broker_destroy(old);
    patio_broker_destroy(new);
    patio_registry_destroy(last_week);
    patio_registry_destroy(today);
    patio_runtime_destroy(runtime);
    return 0;
}
