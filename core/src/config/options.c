#include "config/options.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "config/say.h"
#include "config/secret.h"

size_t pt_options_count(const patio_option *const *table)
{
    size_t count = 0;
    while (table != NULL && table[count] != NULL) {
        count++;
    }
    return count;
}

static bool has_option(const patio_option *const *table, size_t rows, const char *name)
{
    for (size_t i = 0; i < rows; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static patio_status fail_unknown(const patio_option *const *table, size_t rows, const char *who,
                                 const pt_setting *setting, patio_error *err)
{
    char    quoted[PT_QUOTE_BYTES];
    pt_near near;
    pt_near_init(&near, setting->key);
    (void)pt_fail(err, PATIO_CONFIG, "config", "%s: unknown option %s", who,
                  pt_quote(quoted, setting->key));
    for (size_t i = 0; i < rows; i++) {
        pt_near_try(&near, table[i]->name);
    }
    if (near.best != NULL) {
        pt_error_add(err, "; did you mean \"%s\"?", near.best);
    } else if (rows == 0) {
        pt_error_add(err, "; it has no options");
    } else {
        pt_error_add(err, "; it has");
        for (size_t i = 0; i < rows; i++) {
            pt_error_add(err, "%s %s", i > 0 ? "," : "", table[i]->name);
        }
    }
    return pt_error_at(err, PATIO_CONFIG, setting->origin);
}

patio_status pt_options_check_known(const patio_option *const *table, const char *who,
                                    const pt_setting *settings, size_t count, patio_error *err)
{
    size_t rows = pt_options_count(table);
    for (size_t i = 0; i < count; i++) {
        if (!has_option(table, rows, settings[i].key)) {
            return fail_unknown(table, rows, who, &settings[i], err);
        }
    }
    return PATIO_OK;
}

/* The setting that counts: the last one of that name; NULL if there is none. */
static const pt_setting *find_last(const pt_setting *settings, size_t count, const char *name)
{
    for (size_t i = count; i > 0; i--) {
        if (strcmp(settings[i - 1].key, name) == 0) {
            return &settings[i - 1];
        }
    }
    return NULL;
}

static patio_status fill_text(const patio_allocator *mem, const patio_option *option,
                              const char *text, patio_option_value *value, patio_error *err)
{
    char *owned = NULL;
    if (option->type == PATIO_OPTION_SECRET) {
        patio_status status = pt_secret_resolve(mem, text, &owned, err);
        value->text         = owned;
        return status;
    }
    patio_status status = pt_option_parse_number(option, text, &value->number, err);
    if (status != PATIO_OK) {
        return status;
    }
    value->text = pt_strdup(mem, text);
    return value->text != NULL ? PATIO_OK : pt_no_memory(err, "config");
}

static patio_status fill_value(const patio_allocator *mem, const patio_option *option,
                               const char *who, const pt_setting *setting,
                               patio_option_value *value, patio_error *err)
{
    const char *text = setting != NULL ? setting->value : option->fallback;
    if (text == NULL) {
        return pt_fail(err, PATIO_CONFIG, "config", "%s: option %s must be given: %s", who,
                       option->name, option->help != NULL ? option->help : "it has no default");
    }
    value->given        = setting != NULL ? 1 : 0;
    patio_status status = fill_text(mem, option, text, value, err);
    if (status == PATIO_OK || status == PATIO_NO_MEMORY) {
        return status;
    }
    pt_error_before(err, "%s: option %s: ", who, option->name);
    if (setting != NULL) {
        return pt_error_at(err, status, setting->origin);
    }
    if (option->type == PATIO_OPTION_SECRET) {
        return status; /* a default such as "env:NAME" depends on the surroundings */
    }
    if (PATIO_HAS(patio_error, err, message)) {
        err->status = PATIO_INTERNAL;
        pt_error_add(err, " (its default; a bug in the option table)");
    }
    return PATIO_INTERNAL;
}

patio_status pt_options_parse(const patio_allocator *mem, const patio_option *const *table,
                              const char *who, const pt_setting *settings, size_t count,
                              patio_option_value **out, patio_error *err)
{
    *out                = NULL;
    size_t       rows   = pt_options_count(table);
    patio_status status = pt_options_check_known(table, who, settings, count, err);
    if (status != PATIO_OK || rows == 0) {
        return status;
    }
    patio_option_value *values = pt_calloc(mem, rows, sizeof(*values));
    if (values == NULL) {
        return pt_no_memory(err, "config");
    }
    for (size_t i = 0; i < rows; i++) {
        status = fill_value(mem, table[i], who, find_last(settings, count, table[i]->name),
                            &values[i], err);
        if (status != PATIO_OK) {
            pt_options_free(mem, table, values);
            return status;
        }
    }
    *out = values;
    return PATIO_OK;
}

void pt_options_free(const patio_allocator *mem, const patio_option *const *table,
                     patio_option_value *values)
{
    if (values == NULL) {
        return;
    }
    size_t rows = pt_options_count(table);
    for (size_t i = 0; i < rows; i++) {
        /* const is for those who read the values; the texts are ours. All are overwritten, for a
         * password may hide in a plain option too. */
        pt_secret_free(mem, (char *)(uintptr_t)values[i].text);
    }
    pt_free(mem, values);
}
