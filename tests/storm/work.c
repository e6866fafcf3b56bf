#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patio/plugin_util.h>

#include "storm.h"

enum { TRIES_MAX = 12 }; /* of 5 s each */

static storm_ledger ledger;

/* storm(number): half of them take a moment, so that a kill finds some at work. */
static patio_status task_storm(patio_context *ctx)
{
    int64_t number = 0;
    char    text[32];
    if (patio_arg_int64(ctx, 0, &number) != PATIO_OK) {
        return PATIO_INVALID;
    }
    (void)snprintf(text, sizeof(text), "%u", patio_task_attempt(ctx));
    storm_note(&ledger, 'S', patio_task_id(ctx), text);
    if (number % 2 != 0) {
        storm_sleep_ms((uint64_t)number % 5);
    }
    storm_note(&ledger, 'F', patio_task_id(ctx), text);
    return PATIO_RETURN(ctx, number * 3 + 1);
}

patio_registry *storm_registry(const char *dir)
{
    patio_error            err      = PATIO_ERROR_INIT;
    patio_registry        *registry = NULL;
    patio_registry_options mine     = {PATIO_SIZED(patio_registry_options), .project = "storm"};
    patio_task_options options = {PATIO_SIZED(patio_task_options), .flags = PATIO_TASK_IDEMPOTENT,
                                  .max_crashes = 1000};
    if ((ledger.fd == 0 && !storm_ledger_open(&ledger, dir, "worker")) ||
        patio_registry_create(&mine, &registry, &err) != PATIO_OK ||
        patio_registry_add(registry, "storm", task_storm, NULL, NULL, &options, &err) != PATIO_OK) {
        fprintf(stderr, "storm: %s\n", err.message);
        exit(2);
    }
    return registry;
}

patio_status storm_child_registry(patio_registry **out, patio_error *err)
{
    const char *dir = getenv("STORM_DIR");
    if (dir == NULL) {
        return patio_fail(err, PATIO_INVALID, 0, "STORM_DIR names no folder for the ledger");
    }
    *out = storm_registry(dir);
    return PATIO_OK;
}

void storm_open(storm_world *w, patio_runtime *runtime, patio_registry *registry, const char *url,
                const char *executor, const char *workers)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = NULL;
    *w                   = (storm_world){.registry = registry};
    patio_status st      = patio_config_create(&config, &err);
    st = st == PATIO_OK ? patio_config_set(config, "broker", url, "storm", &err) : st;
    st = st == PATIO_OK ? patio_config_set(config, "project", "storm", "storm", &err) : st;
    if (st == PATIO_OK && registry != NULL) {
        st = patio_config_set(config, "executor", executor, "storm", &err);
    }
    if (st == PATIO_OK && registry != NULL) {
        st = patio_config_set(config, "executor.workers", workers, "storm", &err);
    }
    /* The server may be away for a while, and a login that is cut off reads as one that was
     * refused; a broker that did not start is over. */
    for (int tries = 0; st == PATIO_OK && tries < TRIES_MAX; tries++) {
        st       = patio_broker_create(runtime, registry, config, &w->broker, &err);
        st       = st == PATIO_OK ? patio_broker_start(w->broker, &err) : st;
        bool cut = st == PATIO_UNREACHABLE || st == PATIO_AUTH;
        if (!cut || tries + 1 == TRIES_MAX || atomic_load(&storm_stop)) {
            break;
        }
        patio_broker_destroy(w->broker);
        st = PATIO_OK;
    }
    patio_config_destroy(config);
    if (st != PATIO_OK && atomic_load(&storm_stop)) {
        exit(0); /* told to end before it had begun */
    }
    if (st != PATIO_OK) {
        fprintf(stderr, "storm: %s: %s\n", patio_status_name(st), err.message);
        exit(2);
    }
}

int storm_work(const char *url, const char *dir, const char *workers, bool is_new)
{
    storm_world        w;
    patio_error        why      = PATIO_ERROR_INIT;
    patio_registry    *registry = storm_registry(dir);
    patio_task_options options  = {PATIO_SIZED(patio_task_options), .flags = PATIO_TASK_IDEMPOTENT,
                                   .max_crashes = 1000};
    if (is_new && patio_registry_add(registry, "storm-new", task_storm, NULL, NULL, &options,
                                     &why) != PATIO_OK) {
        fprintf(stderr, "storm: %s\n", why.message);
        return 2;
    }
    storm_open(&w, NULL, registry, url, "thread", workers);
    while (!atomic_load(&storm_stop)) {
        storm_sleep_ms(50);
    }
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_broker_stop(w.broker, 25000, &err);
    patio_broker_destroy(w.broker);
    patio_registry_destroy(w.registry);
    return st == PATIO_OK ? 0 : 8;
}
