/* call_options.h: the command line of `patio call` and `patio send`. */
#ifndef CLI_CALL_OPTIONS_H
#define CLI_CALL_OPTIONS_H

#include <patio/call.h>

#include "options.h"
#include "payload.h"

typedef struct cli_call {
    cli_options        common;
    const char        *task;
    cli_payload        payload;
    patio_call_options options;
    patio_header      *headers;
    const char        *content_type; /* NULL: not given */
    bool               from_stdin;
    bool               json;
} cli_call;

/* Parse, or end the program with a usage error, or after --help. Reading standard input is left to
 * the caller. */
void cli_call_parse(cli_call *call, bool send, int argc, char **argv);
void cli_call_fini(cli_call *call);

#endif
