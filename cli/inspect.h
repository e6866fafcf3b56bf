/* inspect.h: what `plugins` and `describe` share: a runtime without a broker, and JSON for people.
 */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include <patio/runtime.h>

#include "options.h"

struct json_object;

/* A quiet runtime with the plugin path of the configuration. Returns an exit code, having said why.
 * On success both are to be destroyed, the runtime first. */
int cli_inspect_open(const cli_options *options, patio_config **config, patio_runtime **runtime);
/* Print the tree on several lines and drop it. */
void cli_inspect_print(struct json_object *tree);

#endif
