#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pin.h"

enum {
    KEY_MODE = 256,
    KEY_IN_FLIGHT,
    KEY_COUNT,
    KEY_SIZE,
    KEY_REPEAT,
    KEY_THREADS,
    KEY_MAX_SECONDS,
    KEY_COMPLETION,
    KEY_PIN,
    KEY_REMOTE,
    KEY_NO_FLOORS,
    KEY_JSON,
    KEY_COUNT_ALLOCATIONS,
};

/* Samples are 8 bytes each and all of them are kept: this bounds them to 400 MB. */
#define COUNT_MAX     UINT64_C(50000000)
#define IN_FLIGHT_MAX UINT64_C(1000000)
#define SIZE_MAX_     (UINT64_C(64) << 20)

static const struct argp_option table[] = {
    {0, 0, 0, 0, "What to measure:", 1},
    {"mode", KEY_MODE, "MODE", 0,
     "call: call and get the result (default); send: send, then wait until all were executed; "
     "queue: "
     "memory of tasks that wait in the queue",
     1},
    {"in-flight", KEY_IN_FLIGHT, "N", 0,
     "Calls under way at once per calling thread (default 1; 256 for send and queue)", 1},
    {"completion", KEY_COMPLETION, "HOW", 0,
     "With more than one in flight: wait for the oldest (wait, default) or be called (callback)",
     1},
    {"count", KEY_COUNT, "N", 0,
     "Calls of one repetition (default 50000 one by one, 500000 in flight, 100000 for queue); a "
     "tenth "
     "more goes before as warm-up",
     1},
    {"size", KEY_SIZE, "BYTES", 0, "Bytes each task carries there and back (default 100)", 1},
    {"threads", KEY_THREADS, "T", 0, "Calling threads (default 1)", 1},
    {"count-allocations", KEY_COUNT_ALLOCATIONS, 0, 0,
     "Count allocations per call; the counting itself costs time", 1},
    {0, 0, 0, 0, "What to measure it with:", 2},
    {"broker", 'b', "URL", 0, "Transport (default memory://)", 2},
    {"executor", 'x', "NAME", 0, "Executor", 2},
    {"workers", 'j', "N", 0, "Tasks that the executor runs side by side", 2},
    {"project", 'p', "NAME", 0, "Project", 2},
    {"option", 'o', "KEY=VALUE", 0, "Any configuration key; may be repeated", 2},
    {"remote", KEY_REMOTE, 0, 0,
     "Only call; the tasks are executed elsewhere, by workers that have the module bench_tasks", 2},
    {0, 0, 0, 0, "How:", 3},
    {"repeat", KEY_REPEAT, "R", 0, "Repetitions, of which the median is shown (default 3)", 3},
    {"pin", KEY_PIN, "HOW", 0,
     "same: everything on one core; split: callers on one, patio on another; none (default)", 3},
    {"no-floors", KEY_NO_FLOORS, 0, 0, "Do not measure what the machine itself can do", 3},
    {"max-seconds", KEY_MAX_SECONDS, "S", 0, "Stop measuring after that time (default 60)", 3},
    {"json", KEY_JSON, 0, 0, "Print one JSON object", 3},
    {0},
};

static uint64_t parse_number(struct argp_state *state, const char *what, const char *text,
                             uint64_t min, uint64_t max)
{
    char *end = NULL;
    errno     = 0;
    /* strtoull takes a sign and white space; neither is a count. */
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || *end != '\0' || number < min ||
        number > max) {
        argp_error(state, "%s: expected a number from %llu to %llu, got \"%s\"", what,
                   (unsigned long long)min, (unsigned long long)max, text);
    }
    return number;
}

static int parse_word(struct argp_state *state, const char *what, const char *text,
                      const char *(*name_of)(int), int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, name_of(i)) == 0) {
            return i;
        }
    }
    argp_error(state, "%s: \"%s\" is not one of its words, see --help", what, text);
    return 0;
}

static void add_setting(struct argp_state *state, bench_options *opt, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        argp_error(state, "-o: expected key=value, got \"%s\"", text);
    } else if (opt->setting_count == BENCH_SETTINGS_MAX) {
        argp_error(state, "-o: at most %u settings", BENCH_SETTINGS_MAX);
    } else {
        opt->settings[opt->setting_count++] = text;
    }
}

