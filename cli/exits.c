/* exits.c: statuses become exit codes and lines on standard error. */
#include "exits.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <patio/runtime.h>

int cli_exit_code(patio_status status)
{
    switch (status) {
    case PATIO_OK:
        return CLI_EXIT_OK;
    case PATIO_INVALID:
    case PATIO_UNSUPPORTED:
    case PATIO_ABI:
    case PATIO_NOT_FOUND:
    case PATIO_EXISTS:
    case PATIO_CONFIG:
    case PATIO_TYPE:
        return CLI_EXIT_USAGE;
    case PATIO_TASK_FAILED:
    case PATIO_TASK_CRASHED:
        return CLI_EXIT_TASK;
    case PATIO_TIMEOUT:
        return CLI_EXIT_DEADLINE;
    case PATIO_NO_ROUTE:
        return CLI_EXIT_ROUTE;
    case PATIO_UNREACHABLE:
    case PATIO_BLOCKED:
    case PATIO_AUTH:
    case PATIO_IO:
    case PATIO_PEER_LOST:
        return CLI_EXIT_UNREACHABLE;
    case PATIO_FULL:
    case PATIO_TOO_LARGE:
        return CLI_EXIT_FULL;
    default:
        return CLI_EXIT_INTERNAL;
    }
}

/* What a person can do about it; NULL when the message has to say all. */
static const char *next_step(patio_status status)
{
    switch (status) {
    case PATIO_NO_ROUTE:
        return "start a worker that has this task, or wait for one with --wait-route";
    case PATIO_UNREACHABLE:
        return "is the URL right, and does something listen there?";
    case PATIO_AUTH:
        return "check key, user, password and certificates of the URL";
    case PATIO_TOO_LARGE:
        return "raise max_body_bytes, or the limit that is named, on both sides, or pass a "
               "reference instead of the data";
    case PATIO_FULL:
        return "try again later, or add workers";
    case PATIO_TASK_CRASHED:
        return "the worker's log says more";
    default:
        return NULL;
    }
}

void cli_put_text(const char *text)
{
    while (*text != '\0') {
        char   some[512];
        size_t size = 0;
        for (; size < sizeof(some) && *text != '\0'; text++) {
            unsigned char c      = (unsigned char)*text;
            bool          steers = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
            some[size++]         = steers ? '?' : *text;
        }
        (void)fwrite(some, 1, size, stderr);
    }
}

static void print_error(const char *what, patio_status status, const patio_error *err)
{
    flockfile(stderr); /* so that no line of the log comes between */
    fprintf(stderr, "patio: ");
    if (what != NULL) {
        fprintf(stderr, "%s: ", what);
    }
    if (err->origin[0] != '\0') {
        fprintf(stderr, "%s: ", err->origin);
    }
    const char *message = err->message[0] != '\0' ? err->message : patio_status_text(status);
    /* A list of reasons names their statuses itself. */
    bool list = strchr(message, '\n') != NULL;
    cli_put_text(message);
    if (!list) {
        fprintf(stderr, " (%s)", patio_status_name(status));
    }
    fprintf(stderr, "\n");
    const char *next = next_step(status);
    if (next != NULL) {
        fprintf(stderr, "patio: hint: %s\n", next);
    }
    funlockfile(stderr);
}

int cli_fail(const char *what, patio_status status, const patio_error *err)
{
    print_error(what, status, err);
    return cli_exit_code(status);
}

int cli_fail_setup(const char *what, patio_status status, const patio_error *err)
{
    print_error(what, status, err);
    return status == PATIO_NO_MEMORY || status == PATIO_INTERNAL ? CLI_EXIT_INTERNAL
                                                                 : CLI_EXIT_USAGE;
}

int cli_usage(const char *command, const char *format, ...)
{
    fprintf(stderr, "patio %s: ", command);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry `patio %s --help`.\n", command);
    return CLI_EXIT_USAGE;
}
