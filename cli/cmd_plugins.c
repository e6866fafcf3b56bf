/* cmd_plugins.c: `patio plugins`: what is installed, and what of it cannot be used. */
#include <json-c/json.h>

#include <stdio.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "plugin_json.h"
#include "result.h"
#include "table.h"

enum { KEY_JSON = 0x400 };

typedef struct listing {
    cli_options  common;
    bool         json;
    cli_table    table;
    json_object *array;
} listing;

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print JSON", 1},
    {0},
};

static const char doc[] =
    "List the transports and executors in the search path, and say of broken ones what is wrong."
    "\v"
    "Searched are the folders of --plugin-path, of PATIO_PLUGIN_PATH, and the one that belongs to "
    "the library. `patio describe transport NAME` shows the options of one of them.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
    listing *list = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &list->common;
        return 0;
    case KEY_JSON:
        list->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void add_row(void *arg, const patio_plugin_info *info)
{
    listing *list = arg;
    char     abi[32];
    char     problem[1100];
    (void)snprintf(abi, sizeof(abi), "%u.%u", info->abi_major, info->abi_minor);
    (void)snprintf(problem, sizeof(problem), "broken (%s): %s", patio_status_name(info->status),
                   info->problem != NULL ? info->problem : patio_status_text(info->status));
    bool usable = info->status == PATIO_OK;
    bool known  = info->abi_major != 0;
    CLI_ROW(&list->table, info->kind, info->name, info->version, known ? abi : NULL, info->path,
            usable ? info->summary : problem);
}

static void add_json(void *arg, const patio_plugin_info *info)
{
    listing *list = arg;
    json_object_array_add(list->array, cli_plugin_json(info, false));
}

static int print_list(listing *list, patio_runtime *runtime)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st;
    if (list->json) {
        list->array = json_object_new_array();
        st          = patio_runtime_plugins(runtime, add_json, list, &err);
        cli_inspect_print(list->array);
    } else {
        CLI_ROW(&list->table, "KIND", "NAME", "VERSION", "ABI", "PATH", "SUMMARY");
        st = patio_runtime_plugins(runtime, add_row, list, &err);
        cli_table_print(&list->table, "");
    }
    return st == PATIO_OK ? cli_finish_output() : cli_fail("list the plugins", st, &err);
}

int cmd_plugins(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_config_argp, 0, "Configuration:", 10}, {0}};
    static const struct argp       parser     = {options, parse, NULL, doc, children, NULL, NULL};

    listing        list    = {0};
    patio_config  *config  = NULL;
    patio_runtime *runtime = NULL;
    (void)argp_parse(&parser, argc, argv, 0, NULL, &list);
    int code = cli_inspect_open(&list.common, &config, &runtime);
    if (code == CLI_EXIT_OK) {
        code = print_list(&list, runtime);
        patio_runtime_destroy(runtime);
        patio_config_destroy(config);
    }
    cli_options_fini(&list.common);
    return code;
}
