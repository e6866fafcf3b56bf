#include "bench_async.h"

#include <stdio.h>

#include "tasks.h"

static bool set(patio_config *config, const char *key, const char *value)
{
    patio_error err = PATIO_ERROR_INIT;
    if (patio_config_set(config, key, value, "bench", &err) != PATIO_OK) {
        (void)fprintf(stderr, "patio-bench-async: %s\n", err.message);
        return false;
    }
    return true;
}

static bool set_number(patio_config *config, const char *key, unsigned value)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", value);
    return set(config, key, text);
}

bool bench_world_open(bench_world *w, const char *executor, unsigned workers, unsigned loops)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = NULL;
    *w                   = (bench_world){.registry = NULL};
    bool ok              = patio_config_create(&config, &err) == PATIO_OK &&
              set(config, "broker", "memory://") && set(config, "executor", executor) &&
              set_number(config, "executor.workers", workers) &&
              (loops == 0 || set_number(config, "executor.loops", loops)) &&
              patio_registry_create(NULL, &w->registry, &err) == PATIO_OK &&
              bench_async_tasks_add(w->registry, &err) == PATIO_OK &&
              patio_broker_create(NULL, w->registry, config, &w->broker, &err) == PATIO_OK &&
              patio_broker_start(w->broker, &err) == PATIO_OK;
    if (!ok) {
        (void)fprintf(stderr, "patio-bench-async: %s\n", err.message);
        bench_world_close(w);
    }
    patio_config_destroy(config);
    return ok;
}

void bench_world_close(bench_world *w)
{
    if (w->broker != NULL) {
        (void)patio_broker_stop(w->broker, 20000, NULL);
    }
    patio_broker_destroy(w->broker);
    patio_registry_destroy(w->registry);
    *w = (bench_world){.registry = NULL};
}
