/* options.h: the options that commands share, and the configuration they become. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

#include <patio/config.h>

#include "alloc.h"

/* One key from the command line; all texts are borrowed from argv or static, but for the key of -o.
 */
typedef struct cli_setting {
    char       *key;
    char       *value;
    const char *origin; /* "-j on the command line" */
} cli_setting;

typedef struct cli_options {
    cli_setting *settings;
    size_t       setting_count;
    cli_list     files;
    cli_list     brokers;
    cli_list     modules;
    bool         has_executor; /* -x was given */
    bool         has_commands; /* --exec was given */
    const char  *ready_file;   /* --ready-file of a worker; NULL: none */
    bool         may_wait;     /* unless connect_required is said, it is false */
    uint64_t     connect_ms;   /* connecting takes no longer, whatever is configured; 0: not said */
} cli_options;

/* Parsers to be a command's children; their input is a cli_options, zeroed before. */
extern const struct argp cli_config_argp; /* -f -o --plugin-path --log-level --log-format */
extern const struct argp cli_reach_argp;  /* -b -p */
extern const struct argp cli_broker_argp; /* -b -p -x -j -m */

/* What connecting takes at most where nobody says more (connect_timeout_ms). */
enum { CLI_CONNECT_MS = 5000 };

/* Note a key; for options of a command's own that end in the configuration. */
void cli_options_set(cli_options *options, const char *key, const char *value, const char *origin);
void cli_options_fini(cli_options *options);

/* Environment, then files, then the command line: later ones win. `log_level` (may be NULL) is used
 * if nobody names one. */
patio_status cli_options_config(const cli_options *options, const char *log_level,
                                patio_config **out, patio_error *err);
/* Is any broker named? */
bool cli_config_has_broker(const patio_config *config);

#endif
