#include "operation.h"

#include <json-c/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "parse.h"

enum {
    KEY_JSON = 0x500,
    KEY_ALL,
    KEY_LIMIT,
    KEY_TIMEOUT,
    KEY_HOST,
    KEY_PID,
    KEY_WORKERS,
    LIMIT       = 100,
    OPTIONS_MAX = 8,
};

typedef struct parsing {
    cli_operation            *op;
    const cli_operation_spec *spec;
} parsing;

static bool parse_number(const char *arg, unsigned long least, unsigned long most,
                         unsigned long *out)
{
    char         *end = NULL;
    unsigned long n   = strtoul(arg, &end, 10);
    if (arg[0] < '0' || arg[0] > '9' || *end != '\0' || n < least || n > most) {
        return false;
    }
    *out = n;
    return true;
}

static bool parse_limit(const char *arg, uint32_t *out)
{
    unsigned long n  = 0;
    bool          ok = parse_number(arg, 1, UINT32_MAX, &n);
    *out             = ok ? (uint32_t)n : *out;
    return ok;
}

/* Those of `patio health`. */
static error_t parse_probe(int key, const char *arg, struct argp_state *state, cli_operation *op)
{
    unsigned long n = 0;
    switch (key) {
    case KEY_HOST:
        op->host = arg;
        return 0;
    case KEY_PID:
        if (!parse_number(arg, 1, INT32_MAX, &n)) {
            argp_error(state, "--pid wants the number of a process, not \"%s\"", arg);
        }
        op->pid = n;
        return 0;
    case KEY_WORKERS:
        if (!parse_number(arg, 0, UINT32_MAX, &n)) {
            argp_error(state, "--workers wants a number from 0 on, not \"%s\"", arg);
        }
        op->workers_wanted = n;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    parsing       *p  = state->input;
    cli_operation *op = p->op;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &op->common;
        state->child_inputs[1] = &op->common;
        return 0;
    case KEY_JSON:
        op->json = true;
        return 0;
    case KEY_ALL:
        op->all = true;
        return 0;
    case 'q':
        cli_list_add(&op->queues, arg);
        return 0;
    case KEY_LIMIT:
        if (!parse_limit(arg, &op->limit)) {
            argp_error(state, "--limit wants a number from 1 on, not \"%s\"", arg);
        }
        return 0;
    case KEY_TIMEOUT:
        if (!cli_parse_duration(arg, &op->timeout_ms)) {
            argp_error(state, "--timeout wants a time such as 500ms or 5s, not \"%s\"", arg);
        }
        return 0;
    case ARGP_KEY_ARG:
        if (op->word_count >= p->spec->words_max) {
            argp_error(state, "unexpected argument \"%s\"", arg);
            return EINVAL;
        }
        op->words[op->word_count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (op->word_count < p->spec->words_min) {
            argp_error(state, "%s is missing", p->spec->words);
        }
        return 0;
    default:
        return parse_probe(key, arg, state, op);
    }
}

static void fill_options(uint32_t takes, struct argp_option out[OPTIONS_MAX])
{
    size_t n = 0;
    memset(out, 0, OPTIONS_MAX * sizeof(out[0]));
    if ((takes & CLI_TAKES_QUEUE) != 0) {
        out[n++] = (struct argp_option){
            "queue", 'q', "QUEUE", 0, "This queue; again for more where it makes sense", 2};
    }
    if ((takes & CLI_TAKES_ALL) != 0) {
        out[n++] =
            (struct argp_option){"all", KEY_ALL, NULL, 0, "All of them, instead of one ID", 2};
    }
    if ((takes & CLI_TAKES_LIMIT) != 0) {
        out[n++] = (struct argp_option){"limit", KEY_LIMIT, "N", 0, "At most so many (100)", 2};
    }
    if ((takes & CLI_TAKES_JSON) != 0) {
        out[n++] = (struct argp_option){"json", KEY_JSON, NULL, 0, "Print JSON", 2};
    }
    if ((takes & CLI_PROBES) != 0) {
        out[n++] = (struct argp_option){
            "workers", KEY_WORKERS, "N", 0, "How many workers must be ready (1)", 2};
        out[n++] = (struct argp_option){
            "pid", KEY_PID, "PID", 0, "Only the worker with this process number", 2};
        out[n++] = (struct argp_option){
            "host", KEY_HOST, "NAME", 0, "Only workers of this host; with --pid: this one", 2};
    }
    if ((takes & CLI_NO_START) == 0) {
        out[n++] = (struct argp_option){
            "timeout", KEY_TIMEOUT, "TIME", 0, "How long an answer may take (5s)", 2};
    }
}

static patio_status open_broker(cli_operation *op, patio_config *config, bool start,
                                patio_runtime **runtime, const char **what, patio_error *err)
{
    patio_runtime_options wanted = {PATIO_SIZED(patio_runtime_options),
                                    .log_level = PATIO_LOG_ERROR, .config = config};
    *what                        = "set up the broker";
    patio_status st              = patio_runtime_create(&wanted, runtime, err);
    if (st == PATIO_OK) {
        /* without a registry: whoever looks after workers is none */
        st = patio_broker_create(*runtime, NULL, config, &op->broker, err);
    }
    if (st == PATIO_OK && start) {
        *what = "start the broker";
        st    = patio_broker_start(op->broker, err);
    }
    return st;
}

static int open_and_run(cli_operation *op, const cli_operation_spec *spec)
{
    patio_error    err     = PATIO_ERROR_INIT;
    patio_config  *config  = NULL;
    patio_runtime *runtime = NULL;
    const char    *what    = "read the configuration";
    bool           start   = (spec->takes & (CLI_NO_START | CLI_PROBES | CLI_STARTS)) == 0;
    bool           whole   = (spec->takes & CLI_PROBES) != 0 || op->timeout_ms < CLI_CONNECT_MS;
    op->common.connect_ms  = whole ? op->timeout_ms : 0;
    patio_status st        = cli_options_config(&op->common, "error", &config, &err);
    if (st != PATIO_OK) {
        return cli_fail_setup(what, st, &err);
    }
    int code = CLI_EXIT_OK;
    if (!cli_config_has_broker(config)) {
        code = cli_usage(op->command, "no broker is named: give -b URL, set PATIO_BROKER, or write "
                                      "\"broker:\" into a file for -f");
    } else {
        st   = open_broker(op, config, start, &runtime, &what, &err);
        code = st == PATIO_OK ? spec->run(op) : cli_fail(what, st, &err);
    }
    patio_broker_destroy(op->broker);
    patio_runtime_destroy(runtime);
    patio_config_destroy(config);
    return code;
}

int cli_operation_main(const cli_operation_spec *spec, int argc, char **argv)
{
    struct argp_option             options[OPTIONS_MAX];
    static const struct argp_child children[] = {
        {&cli_reach_argp, 0, NULL, 0}, {&cli_config_argp, 0, "Configuration:", 10}, {0}};
    fill_options(spec->takes, options);
    const struct argp parser = {options, parse, spec->words, spec->doc, children, NULL, NULL};
    cli_operation op = {.command = spec->command, .limit = LIMIT, .workers_wanted = CLI_NOT_SAID};
    parsing       p  = {.op = &op, .spec = spec};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &p);
    if ((spec->takes & CLI_TAKES_URL) != 0 && op.word_count > 0 &&
        strstr(op.words[op.word_count - 1], "://") != NULL) {
        cli_list_add(&op.common.brokers, op.words[--op.word_count]);
    }
    int code = open_and_run(&op, spec);
    cli_list_fini(&op.queues);
    cli_options_fini(&op.common);
    return code;
}

