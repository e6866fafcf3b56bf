/* starting.h: a start that a signal ends, as it may wait for its link for long. */
#ifndef CLI_STARTING_H
#define CLI_STARTING_H

#include "session.h"

/* An exit code. With CLI_EXIT_OK it has started, or *number is the SIGTERM or SIGINT that came
 * meanwhile: then it may be stopped already, and is to be drained. */
int cli_start(cli_session *session, int *number);

#endif
