/* cmd_call.c: `patio call` and `patio send`. */
#include <json-c/json.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <patio/value.h>

#include "base/clock.h"
#include "call_options.h"
#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "operation.h"
#include "result.h"
#include "session.h"
#include "task_policy.h"

/* How long to wait at the end for what this process itself still runs (with -m), and for what only
 * this process has: on a transport without a server a task that was sent ends with its sender. */
enum { GOODBYE_MS = 2000, SENT_MS = 5000 };

/* Point a payload at what the command line holds. */
static const patio_payload *fill_payload(const cli_call *call, patio_payload *payload)
{
    *payload = (patio_payload){PATIO_SIZED(patio_payload)};
    if (call->from_stdin) {
        payload->kind         = PATIO_PAYLOAD_RAW;
        payload->raw          = call->payload.raw;
        payload->content_type = call->content_type;
    } else {
        payload->kind          = PATIO_PAYLOAD_VALUES;
        payload->values        = call->payload.args;
        payload->value_count   = call->payload.arg_count;
        payload->keywords      = call->payload.keywords;
        payload->keyword_count = call->payload.keyword_count;
    }
    return payload;
}

static int call_task(const cli_session *session, const cli_call *call)
{
    patio_error   err = PATIO_ERROR_INIT;
    patio_payload payload;
    patio_future *future = NULL;
    patio_status  st     = patio_start(session->broker, call->task, fill_payload(call, &payload),
                                       &call->options, &future, &err);
    if (st == PATIO_OK) {
        st = patio_future_wait(future, PATIO_FOREVER);
    }
    if (st == PATIO_OK) {
        st = patio_future_status(future, &err);
    }
    int code = st == PATIO_OK ? cli_result_print(future, call->json)
                              : cli_result_error(future, call->task, st, &err);
    patio_future_destroy(future);
    return code;
}

/* The id on standard output, for scripts; the rest for people. */
static int print_sent(const cli_call *call, patio_future *future)
{
    char               text[33];
    uint32_t           level    = patio_future_level(future);
    const patio_value *original = patio_future_value(future);
    bool               known    = original != NULL && original->type == PATIO_TYPE_STRING;
    const char        *word     = level <= PATIO_LEVEL_REPLICATED ? cli_level_words[level] : "?";
    patio_id_format(patio_future_id(future), text);
    const char *id = known ? original->as.string : text;
    if (call->json) {
        json_object *o = json_object_new_object();
        cli_json_text(o, "id", id);
        json_object_object_add(o, "duplicate", json_object_new_boolean(known));
        json_object_object_add(o, "level", known ? NULL : json_object_new_string(word));
        cli_inspect_print(o);
        return cli_finish_output();
    }
    (void)puts(id);
    if (known) {
        fprintf(stderr, "patio: a duplicate: this task has the same dedup key\n");
    } else {
        fprintf(stderr, "patio: accepted, level %u: %s\n", level, word);
    }
    return cli_finish_output();
}

static int send_task(const cli_session *session, const cli_call *call)
{
    patio_error   err = PATIO_ERROR_INIT;
    patio_payload payload;
    patio_future *future = NULL;
    patio_status  st = patio_send_start(session->broker, call->task, fill_payload(call, &payload),
                                        &call->options, &future, &err);
    if (st == PATIO_OK) {
        st = patio_future_wait(future, PATIO_FOREVER);
    }
    if (st == PATIO_OK) {
        st = patio_future_status(future, &err);
    }
    char what[300];
    (void)snprintf(what, sizeof(what), "send \"%s\"", call->task);
    int code = st == PATIO_OK ? print_sent(call, future) : cli_fail(what, st, &err);
    patio_future_destroy(future);
    return code;
}

/* Accepted, and then lost with this process, is not what a send promises. */
static int lost(const cli_call *call, patio_status st, patio_error *err)
{
    char   what[300];
    size_t used = strlen(err->message);
    (void)snprintf(what, sizeof(what), "send \"%s\"", call->task);
    (void)snprintf(
        err->message + used, sizeof(err->message) - used,
        "; give it longer with --timeout, start a worker first, or send through a server");
    return cli_fail(what, st, err);
}

/* Stop and free, unless a task of this process hangs: its thread cannot be killed. */
static int end_session(cli_session *session, const cli_call *call, bool sent, int code)
{
    uint64_t     sent_ms = call->options.timeout_ms != 0 ? call->options.timeout_ms : SENT_MS;
    patio_error  err     = PATIO_ERROR_INIT;
    patio_status st      = PATIO_OK;
    if (session->broker != NULL) {
        st = patio_broker_stop(session->broker, sent ? sent_ms : GOODBYE_MS, &err);
    }
    if (st != PATIO_OK) {
        bool of_transport = strncmp(err.origin, "transport.", strlen("transport.")) == 0;
        _exit(sent && of_transport ? lost(call, st, &err) : code);
    }
    cli_session_close(session);
    return code;
}

/* A window is of a key, or of the arguments where the task dedups by them. */
static int check_window(const cli_session *session, const cli_call *call, const char *command)
{
    patio_task_info    info    = {PATIO_SIZED(patio_task_info)};
    patio_task_options options = {0};
    if (call->options.dedup_window_ms == 0 || call->options.dedup_key != NULL) {
        return CLI_EXIT_OK;
    }
    if (patio_registry_find(session->registry, call->task, &info, NULL) == PATIO_OK) {
        options = *info.options;
        /* what of it is wrong, the broker has said when it was made */
        (void)cli_task_policy(session->config, call->task, &options, NULL);
    }
    return options.dedup_by == PATIO_DEDUP_BY_ARGS
               ? CLI_EXIT_OK
               : cli_usage(command, "--dedup-window is for --dedup-key, or for a task of -m whose "
                                    "option dedup is args");
}

/* One deadline for both, connecting and the call. */
static void take_off(cli_call *call, uint64_t spent_ms)
{
    uint64_t *left = &call->options.timeout_ms;
    if (*left != 0 && *left != PATIO_FOREVER) {
        *left = *left > spent_ms ? *left - spent_ms : 1;
    }
}

static int run(cli_call *call, bool send)
{
    const char *command = send ? "send" : "call";
    cli_session session;
    int         code = cli_session_prepare(&session, command, &call->common, "warn");
    if (code == CLI_EXIT_OK) {
        code = check_window(&session, call, command);
    }
    if (code == CLI_EXIT_OK) {
        uint64_t begun = pt_now_ns();
        code           = cli_session_start(&session);
        take_off(call, (pt_now_ns() - begun) / PT_NS_PER_MS);
        if (code == CLI_EXIT_OK) {
            code = send ? send_task(&session, call) : call_task(&session, call);
        }
        return end_session(&session, call, send && code == CLI_EXIT_OK, code);
    }
    cli_session_close(&session);
    return code;
}

static int call_or_send(bool send, int argc, char **argv)
{
    cli_call call;
    cli_call_parse(&call, send, argc, argv);
    patio_error err  = PATIO_ERROR_INIT;
    int         code = CLI_EXIT_OK;
    if (call.from_stdin) {
        patio_status st = cli_payload_read(&call.payload, &err);
        code            = st == PATIO_OK ? CLI_EXIT_OK : cli_fail(NULL, st, &err);
    }
    if (code == CLI_EXIT_OK) {
        code = run(&call, send);
    }
    cli_call_fini(&call);
    return code;
}

int cmd_call(int argc, char **argv)
{
    return call_or_send(false, argc, argv);
}

int cmd_send(int argc, char **argv)
{
    return call_or_send(true, argc, argv);
}
