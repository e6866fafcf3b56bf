/* main.c: the table of commands, and the way from argv to one of them. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include <patio/runtime.h>

#include "base/text.h"
#include "commands.h"
#include "exits.h"

const cli_command cli_commands[] = {
#define CLI_X(name, summary) {#name, "patio " #name, summary, cmd_##name},
    CLI_COMMANDS(CLI_X)
#undef CLI_X
        {NULL, NULL, NULL, NULL},
};

const cli_command *cli_command_find(const char *name)
{
    for (const cli_command *c = cli_commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

void cli_command_unknown(const char *name)
{
    pt_near near;
    pt_near_init(&near, name);
    for (const cli_command *c = cli_commands; c->name != NULL; c++) {
        pt_near_try(&near, c->name);
    }
    if (near.best != NULL) {
        fprintf(stderr, "patio: no command \"%s\"; did you mean \"%s\"?\n", name, near.best);
    } else {
        fprintf(stderr, "patio: no command \"%s\"; `patio help` lists them\n", name);
    }
}

/* The command and the library may come from different builds; a bug report needs both numbers. */
static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "patio %s\n", PATIO_VERSION);
    if (strcmp(patio_version(), PATIO_VERSION) != 0) {
        fprintf(stream, "libpatio %s\n", patio_version());
    }
    fprintf(stream, "plugin ABI %u.%u\n", PATIO_ABI_MAJOR, PATIO_ABI_MINOR);
}

int main(int argc, char **argv)
{
    argp_program_version_hook = print_version;
    argp_err_exit_status      = CLI_EXIT_USAGE;

    if (argc < 2) {
        (void)cmd_help(1, (char *[]){(char[]){"patio help"}, NULL});
        return CLI_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        print_version(stdout, NULL);
        return CLI_EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return cmd_help(1, (char *[]){(char[]){"patio help"}, NULL});
    }
    const cli_command *command = cli_command_find(argv[1]);
    if (command == NULL) {
        cli_command_unknown(argv[1]);
        return CLI_EXIT_USAGE;
    }
    char title[64];
    (void)snprintf(title, sizeof(title), "%s", command->title);
    argv[1] = title;
    return command->run(argc - 1, argv + 1);
}
