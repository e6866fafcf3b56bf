#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "exits.h"
#include "parse.h"

enum { DRAIN_DEFAULT_MS = 25000 };

patio_status cli_load_modules(patio_registry *registry, const patio_config *config,
                              const cli_list *modules, patio_error *err)
{
    patio_status st = PATIO_OK;
    for (size_t i = 0; st == PATIO_OK; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "modules.%zu", i);
        const char *path = patio_config_get(config, key);
        if (path == NULL) {
            break;
        }
        st = patio_registry_load(registry, path, err);
    }
    for (size_t i = 0; st == PATIO_OK && i < modules->count; i++) {
        st = patio_registry_load(registry, modules->items[i], err);
    }
    return st;
}

static patio_status make_registry(cli_session *session, const cli_list *modules, patio_error *err)
{
    patio_registry_options options = {PATIO_SIZED(patio_registry_options),
                                      .project = patio_config_get(session->config, "project")};
    patio_status           st      = patio_registry_create(&options, &session->registry, err);
    if (st == PATIO_OK) {
        st = cli_load_modules(session->registry, session->config, modules, err);
    }
    return st == PATIO_OK ? patio_registry_add_configured(session->registry, session->config, err)
                          : st;
}

static patio_status make_broker(cli_session *session, patio_error *err)
{
    patio_runtime_options options = {PATIO_SIZED(patio_runtime_options),
                                     .log_level = PATIO_LOG_INFO, .config = session->config};
    patio_status          st      = patio_runtime_create(&options, &session->runtime, err);
    return st == PATIO_OK ? patio_broker_create(session->runtime, session->registry,
                                                session->config, &session->broker, err)
                          : st;
}

int cli_session_prepare(cli_session *session, const char *command, const cli_options *options,
                        const char *log_level)
{
    *session         = (cli_session){0};
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = cli_options_config(options, log_level, &session->config, &err);
    if (st != PATIO_OK) {
        return cli_fail_setup("read the configuration", st, &err);
    }
    if (!cli_config_has_broker(session->config)) {
        return cli_usage(command, "no broker is named: give -b URL, set PATIO_BROKER, or write "
                                  "\"broker:\" into a file for -f");
    }
    st = make_registry(session, &options->modules, &err);
    if (st != PATIO_OK) {
        return cli_fail_setup("load the task modules", st, &err);
    }
    st = make_broker(session, &err);
    return st == PATIO_OK ? CLI_EXIT_OK : cli_fail_setup("set up the broker", st, &err);
}

int cli_session_start(cli_session *session)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_broker_start(session->broker, &err);
    return st == PATIO_OK ? CLI_EXIT_OK : cli_fail("start the broker", st, &err);
}

void cli_session_close(cli_session *session)
{
    patio_broker_destroy(session->broker);
    patio_registry_destroy(session->registry);
    patio_runtime_destroy(session->runtime);
    patio_config_destroy(session->config);
    *session = (cli_session){0};
}

uint64_t cli_session_drain_ms(const cli_session *session)
{
    const char *text = patio_config_get(session->config, "drain_timeout_ms");
    uint64_t    ms;
    return text != NULL && cli_parse_duration(text, &ms) ? ms : DRAIN_DEFAULT_MS;
}

void cli_session_log(const cli_session *session, int32_t level, const char *format, ...)
{
    pt_log      log    = {.level = PATIO_LOG_INFO};
    const char *word   = patio_config_get(session->config, "log.level");
    const char *layout = patio_config_get(session->config, "log.format");
    if (word != NULL) {
        (void)pt_log_parse_level(word, &log.level);
    }
    log.json = layout != NULL && strcmp(layout, "json") == 0;

    char    text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pt_log_line(&log, level, "worker", NULL, text);
}
