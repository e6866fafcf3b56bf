/* session.h: configuration, runtime, registry and broker of one run of the command. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <patio/patio.h>

#include "options.h"

typedef struct cli_session {
    patio_config   *config;
    patio_runtime  *runtime;
    patio_registry *registry; /* NULL when no module is loaded */
    patio_broker   *broker;
} cli_session;

/* Make everything, and load the task modules that files and command line name; open nothing yet.
 * Returns an exit code, having said why. `command` ("call") is for its words. Whatever happens, the
 * session is to be closed. */
int cli_session_prepare(cli_session *session, const char *command, const cli_options *options,
                        const char *log_level);
/* Start the broker. Returns an exit code, having said why. */
int cli_session_start(cli_session *session);
/* Free everything; waits for tasks that still run. */
void cli_session_close(cli_session *session);

/* Load the modules of the configuration ("modules"), then those of the command line. */
patio_status cli_load_modules(patio_registry *registry, const patio_config *config,
                              const cli_list *modules, patio_error *err);
/* How long to drain: drain_timeout_ms, or 25 s. */
uint64_t cli_session_drain_ms(const cli_session *session);
/* One line in the log, in the same form and above the same threshold as the library's own. */
void cli_session_log(const cli_session *session, int32_t level, const char *format, ...)
    PATIO_PRINTF(3, 4);

#endif
