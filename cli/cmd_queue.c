/* cmd_queue.c: `patio purge`, `pause`, `resume`, `drain`, `limit`: one queue as an operator wants
 * it. */
#include <json-c/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "operation.h"
#include "result.h"

static int finish(const cli_operation *op, patio_status st, const patio_error *err)
{
    char what[320];
    (void)snprintf(what, sizeof(what), "%s \"%.255s\"", op->command, op->words[0]);
    return st == PATIO_OK ? cli_finish_output() : cli_fail(what, st, err);
}

/* What is so now: {"queue": …, KEY: VALUE}. */
static void print_json(const cli_operation *op, const char *key, json_object *value)
{
    json_object *o = json_object_new_object();
    cli_json_text(o, "queue", op->words[0]);
    json_object_object_add(o, key, value);
    cli_inspect_print(o);
}

static int run_purge(cli_operation *op)
{
    patio_error  err   = PATIO_ERROR_INIT;
    uint64_t     count = 0;
    patio_status st    = patio_queue_purge(op->broker, op->words[0], op->timeout_ms, &count, &err);
    if (st == PATIO_OK && op->json) {
        print_json(op, "removed", json_object_new_uint64(count));
    } else if (st == PATIO_OK) {
        printf("%" PRIu64 " removed\n", count);
    }
    return finish(op, st, &err);
}

static int set_state(cli_operation *op, uint32_t state, const char *word)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_queue_set_state(op->broker, op->words[0], state, op->timeout_ms, &err);
    if (st == PATIO_OK && op->json) {
        print_json(op, "state", json_object_new_string(word));
    }
    return finish(op, st, &err);
}

static int run_pause(cli_operation *op)
{
    return set_state(op, PATIO_QUEUE_PAUSED, "paused");
}

static int run_resume(cli_operation *op)
{
    return set_state(op, PATIO_QUEUE_OPEN, "open");
}

static int run_drain(cli_operation *op)
{
    return set_state(op, PATIO_QUEUE_DRAINING, "draining");
}

static int run_limit(cli_operation *op)
{
    patio_error err = PATIO_ERROR_INIT;
    char       *end = NULL;
    uint64_t    max = strtoull(op->words[1], &end, 10);
    if (op->words[1][0] < '0' || op->words[1][0] > '9' || *end != '\0') {
        return cli_usage(op->command, "\"%s\" is not a number of tasks", op->words[1]);
    }
    patio_status st = patio_queue_set_limit(op->broker, op->words[0], max, op->timeout_ms, &err);
    if (st == PATIO_OK && op->json) {
        print_json(op, "max_in_flight", max != 0 ? json_object_new_uint64(max) : NULL);
    }
    return finish(op, st, &err);
}

static int run(const char *command, const char *doc, int (*act)(cli_operation *), int argc,
               char **argv)
{
    bool                     limit = act == run_limit;
    const cli_operation_spec spec  = {
         .command   = command,
         .words     = limit ? "QUEUE N" : "QUEUE",
         .doc       = doc,
         .words_min = limit ? 2 : 1,
         .words_max = limit ? 2 : 1,
         .takes     = CLI_TAKES_JSON,
         .run       = act,
    };
    return cli_operation_main(&spec, argc, argv);
}

int cmd_purge(int argc, char **argv)
{
    return run("purge",
               "Remove what waits in a queue: ready and delayed tasks, not those with workers, and "
               "no dead letters.",
               run_purge, argc, argv);
}

int cmd_pause(int argc, char **argv)
{
    return run("pause",
               "Stop a queue from handing out tasks; it still takes them. What runs, runs on.",
               run_pause, argc, argv);
}

int cmd_resume(int argc, char **argv)
{
    return run("resume", "Open a queue again that was paused or drained.", run_resume, argc, argv);
}

int cmd_drain(int argc, char **argv)
{
    return run("drain",
               "Let a queue take nothing new (BLOCKED), while workers work off what it holds.",
               run_drain, argc, argv);
}

int cmd_limit(int argc, char **argv)
{
    return run("limit",
               "Let at most N tasks of a queue run at once, over all workers; 0: no limit.",
               run_limit, argc, argv);
}
