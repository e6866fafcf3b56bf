/* Tasks that a configuration makes: programs. */
#include <stdio.h>

#include "base/error.h"
#include "config/config.h"
#include "config/config_keys.h"
#include "config/say.h"
#include "runtime/registry.h"

typedef struct adding {
    patio_registry     *registry;
    const patio_config *config;
    patio_error        *err;
    patio_status        status;
} adding;

static bool find(const patio_config *config, const char *name, const char *option, pt_setting *out)
{
    char key[PT_KEY_BYTES];
    int  size = snprintf(key, sizeof(key), "tasks.%s.%s", name, option);
    return size > 0 && (size_t)size < sizeof(key) && pt_config_find(config, key, out);
}

static void add(void *arg, const char *name, const char *origin)
{
    adding    *a       = arg;
    pt_setting command = {0};
    pt_setting other   = {0};
    (void)origin;
    if (a->status != PATIO_OK || !find(a->config, name, "command", &command) ||
        patio_registry_contains(a->registry, name)) {
        return;
    }
    /* what the configuration says is laid over this when a broker is made */
    patio_task_options options = {PATIO_SIZED(patio_task_options),
                                  .executor =
                                      find(a->config, name, "executor", &other) ? NULL : "command"};
    a->status                  = patio_registry_add_external(a->registry, name, &options, a->err);
    if (a->status != PATIO_OK) {
        (void)pt_error_at(a->err, a->status, command.origin);
    }
}

patio_status patio_registry_add_configured(patio_registry *registry, const patio_config *config,
                                           patio_error *err)
{
    adding a = {.registry = registry, .config = config, .err = err, .status = PATIO_OK};
    pt_config_each_task(config, add, &a);
    return a.status;
}
