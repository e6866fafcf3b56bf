/* docgen options|errors: print a page of docs/ from the tables in the code, as Markdown. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <patio/executor.h>
#include <patio/patio.h>
#include <patio/transport.h>

#include "config/config.h"
#include "config/options.h"
#include "layer/fault.h"

#define NOTICE "<!-- Printed by tools/docgen.c; renew with scripts/generate-docs. -->\n\n"

/* ---- options ---- */

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

static bool print_options(void)
{
    patio_runtime *runtime = NULL;
    patio_error    err     = PATIO_ERROR_INIT;
    if (patio_runtime_create(NULL, &runtime, &err) != PATIO_OK) {
        fprintf(stderr, "docgen: %s\n", err.message);
        return false;
    }
    puts("# Options\n\n" NOTICE
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

/* ---- errors ---- */

/* What to do about it; every status but OK has a line. */
static const char *advice(patio_status status)
{
    switch (status) {
    case PATIO_INVALID:
        return "a mistake in the calling code: the error names the argument";
    case PATIO_UNSUPPORTED:
        return "the transport or executor lacks a capability, which the error names: ask for "
               "less, or choose another";
    case PATIO_ABI:
        return "rebuild the plugin or the task module against this patio";
    case PATIO_NOT_FOUND:
        return "the error lists where it was looked for, and names that are near";
    case PATIO_EXISTS:
        return "give one of the two another name";
    case PATIO_CONFIG:
        return "the error names key, file and line";
    case PATIO_TYPE:
        return "the value is of another type: look at its `type`, or at what the task returns";
    case PATIO_TOO_LARGE:
        return "raise `max_body_bytes` on both sides, or pass a reference instead of the data";
    case PATIO_STATE:
        return "the order of calls is wrong: before start, after stop, on a locked registry";
    case PATIO_CLOSED:
        return "the transport or executor was stopped meanwhile";
    case PATIO_CANCELLED:
        return "somebody cancelled it, or the broker was stopped";
    case PATIO_TIMEOUT:
        return "no answer by the deadline; of a call: the task may still run; of a send: it may "
               "have been accepted";
    case PATIO_STALE:
        return "for plugins: the delivery is settled or another worker has it";
    case PATIO_NO_MEMORY:
        return "nothing was changed: try again with less";
    case PATIO_FULL:
        return "a bound is reached, which the error names: slow down and try again";
    case PATIO_BLOCKED:
        return "the broker has no room for now: try again later";
    case PATIO_IO:
        return "the system's own words are in the error";
    case PATIO_PROTOCOL:
        return "the other side speaks something else: check its version";
    case PATIO_AUTH:
        return "check user, password or certificate; trying again does not help";
    case PATIO_NO_ROUTE:
        return "start a worker that has the task, or call with PATIO_CALL_WAIT_ROUTE";
    case PATIO_PEER_LOST:
        return "it may or may not have run: repeat it if it is idempotent";
    case PATIO_UNREACHABLE:
        return "try again later; the transport reconnects by itself";
    case PATIO_TASK_FAILED:
        return "the task's own code, type and message: patio_future_error";
    case PATIO_TASK_CRASHED:
        return "the worker's log has the place";
    case PATIO_TASK_RETRY:
        return "what a task function returns; callers do not see it";
    case PATIO_TASK_SNOOZE:
        return "what a task function returns; callers do not see it";
    case PATIO_INTERNAL:
        return "please report it";
    default:
        return NULL;
    }
}

static const char *class_of(patio_status status)
{
    switch (status / 100) {
    case 1:
        return "1xx: the caller's mistake";
    case 2:
        return "2xx: state and time";
    case 3:
        return "3xx: resources";
    case 4:
        return "4xx: the peer or the link";
    case 5:
        return "5xx: the task";
    default:
        return "9xx: a bug";
    }
}

static bool print_errors(void)
{
    static const patio_status all[] = {
#define PATIO_X(name, value, text) value,
        PATIO_STATUS_MAP(PATIO_X)
#undef PATIO_X
    };
    puts("# Errors\n\n" NOTICE
         "Every function that can fail returns a `patio_status`, 0 (`PATIO_OK`) for success, and "
         "fills a `patio_error`\n"
         "with what was attempted, on what, and why it failed. How to handle them: "
         "[calls.md](calls.md#errors).\n"
         "The numbers never change; new ones may come.\n");
    const char *class = "";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] == PATIO_OK) {
            continue;
        }
        if (advice(all[i]) == NULL) {
            fprintf(stderr, "docgen: say in advice() what to do about %s\n",
                    patio_status_name(all[i]));
            return false;
        }
        if (strcmp(class, class_of(all[i])) != 0) {
            class = class_of(all[i]);
            printf("%s## %s\n\n| status | number | meaning | what to do |\n| --- | --- | --- | --- "
                   "|\n",
                   i > 1 ? "\n" : "", class);
        }
        printf("| `%s` | %d | %s | %s |\n", patio_status_name(all[i]), all[i],
               patio_status_text(all[i]), advice(all[i]));
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *page = argc == 2 ? argv[1] : "";
    bool        good = false;
    if (strcmp(page, "options") == 0) {
        good = print_options();
    } else if (strcmp(page, "errors") == 0) {
        good = print_errors();
    } else {
        fputs("usage: docgen options|errors\n", stderr);
        return 2;
    }
    return good && fflush(stdout) == 0 ? 0 : 1;
}
