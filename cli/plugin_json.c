#include "plugin_json.h"

#include <json-c/json.h>

#include <stdio.h>
#include <string.h>

#include <patio/executor.h>
#include <patio/transport.h>

static const cli_cap transport_caps[] = {
#define CLI_X(name, bit, word, text) {1u << (bit), word, text},
    PATIO_TRANSPORT_CAP_MAP(CLI_X)
#undef CLI_X
        {0, NULL, NULL},
};

static const cli_cap executor_caps[] = {
#define CLI_X(name, bit, word, text) {1u << (bit), word, text},
    PATIO_EXECUTOR_CAP_MAP(CLI_X)
#undef CLI_X
        {0, NULL, NULL},
};

const cli_cap *cli_caps_of(const char *kind)
{
    static const cli_cap none = {0, NULL, NULL};
    if (strcmp(kind, "transport") == 0) {
        return transport_caps;
    }
    return strcmp(kind, "executor") == 0 ? executor_caps : &none;
}

const char *cli_option_type(const patio_option *option)
{
    static const char *const names[] = {"string", "integer", "boolean", "duration",
                                        "size",   "secret",  "choice"};
    return option->type < sizeof(names) / sizeof(names[0]) ? names[option->type] : "unknown";
}

/* NULL becomes null. */
static void add_text(json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text != NULL ? json_object_new_string(text) : NULL);
}

static json_object *caps_json(const patio_plugin_info *info)
{
    json_object *array = json_object_new_array();
    for (const cli_cap *cap = cli_caps_of(info->kind); cap->word != NULL; cap++) {
        if ((info->caps & cap->bit) != 0) {
            json_object_array_add(array, json_object_new_string(cap->word));
        }
    }
    return array;
}

static json_object *choices_json(const char *choices)
{
    json_object *array = json_object_new_array();
    for (;;) {
        size_t size = strcspn(choices, "|");
        json_object_array_add(array, json_object_new_string_len(choices, (int)size));
        if (choices[size] == '\0') {
            return array;
        }
        choices += size + 1;
    }
}

static json_object *option_json(const patio_option *option)
{
    json_object *object = json_object_new_object();
    add_text(object, "name", option->name);
    add_text(object, "type", cli_option_type(option));
    json_object_object_add(object, "required", json_object_new_boolean(option->fallback == NULL));
    add_text(object, "default", option->fallback);
    if (option->min != 0 || option->max != 0) {
        json_object_object_add(object, "min", json_object_new_int64(option->min));
        json_object_object_add(object, "max", json_object_new_int64(option->max));
    }
    if (option->choices != NULL) {
        json_object_object_add(object, "choices", choices_json(option->choices));
    }
    add_text(object, "help", option->help);
    return object;
}

static json_object *options_json(const patio_option *const *options)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        json_object_array_add(array, option_json(options[i]));
    }
    return array;
}

json_object *cli_plugin_json(const patio_plugin_info *info, bool options)
{
    char abi[32];
    (void)snprintf(abi, sizeof(abi), "%u.%u", info->abi_major, info->abi_minor);
    json_object *object = json_object_new_object();
    add_text(object, "kind", info->kind);
    add_text(object, "name", info->name);
    add_text(object, "status", patio_status_name(info->status));
    add_text(object, "problem", info->status != PATIO_OK ? info->problem : NULL);
    add_text(object, "version", info->version);
    add_text(object, "abi", abi);
    add_text(object, "license", info->license);
    add_text(object, "summary", info->summary);
    add_text(object, "path", info->path);
    json_object_object_add(object, "capabilities", caps_json(info));
    if (options) {
        json_object_object_add(object, "options", options_json(info->options));
        json_object_object_add(object, "task_options", options_json(info->task_options));
    }
    return object;
}
