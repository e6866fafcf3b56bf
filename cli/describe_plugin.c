/* describe_plugin.c: one plugin, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "describe.h"
#include "plugin_json.h"
#include "table.h"

static void print_caps(const patio_plugin_info *info)
{
    cli_table table = {0};
    for (const cli_cap *cap = cli_caps_of(info->kind); cap->word != NULL; cap++) {
        CLI_ROW(&table, (info->caps & cap->bit) != 0 ? "yes" : "no", cap->word, cap->text);
    }
    if (table.cell_count > 0) {
        printf("\nCapabilities:\n");
        cli_table_print(&table, "  ");
    }
}

/* "1..64", "a|b|c"; "" without limits. */
static void limits_text(const patio_option *option, char *text, size_t room)
{
    const char *unit = option->type == PATIO_OPTION_MS     ? " ms"
                       : option->type == PATIO_OPTION_SIZE ? " bytes"
                                                           : "";
    if (option->choices != NULL) {
        (void)snprintf(text, room, "%s", option->choices);
    } else if (option->min != 0 || option->max != 0) {
        (void)snprintf(text, room, "%" PRId64 "..%" PRId64 "%s", option->min, option->max, unit);
    } else {
        text[0] = '\0';
    }
}

static void print_options(const patio_option *const *options, const char *title)
{
    cli_table table = {0};
    CLI_ROW(&table, "OPTION", "TYPE", "DEFAULT", "LIMITS", "MEANING");
    for (size_t i = 0; options[i] != NULL; i++) {
        const patio_option *option = options[i];
        char                limits[256];
        limits_text(option, limits, sizeof(limits));
        const char *fallback = option->fallback == NULL      ? "(required)"
                               : option->fallback[0] == '\0' ? "(none)"
                                                             : option->fallback;
        CLI_ROW(&table, option->name, cli_option_type(option), fallback, limits, option->help);
    }
    printf("\n%s:\n", title);
    cli_table_print(&table, "  ");
}

void cli_describe_plugin(const patio_plugin_info *info)
{
    printf("%s %s %s: %s\n", info->kind, info->name, info->version, info->summary);
    if (info->abi_major != 0) {
        printf("  ABI %u.%u, license %s, %s\n", info->abi_major, info->abi_minor, info->license,
               info->path);
        print_caps(info);
    }
    if (info->options != NULL && info->options[0] != NULL) {
        print_options(info->options, "Options");
    } else {
        printf("\nOptions: none\n");
    }
    if (info->task_options != NULL && info->task_options[0] != NULL) {
        print_options(info->task_options, "For one task, as tasks.NAME.OPTION");
    }
}
