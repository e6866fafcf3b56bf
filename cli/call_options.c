#include "call_options.h"

#include <string.h>

#include "call_policy.h"
#include "json.h"
#include "parse.h"
#include "result.h"
#include "task_policy.h"

enum {
    KEY_KW = 0x300,
    KEY_TIMEOUT,
    KEY_JSON,
    KEY_PROGRESS,
    KEY_STDIN,
    KEY_CONTENT_TYPE,
    KEY_HEADER,
    KEY_WAIT_ROUTE,
    KEY_IDEMPOTENT,
    KEY_QUEUE,
    KEY_PRIORITY,
    KEY_DELAY,
    KEY_AT,
    KEY_DEDUP_KEY,
    KEY_DEDUP_WINDOW,
    KEY_DEDUP_CONFLICT,
    KEY_QUEUE_TTL,
    KEY_RESULT_TTL,
};

#define POLICY_OPTIONS                                                                             \
    {"dedup-key", KEY_DEDUP_KEY, "KEY", 0, "Drop it if a task with the same key is known", 3},     \
        {"dedup-window", KEY_DEDUP_WINDOW, "TIME", 0, "How long the key is remembered", 3},        \
        {"dedup-conflict",                                                                         \
         KEY_DEDUP_CONFLICT,                                                                       \
         "WORD",                                                                                   \
         0,                                                                                        \
         "With a known key: drop this one, attach it to the first one's result, or replace the "   \
         "first one while it waits",                                                               \
         3},                                                                                       \
        {"queue-ttl", KEY_QUEUE_TTL, "TIME", 0, "Too late to start after this time", 3},           \
    {                                                                                              \
        "result-ttl", KEY_RESULT_TTL, "TIME", 0, "Keep the result so long for `patio result`", 3   \
    }

#define PAYLOAD_OPTIONS                                                                            \
    {"kw", KEY_KW, "NAME=VALUE", 0, "A keyword argument; again for more", 2},                      \
        {"stdin", KEY_STDIN, NULL, 0, "Pass standard input as it is, not arguments", 2},           \
        {"content-type",                                                                           \
         KEY_CONTENT_TYPE,                                                                         \
         "TYPE",                                                                                   \
         0,                                                                                        \
         "What standard input is (default application/octet-stream)",                              \
         2},                                                                                       \
        {"header", KEY_HEADER, "NAME=TEXT", 0, "A header that the task can read; again for more",  \
         2},                                                                                       \
        {"queue", KEY_QUEUE, "NAME", 0, "Use this queue instead of the task's own", 3},            \
        {"priority", KEY_PRIORITY, "0-9", 0, "Higher is sooner (default: the task's, 4)", 3},      \
    {                                                                                              \
        "wait-route", KEY_WAIT_ROUTE, NULL, 0,                                                     \
            "Wait for a worker that knows the task, instead of failing at once", 3                 \
    }

static const struct argp_option call_option_table[] = {
    PAYLOAD_OPTIONS,
    {"timeout", KEY_TIMEOUT, "TIME", 0,
     "Deadline of the call: 500ms, 5s, 2min, forever (default: the task's, 30s)", 3},
    {"idempotent", KEY_IDEMPOTENT, NULL, 0,
     "It may run twice: give it to another worker if the first one is lost, instead of failing", 3},
    POLICY_OPTIONS,
    {"json", KEY_JSON, NULL, 0, "Print every result as JSON", 4},
    {"progress", KEY_PROGRESS, NULL, 0, "Show on standard error how far the task has come", 4},
    {0},
};

static const struct argp_option send_option_table[] = {
    PAYLOAD_OPTIONS,
    {"timeout", KEY_TIMEOUT, "TIME", 0, "How long to wait until the task is accepted (default 5s)",
     3},
    {"delay", KEY_DELAY, "TIME", 0, "Run it not before this time has passed: 10s, 5min, 2h", 3},
    {"at", KEY_AT, "TIME", 0,
     "Run it not before this time: 2026-12-24T18:00:00Z, without zone by this machine's; @SECONDS "
     "since 1970",
     3},
    POLICY_OPTIONS,
    {"json", KEY_JSON, NULL, 0, "Print id, level and duplicate as JSON", 4},
    {0},
};

