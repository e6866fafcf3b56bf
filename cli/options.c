#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

enum {
    KEY_LOG_LEVEL = 0x100,
    KEY_LOG_FORMAT,
    KEY_PLUGIN_PATH,
};

static const struct argp_option config_options[] = {
    {"config", 'f', "FILE", 0, "Read this patio.yaml; what the command line says wins", 10},
    {"option", 'o', "KEY=VALUE", 0, "Set any key of the configuration", 10},
    {"plugin-path", KEY_PLUGIN_PATH, "DIRS", 0, "Search these folders (A:B) for plugins first", 10},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0,
     "Log from here on: trace, debug, info, warn, error, off", 10},
    {"log-format", KEY_LOG_FORMAT, "FORMAT", 0, "Lines of text or of json on standard error", 10},
    {NULL, 'h', NULL, OPTION_HIDDEN, NULL, 10},
    {0},
};

static const struct argp_option broker_options[] = {
    {"broker", 'b', "URL", 0,
     "Where to meet: memory:// or the URL of another installed transport; again for more hosts of "
     "the same transport",
     1},
    {"project", 'p', "NAME", 0, "Name space: only the same project meets", 1},
    {"module", 'm', "TASKS.so", 0, "Load this task module and run its tasks; again for more", 1},
    {"executor", 'x', "NAME", 0, "How tasks run: thread, process, async ...", 1},
    {"workers", 'j', "N", 0, "How many tasks run side by side", 1},
    {0},
};

static const struct argp_option reach_options[] = {
    {"broker", 'b', "URL", 0, "Where the workers meet; again for more hosts of the same transport",
     1},
    {"project", 'p', "NAME", 0, "Name space: only the same project meets", 1},
    {0},
};

void cli_options_set(cli_options *options, const char *key, const char *value, const char *origin)
{
    size_t count      = options->setting_count;
    options->settings = cli_resize(options->settings, count + 1, sizeof(*options->settings));
    options->settings[count] =
        (cli_setting){cli_strndup(key, strlen(key)), cli_strndup(value, strlen(value)), origin};
    options->setting_count++;
}

void cli_options_fini(cli_options *options)
{
    for (size_t i = 0; i < options->setting_count; i++) {
        cli_free(options->settings[i].key);
        cli_free(options->settings[i].value);
    }
    cli_free(options->settings);
    cli_list_fini(&options->files);
    cli_list_fini(&options->brokers);
    cli_list_fini(&options->modules);
    *options = (cli_options){0};
}

static error_t parse_config_option(int key, char *marked, struct argp_state *state)
{
    cli_options *options = state->input;
    const char  *arg     = cli_unmark(marked);
    const char  *value;
    size_t       key_size;
    switch (key) {
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case 'f':
        cli_list_add(&options->files, arg);
        return 0;
    case 'o':
        if (!cli_parse_pair(arg, &key_size, &value)) {
            argp_error(state, "-o wants KEY=VALUE, not \"%s\"", arg);
            return EINVAL;
        }
        char *name = cli_strndup(arg, key_size);
        cli_options_set(options, name, value, "-o on the command line");
        cli_free(name);
        return 0;
    case KEY_PLUGIN_PATH:
        cli_options_set(options, "plugin_path", arg, "--plugin-path on the command line");
        return 0;
    case KEY_LOG_LEVEL:
        cli_options_set(options, "log.level", arg, "--log-level on the command line");
        return 0;
    case KEY_LOG_FORMAT:
        cli_options_set(options, "log.format", arg, "--log-format on the command line");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_broker_option(int key, char *marked, struct argp_state *state)
{
    cli_options *options = state->input;
    const char  *arg     = cli_unmark(marked);
    switch (key) {
    case 'b':
        cli_list_add(&options->brokers, arg);
        return 0;
    case 'm':
        cli_list_add(&options->modules, arg);
        return 0;
    case 'p':
        cli_options_set(options, "project", arg, "-p on the command line");
        return 0;
    case 'x':
        cli_options_set(options, "executor.name", arg, "-x on the command line");
        options->has_executor = true;
        return 0;
    case 'j':
        cli_options_set(options, "executor.workers", arg, "-j on the command line");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_config_argp = {
    config_options, parse_config_option, NULL, NULL, NULL, NULL, NULL};
const struct argp cli_reach_argp  = {reach_options, parse_broker_option, NULL, NULL, NULL, NULL,
                                     NULL};
const struct argp cli_broker_argp = {
    broker_options, parse_broker_option, NULL, NULL, NULL, NULL, NULL};

static patio_status set_brokers(patio_config *config, const cli_list *brokers, patio_error *err)
{
    static const char origin[] = "-b on the command line";
    if (brokers->count == 1) {
        return patio_config_set(config, "broker", brokers->items[0], origin, err);
    }
    patio_status st = PATIO_OK;
    for (size_t i = 0; st == PATIO_OK && i < brokers->count; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "broker.%zu", i);
        st = patio_config_set(config, key, brokers->items[i], origin, err);
    }
    return st;
}

/* --timeout bounds connecting, too. What the configuration says may be shorter. */
static patio_status bound_connecting(const cli_options *options, patio_config *config,
                                     patio_error *err)
{
    const char *text = patio_config_get(config, "connect_timeout_ms");
    uint64_t    said = 0;
    char        most[32];
    if (options->connect_ms == 0 ||
        (text != NULL && (!cli_parse_timeout(text, &said) || said <= options->connect_ms))) {
        return PATIO_OK;
    }
    (void)snprintf(most, sizeof(most), "%" PRIu64, options->connect_ms);
    return patio_config_set(config, "connect_timeout_ms", most, "--timeout on the command line",
                            err);
}

static patio_status fill(const cli_options *options, const char *log_level, patio_config *config,
                         patio_error *err)
{
    patio_status st = patio_config_load_env(config, err);
    for (size_t i = 0; st == PATIO_OK && i < options->files.count; i++) {
        st = patio_config_load_file(config, options->files.items[i], err);
    }
    for (size_t i = 0; st == PATIO_OK && i < options->setting_count; i++) {
        const cli_setting *s = &options->settings[i];
        st                   = patio_config_set(config, s->key, s->value, s->origin, err);
    }
    if (st == PATIO_OK) {
        st = set_brokers(config, &options->brokers, err);
    }
    if (st == PATIO_OK) {
        st = bound_connecting(options, config, err);
    }
    if (st == PATIO_OK && options->may_wait &&
        patio_config_get(config, "connect_required") == NULL) {
        st = patio_config_set(config, "connect_required", "false", "default of this command", err);
    }
    if (st == PATIO_OK && log_level != NULL && patio_config_get(config, "log.level") == NULL) {
        st = patio_config_set(config, "log.level", log_level, "default of this command", err);
    }
    return st;
}

patio_status cli_options_config(const cli_options *options, const char *log_level,
                                patio_config **out, patio_error *err)
{
    patio_config *config = NULL;
    patio_status  st     = patio_config_create(&config, err);
    if (st == PATIO_OK) {
        st = fill(options, log_level, config, err);
    }
    if (st != PATIO_OK) {
        patio_config_destroy(config);
        return st;
    }
    *out = config;
    return PATIO_OK;
}

bool cli_config_has_broker(const patio_config *config)
{
    return patio_config_get(config, "broker") != NULL ||
           patio_config_get(config, "broker.0") != NULL;
}
