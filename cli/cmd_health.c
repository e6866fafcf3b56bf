/* cmd_health.c: `patio health`: is it fit for work? For probes: the exit code says it all. */
#include <json-c/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "operation.h"
#include "result.h"
#include "table.h"

enum { NOT_READY = CLI_EXIT_INTERNAL };

static const char doc[] =
    "Ask whether work can be done: is the transport reachable and taking tasks, and is there a "
    "worker that is ready? Exits with 0 if so, with 1 if not, whatever the reason; it stands on "
    "standard output."
    "\v"
    "Without --pid and --host all workers of the project count, and one that is ready is enough, "
    "or as many as --workers says (0: only the transport is asked, as where it does not know "
    "workers). With --pid, that worker on this host (or on --host) must be ready: for the probe of "
    "one worker.\n"
    "\n"
    "  patio health -b redis://cache --workers 2\n"
    "  patio health -b amqp://mq --pid 1 --timeout 2s\n"
    "\n"
    "A worker's states are connecting, ready, degraded (ready, though tasks that do not return "
    "hold threads), blocked, stalled, down, worn_out and draining.";

typedef struct probe {
    const cli_operation *op;
    char                 host[256]; /* "": any */
    cli_table            table;
    json_object         *workers;
    bool                 chosen; /* by --workers, --pid or --host */
    uint64_t             wanted; /* 0: workers are not asked for */
    uint64_t             seen;
    uint64_t             ready;
} probe;

static int32_t add_worker(void *arg, const patio_worker_info *w)
{
    probe      *p = arg;
    char        who[300];
    const char *state = w->state[0] != '\0'   ? w->state
                        : cli_worker_ready(w) ? "ready"
                                              : "not ready";
    if ((p->op->pid != 0 && w->pid != p->op->pid) ||
        (p->host[0] != '\0' && strcmp(w->host, p->host) != 0)) {
        return 0;
    }
    p->seen++;
    p->ready += cli_worker_ready(w) ? 1 : 0;
    (void)snprintf(who, sizeof(who), "%s:%" PRIu64, w->host, w->pid);
    CLI_ROW(&p->table, who, state, w->problem[0] != '\0' ? w->problem : "-");
    json_object *o = json_object_new_object();
    cli_json_text(o, "host", w->host);
    json_object_object_add(o, "pid", json_object_new_uint64(w->pid));
    json_object_object_add(o, "ready", json_object_new_boolean(cli_worker_ready(w)));
    cli_json_text(o, "state", state);
    cli_json_text(o, "problem", w->problem);
    json_object_array_add(p->workers, o);
    return 0;
}

/* OK: everything could be asked. */
static patio_status ask(probe *p, patio_health *transport, char *why, size_t room)
{
    patio_error   err = PATIO_ERROR_INIT;
    patio_broker *b   = p->op->broker;
    patio_status  st  = patio_broker_start(b, &err);
    if (st == PATIO_OK && p->wanted > 0) {
        st = patio_worker_list(b, p->op->timeout_ms, add_worker, p, &err);
        if (st == PATIO_UNSUPPORTED && !p->chosen) {
            p->wanted = 0; /* the transport is all that can be asked */
            st        = PATIO_OK;
        }
    }
    patio_broker_health(b, transport);
    if (st != PATIO_OK) {
        (void)snprintf(why, room, "%s", err.message);
    } else if (transport->ready == 0) {
        (void)snprintf(why, room, "%s%s%s", patio_health_name(transport->state),
                       transport->reason[0] != '\0' ? ": " : "", transport->reason);
    } else if (p->ready < p->wanted) {
        (void)snprintf(why, room, "%" PRIu64 " of %" PRIu64 " workers are ready, wanted: %" PRIu64,
                       p->ready, p->seen, p->wanted);
    }
    return st;
}

static void print_json(const probe *p, const patio_health *transport, const char *why)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "ready", json_object_new_boolean(why[0] == '\0'));
    cli_json_text(o, "reason", why);
    cli_json_text(o, "transport", patio_broker_transport(p->op->broker));
    cli_json_text(o, "state", patio_health_name(transport->state));
    json_object_object_add(o, "workers_ready", json_object_new_uint64(p->ready));
    json_object_object_add(o, "workers", json_object_get(p->workers));
    cli_inspect_print(o);
}

static int run(cli_operation *op)
{
    probe        p         = {.op = op, .workers = json_object_new_array()};
    patio_health transport = {PATIO_SIZED(patio_health)};
    char         why[1200] = "";
    p.chosen               = op->workers_wanted != CLI_NOT_SAID || op->pid != 0 || op->host != NULL;
    p.wanted               = op->workers_wanted != CLI_NOT_SAID ? op->workers_wanted : 1;
    if (op->host != NULL) {
        (void)snprintf(p.host, sizeof(p.host), "%s", op->host);
    } else if (op->pid != 0) {
        (void)gethostname(p.host, sizeof(p.host) - 1);
    }
    patio_status st = ask(&p, &transport, why, sizeof(why));
    if (op->json) {
        print_json(&p, &transport, why);
    } else if (why[0] != '\0') {
        printf("not ready: %s\n", why);
        cli_table_print(&p.table, "");
    } else {
        printf("ready: transport %s", patio_broker_transport(op->broker));
        if (p.wanted > 0) {
            printf(", %" PRIu64 " of %" PRIu64 " workers", p.ready, p.seen);
        }
        printf("\n");
    }
    cli_table_free(&p.table);
    json_object_put(p.workers);
    int code = cli_finish_output();
    /* what no waiting heals is a mistake in the command line */
    if (st == PATIO_UNSUPPORTED || st == PATIO_CONFIG || st == PATIO_INVALID) {
        return CLI_EXIT_USAGE;
    }
    return why[0] != '\0' ? NOT_READY : code;
}

int cmd_health(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command   = "health",
        .words     = "[URL]",
        .doc       = doc,
        .words_max = 1,
        .takes     = CLI_PROBES | CLI_TAKES_JSON | CLI_TAKES_URL,
        .run       = run,
    };
    return cli_operation_main(&spec, argc, argv);
}
