/* result.h: what came back, on standard output or standard error. */
#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include <patio/call.h>

/* Print the result of a done call: scalars as text, the rest as JSON, raw bytes as they are; with
 * `json` everything as JSON. Returns an exit code, having said why. */
int cli_result_print(patio_future *future, bool json);
/* Print how a call failed, with the task's own error and its details. `future` may be NULL when
 * nothing was sent. Returns the exit code. */
int cli_result_error(patio_future *future, const char *task, patio_status status,
                     const patio_error *err);
/* A patio_progress_fn: one line on standard error; over the one before it on a terminal. */
void cli_result_progress(patio_future *future, const patio_progress *progress, void *unused);
/* Was all of standard output written? Returns an exit code, having said why not. */
int cli_finish_output(void);

#endif
