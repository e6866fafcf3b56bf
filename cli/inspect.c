#include "inspect.h"

#include <json-c/json.h>

#include <stdio.h>

#include "exits.h"

int cli_inspect_open(const cli_options *options, patio_config **config, patio_runtime **runtime)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = cli_options_config(options, "error", config, &err);
    if (st != PATIO_OK) {
        return cli_fail_setup("read the configuration", st, &err);
    }
    patio_runtime_options wanted = {PATIO_SIZED(patio_runtime_options),
                                    .log_level = PATIO_LOG_ERROR, .config = *config};
    st                           = patio_runtime_create(&wanted, runtime, &err);
    if (st != PATIO_OK) {
        patio_config_destroy(*config);
        return cli_fail_setup("set up", st, &err);
    }
    return CLI_EXIT_OK;
}

void cli_inspect_print(json_object *tree)
{
    (void)puts(json_object_to_json_string_ext(
        tree, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(tree);
}
