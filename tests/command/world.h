/* command/world.h: a broker on memory:// whose tasks are programs. */
#ifndef COMMAND_WORLD_H
#define COMMAND_WORLD_H

#include "fixture.h"

/* Begins a runtime, adds every tasks.NAME.command of the settings, and starts a broker. */
void world_open(fixture *f, const char *const *settings);
/* Closes it; no memory, no descriptor and no process may be left. */
void world_close(fixture *f);

/* Calls, and expects a raw result of these bytes. */
void expect_output(fixture *f, const char *task, const patio_payload *payload, const char *output);
/* Calls, and expects the task's error. */
void expect_error(fixture *f, const char *task, const patio_payload *payload, const char *type,
                  int code, const char *part);

/* How many processes have this among their arguments. */
unsigned processes_with(const char *argument);

#endif
