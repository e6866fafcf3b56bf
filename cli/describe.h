/* describe.h: printing one plugin, or the tasks of a registry. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <stdbool.h>

#include <patio/config.h>
#include <patio/registry.h>
#include <patio/runtime.h>

/* Print identity, capabilities and options of one plugin as text. */
void cli_describe_plugin(const patio_plugin_info *info);
/* Print every task with the options that the configuration leaves it, as text or JSON. Returns an
 * exit code. */
int cli_describe_tasks(const patio_registry *registry, const patio_config *config, bool json);

#endif