/* Defaults that depend on other options. */
static void finish(struct argp_state *state, bench_options *opt)
{
    if (opt->in_flight == 0) {
        opt->in_flight = opt->mode == BENCH_MODE_CALL ? 1 : 256;
    }
    if (opt->count == 0) {
        opt->count = opt->mode == BENCH_MODE_QUEUE ? 100000 : opt->in_flight == 1 ? 50000 : 500000;
    }
    if (opt->mode == BENCH_MODE_QUEUE) {
        /* What one repetition frees stays in the process and would hide the next one's memory. */
        opt->repeat = 1;
        if (opt->remote) {
            argp_error(state, "--mode queue needs workers of its own to hold back, not --remote");
        }
    }
    if (opt->completion == BENCH_COMPLETION_CALLBACK && opt->mode != BENCH_MODE_CALL) {
        argp_error(state, "--completion callback is for --mode call");
    }
    if (opt->threads > opt->count) {
        argp_error(state, "--threads: more threads than calls");
    }
}

static error_t parse_how(int key, char *arg, struct argp_state *state, bench_options *opt)
{
    switch (key) {
    case KEY_REPEAT:
        opt->repeat = parse_number(state, "--repeat", arg, 1, 1000);
        return 0;
    case KEY_PIN:
        opt->pin = parse_word(state, "--pin", arg, bench_pin_name, 3);
        return 0;
    case KEY_NO_FLOORS:
        opt->floors = false;
        return 0;
    case KEY_MAX_SECONDS:
        opt->max_seconds = parse_number(state, "--max-seconds", arg, 1, 86400);
        return 0;
    case KEY_JSON:
        opt->json = true;
        return 0;
    case ARGP_KEY_END:
        finish(state, opt);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_with(int key, char *arg, struct argp_state *state, bench_options *opt)
{
    switch (key) {
    case 'b':
        opt->url = arg;
        return 0;
    case 'x':
        opt->executor = arg;
        return 0;
    case 'j':
        opt->workers = arg;
        return 0;
    case 'p':
        opt->project = arg;
        return 0;
    case 'o':
        add_setting(state, opt, arg);
        return 0;
    case KEY_REMOTE:
        opt->remote = true;
        return 0;
    default:
        return parse_how(key, arg, state, opt);
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    bench_options *opt = state->input;
    switch (key) {
    case KEY_MODE:
        opt->mode = parse_word(state, "--mode", arg, bench_mode_name, 3);
        return 0;
    case KEY_COMPLETION:
        opt->completion = parse_word(state, "--completion", arg, bench_completion_name, 2);
        return 0;
    case KEY_IN_FLIGHT:
        opt->in_flight = parse_number(state, "--in-flight", arg, 1, IN_FLIGHT_MAX);
        return 0;
    case KEY_COUNT:
        opt->count = parse_number(state, "--count", arg, 1, COUNT_MAX);
        return 0;
    case KEY_SIZE:
        opt->size_bytes = parse_number(state, "--size", arg, 0, SIZE_MAX_);
        return 0;
    case KEY_THREADS:
        opt->threads = parse_number(state, "--threads", arg, 1, 1024);
        return 0;
    case KEY_COUNT_ALLOCATIONS:
        opt->count_allocations = true;
        return 0;
    default:
        return parse_with(key, arg, state, opt);
    }
}

void bench_options_parse(int argc, char **argv, bench_options *out)
{
    static const struct argp argp = {
        .options = table,
        .parser  = parse_option,
        .doc = "Measure what a call, a send or a queued task costs, beside what the machine itself "
               "can do. Every result is checked.",
    };
    *out = (bench_options){.url         = "memory://",
                           .size_bytes  = 100,
                           .repeat      = 3,
                           .threads     = 1,
                           .max_seconds = 60,
                           .floors      = true};
    /* Without ARGP_NO_EXIT argp_parse comes back only with a good command line. */
    (void)argp_parse(&argp, argc, argv, 0, NULL, out);
}

const char *bench_mode_name(int mode)
{
    static const char *const names[] = {"call", "send", "queue"};
    return names[mode];
}

const char *bench_completion_name(int completion)
{
    static const char *const names[] = {"wait", "callback"};
    return names[completion];
}