#define ARGUMENTS_DOC                                                                              \
    "An argument that is JSON as a whole (5, -2.5, true, null, \"text\", [1,2], {\"a\":1}) is "    \
    "that "                                                                                        \
    "value; any other word is a string. To send the string 5, write '\"5\"'. Bytes are "           \
    "{\"$bytes\": \"<base64>\"}.\n\n"

static const char call_doc[] = "Call a task and print its result: text for a string or a number, "
                               "JSON for the rest, raw results "
                               "as they are."
                               "\v" ARGUMENTS_DOC "  patio call -b memory:// -m demo mul 2 3 4\n\n"
                               "  patio call -b memory:// -m demo echo '{\"a\": [1, null]}'\n\n"
                               "  patio call -b redis://cache shrink --stdin <in.png >out.png\n\n"
                               "With -m the command runs the tasks of a module itself, which is "
                               "what memory:// needs. The exit "
                               "code says how it ended: `patio help exit-codes`.";

static const char send_doc[] =
    "Hand over a task, print its id (32 hex digits) and go, without waiting for it to run. How "
    "safe "
    "it is now, its level, is said on standard error."
    "\v" ARGUMENTS_DOC "  patio send -b amqp://broker mail.send --kw to=ann@example.org\n\n"
    "  patio send -b redis://cache report 2024 --delay 10min --dedup-key r-24 --dedup-window 1d\n\n"
    "If its dedup key is known, the id is that of the task that has it, and standard error says "
    "so.\n\n"
    "Exit code 0 means that the transport has accepted the task; 4 that it is not known, and that "
    "sending again may run it twice: `patio help exit-codes`.";

static void read_time(struct argp_state *state, const char *option, const char *text, uint64_t *ms)
{
    bool ok = strcmp(option, "--timeout") == 0 ? cli_parse_timeout(text, ms)
                                               : cli_parse_duration(text, ms);
    if (!ok || *ms == 0) {
        argp_error(state, "%s wants a time above zero, such as 500ms, 5s or 2min, not \"%s\"",
                   option, text);
    }
}

static void add_header(cli_call *call, struct argp_state *state, const char *pair)
{
    size_t      size;
    const char *value;
    if (!cli_parse_pair(pair, &size, &value)) {
        argp_error(state, "--header wants NAME=TEXT, not \"%s\"", pair);
        return;
    }
    size_t count         = call->options.header_count;
    call->headers        = cli_resize(call->headers, count + 1, sizeof(*call->headers));
    call->headers[count] = (patio_header){cli_strndup(pair, size), value};
    call->options.header_count++;
    call->options.headers = call->headers;
}

static void read_conflict(struct argp_state *state, const char *word, uint32_t *out)
{
    if (!cli_word_number(cli_conflict_words, word, out)) {
        argp_error(state, "--dedup-conflict wants drop, attach or replace, not \"%s\"", word);
    }
}

