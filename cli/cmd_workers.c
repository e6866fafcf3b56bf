/* cmd_workers.c: `patio workers` and `patio ping`: who is there. */
#include <json-c/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "operation.h"
#include "result.h"
#include "table.h"

typedef struct listing {
    cli_table    table;
    cli_table    problems; /* too long for a column */
    json_object *array;
    size_t       count;
} listing;

static json_object *names(const char *const *texts, size_t count)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        json_object_array_add(array, json_object_new_string(texts[i]));
    }
    return array;
}

bool cli_worker_ready(const patio_worker_info *w)
{
    if (w->state[0] == '\0') {
        return w->problem[0] == '\0'; /* of a version that had no words for it */
    }
    return strcmp(w->state, patio_health_name(PATIO_HEALTH_READY)) == 0 ||
           strcmp(w->state, patio_health_name(PATIO_HEALTH_DEGRADED)) == 0;
}

static const char *state_of(const patio_worker_info *w)
{
    return w->state[0] != '\0' ? w->state : cli_worker_ready(w) ? "ready" : "not ready";
}

/* To a tenth; NULL: it was not measured. */
static json_object *microseconds(uint64_t ns)
{
    char   text[32];
    double us = (double)ns / 1000.0;
    (void)snprintf(text, sizeof(text), "%.1f", us);
    return ns != 0 ? json_object_new_double_s(us, text) : NULL;
}

static void add_json(json_object *array, const patio_worker_info *w)
{
    const struct {
        const char *key;
        uint64_t    number;
    } numbers[] = {
        {"pid", w->pid},
        {"slots", w->slots},
        {"running", w->running},
        {"received", w->received},
        {"ok", w->ok},
        {"failed", w->failed},
        {"retried", w->retried},
        {"returned", w->returned},
        {"rejected", w->rejected},
        {"leases_lost", w->leases_lost},
        {"seen_ms", w->seen_ms},
        {"started_at_unix_ms", w->started_at_unix_ms},
    };
    json_object *o = json_object_new_object();
    cli_json_text(o, "host", w->host);
    cli_json_text(o, "project", w->project);
    cli_json_text(o, "version", w->version);
    cli_json_text(o, "executor", w->executor);
    json_object_object_add(o, "ready", json_object_new_boolean(cli_worker_ready(w)));
    cli_json_text(o, "state", state_of(w));
    cli_json_text(o, "problem", w->problem);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        json_object_object_add(o, numbers[i].key, json_object_new_uint64(numbers[i].number));
    }
    json_object_object_add(o, "rtt_us", microseconds(w->rtt_ns));
    json_object_object_add(o, "queues", names(w->queues, w->queue_count));
    json_object_object_add(o, "tasks", names(w->tasks, w->task_count));
    json_object_object_add(o, "tasks_total", json_object_new_uint64(w->tasks_total));
    json_object_array_add(array, o);
}

/* "a,b,c", cut. */
static void join(const char *const *texts, size_t count, char *out, size_t room)
{
    size_t at = 0;
    out[0]    = '\0';
    for (size_t i = 0; i < count && at + 1 < room; i++) {
        int n = snprintf(out + at, room - at, "%s%s", i > 0 ? "," : "", texts[i]);
        at += n > 0 ? (size_t)n : 0;
    }
}

static int32_t add_worker(void *arg, const patio_worker_info *w)
{
    listing *l = arg;
    char     who[300], load[CLI_TEXT], done[CLI_TEXT], tasks[CLI_TEXT], up[CLI_TEXT], queues[200];

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    (void)snprintf(who, sizeof(who), "%s:%" PRIu64, w->host, w->pid);
    (void)snprintf(load, sizeof(load), "%" PRIu64 "/%" PRIu32, w->running, w->slots);
    (void)snprintf(done, sizeof(done), "%" PRIu64 "/%" PRIu64, w->ok, w->failed);
    (void)snprintf(tasks, sizeof(tasks), "%" PRIu64, w->tasks_total);
    join(w->queues, w->queue_count, queues, sizeof(queues));
    CLI_ROW(&l->table, who, w->version, queues, tasks, load, done,
            cli_age_text(now_ms > w->started_at_unix_ms ? now_ms - w->started_at_unix_ms : 0, up),
            state_of(w));
    if (w->problem[0] != '\0') {
        CLI_ROW(&l->problems, who, w->problem);
    }
    add_json(l->array, w);
    l->count++;
    return 0;
}

static int run_workers(cli_operation *op)
{
    patio_error err = PATIO_ERROR_INIT;
    listing     l   = {.array = json_object_new_array()};
    CLI_ROW(&l.table, "WORKER", "VERSION", "QUEUES", "TASKS", "BUSY", "OK/FAILED", "UP", "STATE");
    patio_status st = patio_worker_list(op->broker, op->timeout_ms, add_worker, &l, &err);
    if (st == PATIO_OK && op->json) {
        cli_inspect_print(json_object_get(l.array));
    } else if (st == PATIO_OK) {
        cli_table_print(&l.table, "");
        if (l.problems.cell_count > 0) {
            printf("\nPROBLEMS\n");
            cli_table_print(&l.problems, "");
        }
    }
    cli_table_free(&l.table);
    cli_table_free(&l.problems);
    json_object_put(l.array);
    return st == PATIO_OK ? cli_finish_output() : cli_fail("list the workers", st, &err);
}

static int32_t add_answer(void *arg, const patio_worker_info *w)
{
    listing *l = arg;
    char     seen[CLI_TEXT];
    add_json(l->array, w);
    l->count++;
    printf("%s:%" PRIu64 ": ", w->host, w->pid);
    if (w->rtt_ns != 0) {
        printf("answered in %.3f ms", (double)w->rtt_ns / 1e6);
    } else {
        printf("last seen %s ago", cli_age_text(w->seen_ms, seen));
    }
    printf("%s%s\n", w->problem[0] != '\0' ? ", not ready: " : "", w->problem);
    return 0;
}

static int32_t add_json_only(void *arg, const patio_worker_info *w)
{
    listing *l = arg;
    add_json(l->array, w);
    l->count++;
    return 0;
}

static int run_ping(cli_operation *op)
{
    patio_error  err  = PATIO_ERROR_INIT;
    listing      l    = {.array = json_object_new_array()};
    uint64_t     from = pt_now_ns();
    patio_status st   = patio_worker_list(op->broker, op->timeout_ms,
                                        op->json ? add_json_only : add_answer, &l, &err);
    if (st == PATIO_OK && op->json) {
        cli_inspect_print(json_object_get(l.array));
    } else if (st == PATIO_OK) {
        printf("%zu worker%s, asked for %.3f ms\n", l.count, l.count == 1 ? "" : "s",
               (double)(pt_now_ns() - from) / 1e6);
    }
    json_object_put(l.array);
    if (st != PATIO_OK) {
        return cli_fail("ping", st, &err);
    }
    int code = cli_finish_output();
    return code == CLI_EXIT_OK && l.count == 0 ? CLI_EXIT_ROUTE : code;
}

int cmd_workers(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command = "workers",
        .doc     = "List the workers of the project that are alive: tasks, load, version, queues."
                   "\v"
                   "A worker says who it is about every five seconds while its numbers change; one "
                   "that died disappears within two leases.",
        .takes   = CLI_TAKES_JSON,
        .run     = run_workers,
    };
    return cli_operation_main(&spec, argc, argv);
}

int cmd_ping(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command = "ping",
        .doc     = "Ask who is there. Exit code 5 if no worker answers.",
        .takes   = CLI_TAKES_JSON,
        .run     = run_ping,
    };
    return cli_operation_main(&spec, argc, argv);
}
