/* cmd_help.c: `patio help`: commands, exit codes, statuses. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include <patio/runtime.h>

#include "commands.h"
#include "exits.h"
#include "result.h"
#include "table.h"

static const char doc[] = "Explain a command, or one of these topics:"
                          "\v"
                          "  exit-codes   what the exit code of patio says\n"
                          "  errors       every status, its number, its meaning and its exit code";

static void print_overview(void)
{
    printf("Usage: patio COMMAND [OPTION...]\n"
           "Distributed task execution: run tasks, call them, look at what is installed.\n\n"
           "Commands:\n");
    cli_table table = {0};
    for (const cli_command *c = cli_commands; c->name != NULL; c++) {
        CLI_ROW(&table, c->name, c->summary);
    }
    cli_table_print(&table, "  ");
    printf(
        "\nOptions:\n"
        "  -h, --help     print this text\n"
        "  -V, --version  print the version of patio and of its plugin ABI\n\n"
        "`patio help COMMAND` says more of one, `patio help exit-codes` and `patio help errors`\n"
        "list what can go wrong. Everything can also be set in a file (-f patio.yaml) or in the\n"
        "environment (PATIO_BROKER, PATIO_PROJECT, PATIO_EXECUTOR, PATIO_WORKERS ...).\n\n"
        "Examples:\n"
        "  patio describe tasks -m demo\n"
        "  patio call -b memory:// -m demo mul 2 3 4\n");
}

static void print_exit_codes(void)
{
    cli_table table = {0};
    CLI_ROW(&table, "CODE", "MEANING");
#define CLI_X(name, code, text) CLI_ROW(&table, #code, text);
    CLI_EXIT_MAP(CLI_X)
#undef CLI_X
    cli_table_print(&table, "");
    printf("\n`patio help errors` says which status gives which code.\n");
}

static void print_errors(void)
{
    static const struct {
        patio_status status;
        const char  *number;
        const char  *text;
    } rows[] = {
#define CLI_X(name, value, text) {PATIO_##name, #value, text},
        PATIO_STATUS_MAP(CLI_X)
#undef CLI_X
    };
    cli_table table = {0};
    CLI_ROW(&table, "STATUS", "NUMBER", "EXIT", "MEANING");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char code[8];
        (void)snprintf(code, sizeof(code), "%d", cli_exit_code(rows[i].status));
        CLI_ROW(&table, patio_status_name(rows[i].status), rows[i].number, code, rows[i].text);
    }
    cli_table_print(&table, "");
    printf(
        "\nNumbers: 1xx the caller's mistake, 2xx state and time, 3xx resources, 4xx the peer or "
        "the\nlink, 5xx the task, 9xx a bug.\n");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **topic = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*topic != NULL) {
            argp_error(state, "unexpected argument \"%s\"", arg);
        }
        *topic = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int help_command(const char *name)
{
    const cli_command *command = cli_command_find(name);
    if (command == NULL) {
        cli_command_unknown(name);
        return CLI_EXIT_USAGE;
    }
    char  title[64];
    char  option[] = "--help";
    char *argv[]   = {title, option, NULL};
    (void)snprintf(title, sizeof(title), "%s", command->title);
    return command->run(2, argv);
}

int cmd_help(int argc, char **argv)
{
    static const struct argp parser = {NULL, parse, "[COMMAND|TOPIC]", doc, NULL, NULL, NULL};
    const char              *topic  = NULL;
    (void)argp_parse(&parser, argc, argv, 0, NULL, (void *)&topic);
    if (topic == NULL) {
        print_overview();
    } else if (strcmp(topic, "exit-codes") == 0) {
        print_exit_codes();
    } else if (strcmp(topic, "errors") == 0) {
        print_errors();
    } else {
        return help_command(topic);
    }
    return cli_finish_output();
}