static error_t parse_delivery(int key, const char *arg, cli_call *call, struct argp_state *state)
{
    switch (key) {
    case KEY_TIMEOUT:
        read_time(state, "--timeout", arg, &call->options.timeout_ms);
        return 0;
    case KEY_DELAY:
        read_time(state, "--delay", arg, &call->options.delay_ms);
        return 0;
    case KEY_AT:
        cli_policy_at(state, arg, &call->options.at_unix_ms);
        return 0;
    case KEY_DEDUP_WINDOW:
        read_time(state, "--dedup-window", arg, &call->options.dedup_window_ms);
        return 0;
    case KEY_QUEUE_TTL:
        read_time(state, "--queue-ttl", arg, &call->options.queue_ttl_ms);
        return 0;
    case KEY_RESULT_TTL:
        read_time(state, "--result-ttl", arg, &call->options.result_ttl_ms);
        return 0;
    case KEY_DEDUP_CONFLICT:
        read_conflict(state, arg, &call->options.dedup_conflict);
        return 0;
    case KEY_DEDUP_KEY:
        call->options.dedup_key = arg;
        return 0;
    case KEY_WAIT_ROUTE:
        call->options.flags |= PATIO_CALL_WAIT_ROUTE;
        return 0;
    case KEY_IDEMPOTENT:
        call->options.flags |= PATIO_CALL_IDEMPOTENT;
        return 0;
    case KEY_QUEUE:
        call->options.queue = arg;
        return 0;
    case KEY_PRIORITY:
        if (arg[0] < '0' || arg[0] > '9' || arg[1] != '\0') {
            argp_error(state, "--priority wants a digit from 0 to 9, not \"%s\"", arg);
        }
        call->options.priority = PATIO_PRIORITY(arg[0] - '0');
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_payload(int key, const char *arg, cli_call *call, struct argp_state *state)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = PATIO_OK;
    switch (key) {
    case ARGP_KEY_ARG:
        if (call->task == NULL) {
            call->task = arg;
        } else {
            st = cli_payload_add(&call->payload, arg, &err);
        }
        break;
    case KEY_KW:
        st = cli_payload_add_keyword(&call->payload, arg, &err);
        break;
    case KEY_STDIN:
        call->from_stdin = true;
        break;
    case KEY_CONTENT_TYPE:
        call->content_type = arg;
        break;
    case KEY_HEADER:
        add_header(call, state, arg);
        break;
    case KEY_JSON:
        call->json = true;
        break;
    case KEY_PROGRESS:
        call->options.on_progress = cli_result_progress;
        break;
    default:
        return parse_delivery(key, arg, call, state);
    }
    if (st != PATIO_OK) {
        argp_error(state, "%s", err.message);
    }
    return 0;
}

/* --timeout bounds connecting, too; who waits for a worker has all of it for one that is not there
 * yet. */
static void bound_connecting(cli_call *call)
{
    enum { DEADLINE_MS = 30000, LONGEST_MS = 24 * 3600 * 1000 };
    uint64_t ms = call->options.timeout_ms;
    if ((call->options.flags & PATIO_CALL_WAIT_ROUTE) != 0) {
        ms                      = ms == 0 ? DEADLINE_MS : ms;
        call->common.connect_ms = ms < LONGEST_MS ? ms : LONGEST_MS;
    } else if (ms < CLI_CONNECT_MS) {
        call->common.connect_ms = ms;
    }
}

static void check(const cli_call *call, struct argp_state *state)
{
    if (call->task == NULL) {
        argp_error(state, "the name of a task is missing");
    }
    if (call->from_stdin && (call->payload.arg_count > 0 || call->payload.keyword_count > 0)) {
        argp_error(state, "--stdin replaces the arguments; give either");
    }
    if (call->content_type != NULL && !call->from_stdin) {
        argp_error(state, "--content-type is for --stdin");
    }
    if (call->options.at_unix_ms != 0 && call->options.delay_ms != 0) {
        argp_error(state, "--at and --delay exclude each other");
    }
}

static error_t parse(int key, char *marked, struct argp_state *state)
{
    cli_call *call = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &call->common;
        state->child_inputs[1] = &call->common;
        state->child_inputs[2] = &call->options;
        return 0;
    case ARGP_KEY_END:
        check(call, state);
        bound_connecting(call);
        return 0;
    default:
        return parse_payload(key, cli_unmark(marked), call, state);
    }
}

void cli_call_parse(cli_call *call, bool send, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_broker_argp, 0, NULL, 0},
                                                 {&cli_config_argp, 0, "Configuration:", 10},
                                                 {&cli_policy_argp, 0, NULL, 0},
                                                 {0}};
    const struct argp              parser     = {send ? send_option_table : call_option_table,
                                parse,
                                "NAME [ARGUMENT...]",
                                send ? send_doc : call_doc,
                                children,
                                NULL,
                                NULL};

    *call         = (cli_call){0};
    call->options = (patio_call_options){PATIO_SIZED(patio_call_options)};
    cli_mark_numbers(argc, argv);
    (void)argp_parse(&parser, argc, argv, 0, NULL, call);
}

void cli_call_fini(cli_call *call)
{
    for (size_t i = 0; i < call->options.header_count; i++) {
        patio_value name = patio_string(call->headers[i].name);
        cli_value_free(&name);
    }
    cli_free(call->headers);
    cli_payload_fini(&call->payload);
    cli_options_fini(&call->common);
}
