/* signals.h: the first SIGTERM or SIGINT is news for the program, the second ends it at once. Each
 * SIGHUP is news. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* Before any other thread is started: all of them inherit the blocked signals. */
bool cli_signals_start(void);
/* SIGTERM or SIGINT if it has come; SIGHUP if one has come since the last time; 0 after timeout_ms
 * without one, or a little earlier. */
int cli_signals_wait(uint32_t timeout_ms);
/* Whoever waits returns, a little earlier. */
void cli_signals_wake(void);

#endif
