/* Typed values of the core's own keys: what the option tables say about what the store holds. */
#include <stdio.h>
#include <string.h>

#include <patio/registry.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "config/config_keys.h"
#include "config/config_table.h"
#include "config/say.h"

enum { MAX_ROWS = 24, PROJECT_MAX_BYTES = 128, QUEUE_MAX_BYTES = 255 };
_Static_assert((int)PT_CORE_OPTION_COUNT <= MAX_ROWS && (int)PT_TASK_OPTION_COUNT <= MAX_ROWS,
               "settings of a table fit");

/* Parse what is set under prefix + name for each row of a table. `settings` has room for all rows;
 * their keys become those of the table. */
static patio_status parse_table(const patio_allocator *mem, const patio_config *config,
                                const patio_option *const *table, const char *prefix,
                                const char *who, patio_option_value **out, patio_error *err)
{
    pt_setting settings[MAX_ROWS];
    size_t     count = 0;
    for (size_t i = 0; table[i] != NULL; i++) {
        char key[PT_KEY_BYTES];
        int  size = snprintf(key, sizeof(key), "%s%s", prefix, table[i]->name);
        if (size > 0 && (size_t)size < sizeof(key) &&
            pt_config_find(config, key, &settings[count])) {
            settings[count++].key = table[i]->name;
        }
    }
    return pt_options_parse(mem, table, who, settings, count, out, err);
}

/* A text that is no name, as an error of the same form as those of pt_options_parse. */
static patio_status fail_name(const patio_config *config, const char *key, const char *who,
                              const char *option, const char *what, patio_error *err)
{
    pt_setting setting = {0};
    char       quoted[PT_QUOTE_BYTES];
    (void)pt_config_find(config, key, &setting);
    (void)pt_fail(err, PATIO_CONFIG, "config", "%s: option %s: %s is not %s", who, option,
                  pt_quote(quoted, setting.value != NULL ? setting.value : ""), what);
    return pt_error_at(err, PATIO_CONFIG, setting.origin);
}

patio_status pt_config_core(const patio_allocator *mem, const patio_config *config,
                            patio_option_value **out, patio_error *err)
{
    patio_status status = parse_table(mem, config, pt_core_options, "", "patio", out, err);
    if (status == PATIO_OK && !pt_is_plain_name((*out)[PT_CORE_PROJECT].text, PROJECT_MAX_BYTES)) {
        pt_options_free(mem, pt_core_options, *out);
        *out   = NULL;
        status = fail_name(config, "project", "patio", "project",
                           "a name: 1 to 128 of A-Z, a-z, 0-9, '.', '_', '-'", err);
    }
    return status;
}

patio_status pt_config_log(const patio_allocator *mem, const patio_config *config,
                           patio_option_value **out, patio_error *err)
{
    return parse_table(mem, config, pt_log_options, "log.", "log", out, err);
}

patio_status pt_config_queue(const patio_allocator *mem, const patio_config *config,
                             const char *name, patio_option_value **out, patio_error *err)
{
    char quoted[PT_QUOTE_BYTES];
    char who[PT_QUOTE_BYTES + 8];
    char prefix[PT_KEY_BYTES];
    (void)snprintf(who, sizeof(who), "queue %s", pt_quote(quoted, name));
    (void)snprintf(prefix, sizeof(prefix), "queues.%s.", name);
    return parse_table(mem, config, pt_queue_options, prefix, who, out, err);
}

/* ---- tasks ---- */

static uint64_t to_timeout(int64_t number)
{
    return number == INT64_MAX ? PATIO_FOREVER : (uint64_t)number;
}

