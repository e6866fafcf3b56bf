/* docs/options.md, from the option tables of the core and of all plugins. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <patio/executor.h>
#include <patio/patio.h>
#include <patio/transport.h>

#include "config/config.h"
#include "config/options.h"
#include "docgen.h"
#include "layer/fault.h"

static void print_size(int64_t bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t                   unit    = 0;
    while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    printf("%" PRId64 "%s", bytes, units[unit]);
}

static void print_duration(int64_t ms)
{
    static const struct {
        int64_t     ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            printf("%" PRId64 "%s", ms / units[i].ms, units[i].unit);
            return;
        }
    }
    printf("%" PRId64 "ms", ms);
}

static void print_number(const patio_option *o, int64_t number)
{
    if (o->type == PATIO_OPTION_SIZE) {
        print_size(number);
    } else if (o->type == PATIO_OPTION_MS) {
        print_duration(number);
    } else {
        printf("%" PRId64, number);
    }
}

/* What may be written: choices, or a range if there is one. */
static void print_allowed(const patio_option *o)
{
    if (o->choices != NULL) {
        for (const char *p = o->choices; *p != '\0'; p++) {
            if (*p == '|') {
                fputs(", ", stdout);
            } else {
                putchar(*p);
            }
        }
    } else if (o->min == 0 && o->max == 0) {
        fputs(pt_option_type_name(o->type), stdout);
    } else if (o->max == INT64_MAX) {
        printf("%s, at least ", pt_option_type_name(o->type));
        print_number(o, o->min);
    } else {
        printf("%s, ", pt_option_type_name(o->type));
        print_number(o, o->min);
        fputs(" to ", stdout);
        print_number(o, o->max);
    }
}

static void print_table(const patio_option *const *table, const char *prefix)
{
    if (table == NULL || table[0] == NULL) {
        puts("No options.");
        return;
    }
    puts("| option | default | allowed | meaning |\n| --- | --- | --- | --- |");
    for (; *table != NULL; table++) {
        const patio_option *o = *table;
        printf("| `%s%s` | ", prefix, o->name);
        if (o->fallback == NULL) {
            fputs("*must be given*", stdout);
        } else if (o->fallback[0] != '\0') {
            printf("`%s`", o->fallback);
        }
        fputs(" | ", stdout);
        print_allowed(o);
        printf(" | %s |\n", o->help);
    }
}

typedef struct capability {
    uint32_t    bit;
    const char *word;
    const char *text;
} capability;

static const capability transport_caps[] = {
#define PATIO_X(name, bit, word, text) {PATIO_CAP_##name, word, text},
    PATIO_TRANSPORT_CAP_MAP(PATIO_X)
#undef PATIO_X
        {0, NULL, NULL},
};
static const capability executor_caps[] = {
#define PATIO_X(name, bit, word, text) {PATIO_EXECUTOR_##name, word, text},
    PATIO_EXECUTOR_CAP_MAP(PATIO_X)
#undef PATIO_X
        {0, NULL, NULL},
};

static void print_caps(const capability *caps, uint32_t set)
{
    const char *between = "Capabilities: ";
    for (; caps->word != NULL; caps++) {
        if ((set & caps->bit) != 0) {
            printf("%s`%s`", between, caps->word);
            between = ", ";
        }
    }
    puts(set != 0 ? ".\n" : "No capabilities.\n");
}

typedef struct visit_state {
    const char *kind;
    bool        broken;
} visit_state;

static void visit(void *arg, const patio_plugin_info *info)
{
    visit_state *state = arg;
    if (info->status != PATIO_OK) {
        fprintf(stderr, "docgen: %s: %s\n", info->path, info->problem);
        state->broken = true;
        return;
    }
    if (strcmp(info->kind, state->kind) != 0) {
        return;
    }
    bool transport = strcmp(info->kind, "transport") == 0;
    printf("\n### %s\n\n%c%s. ", info->name, info->summary[0] - 'a' + 'A', info->summary + 1);
    print_caps(transport ? transport_caps : executor_caps, info->caps);
    print_table(info->options, "");
    if (info->task_options != NULL && info->task_options[0] != NULL) {
        puts("\nFor one task:\n");
        print_table(info->task_options, "tasks.NAME.");
    }
}

static bool print_plugins(patio_runtime *runtime, const char *kind)
{
    visit_state state = {.kind = kind};
    patio_error err   = PATIO_ERROR_INIT;
    if (patio_runtime_plugins(runtime, visit, &state, &err) != PATIO_OK) {
        fprintf(stderr, "docgen: %s\n", err.message);
        return false;
    }
    return !state.broken;
}

static void print_meanings(const capability *caps)
{
    puts("\n| capability | meaning |\n| --- | --- |");
    for (; caps->word != NULL; caps++) {
        printf("| `%s` | %s |\n", caps->word, caps->text);
    }
}

bool docgen_options(void)
{
    patio_runtime *runtime = NULL;
    patio_error    err     = PATIO_ERROR_INIT;
    if (patio_runtime_create(NULL, &runtime, &err) != PATIO_OK) {
        fprintf(stderr, "docgen: %s\n", err.message);
        return false;
    }
    puts("# Options\n\n" DOCGEN_NOTICE
         "Every option there is, with its default. Where to write them, and which source wins: "
         "[configuration.md](configuration.md).\n"
         "\n"
         "A duration is a number with `ms`, `s`, `min`, `h` or `d` (a bare number means "
         "milliseconds), "
         "or `none`. A size is a\n"
         "number with `KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB` (a bare number means bytes). A "
         "boolean "
         "is `true`, `yes`, `on`, `1`\n"
         "or `false`, `no`, `off`, `0`. A secret may be written as `env:NAME` or `file:PATH`.\n"
         "\n"
         "## Keys of a broker\n");
    print_table(pt_core_options, "");
    puts("\n## Log\n");
    print_table(pt_log_options, "log.");
    puts("\n## One task: `tasks.NAME.…`\n\nWhat is not written here is as the code said when it "
         "added the task.\n");
    print_table(pt_task_option_table, "");
    puts("\n## One queue: `queues.NAME.…`\n\nA worker that names queues takes tasks from these and "
         "no others, in the order they\nare written where `queue_order` is strict.\n");
    print_table(pt_queue_options, "");
    puts("\n## Transports\n\nIn the URL (`memory://?max_queued=1000`), or as `transport.…`.");
    bool good = print_plugins(runtime, "transport");
    puts(
        "\n### fault\n\nA transport behind `fault+` misbehaves repeatably, for tests of one's own "
        "tasks\n([testing.md](testing.md)): `fault+memory://?seed=7&drop=0.1`. These names are the "
        "layer's in such a URL; an\noption of the transport with the same name is set as "
        "`transport.…`.\n");
    print_table(pt_fault_options, "");
    print_meanings(transport_caps);
    puts("\n## Executors\n\nAs `executor.…` for the default executor, or `executors.NAME.…`.");
    good = print_plugins(runtime, "executor") && good;
    print_meanings(executor_caps);
    patio_runtime_destroy(runtime);
    return good;
}
