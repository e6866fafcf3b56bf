/* cmd_call.c: `patio call` and `patio send`. */
#include <stdio.h>
#include <unistd.h>

#include "call_options.h"
#include "commands.h"
#include "exits.h"
#include "result.h"
#include "session.h"

/* How long to wait at the end for what this process itself still runs (with -m). */
enum { GOODBYE_MS = 2000 };

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

static int send_task(const cli_session *session, const cli_call *call)
{
    patio_error   err = PATIO_ERROR_INIT;
    patio_payload payload;
    patio_id      id;
    patio_status  st = patio_send(session->broker, call->task, fill_payload(call, &payload),
                                  &call->options, &id, &err);
    if (st != PATIO_OK) {
        char what[300];
        (void)snprintf(what, sizeof(what), "send \"%s\"", call->task);
        return cli_fail(what, st, &err);
    }
    char text[33];
    patio_id_format(id, text);
    (void)puts(text);
    return cli_finish_output();
}

/* Stop and free, unless a task of this process hangs: its thread cannot be killed. */
static void end_session(cli_session *session, int code)
{
    if (session->broker != NULL &&
        patio_broker_stop(session->broker, GOODBYE_MS, NULL) != PATIO_OK) {
        _exit(code);
    }
    cli_session_close(session);
}

static int run(const cli_call *call, const char *command,
               int (*act)(const cli_session *, const cli_call *))
{
    cli_session session;
    int         code = cli_session_prepare(&session, command, &call->common, "warn");
    if (code == CLI_EXIT_OK) {
        code = cli_session_start(&session);
        if (code == CLI_EXIT_OK) {
            code = act(&session, call);
        }
        end_session(&session, code);
        return code;
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
        code = send ? run(&call, "send", send_task) : run(&call, "call", call_task);
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
