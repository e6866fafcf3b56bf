/* describe_tasks.c: the tasks of a registry, with the options they run under: what the code says,
 * and over it what the configuration says. */
#include <json-c/json.h>

#include <inttypes.h>
#include <stdio.h>

#include <patio/value.h>

#include "describe.h"
#include "exits.h"
#include "inspect.h"
#include "result.h"
#include "table.h"
#include "task_policy.h"

static const char *word_of(const char *const *words, uint32_t number)
{
    uint32_t i = 0;
    while (i < number && words[i] != NULL) {
        i++;
    }
    return words[i] != NULL ? words[i] : "unknown";
}

/* Written as a duration that the configuration reads back. */
static void time_text(uint64_t ms, char *text, size_t room)
{
    if (ms == PATIO_FOREVER) {
        (void)snprintf(text, room, "forever");
    } else if (ms % 60000 == 0 && ms != 0) {
        (void)snprintf(text, room, "%" PRIu64 "min", ms / 60000);
    } else if (ms % 1000 == 0) {
        (void)snprintf(text, room, "%" PRIu64 "s", ms / 1000);
    } else {
        (void)snprintf(text, room, "%" PRIu64 "ms", ms);
    }
}

static bool has_list(const patio_task_options *o)
{
    return o->backoff_list != NULL && o->backoff_list[0] != '\0';
}

/* "1s,10s,5min", "2s each", "1s to 10min" */
static void backoff_text(const patio_task_options *o, char *text, size_t room)
{
    char base[32];
    char cap[32];
    time_text(o->backoff_base_ms, base, sizeof(base));
    time_text(o->backoff_cap_ms, cap, sizeof(cap));
    if (has_list(o)) {
        (void)snprintf(text, room, "%s", o->backoff_list);
    } else if (o->backoff == PATIO_BACKOFF_FIXED) {
        (void)snprintf(text, room, "%s each", base);
    } else {
        (void)snprintf(text, room, "%s to %s", base, cap);
    }
}

/* "-", "1d", "args 1d, attach" */
static void dedup_text(const patio_task_options *o, char *text, size_t room)
{
    char window[32];
    time_text(o->dedup_window_ms, window, sizeof(window));
    if (o->dedup_window_ms == 0) {
        (void)snprintf(text, room, "-");
    } else {
        (void)snprintf(text, room, "%s %s, %s", word_of(cli_dedup_words, o->dedup_by), window,
                       word_of(cli_conflict_words, o->dedup_conflict));
    }
}

static void ttl_text(uint64_t ms, char *text, size_t room)
{
    if (ms == 0) {
        (void)snprintf(text, room, "-");
    } else {
        time_text(ms, text, room);
    }
}

static void add_row(cli_table *table, const char *name, const patio_task_options *o)
{
    char attempts[32];
    char attempt_time[32];
    char call_time[32];
    char backoff[128];
    char queue_ttl[32];
    char result_ttl[32];
    char delay[32];
    char dedup[64];
    (void)snprintf(attempts, sizeof(attempts), "%u+%u", o->max_attempts, o->max_crashes);
    time_text(o->attempt_timeout_ms, attempt_time, sizeof(attempt_time));
    time_text(o->call_timeout_ms, call_time, sizeof(call_time));
    backoff_text(o, backoff, sizeof(backoff));
    ttl_text(o->queue_ttl_ms, queue_ttl, sizeof(queue_ttl));
    ttl_text(o->result_ttl_ms, result_ttl, sizeof(result_ttl));
    ttl_text(o->delay_ms, delay, sizeof(delay));
    dedup_text(o, dedup, sizeof(dedup));
    CLI_ROW(table, name, o->queue, o->executor, call_time, attempt_time, attempts, backoff, delay,
            dedup, queue_ttl, result_ttl, word_of(cli_level_words, o->level),
            word_of(cli_ack_words, o->ack), (o->flags & PATIO_TASK_IDEMPOTENT) != 0 ? "yes" : "no");
}

