/* cmd_peers.c: `patio peers`: who this end is connected with, and what they can run. */
#include <json-c/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <patio/operate.h>
#include <patio/peers.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "operation.h"
#include "result.h"
#include "table.h"

enum { LOOKS = 40, LOOK_US = 25 * 1000, TASKS_SHOWN = 60, ASK_MS = 1000 };

enum { IPV4, IPV6, UNIX, FAMILIES };
static const char *const families[FAMILIES] = {"IPv4", "IPv6", "unix"};

/* Of the peers of one family of addresses together. */
typedef struct sum {
    uint64_t connections;
    uint64_t in_flight;
    uint64_t bytes_in;
    uint64_t bytes_out;
} sum;

/* What a peer said of itself. */
typedef struct said {
    uint64_t incarnation;
    uint64_t running;
} said;

typedef struct listing {
    said        *said;
    size_t       said_count;
    bool         complete; /* of each peer all is known */
    size_t       count;
    cli_table    table;
    json_object *array;
    sum          sums[FAMILIES];
} listing;

static int32_t look(void *arg, const patio_peer *p)
{
    listing *list = arg;
    list->count++;
    list->complete = list->complete && p->project[0] != '\0' && p->rtt_ns != 0;
    return 0;
}

static int32_t hear(void *arg, const patio_worker_info *w)
{
    listing *list = arg;
    said    *more = realloc(list->said, (list->said_count + 1) * sizeof(*more));
    if (more == NULL) {
        return 1;
    }
    list->said                     = more;
    list->said[list->said_count++] = (said){w->incarnation, w->running};
    return 0;
}

/* NULL: it did not say, as one that may not be asked. */
static const said *said_by(const listing *list, const patio_peer *p)
{
    for (size_t i = 0; i < list->said_count; i++) {
        if (p->incarnation != 0 && list->said[i].incarnation == p->incarnation) {
            return &list->said[i];
        }
    }
    return NULL;
}

static void add_up(listing *list, const patio_peer *p)
{
    bool is_unix = strncmp(p->address, "unix", 4) == 0;
    sum *s       = &list->sums[is_unix ? UNIX : p->address[0] == '[' ? IPV6 : IPV4];
    s->connections += p->link == PATIO_LINK_UP ? 1 : 0;
    s->in_flight += p->in_flight;
    s->bytes_in += p->bytes_in;
    s->bytes_out += p->bytes_out;
}

static const char *role(const patio_peer *p)
{
    if (p->link != PATIO_LINK_UP) {
        return "not connected";
    }
    return p->listening != 0 ? "came" : "we went";
}

/* The first names, and how many more there are. */
static void tasks_text(const patio_peer *p, char *text, size_t room)
{
    size_t at    = 0;
    size_t shown = 0;
    text[0]      = '\0';
    for (; shown < p->task_count && at < TASKS_SHOWN; shown++) {
        at += (size_t)snprintf(text + at, room - at, "%s%s", shown > 0 ? "," : "", p->tasks[shown]);
    }
    if (shown < p->task_count) {
        (void)snprintf(text + at, room - at, " and %zu more", p->task_count - shown);
    } else if (shown == 0) {
        (void)snprintf(text, room, "-");
    }
}

static void bytes_text(uint64_t in, uint64_t out, char text[CLI_TEXT])
{
    (void)snprintf(text, CLI_TEXT, "%llu / %llu", (unsigned long long)in, (unsigned long long)out);
}

static int32_t add_row(void *arg, const patio_peer *p)
{
    listing *list = arg;
    char     tasks[512];
    char     flight[CLI_TEXT];
    char     running[CLI_TEXT];
    char     rtt[32];
    char     bytes[CLI_TEXT];

    const said *own = said_by(list, p);
    add_up(list, p);
    tasks_text(p, tasks, sizeof(tasks));
    (void)cli_count_text(p->in_flight, flight);
    (void)snprintf(rtt, sizeof(rtt), "%.3f ms", (double)p->rtt_ns / 1e6);
    bytes_text(p->bytes_in, p->bytes_out, bytes);
    CLI_ROW(&list->table, p->address, role(p), p->security[0] != '\0' ? p->security : NULL,
            p->project[0] != '\0' ? p->project : NULL, tasks,
            own != NULL ? cli_count_text(own->running, running) : NULL, flight,
            p->rtt_ns != 0 ? rtt : NULL, bytes);
    return 0;
}

static void add(json_object *to, const char *key, uint64_t number)
{
    json_object_object_add(to, key, json_object_new_uint64(number));
}

