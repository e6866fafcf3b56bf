/* describe_tasks.c: the tasks of a registry, with the options they run under. */
#include <json-c/json.h>

#include <inttypes.h>
#include <stdio.h>

#include <patio/value.h>

#include "describe.h"
#include "inspect.h"
#include "result.h"
#include "table.h"

static const char *ack_name(uint32_t ack)
{
    static const char *const names[] = {"on_done", "on_start", "on_receive"};
    return ack < sizeof(names) / sizeof(names[0]) ? names[ack] : "unknown";
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

static void add_row(cli_table *table, const patio_task_info *info)
{
    const patio_task_options *o = info->options;
    char                      attempts[16];
    char                      attempt_time[32];
    char                      call_time[32];
    (void)snprintf(attempts, sizeof(attempts), "%u", o->max_attempts);
    time_text(o->attempt_timeout_ms, attempt_time, sizeof(attempt_time));
    time_text(o->call_timeout_ms, call_time, sizeof(call_time));
    CLI_ROW(table, info->name, o->queue, o->executor, call_time, attempt_time, attempts,
            ack_name(o->ack), (o->flags & PATIO_TASK_IDEMPOTENT) != 0 ? "yes" : "no");
}

static json_object *time_json(uint64_t ms)
{
    return ms == PATIO_FOREVER ? json_object_new_string("forever") : json_object_new_uint64(ms);
}

static json_object *task_json(const patio_task_info *info)
{
    const patio_task_options *o      = info->options;
    json_object              *object = json_object_new_object();
    json_object_object_add(object, "name", json_object_new_string(info->name));
    json_object_object_add(object, "queue", o->queue ? json_object_new_string(o->queue) : NULL);
    json_object_object_add(object, "executor",
                           o->executor ? json_object_new_string(o->executor) : NULL);
    json_object_object_add(object, "call_timeout_ms", time_json(o->call_timeout_ms));
    json_object_object_add(object, "attempt_timeout_ms", time_json(o->attempt_timeout_ms));
    json_object_object_add(object, "max_attempts", json_object_new_int64(o->max_attempts));
    json_object_object_add(object, "max_crashes", json_object_new_int64(o->max_crashes));
    json_object_object_add(object, "backoff_base_ms", time_json(o->backoff_base_ms));
    json_object_object_add(object, "backoff_cap_ms", time_json(o->backoff_cap_ms));
    json_object_object_add(object, "ack", json_object_new_string(ack_name(o->ack)));
    json_object_object_add(object, "priority", json_object_new_int64((int64_t)o->priority - 1));
    json_object_object_add(object, "version", json_object_new_int64(o->version));
    json_object_object_add(object, "idempotent",
                           json_object_new_boolean((o->flags & PATIO_TASK_IDEMPOTENT) != 0));
    return object;
}

static void print_json(const patio_registry *registry)
{
    json_object    *array = json_object_new_array();
    patio_task_info info  = {PATIO_SIZED(patio_task_info)};
    for (size_t i = 0; patio_registry_at(registry, i, &info, NULL) == PATIO_OK; i++) {
        json_object_array_add(array, task_json(&info));
    }
    cli_inspect_print(array);
}

static void print_table(const patio_registry *registry)
{
    cli_table       table = {0};
    patio_task_info info  = {PATIO_SIZED(patio_task_info)};
    CLI_ROW(&table, "TASK", "QUEUE", "EXECUTOR", "CALL", "ATTEMPT", "ATTEMPTS", "ACK",
            "IDEMPOTENT");
    for (size_t i = 0; patio_registry_at(registry, i, &info, NULL) == PATIO_OK; i++) {
        add_row(&table, &info);
    }
    cli_table_print(&table, "");
}

int cli_describe_tasks(const patio_registry *registry, bool json)
{
    if (json) {
        print_json(registry);
    } else {
        print_table(registry);
    }
    return cli_finish_output();
}
