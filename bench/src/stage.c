#include "stage.h"

#include <stdio.h>
#include <string.h>

#include <patio/executor.h>
#include <patio/plugin_util.h>

#include "tasks.h"

/* Time that stop may take to let tasks finish; in a good run there are none. */
#define GRACE_MS 5000u

static patio_status set(patio_config *config, const char *key, const char *value,
                        const char *origin, patio_error *err)
{
    return value == NULL ? PATIO_OK : patio_config_set(config, key, value, origin, err);
}

static patio_status set_pair(patio_config *config, const char *pair, patio_error *err)
{
    char   key[256];
    size_t size = strcspn(pair, "=");
    if (size >= sizeof(key)) {
        return patio_fail(err, PATIO_CONFIG, 0, "-o: key longer than %zu bytes", sizeof(key) - 1);
    }
    memcpy(key, pair, size);
    key[size] = '\0';
    return patio_config_set(config, key, pair + size + 1, "-o on the command line", err);
}

static patio_status configure(const bench_options *opt, patio_config *config, patio_error *err)
{
    patio_status st = set(config, "broker", opt->url, "-b on the command line", err);
    if (st == PATIO_OK) {
        st = set(config, "project", opt->project, "-p on the command line", err);
    }
    if (st == PATIO_OK) {
        st = set(config, "executor", opt->executor, "-x on the command line", err);
    }
    if (st == PATIO_OK) {
        st = set(config, "executor.workers", opt->workers, "-j on the command line", err);
    }
    for (size_t i = 0; st == PATIO_OK && i < opt->setting_count; i++) {
        st = set_pair(config, opt->settings[i], err);
    }
    return st;
}

static patio_status make_registry(const bench_options *opt, patio_registry **out, patio_error *err)
{
    patio_registry_options options = {PATIO_SIZED(patio_registry_options), .project = opt->project};
    patio_status           st      = patio_registry_create(&options, out, err);
    if (st != PATIO_OK) {
        return st;
    }
    /* child processes load their tasks: the same ones, as a module */
    bool elsewhere = opt->executor != NULL && strcmp(opt->executor, "process") == 0;
    return elsewhere ? patio_registry_load(*out, "bench_tasks", err) : bench_tasks_add(*out, err);
}

static patio_status make_runtime(const bench_options *opt, bench_stage *s, patio_error *err)
{
    bench_counter_init(&s->counter);
    patio_runtime_options options = {
        PATIO_SIZED(patio_runtime_options),
        .log_level = PATIO_LOG_WARN,
        .config    = s->config,
        .allocator = opt->count_allocations ? &s->counter.allocator : NULL,
    };
    return patio_runtime_create(&options, &s->runtime, err);
}

static void note_isolation(void *arg, const patio_plugin_info *info)
{
    bench_stage *s = arg;
    s->isolated    = (info->caps & PATIO_EXECUTOR_ISOLATED) != 0;
}

static patio_status look_at_executor(bench_stage *s, patio_error *err)
{
    const char *name = patio_broker_executor(s->broker);
    if (name[0] == '\0') {
        return PATIO_OK;
    }
    return patio_runtime_describe(s->runtime, "executor", name, note_isolation, s, err);
}

patio_status bench_stage_open(const bench_options *opt, const bench_pin *pin, bench_stage *out,
                              patio_error *err)
{
    memset(out, 0, sizeof(*out));
    if (pin->mode == BENCH_PIN_SAME) {
        bench_pin_self(pin, BENCH_WORKER);
    }
    patio_status st = patio_config_create(&out->config, err);
    if (st == PATIO_OK) {
        st = configure(opt, out->config, err);
    }
    if (st == PATIO_OK) {
        st = make_runtime(opt, out, err);
    }
    if (st == PATIO_OK && !opt->remote) {
        st = make_registry(opt, &out->registry, err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_create(out->runtime, out->registry, out->config, &out->broker, err);
    }
    if (st == PATIO_OK) {
        st = look_at_executor(out, err);
    }
    if (st == PATIO_OK) {
        bench_pin_self(pin, BENCH_WORKER);
        st = patio_broker_start(out->broker, err);
    }
    if (st != PATIO_OK) {
        (void)bench_stage_close(out, NULL);
    }
    return st;
}

patio_status bench_stage_close(bench_stage *stage, patio_error *err)
{
    patio_status st = PATIO_OK;
    if (stage->broker != NULL) {
        st = patio_broker_stop(stage->broker, GRACE_MS, err);
    }
    patio_broker_destroy(stage->broker);
    patio_registry_destroy(stage->registry);
    patio_runtime_destroy(stage->runtime);
    patio_config_destroy(stage->config);
    memset(stage, 0, sizeof(*stage));
    return st;
}
