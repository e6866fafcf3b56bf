/* cmd_stats.c: `patio stats`: what the queues hold. */
#include <json-c/json.h>

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "operation.h"
#include "result.h"
#include "table.h"

static const char doc[] =
    "Show of every queue how many tasks are ready, with workers, waiting for their time and dead, "
    "how long the oldest ready one has waited, how many workers take from it, and how "
    "many of its tasks may run at once."
    "\v"
    "Without -q all queues are shown that hold something, have workers or are paused. What a "
    "transport cannot know is shown as - (in JSON: null).";

/* A copy: what a visitor is shown is gone after the visit. */
static int32_t note_queue(void *arg, const char *queue)
{
    cli_list_add(arg, cli_strndup(queue, strlen(queue)));
    return 0;
}

static void free_names(cli_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        union {
            const char *in;
            char       *out;
        } name = {.in = names->items[i]};
        cli_free(name.out);
    }
    cli_list_fini(names);
}

/* All queues; where the transport cannot list them, the default one. */
static patio_status find_queues(cli_operation *op, cli_list *names, patio_error *err)
{
    for (size_t i = 0; i < op->queues.count; i++) {
        (void)note_queue(names, op->queues.items[i]);
    }
    if (names->count > 0) {
        return PATIO_OK;
    }
    patio_status st = patio_queue_list(op->broker, op->timeout_ms, note_queue, names, err);
    if (st == PATIO_UNSUPPORTED) {
        (void)note_queue(names, "default");
        return PATIO_OK;
    }
    return st;
}

static const char *state_of(const cli_operation *op, const char *queue)
{
    static const char *const words[] = {"open", "paused", "draining"};
    uint32_t                 state   = 0;
    if (patio_queue_get_state(op->broker, queue, op->timeout_ms, &state, NULL) != PATIO_OK ||
        state >= sizeof(words) / sizeof(words[0])) {
        return NULL;
    }
    return words[state];
}

/* How many may run at once over all workers; where nobody can say: PATIO_COUNT_UNKNOWN. */
static uint64_t limit_of(const cli_operation *op, const char *queue)
{
    uint64_t limit = 0;
    if (patio_queue_get_limit(op->broker, queue, op->timeout_ms, &limit, NULL) != PATIO_OK) {
        return PATIO_COUNT_UNKNOWN;
    }
    return limit;
}

static void add_row(cli_table *table, const char *queue, const patio_counts *c, uint64_t limit,
                    const char *state)
{
    char        t[7][CLI_TEXT];
    const char *limited = limit != 0 ? cli_count_text(limit, t[6]) : "none";
    CLI_ROW(table, queue, cli_count_text(c->ready, t[0]), cli_count_text(c->leased, t[1]),
            cli_count_text(c->delayed, t[2]), cli_count_text(c->dead, t[3]),
            cli_age_text(c->oldest_age_ms, t[4]), cli_count_text(c->consumers, t[5]), limited,
            state);
}

static void add_json(json_object *array, const char *queue, const patio_counts *c, uint64_t limit,
                     const char *state)
{
    json_object *o = json_object_new_object();
    cli_json_text(o, "queue", queue);
    json_object_object_add(o, "ready", cli_json_count(c->ready));
    json_object_object_add(o, "leased", cli_json_count(c->leased));
    json_object_object_add(o, "delayed", cli_json_count(c->delayed));
    json_object_object_add(o, "dead", cli_json_count(c->dead));
    json_object_object_add(o, "oldest_age_ms", cli_json_count(c->oldest_age_ms));
    json_object_object_add(o, "consumers", cli_json_count(c->consumers));
    json_object_object_add(o, "limit", cli_json_count(limit));
    json_object_object_add(o, "state", state != NULL ? json_object_new_string(state) : NULL);
    json_object_array_add(array, o);
}

static int run(cli_operation *op)
{
    patio_error  err   = PATIO_ERROR_INIT;
    cli_list     names = {0};
    cli_table    table = {0};
    json_object *array = json_object_new_array();
    patio_status st    = find_queues(op, &names, &err);
    CLI_ROW(&table, "QUEUE", "READY", "LEASED", "DELAYED", "DEAD", "OLDEST", "WORKERS", "LIMIT",
            "STATE");
    for (size_t i = 0; st == PATIO_OK && i < names.count; i++) {
        patio_counts c = {PATIO_SIZED(patio_counts)};
        st             = patio_broker_counts(op->broker, names.items[i],
                                 op->timeout_ms != 0 ? op->timeout_ms : 5000, &c, &err);
        if (st == PATIO_OK) {
            const char *state = state_of(op, names.items[i]);
            uint64_t    limit = limit_of(op, names.items[i]);
            add_row(&table, names.items[i], &c, limit, state);
            add_json(array, names.items[i], &c, limit, state);
        }
    }
    free_names(&names);
    if (op->json && st == PATIO_OK) {
        cli_inspect_print(json_object_get(array));
    } else if (st == PATIO_OK) {
        cli_table_print(&table, "");
    }
    cli_table_free(&table);
    json_object_put(array);
    return st == PATIO_OK ? cli_finish_output() : cli_fail("read the counts", st, &err);
}

int cmd_stats(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command = "stats",
        .doc     = doc,
        .takes   = CLI_TAKES_QUEUE | CLI_TAKES_JSON,
        .run     = run,
    };
    return cli_operation_main(&spec, argc, argv);
}
