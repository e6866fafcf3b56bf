/* cmd_doctor.c: `patio doctor` and `patio topology`: what the transport stands on. */
#include <json-c/json.h>

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exits.h"
#include "inspect.h"
#include "operation.h"
#include "result.h"

static const char *const severities[] = {"ok", "note", "warn", "error"};

typedef struct checkup {
    json_object *array; /* NULL: print lines */
    uint32_t     worst;
} checkup;

static int32_t add_finding(void *arg, const patio_finding *f)
{
    checkup    *c    = arg;
    uint32_t    s    = f->severity <= PATIO_FINDING_ERROR ? f->severity : PATIO_FINDING_ERROR;
    const char *word = severities[s];
    c->worst         = s > c->worst ? s : c->worst;
    if (c->array != NULL) {
        json_object *o = json_object_new_object();
        cli_json_text(o, "severity", word);
        cli_json_text(o, "subject", f->subject);
        cli_json_text(o, "finding", f->finding);
        cli_json_text(o, "advice", f->advice);
        json_object_array_add(c->array, o);
        return 0;
    }
    printf("%-5s  %s: %s\n", word, f->subject, f->finding);
    if (f->advice[0] != '\0') {
        printf("       %s\n", f->advice);
    }
    return 0;
}

static int run_doctor(cli_operation *op)
{
    patio_error  why     = PATIO_ERROR_INIT;
    patio_error  err     = PATIO_ERROR_INIT;
    checkup      c       = {.array = op->json ? json_object_new_array() : NULL};
    patio_status started = patio_broker_start(op->broker, &why);
    /* a server that patio does not work with is examined, too */
    patio_status st    = patio_doctor_check(op->broker, op->timeout_ms, add_finding, &c, &err);
    bool         named = st == PATIO_OK && c.worst == PATIO_FINDING_ERROR;
    if (started != PATIO_OK && named) {
        patio_finding reason = {PATIO_SIZED(patio_finding), .severity = PATIO_FINDING_ERROR,
                                .subject = "start", .finding = why.message, .advice = ""};
        (void)add_finding(&c, &reason);
    }
    if (c.array != NULL) {
        cli_inspect_print(c.array);
    }
    int code = cli_finish_output();
    if (started != PATIO_OK && !named) {
        return cli_fail("start the broker", started, &why);
    }
    if (st != PATIO_OK) {
        return cli_fail("examine the transport", st, &err);
    }
    return code == CLI_EXIT_OK && named ? CLI_EXIT_INTERNAL : code;
}

static void print_text(void *arg, patio_bytes text)
{
    (void)arg;
    (void)fwrite(text.data, 1, text.size, stdout);
    if (text.size == 0 || text.data[text.size - 1] != '\n') {
        (void)putchar('\n');
    }
}

static int run_topology(cli_operation *op)
{
    static const char *const by_default[] = {"default"};
    patio_error              err          = PATIO_ERROR_INIT;
    const char *const       *queues       = op->queues.count > 0 ? op->queues.items : by_default;
    size_t                   count        = op->queues.count > 0 ? op->queues.count : 1;
    if (strcmp(op->words[0], "print") != 0) {
        return cli_usage(op->command, "say print");
    }
    patio_status st = patio_topology_print(op->broker, queues, count, print_text, NULL, &err);
    return st == PATIO_OK ? cli_finish_output() : cli_fail("print the topology", st, &err);
}

int cmd_doctor(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command   = "doctor",
        .words     = "[URL]",
        .doc       = "Check the server's version, rights, settings and leftovers, and say what to "
                     "change. Nothing is changed. Exit code 1 if something cannot work as it is.",
        .words_max = 1,
        .takes     = CLI_TAKES_JSON | CLI_TAKES_URL | CLI_STARTS,
        .run       = run_doctor,
    };
    return cli_operation_main(&spec, argc, argv);
}

int cmd_topology(int argc, char **argv)
{
    static const cli_operation_spec spec = {
        .command = "topology",
        .words   = "print [URL]",
        .doc     = "Print what an operator must create on the server where patio may not, for the "
                   "queues of -q (\"default\"), in the server's own format. Connects to nothing.",
        .words_min = 1,
        .words_max = 2,
        .takes     = CLI_TAKES_QUEUE | CLI_TAKES_URL | CLI_NO_START,
        .run       = run_topology,
    };
    return cli_operation_main(&spec, argc, argv);
}
