/* operation.h: what the commands share that look after a running system: stats, workers, dlq … */
#ifndef CLI_OPERATION_H
#define CLI_OPERATION_H

#include <patio/patio.h>

#include "options.h"

struct json_object;

enum { CLI_OPERATION_WORDS = 8 };
#define CLI_NOT_SAID UINT64_MAX

/* Options that a command takes beside those of all. */
enum {
    CLI_TAKES_QUEUE = 1u << 0, /* -q QUEUE */
    CLI_TAKES_ALL   = 1u << 1, /* --all */
    CLI_TAKES_LIMIT = 1u << 2, /* --limit N */
    CLI_TAKES_JSON  = 1u << 3, /* --json */
    CLI_TAKES_URL   = 1u << 4, /* the last word may be the URL to go to */
    CLI_NO_START    = 1u << 5, /* the broker is made, but not started */
    CLI_PROBES      = 1u << 6, /* the command starts the broker itself; --host, --pid, --workers */
    CLI_STARTS      = 1u << 7, /* the command starts the broker itself */
};

typedef struct cli_operation {
    cli_options   common;
    bool          json;
    bool          all;
    cli_list      queues; /* -q */
    uint64_t      timeout_ms;
    uint32_t      limit;
    const char   *host;           /* --host */
    uint64_t      pid;            /* --pid; 0: any */
    uint64_t      workers_wanted; /* --workers; CLI_NOT_SAID: it was not given */
    const char   *words[CLI_OPERATION_WORDS];
    size_t        word_count;
    const char   *command; /* "dlq" */
    patio_broker *broker;
} cli_operation;

typedef struct cli_operation_spec {
    const char *command;
    const char *words; /* "ID", for the usage */
    const char *doc;
    size_t      words_min;
    size_t      words_max;
    uint32_t    takes;                /* CLI_TAKES_… */
    int (*run)(cli_operation *asked); /* returns an exit code, having said why */
} cli_operation_spec;

/* Parse, connect, run, leave. */
int cli_operation_main(const cli_operation_spec *spec, int argc, char **argv);

/* The first -q, or NULL. */
const char *cli_operation_queue(const cli_operation *asked);
/* A word as an id; false, having said that it is none. */
bool cli_operation_id(const cli_operation *asked, const char *word, patio_id *out);

/* cmd_workers.c: is it fit for work, by what it says of itself? */
bool cli_worker_ready(const patio_worker_info *worker);

/* Texts for tables; "-" for what is not known. */
enum { CLI_TEXT = 64 };
const char *cli_count_text(uint64_t count, char text[CLI_TEXT]);
/* "3.2 s", "4 h 12 min". */
const char *cli_age_text(uint64_t ms, char text[CLI_TEXT]);

/* JSON: null for what is not known. */
struct json_object *cli_json_count(uint64_t count);
void                cli_json_text(struct json_object *object, const char *key, const char *text);

#endif
