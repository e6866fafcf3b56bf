/* cmd_dlq.c: `patio dlq`: dead letters, and what to do with them. */
#include <json-c/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "json.h"
#include "operation.h"
#include "result.h"
#include "table.h"

typedef struct listing {
    cli_table    table;
    json_object *array;
    uint32_t     left; /* of the limit */
    bool         cut;
} listing;

/* Its arguments, where they are values. */
static json_object *arguments(const patio_payload *p)
{
    json_object *args = NULL;
    if (p == NULL || p->kind != PATIO_PAYLOAD_VALUES) {
        return NULL;
    }
    args = json_object_new_array();
    for (size_t i = 0; i < p->value_count; i++) {
        json_object *tree = NULL;
        (void)cli_json_write(&p->values[i], &tree, NULL);
        json_object_array_add(args, tree);
    }
    return args;
}

static json_object *to_json(const patio_dead_info *d)
{
    char         id[33];
    json_object *o = json_object_new_object();
    patio_id_format(d->id, id);
    cli_json_text(o, "id", id);
    cli_json_text(o, "queue", d->queue);
    cli_json_text(o, "task", d->task);
    cli_json_text(o, "cause", d->cause);
    /* a server that moved it knows the cause alone */
    json_object_object_add(
        o, "status",
        d->status != PATIO_OK ? json_object_new_string(patio_status_name(d->status)) : NULL);
    cli_json_text(o, "error_type", d->error_type);
    cli_json_text(o, "message", d->message);
    cli_json_text(o, "worker", d->worker);
    json_object_object_add(o, "attempts", json_object_new_uint64(d->attempts));
    json_object_object_add(o, "crashes", json_object_new_uint64(d->crashes));
    json_object_object_add(o, "dead_ms", json_object_new_uint64(d->dead_ms));
    json_object_object_add(o, "died_at_unix_ms", json_object_new_uint64(d->died_at_unix_ms));
    if (d->body_bytes > 0) {
        json_object *keywords = NULL;
        json_object_object_add(o, "body_bytes", json_object_new_uint64(d->body_bytes));
        json_object_object_add(o, "args", arguments(d->payload));
        if (d->payload != NULL && d->payload->keyword_count > 0) {
            patio_value map = patio_map(d->payload->keywords, d->payload->keyword_count);
            (void)cli_json_write(&map, &keywords, NULL);
            json_object_object_add(o, "keywords", keywords);
        }
    }
    return o;
}

static int32_t add(void *arg, const patio_dead_info *d)
{
    listing *l = arg;
    char     id[33], tried[CLI_TEXT], age[CLI_TEXT], error[160];
    if (l->left == 0) {
        l->cut = true;
        return 1;
    }
    l->left--;
    patio_id_format(d->id, id);
    (void)snprintf(tried, sizeof(tried), "%" PRIu32 "+%" PRIu32, d->attempts, d->crashes);
    (void)snprintf(error, sizeof(error), "%.40s%s%.100s", d->error_type,
                   d->error_type[0] != '\0' && d->message[0] != '\0' ? ": " : "", d->message);
    CLI_ROW(&l->table, id, d->task, d->cause, tried, cli_age_text(d->dead_ms, age), error);
    json_object_array_add(l->array, to_json(d));
    return 0;
}

static int list(cli_operation *op)
{
    patio_error err = PATIO_ERROR_INIT;
    listing     l   = {.array = json_object_new_array(), .left = op->limit};
    /* one more tells whether there are more */
    uint32_t asked = op->limit < UINT32_MAX ? op->limit + 1 : op->limit;
    CLI_ROW(&l.table, "ID", "TASK", "CAUSE", "RUNS+CRASHES", "DEAD FOR", "LAST ERROR");
    patio_status st = patio_dead_list(op->broker, cli_operation_queue(op), NULL, asked,
                                      op->timeout_ms, add, &l, &err);
    if (st == PATIO_OK && op->json) {
        cli_inspect_print(json_object_get(l.array));
    } else if (st == PATIO_OK) {
        cli_table_print(&l.table, "");
    }
    if (st == PATIO_OK && l.cut) {
        (void)fflush(stdout);
        fprintf(stderr, "patio: these are the oldest %" PRIu32 ", there are more: see --limit\n",
                op->limit);
    }
    cli_table_free(&l.table);
    json_object_put(l.array);
    return st == PATIO_OK ? cli_finish_output() : cli_fail("list dead letters", st, &err);
}

