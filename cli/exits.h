/* exits.h: what the exit code of patio says, and errors on standard error. */
#ifndef CLI_EXITS_H
#define CLI_EXITS_H

#include <patio/base.h>

/* X(name, code, text): the one list; `patio help exit-codes` and docs/cli.md follow it. */
#define CLI_EXIT_MAP(X)                                                                            \
    X(OK, 0, "success")                                                                            \
    X(INTERNAL, 1, "internal error, or one that no other code fits")                               \
    X(USAGE, 2, "wrong usage or configuration; nothing was done")                                  \
    X(TASK, 3, "the task failed or crashed")                                                       \
    X(DEADLINE, 4, "the deadline passed")                                                          \
    X(ROUTE, 5, "no route: nobody can run this task")                                              \
    X(UNREACHABLE, 6, "the transport is unreachable, blocked, refused us or broke down")           \
    X(FULL, 7, "refused: a queue is full, or the task is too large")                               \
    X(DRAIN, 8, "a worker ended while tasks were still running")                                   \
    X(RECYCLE, 9, "a worker ended because its process should be begun anew, as the log says")      \
    X(INTERRUPTED, 130, "ended at once by a second signal")

enum {
#define CLI_X(name, code, text) CLI_EXIT_##name = (code),
    CLI_EXIT_MAP(CLI_X)
#undef CLI_X
};

/* The exit code for a status. */
int cli_exit_code(patio_status status);

/* On standard error a text that may be another process's: what would steer a terminal is a question
 * mark. */
void cli_put_text(const char *text);

/* Print "patio: WHAT: MESSAGE (STATUS)" and, where there is one, what to do next. `what` may be
 * NULL. Returns the exit code. */
int cli_fail(const char *what, patio_status status, const patio_error *err);
/* The same while the command still prepares: whatever is wrong is usage or configuration, unless
 * memory ran out. */
int cli_fail_setup(const char *what, patio_status status, const patio_error *err);
/* Print "patio: …" and where help is; returns CLI_EXIT_USAGE. */
int cli_usage(const char *command, const char *format, ...) PATIO_PRINTF(2, 3);

#endif