static void set_number(patio_task_options *options, enum pt_task_option row, int64_t number)
{
    switch (row) {
    case PT_TASK_PRIORITY:
        options->priority = PATIO_PRIORITY(number);
        break;
    case PT_TASK_ATTEMPT_TIMEOUT_MS:
        options->attempt_timeout_ms = to_timeout(number);
        break;
    case PT_TASK_CALL_TIMEOUT_MS:
        options->call_timeout_ms = to_timeout(number);
        break;
    case PT_TASK_MAX_ATTEMPTS:
        options->max_attempts = (uint32_t)number;
        break;
    case PT_TASK_MAX_CRASHES:
        options->max_crashes = (uint32_t)number;
        break;
    case PT_TASK_BACKOFF_BASE_MS:
        options->backoff_base_ms = (uint64_t)number;
        break;
    case PT_TASK_BACKOFF_CAP_MS:
        options->backoff_cap_ms = (uint64_t)number;
        break;
    case PT_TASK_IDEMPOTENT:
        options->flags &= ~(uint32_t)PATIO_TASK_IDEMPOTENT;
        options->flags |= number != 0 ? PATIO_TASK_IDEMPOTENT : 0;
        break;
    case PT_TASK_ACK:
        options->ack = (uint32_t)number;
        break;
    case PT_TASK_VERSION:
        options->version = (uint32_t)number;
        break;
    case PT_TASK_QUEUE_TTL_MS:
        options->queue_ttl_ms = number == INT64_MAX ? 0 : (uint64_t)number;
        break;
    case PT_TASK_RESULT_TTL_MS:
        options->result_ttl_ms = (uint64_t)number;
        break;
    case PT_TASK_BACKOFF:
        options->backoff = (uint32_t)number;
        break;
    case PT_TASK_LEVEL:
        options->level = (uint32_t)number;
        break;
    case PT_TASK_DELAY_MS:
        options->delay_ms = (uint64_t)number;
        break;
    case PT_TASK_DEDUP:
        options->dedup_by = (uint32_t)number;
        break;
    case PT_TASK_DEDUP_WINDOW_MS:
        options->dedup_window_ms = (uint64_t)number;
        break;
    case PT_TASK_DEDUP_CONFLICT:
        options->dedup_conflict = (uint32_t)number;
        break;
    case PT_TASK_BACKOFF_LIST:
    case PT_TASK_EXECUTOR:
    case PT_TASK_QUEUE:
    case PT_TASK_OPTION_COUNT:
    default:
        break;
    }
}

/* The store's own text of a task's name-like option, checked; NULL if it is not set. */
static patio_status find_name(const patio_config *config, const char *prefix, const char *who,
                              enum pt_task_option row, const char **out, patio_error *err)
{
    const char *option = pt_task_option_table[row]->name;
    pt_setting  setting;
    char        key[PT_KEY_BYTES];
    (void)snprintf(key, sizeof(key), "%s%s", prefix, option);
    *out = NULL;
    if (!pt_config_find(config, key, &setting)) {
        return PATIO_OK;
    }
    if (!pt_is_plain_name(setting.value, QUEUE_MAX_BYTES)) {
        return fail_name(config, key, who, option,
                         "a name: 1 to 255 of A-Z, a-z, 0-9, '.', '_', '-'", err);
    }
    *out = setting.value;
    return PATIO_OK;
}

patio_status pt_config_task(const patio_allocator *mem, const patio_config *config,
                            const char *name, patio_task_options *options, patio_error *err)
{
    patio_option_value *values   = NULL;
    const char         *queue    = NULL;
    const char         *executor = NULL;
    char                quoted[PT_QUOTE_BYTES];
    char                who[PT_QUOTE_BYTES + 8];
    char                prefix[PT_KEY_BYTES];
    char                key[PT_KEY_BYTES + 16];
    (void)snprintf(who, sizeof(who), "task %s", pt_quote(quoted, name));
    int size = snprintf(prefix, sizeof(prefix), "tasks.%s.", name);
    if (size < 0 || (size_t)size >= sizeof(prefix)) {
        return PATIO_OK; /* no key has such a name */
    }
    patio_status status = find_name(config, prefix, who, PT_TASK_QUEUE, &queue, err);
    if (status == PATIO_OK) {
        status = find_name(config, prefix, who, PT_TASK_EXECUTOR, &executor, err);
    }
    if (status == PATIO_OK) {
        status = parse_table(mem, config, pt_task_option_table, prefix, who, &values, err);
    }
    if (status != PATIO_OK) {
        return status;
    }
    options->queue    = queue != NULL ? queue : options->queue;
    options->executor = executor != NULL ? executor : options->executor;
    for (int row = 0; row < PT_TASK_OPTION_COUNT; row++) {
        if (values[row].given != 0) {
            set_number(options, (enum pt_task_option)row, values[row].number);
        }
    }
    pt_setting list;
    (void)snprintf(key, sizeof(key), "%s%s", prefix, "backoff_list");
    if (pt_config_find(config, key, &list)) {
        options->backoff_list = list.value;
    }
    pt_options_free(mem, pt_task_option_table, values);
    if (options->dedup_by == PATIO_DEDUP_BY_ARGS && options->dedup_window_ms == 0) {
        return pt_fail(err, PATIO_CONFIG, "config",
                       "%s: dedup by args needs dedup_window_ms: how long arguments are remembered",
                       who);
    }
    return PATIO_OK;
}
