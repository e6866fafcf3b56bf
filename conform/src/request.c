#include "request.h"

#include <argp.h>
#include <stdlib.h>

enum {
    KEY_URL = 0x100,
    KEY_LISTEN,
    KEY_KIND,
    KEY_JSON,
    KEY_JUNIT,
    KEY_LIST,
    KEY_ONLY,
    KEY_SKIP,
    KEY_SEED,
    KEY_REDELIVERY,
    KEY_IN_PROCESS,
    KEY_VERBOSE,
    KEY_TASK,
    KEY_LASTING,
};

static const struct argp_option options[] = {
    {"url", KEY_URL, "URL", 0,
     "Where the instances meet; %p is a free port for each, %c the case, %r the run", 1},
    {"listen", KEY_LISTEN, "URL", 0,
     "URL of the listening side, where peers connect to each other; else it is made from --url", 1},
    {"kind", KEY_KIND, "KIND", 0, "transport or executor; else by the folder of the plugin", 1},
    {"option", 'o', "KEY=VALUE", 0, "An option of the executor; again for more", 1},
    {"task", KEY_TASK, "KEY=VALUE", 0,
     "For an executor of programs: an option of a task that ends at once (command=cat); again for "
     "more",
     1},
    {"lasting", KEY_LASTING, "KEY=VALUE", 0,
     "The same of a task that lasts until it is ended (command=sleep 600)", 1},
    {"redelivery", KEY_REDELIVERY, "MS", 0,
     "How long a dead worker's tasks may take to come back; else from the plugin's lease_ms", 1},
    {"only", KEY_ONLY, "N,M-K", 0, "Only these cases", 2},
    {"skip", KEY_SKIP, "N,M-K", 0, "Not these cases", 2},
    {"jobs", 'j', "N", 0, "Cases side by side (default 4)", 2},
    {"seed", KEY_SEED, "N", 0, "Begin the kit's random numbers so", 2},
    {"list", KEY_LIST, NULL, 0, "Print the cases and end", 2},
    {"json", KEY_JSON, "FILE", 0, "Write a report as JSON", 3},
    {"junit", KEY_JUNIT, "FILE", 0, "Write a report as JUnit XML", 3},
    {"verbose", KEY_VERBOSE, NULL, 0, "Show the plugin's log", 3},
    {"in-process", KEY_IN_PROCESS, NULL, 0, "Do not fork; for a debugger", 3},
    {NULL, 'h', NULL, OPTION_HIDDEN, NULL, 3},
    {0},
};

static const char doc[] =
    "Check a plugin against the delivery contract and the plugin ABI, case by case."
    "\v"
    "A case whose capability the plugin does not declare is listed as refused, and it is checked "
    "that the plugin does refuse it by name. Exit code: 0 nothing failed, 1 something did, 2 wrong "
    "usage.";

static bool parse_ranges(const char *text, kit_range *out, size_t *count)
{
    while (*text != '\0' && *count < KIT_RANGES_MAX) {
        char         *end   = NULL;
        unsigned long first = strtoul(text, &end, 10);
        unsigned long last  = first;
        if (end == text) {
            return false;
        }
        if (*end == '-') {
            text = end + 1;
            last = strtoul(text, &end, 10);
            if (end == text) {
                return false;
            }
        }
        out[(*count)++] = (kit_range){(uint32_t)first, (uint32_t)last};
        if (*end != ',' && *end != '\0') {
            return false;
        }
        text = *end == ',' ? end + 1 : end;
    }
    return *text == '\0';
}

static void need_ranges(struct argp_state *state, const char *arg, kit_range *out, size_t *count)
{
    if (!parse_ranges(arg, out, count)) {
        argp_error(state, "\"%s\" is no list of cases such as 12,30-40", arg);
    }
}

static uint64_t need_number(struct argp_state *state, const char *arg)
{
    char              *end    = NULL;
    unsigned long long number = strtoull(arg, &end, 10);
    if (end == arg || *end != '\0') {
        argp_error(state, "\"%s\" is no number", arg);
    }
    return number;
}

static error_t parse_text(int key, const char *arg, kit_request *r)
{
    switch (key) {
    case KEY_URL:
        r->options.url = arg;
        return 0;
    case KEY_LISTEN:
        r->options.listen = arg;
        return 0;
    case KEY_KIND:
        r->options.kind = arg;
        return 0;
    case KEY_JSON:
        r->json = arg;
        return 0;
    case KEY_JUNIT:
        r->junit = arg;
        return 0;
    case KEY_LIST:
        r->list = true;
        return 0;
    case KEY_VERBOSE:
        r->options.verbose = true;
        return 0;
    case KEY_IN_PROCESS:
        r->options.in_process = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void add_setting(struct argp_state *state, const char *arg, const char **list, size_t *count)
{
    if (*count == KIT_SETTINGS_MAX) {
        argp_error(state, "more than %d options", KIT_SETTINGS_MAX);
    }
    list[(*count)++] = arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    kit_request *r = state->input;
    switch (key) {
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case 'o':
        add_setting(state, arg, r->settings, &r->options.setting_count);
        return 0;
    case KEY_TASK:
        add_setting(state, arg, r->task, &r->options.task_count);
        return 0;
    case KEY_LASTING:
        add_setting(state, arg, r->lasting, &r->options.lasting_count);
        return 0;
    case 'j':
        r->options.jobs = (uint32_t)need_number(state, arg);
        if (r->options.jobs == 0) {
            argp_error(state, "--jobs takes 1 or more, not \"%s\"", arg);
        }
        return 0;
    case KEY_SEED:
        r->options.seed = need_number(state, arg);
        return 0;
    case KEY_REDELIVERY:
        r->options.redelivery_ms = need_number(state, arg);
        return 0;
    case KEY_ONLY:
        need_ranges(state, arg, r->only, &r->only_count);
        return 0;
    case KEY_SKIP:
        need_ranges(state, arg, r->skip, &r->skip_count);
        return 0;
    case ARGP_KEY_ARG:
        if (r->options.plugin != NULL) {
            argp_error(state, "one plugin at a time: \"%s\" is one too many", arg);
        }
        r->options.plugin = arg;
        return 0;
    case ARGP_KEY_END:
        if (r->options.plugin == NULL && !r->list) {
            argp_error(state, "which plugin? Give the path of its shared library");
        }
        return 0;
    default:
        return parse_text(key, arg, r);
    }
}

bool kit_request_read(kit_request *r, int argc, char **argv)
{
    static const struct argp parser = {options, parse, "PLUGIN.so", doc, NULL, NULL, NULL};
    *r                              = (kit_request){.options = {.jobs = 4, .seed = 1}};
    r->options.settings             = r->settings;
    r->options.task                 = r->task;
    r->options.lasting              = r->lasting;
    (void)argp_parse(&parser, argc, argv, 0, NULL, r);
    static char path[4096];
    if (r->options.plugin != NULL && strchr(r->options.plugin, '/') == NULL) {
        (void)snprintf(path, sizeof(path), "./%s", r->options.plugin);
        r->options.plugin = path;
    }
    if (r->options.kind == NULL) {
        bool executor =
            r->options.plugin != NULL && strstr(r->options.plugin, "executors/") != NULL;
        r->options.kind = executor ? "executor" : "transport";
    }
    if (r->options.url == NULL && strcmp(r->options.kind, "transport") == 0 && !r->list) {
        (void)fprintf(stderr, "patio conform: a transport needs --url: where do its instances "
                              "meet?\n");
        return false;
    }
    return true;
}
