/* cmd_task.c: `patio cancel` and `patio result`: one task, by its id. */
#include <json-c/json.h>

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "json.h"
#include "operation.h"
#include "result.h"

static int run_cancel(cli_operation *op)
{
    static const char *const words[] = {"", "removed", "told", "too late"};
    patio_error              err     = PATIO_ERROR_INIT;
    uint32_t                 outcome = 0;
    patio_id                 id;
    if (!cli_operation_id(op, op->words[0], &id)) {
        return CLI_EXIT_USAGE;
    }
    patio_status st =
        patio_cancel(op->broker, cli_operation_queue(op), id, op->timeout_ms, &outcome, &err);
    if (st != PATIO_OK) {
        return cli_fail("cancel", st, &err);
    }
    const char *word = outcome < sizeof(words) / sizeof(words[0]) ? words[outcome] : "?";
    if (op->json) {
        json_object *o = json_object_new_object();
        cli_json_text(o, "id", op->words[0]);
        cli_json_text(o, "outcome", word);
        cli_inspect_print(o);
    } else {
        (void)puts(word);
    }
    return cli_finish_output();
}

/* The result as JSON beside its state; null where there is none. */
static int print_json(const patio_task_report *report, patio_future *future)
{
    json_object            *o    = json_object_new_object();
    json_object            *tree = NULL;
    const patio_value      *v    = future != NULL ? patio_future_value(future) : NULL;
    const patio_task_error *e    = future != NULL ? patio_future_error(future) : NULL;
    cli_json_text(o, "state", patio_task_state_name(report->state));
    json_object_object_add(o, "ttl_ms", json_object_new_uint64(report->ttl_ms));
    if (v != NULL && cli_json_write(v, &tree, NULL) == PATIO_OK) {
        json_object_object_add(o, "result", tree);
    }
    if (e != NULL) {
        json_object *error = json_object_new_object();
        json_object_object_add(error, "code", json_object_new_int(e->code));
        cli_json_text(error, "type", e->type);
        cli_json_text(error, "message", e->message);
        json_object_object_add(o, "error", error);
    }
    cli_inspect_print(o);
    return cli_finish_output();
}

static int print_text(const patio_task_report *report, patio_future *future, const char *id)
{
    patio_error err = PATIO_ERROR_INIT;
    if (future != NULL) {
        patio_status st = patio_future_status(future, &err);
        return st == PATIO_OK ? cli_result_print(future, false)
                              : cli_result_error(future, id, st, &err);
    }
    (void)puts(patio_task_state_name(report->state));
    return cli_finish_output();
}

static int run_result(cli_operation *op)
{
    patio_error       err    = PATIO_ERROR_INIT;
    patio_task_report report = {PATIO_SIZED(patio_task_report)};
    patio_future     *future = NULL;
    patio_id          id;
    if (!cli_operation_id(op, op->words[0], &id)) {
        return CLI_EXIT_USAGE;
    }
    patio_status st = patio_result_get(op->broker, cli_operation_queue(op), id, op->timeout_ms,
                                       &report, &future, &err);
    if (st != PATIO_OK) {
        return cli_fail("get the result", st, &err);
    }
    int code = op->json ? print_json(&report, future) : print_text(&report, future, op->words[0]);
    patio_future_destroy(future);
    return code;
}

int cmd_cancel(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command   = "cancel",
        .words     = "ID",
        .doc       = "Cancel a task, wherever it is and whoever sent it."
                     "\v"
                     "Prints what became of it: \"removed\" (it was queued), \"told\" (it runs, and "
                     "knows), \"too late\" (it has ended, or never was).",
        .words_min = 1,
        .words_max = 1,
        .takes     = CLI_TAKES_QUEUE | CLI_TAKES_JSON,
        .run       = run_cancel,
    };
    return cli_operation_main(&spec, argc, argv);
}

int cmd_result(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command   = "result",
        .words     = "ID",
        .doc       = "Show the result of a task, or how far it has come."
                     "\v"
                     "Results are kept for tasks that were sent with --result-ttl. Without a result "
                     "the state is printed: unknown, queued, running, done, failed, dead, expired or "
                     "cancelled.",
        .words_min = 1,
        .words_max = 1,
        .takes     = CLI_TAKES_QUEUE | CLI_TAKES_JSON,
        .run       = run_result,
    };
    return cli_operation_main(&spec, argc, argv);
}