static int32_t print_one(void *arg, const patio_dead_info *d)
{
    (void)arg;
    cli_inspect_print(to_json(d));
    return 0;
}

static int show(cli_operation *op, patio_id id)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = patio_dead_show(op->broker, cli_operation_queue(op), id, op->timeout_ms,
                                       print_one, NULL, &err);
    return st == PATIO_OK ? cli_finish_output() : cli_fail("show the dead letter", st, &err);
}

typedef patio_status (*change_fn)(patio_broker *, const char *, const patio_id *, uint64_t,
                                  uint64_t *, patio_error *);

static int change(cli_operation *op, change_fn act, const patio_id *id, const char *what,
                  const char *key, const char *done)
{
    patio_error  err   = PATIO_ERROR_INIT;
    uint64_t     count = 0;
    patio_status st    = act(op->broker, cli_operation_queue(op), id, op->timeout_ms, &count, &err);
    if (st != PATIO_OK) {
        return cli_fail(what, st, &err);
    }
    if (op->json) {
        json_object *o     = json_object_new_object();
        const char  *queue = cli_operation_queue(op);
        cli_json_text(o, "queue", queue != NULL ? queue : "default");
        json_object_object_add(o, key, json_object_new_uint64(count));
        cli_inspect_print(o);
    } else {
        printf("%" PRIu64 " %s\n", count, done);
    }
    return cli_finish_output();
}

static int run(cli_operation *op)
{
    const char *verb  = op->words[0];
    bool        shows = strcmp(verb, "show") == 0;
    bool        retry = strcmp(verb, "retry") == 0;
    patio_id    id;
    if (strcmp(verb, "ls") == 0 && op->word_count == 1) {
        return list(op);
    }
    if (!shows && !retry && strcmp(verb, "drop") != 0) {
        return cli_usage(op->command, "say ls, show ID, retry ID or drop ID");
    }
    bool one = op->word_count == 2;
    if (one == op->all || (shows && op->all)) {
        return cli_usage(op->command, shows ? "%s wants one ID" : "%s wants one ID, or --all",
                         verb);
    }
    if (one && !cli_operation_id(op, op->words[1], &id)) {
        return CLI_EXIT_USAGE;
    }
    if (shows) {
        return show(op, id);
    }
    return retry ? change(op, patio_dead_retry, one ? &id : NULL, "retry", "retried",
                          "back in the queue")
                 : change(op, patio_dead_drop, one ? &id : NULL, "drop", "dropped", "dropped");
}

int cmd_dlq(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command   = "dlq",
        .words     = "ls|show|retry|drop [ID]",
        .doc       = "Look at the dead letters of a queue, and give them another chance."
                     "\v"
                     "  ls           the oldest ones, with cause and last error\n"
                     "  show ID      everything about one, with its arguments, as JSON\n"
                     "  retry ID     back into its queue, as if it had never been tried\n"
                     "  drop ID      away for good\n\n"
                     "retry and drop take --all instead of an ID. Without -q it is the queue "
                     "\"default\".",
        .words_min = 1,
        .words_max = 2,
        .takes     = CLI_TAKES_QUEUE | CLI_TAKES_ALL | CLI_TAKES_LIMIT | CLI_TAKES_JSON,
        .run       = run,
    };
    return cli_operation_main(&spec, argc, argv);
}
