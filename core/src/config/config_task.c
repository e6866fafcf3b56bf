/* What is set for one task and is its executor's affair. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "config/config_keys.h"
#include "config/say.h"

static bool is_core_option(const char *name)
{
    for (size_t i = 0; pt_task_option_table[i] != NULL; i++) {
        if (strcmp(pt_task_option_table[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A name that neither table has: the nearest of both is suggested, else all are listed. */
static patio_status fail_unknown(const pt_setting *setting, const char *who, const char *executor,
                                 const patio_option *const *table, patio_error *err)
{
    char    quoted[PT_QUOTE_BYTES];
    size_t  rows = pt_options_count(table);
    pt_near near;
    pt_near_init(&near, setting->key);
    for (size_t i = 0; i < rows; i++) {
        pt_near_try(&near, table[i]->name);
    }
    for (size_t i = 0; pt_task_option_table[i] != NULL; i++) {
        pt_near_try(&near, pt_task_option_table[i]->name);
    }
    (void)pt_fail(err, PATIO_CONFIG, "config", "%s: unknown option %s", who,
                  pt_quote(quoted, setting->key));
    if (near.best != NULL) {
        pt_error_add(err, "; did you mean \"%s\"?", near.best);
    } else {
        pt_error_add(err, "; executor %s has %s for a single task", executor,
                     rows == 0 ? "no options" : "these");
        for (size_t i = 0; i < rows; i++) {
            pt_error_add(err, "%s %s", i > 0 ? "," : ":", table[i]->name);
        }
    }
    return pt_error_at(err, PATIO_CONFIG, setting->origin);
}

static bool has(const patio_option *const *table, const char *name)
{
    size_t rows = pt_options_count(table);
    for (size_t i = 0; i < rows; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Keep those that are the executor's. Below "tasks.a." there are also those of a task "a.b". */
static patio_status sort_out(pt_setting *settings, size_t *count, const char *who,
                             const char *executor, const patio_option *const *table,
                             patio_error *err)
{
    size_t       kept = 0;
    patio_status st   = PATIO_OK;
    for (size_t i = 0; i < *count && st == PATIO_OK; i++) {
        const char *name = settings[i].key;
        if (strchr(name, '.') != NULL || is_core_option(name)) {
            continue;
        }
        if (has(table, name)) {
            settings[kept++] = settings[i];
        } else {
            st = fail_unknown(&settings[i], who, executor, table, err);
        }
    }
    *count = kept;
    return st;
}

patio_status pt_config_task_executor(const patio_allocator *mem, const patio_config *config,
                                     const char *name, const char *executor,
                                     const patio_option *const *table, patio_option_value **out,
                                     patio_error *err)
{
    char        quoted[PT_QUOTE_BYTES];
    char        who[PT_QUOTE_BYTES + 8];
    char        prefix[PT_KEY_BYTES];
    pt_setting *settings = NULL;
    size_t      count    = 0;
    *out                 = NULL;
    (void)snprintf(who, sizeof(who), "task %s", pt_quote(quoted, name));
    int          size = snprintf(prefix, sizeof(prefix), "tasks.%s.", name);
    patio_status st   = PATIO_OK;
    if (size > 0 && (size_t)size < sizeof(prefix)) {
        st = pt_config_under(mem, config, prefix, &settings, &count, err);
    }
    if (st == PATIO_OK) {
        st = sort_out(settings, &count, who, executor, table, err);
    }
    if (st == PATIO_OK && pt_options_count(table) > 0) {
        st = pt_options_parse(mem, table, who, settings, count, out, err);
    }
    pt_free(mem, settings);
    return st;
}
