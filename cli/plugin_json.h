/* plugin_json.h: a plugin, its options and its capabilities, as JSON and as words. */
#ifndef CLI_PLUGIN_JSON_H
#define CLI_PLUGIN_JSON_H

#include <stdbool.h>

#include <patio/plugin.h>
#include <patio/runtime.h>

struct json_object;

/* A capability of a kind of plugin. */
typedef struct cli_cap {
    uint32_t    bit;
    const char *word;
    const char *text;
} cli_cap;
/* All of them; ends with a NULL word. Empty for an unknown kind. */
const cli_cap *cli_caps_of(const char *kind);

/* "duration", "size" …: what the user has to write. */
const char *cli_option_type(const patio_option *option);

/* Identity, state and capabilities; with `options`, their table too. */
struct json_object *cli_plugin_json(const patio_plugin_info *info, bool options);

#endif
