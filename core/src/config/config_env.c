#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config_store.h"
#include "config/say.h"

/* Empty ones count as not set: that is how shells and service files take a variable back. Programs
 * that run with more rights than their caller (setuid) read none: they name code to load. */
static const char *variable(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static patio_status load_all(patio_config *config, patio_error *err)
{
    static const char *const keys[][2] = {
        {"PATIO_BROKER", "broker"},           {"PATIO_PROJECT", "project"},
        {"PATIO_EXECUTOR", "executor"},       {"PATIO_WORKERS", "executor.workers"},
        {"PATIO_LOG_LEVEL", "log.level"},     {"PATIO_LOG_FORMAT", "log.format"},
        {"PATIO_PLUGIN_PATH", "plugin_path"},
    };
    const char *file = variable("PATIO_CONFIG");
    if (file != NULL) {
        patio_status status = patio_config_load_file(config, file, err);
        if (status != PATIO_OK) {
            return pt_error_at(err, status, "PATIO_CONFIG");
        }
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *value = variable(keys[i][0]);
        if (value != NULL) {
            patio_status status = patio_config_set(config, keys[i][1], value, keys[i][0], err);
            if (status != PATIO_OK) {
                return status;
            }
        }
    }
    return PATIO_OK;
}

patio_status patio_config_load_env(patio_config *config, patio_error *err)
{
    if (config == NULL) {
        return pt_fail(err, PATIO_INVALID, "config", "read the environment: config is NULL");
    }
    patio_config *loaded = NULL;
    patio_status  status = pt_config_create(config->mem, &loaded, err);
    if (status == PATIO_OK) {
        status = load_all(loaded, err);
    }
    if (status == PATIO_OK) {
        status = pt_store_merge(config, loaded, err);
    }
    patio_config_destroy(loaded);
    return status;
}
