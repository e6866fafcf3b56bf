/* cmd_describe.c: `patio describe`: one plugin's options, or the tasks of a module. */
#include <json-c/json.h>

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "describe.h"
#include "exits.h"
#include "inspect.h"
#include "plugin_json.h"
#include "result.h"
#include "session.h"

enum { KEY_JSON = 0x500 };

typedef struct request {
    cli_options common;
    const char *kind;
    const char *name;
    bool        json;
    bool        visited;
} request;

static const struct argp_option options[] = {
    {"module", 'm', "TASKS.so", 0, "With `tasks`: the module to look into; again for more", 1},
    {"project", 'p', "NAME", 0, "With `tasks`: the project, which is part of automatic names", 1},
    {"json", KEY_JSON, NULL, 0, "Print JSON", 1},
    {0},
};

static const char doc[] =
    "Show what a plugin can do and which options it takes, or which tasks a module has."
    "\v"
    "  patio describe transport memory\n\n"
    "  patio describe transport fault\n\n"
    "  patio describe executor thread --json\n\n"
    "  patio describe tasks -m ./tasks.so\n\n"
    "Options of a transport go into its URL (memory://?max_queued=1000), those of an "
    "executor "
    "into the configuration. The transport fault is what fault+URL puts before any other, for "
    "tests (fault+memory://?drop=0.1). Tasks are shown as this configuration treats them: what "
    "their code "
    "says, "
    "and over it tasks.NAME.OPTION.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &r->common;
        return 0;
    case 'm':
        cli_list_add(&r->common.modules, arg);
        return 0;
    case 'p':
        cli_options_set(&r->common, "project", arg, "-p on the command line");
        return 0;
    case KEY_JSON:
        r->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) {
            argp_error(state, "unexpected argument \"%s\"", arg);
        }
        *(state->arg_num == 0 ? &r->kind : &r->name) = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void visit(void *arg, const patio_plugin_info *info)
{
    request *r = arg;
    r->visited = true;
    if (r->json) {
        cli_inspect_print(cli_plugin_json(info, true));
    } else {
        cli_describe_plugin(info);
    }
}

static int describe_plugin(request *r)
{
    patio_config  *config;
    patio_runtime *runtime;
    int            code = cli_inspect_open(&r->common, &config, &runtime);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    patio_error err = PATIO_ERROR_INIT;
    char        what[128];
    (void)snprintf(what, sizeof(what), "describe %s \"%s\"", r->kind, r->name);
    patio_status st = patio_runtime_describe(runtime, r->kind, r->name, visit, r, &err);
    code            = st == PATIO_OK ? cli_finish_output() : cli_fail_setup(what, st, &err);
    patio_runtime_destroy(runtime);
    patio_config_destroy(config);
    return code;
}

static int describe_tasks(const request *r)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_config   *config   = NULL;
    patio_registry *registry = NULL;
    patio_status    st       = cli_options_config(&r->common, NULL, &config, &err);
    if (st == PATIO_OK) {
        patio_registry_options wanted = {PATIO_SIZED(patio_registry_options),
                                         .project = patio_config_get(config, "project")};
        st                            = patio_registry_create(&wanted, &registry, &err);
    }
    if (st == PATIO_OK) {
        st = cli_load_modules(registry, config, &r->common.modules, &err);
    }
    int code = st == PATIO_OK ? cli_describe_tasks(registry, config, r->json)
                              : cli_fail_setup("load the task modules", st, &err);
    patio_registry_destroy(registry);
    patio_config_destroy(config);
    return code;
}

static int run(request *r)
{
    if (r->kind == NULL) {
        return cli_usage("describe", "what? transport NAME, executor NAME, or tasks -m TASKS.so");
    }
    if (strcmp(r->kind, "tasks") == 0) {
        if (r->name != NULL) {
            return cli_usage("describe", "unexpected argument \"%s\"; modules come with -m",
                             r->name);
        }
        return describe_tasks(r);
    }
    if (strcmp(r->kind, "transport") != 0 && strcmp(r->kind, "executor") != 0) {
        return cli_usage("describe", "\"%s\" is no kind: transport, executor or tasks", r->kind);
    }
    if (r->name == NULL) {
        return cli_usage("describe", "which %s? `patio plugins` lists them", r->kind);
    }
    return describe_plugin(r);
}

int cmd_describe(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_config_argp, 0, "Configuration:", 10}, {0}};
    static const struct argp       parser     = {
                  options, parse, "transport NAME\nexecutor NAME\ntasks -m TASKS.so", doc, children,
                  NULL,    NULL};

    request r = {0};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &r);
    int code = run(&r);
    cli_options_fini(&r.common);
    return code;
}