const char *cli_operation_queue(const cli_operation *op)
{
    return op->queues.count > 0 ? op->queues.items[0] : NULL;
}

bool cli_operation_id(const cli_operation *op, const char *word, patio_id *out)
{
    if (patio_id_parse(word, out) == PATIO_OK) {
        return true;
    }
    (void)cli_usage(op->command,
                    "\"%s\" is not an id: 32 hexadecimal digits, as `patio send` "
                    "prints them",
                    word);
    return false;
}

const char *cli_count_text(uint64_t count, char text[CLI_TEXT])
{
    if (count == PATIO_COUNT_UNKNOWN) {
        return NULL;
    }
    (void)snprintf(text, CLI_TEXT, "%" PRIu64, count);
    return text;
}

const char *cli_age_text(uint64_t ms, char text[CLI_TEXT])
{
    if (ms == PATIO_COUNT_UNKNOWN) {
        return NULL;
    }
    uint64_t s = ms / 1000;
    if (s < 60) {
        (void)snprintf(text, CLI_TEXT, "%.1f s", (double)ms / 1000.0);
    } else if (s < 3600) {
        (void)snprintf(text, CLI_TEXT, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    } else if (s < UINT64_C(48) * 3600) {
        (void)snprintf(text, CLI_TEXT, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    } else {
        (void)snprintf(text, CLI_TEXT, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
    }
    return text;
}

json_object *cli_json_count(uint64_t count)
{
    return count == PATIO_COUNT_UNKNOWN ? NULL : json_object_new_uint64(count);
}

void cli_json_text(json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, json_object_new_string(text));
}