static json_object *time_json(uint64_t ms)
{
    return ms == PATIO_FOREVER ? json_object_new_string("forever") : json_object_new_uint64(ms);
}

static json_object *task_json(const char *name, const patio_task_options *o)
{
    json_object *object = json_object_new_object();
    json_object_object_add(object, "name", json_object_new_string(name));
    json_object_object_add(object, "queue", o->queue ? json_object_new_string(o->queue) : NULL);
    json_object_object_add(object, "executor",
                           o->executor ? json_object_new_string(o->executor) : NULL);
    json_object_object_add(object, "call_timeout_ms", time_json(o->call_timeout_ms));
    json_object_object_add(object, "attempt_timeout_ms", time_json(o->attempt_timeout_ms));
    json_object_object_add(object, "max_attempts", json_object_new_int64(o->max_attempts));
    json_object_object_add(object, "max_crashes", json_object_new_int64(o->max_crashes));
    json_object_object_add(object, "backoff",
                           json_object_new_string(word_of(cli_backoff_words, o->backoff)));
    json_object_object_add(object, "backoff_list",
                           has_list(o) ? json_object_new_string(o->backoff_list) : NULL);
    json_object_object_add(object, "backoff_base_ms", time_json(o->backoff_base_ms));
    json_object_object_add(object, "backoff_cap_ms", time_json(o->backoff_cap_ms));
    json_object_object_add(object, "queue_ttl_ms",
                           o->queue_ttl_ms != 0 ? json_object_new_uint64(o->queue_ttl_ms) : NULL);
    json_object_object_add(object, "result_ttl_ms", json_object_new_uint64(o->result_ttl_ms));
    json_object_object_add(object, "delay_ms", json_object_new_uint64(o->delay_ms));
    json_object_object_add(object, "dedup",
                           json_object_new_string(word_of(cli_dedup_words, o->dedup_by)));
    json_object_object_add(object, "dedup_window_ms", json_object_new_uint64(o->dedup_window_ms));
    json_object_object_add(object, "dedup_conflict",
                           json_object_new_string(word_of(cli_conflict_words, o->dedup_conflict)));
    json_object_object_add(object, "level",
                           json_object_new_string(word_of(cli_level_words, o->level)));
    json_object_object_add(object, "ack", json_object_new_string(word_of(cli_ack_words, o->ack)));
    json_object_object_add(object, "priority", json_object_new_int64((int64_t)o->priority - 1));
    json_object_object_add(object, "version", json_object_new_int64(o->version));
    json_object_object_add(object, "idempotent",
                           json_object_new_boolean((o->flags & PATIO_TASK_IDEMPOTENT) != 0));
    return object;
}

int cli_describe_tasks(const patio_registry *registry, const patio_config *config, bool json)
{
    cli_table       table = {0};
    json_object    *array = json_object_new_array();
    patio_task_info info  = {PATIO_SIZED(patio_task_info)};
    patio_error     err   = PATIO_ERROR_INIT;
    patio_status    st    = PATIO_OK;
    CLI_ROW(&table, "TASK", "QUEUE", "EXECUTOR", "CALL", "ATTEMPT", "RUNS+CRASHES", "BACKOFF",
            "DELAY", "DEDUP", "QUEUE TTL", "RESULT TTL", "LEVEL", "ACK", "IDEMPOTENT");
    for (size_t i = 0; st == PATIO_OK && patio_registry_at(registry, i, &info, NULL) == PATIO_OK;
         i++) {
        patio_task_options options = *info.options;
        st                         = cli_task_policy(config, info.name, &options, &err);
        if (st == PATIO_OK && json) {
            json_object_array_add(array, task_json(info.name, &options));
        } else if (st == PATIO_OK) {
            add_row(&table, info.name, &options);
        }
    }
    if (st == PATIO_OK && json) {
        cli_inspect_print(json_object_get(array));
    } else if (st == PATIO_OK) {
        cli_table_print(&table, "");
    }
    cli_table_free(&table);
    json_object_put(array);
    return st == PATIO_OK ? cli_finish_output() : cli_fail_setup("describe tasks", st, &err);
}