static int32_t add_json(void *arg, const patio_peer *p)
{
    listing     *list  = arg;
    const said  *own   = said_by(list, p);
    json_object *one   = json_object_new_object();
    json_object *tasks = json_object_new_array();
    add_up(list, p);
    for (size_t i = 0; i < p->task_count; i++) {
        json_object_array_add(tasks, json_object_new_string(p->tasks[i]));
    }
    json_object_object_add(one, "address", json_object_new_string(p->address));
    json_object_object_add(one, "role", json_object_new_string(role(p)));
    json_object_object_add(one, "up", json_object_new_boolean(p->link == PATIO_LINK_UP));
    json_object_object_add(one, "security", json_object_new_string(p->security));
    json_object_object_add(one, "project", json_object_new_string(p->project));
    json_object_object_add(one, "tasks", tasks);
    add(one, "credit", p->credit);
    json_object_object_add(one, "running",
                           own != NULL ? json_object_new_uint64(own->running) : NULL);
    add(one, "in_flight", p->in_flight);
    add(one, "rtt_us", p->rtt_ns / 1000);
    add(one, "bytes_in", p->bytes_in);
    add(one, "bytes_out", p->bytes_out);
    json_object_array_add(list->array, one);
    return 0;
}

static void print_sums(const listing *list)
{
    cli_table table = {0};
    CLI_ROW(&table, "FAMILY", "CONNECTIONS", "IN FLIGHT", "BYTES IN / OUT");
    for (size_t i = 0; i < FAMILIES; i++) {
        const sum *s = &list->sums[i];
        char       connections[CLI_TEXT];
        char       flight[CLI_TEXT];
        char       bytes[CLI_TEXT];
        bytes_text(s->bytes_in, s->bytes_out, bytes);
        CLI_ROW(&table, families[i], cli_count_text(s->connections, connections),
                cli_count_text(s->in_flight, flight), bytes);
    }
    printf("\n");
    cli_table_print(&table, "");
}

/* {"peers": […], "families": {"IPv4": {…}, …}} */
static void print_json(const listing *list)
{
    json_object *all = json_object_new_object();
    json_object *by  = json_object_new_object();
    for (size_t i = 0; i < FAMILIES; i++) {
        const sum   *s   = &list->sums[i];
        json_object *one = json_object_new_object();
        add(one, "connections", s->connections);
        add(one, "in_flight", s->in_flight);
        add(one, "bytes_in", s->bytes_in);
        add(one, "bytes_out", s->bytes_out);
        json_object_object_add(by, families[i], one);
    }
    json_object_object_add(all, "peers", list->array);
    json_object_object_add(all, "families", by);
    cli_inspect_print(all);
}

static int run_peers(cli_operation *op)
{
    patio_error  err  = PATIO_ERROR_INIT;
    listing      list = {0};
    patio_status st   = PATIO_OK;
    /* the first ping is on its way */
    for (int i = 0; i < LOOKS && st == PATIO_OK && (list.count == 0 || !list.complete); i++) {
        if (i > 0) {
            usleep(LOOK_US);
        }
        list.count    = 0;
        list.complete = true;
        st            = patio_broker_peers(op->broker, look, &list, &err);
    }
    /* what those said that have answered is true of them, whoever else did not */
    (void)!patio_worker_list(op->broker, op->timeout_ms < ASK_MS ? op->timeout_ms : ASK_MS, hear,
                             &list, NULL);
    if (st == PATIO_OK && op->json) {
        list.array = json_object_new_array();
        st         = patio_broker_peers(op->broker, add_json, &list, &err);
        print_json(&list);
    } else if (st == PATIO_OK) {
        CLI_ROW(&list.table, "ADDRESS", "ROLE", "SECURITY", "PROJECT", "TASKS", "RUNNING",
                "IN FLIGHT", "RTT", "BYTES IN / OUT");
        st = patio_broker_peers(op->broker, add_row, &list, &err);
        cli_table_print(&list.table, "");
        print_sums(&list);
    }
    free(list.said);
    return st == PATIO_OK ? cli_finish_output() : cli_fail("list the peers", st, &err);
}

int cmd_peers(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command = "peers",
        .doc   = "Connect as a call would, and list who is at the other ends: address, who went to "
                 "whom, how it is secured, project, tasks, how many it runs at the moment, for "
                 "whomever, and how many of this side are with it, round-trip time and bytes; and "
                 "what the links of IPv4, of IPv6 and of UNIX "
                 "sockets are together. Of several URLs one that nobody answers at is \"not "
                 "connected\"; patio doctor says why."
                 "\v"
                 "A transport with a server, like amqp, has no peers. A listening URL waits up to a "
                 "second for somebody to come. What failed or was turned away in the processes "
                 "that are reached, since they began, patio doctor says.",
        .takes = CLI_TAKES_JSON,
        .run   = run_peers,
    };
    return cli_operation_main(&spec, argc, argv);
}
