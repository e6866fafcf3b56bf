#include "config/config_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "config/config_table.h"
#include "config/say.h"

enum { OPTION_MAX_BYTES = 32, NAME_MAX_BYTES = 255 };

enum kind {
    ONE_VALUE,     /* project */
    LIST,          /* broker, broker.0; modules.0 */
    OPTIONS,       /* transport.OPTION: any option, for the plugin is not loaded yet */
    NAMED_OPTIONS, /* executors.NAME.OPTION */
    TABLE,         /* log.OPTION: one of a table */
    /* tasks.NAME.OPTION; NAME may have dots, the option is the last part. Of a task also those that
     * its executor has for single tasks. */
    NAMED_TABLE,
};

typedef struct family {
    const char                *name;
    enum kind                  kind;
    const patio_option *const *table;
} family;

static const family families[] = {
    {"broker", LIST, NULL},
    {"modules", LIST, NULL},
    {"plugin_path", ONE_VALUE, NULL},
    {"transport", OPTIONS, NULL},
    {"executor", OPTIONS, NULL},
    {"executors", NAMED_OPTIONS, NULL},
    {"log", TABLE, pt_log_options},
    {"tasks", NAMED_TABLE, pt_task_option_table},
    {"queues", NAMED_TABLE, pt_queue_options},
};
enum { FAMILY_COUNT = sizeof(families) / sizeof(families[0]) };

static const patio_option *find_option(const patio_option *const *table, const char *name)
{
    for (; *table != NULL; table++) {
        if (strcmp((*table)->name, name) == 0) {
            return *table;
        }
    }
    return NULL;
}

/* The family of the first part of the key. */
static const family *find_family(const char *key)
{
    size_t size = strcspn(key, ".");
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (strlen(families[i].name) == size && memcmp(families[i].name, key, size) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

bool pt_key_is_map(const char *key)
{
    const family *f    = find_family(key);
    const char   *rest = strchr(key, '.');
    if (f == NULL || f->kind == ONE_VALUE || f->kind == LIST) {
        return false;
    }
    if (rest == NULL) {
        return true;
    }
    return f->kind == NAMED_TABLE || (f->kind == NAMED_OPTIONS && strchr(rest + 1, '.') == NULL);
}

bool pt_key_is_list(const char *key)
{
    const family *f = find_family(key);
    return f != NULL && f->kind == LIST && strchr(key, '.') == NULL;
}

bool pt_key_is_item(const char *key, size_t *list_size, unsigned *index)
{
    const family *f    = find_family(key);
    const char   *rest = strchr(key, '.');
    if (f == NULL || f->kind != LIST || rest == NULL) {
        return false;
    }
    size_t digits = strspn(rest + 1, "0123456789");
    if (digits == 0 || digits > 5 || rest[1 + digits] != '\0' || (digits > 1 && rest[1] == '0')) {
        return false;
    }
    *index = 0;
    for (const char *p = rest + 1; *p != '\0'; p++) {
        *index = *index * 10 + (unsigned)(*p - '0');
    }
    *list_size = (size_t)(rest - key);
    return true;
}

/* ---- unknown keys ---- */

static patio_status fail_unknown(const char *key, patio_error *err)
{
    char quoted[PT_QUOTE_BYTES];
    return pt_fail(err, PATIO_CONFIG, "config", "unknown key %s", pt_quote(quoted, key));
}

/* Suggest `best` with what stands around it in the key; alone where that would not fit a quote. */
static void suggest(patio_error *err, const char *key, size_t before, const char *best,
                    const char *after)
{
    char full[PT_QUOTE_BYTES];
    char quoted[PT_QUOTE_BYTES];
    int  size = snprintf(full, sizeof(full), "%.*s%s%s", (int)before, key, best, after);
    bool fits = size >= 0 && (size_t)size < sizeof(full) - sizeof("\"...\"");
    pt_error_add(err, "; did you mean %s?", pt_quote(quoted, fits ? full : best));
}

/* The nearest of the names in a table, for the part of the key from `part` on. */
static patio_status fail_unknown_option(const char *key, const char *part,
                                        const patio_option *const *table, patio_error *err)
{
    pt_near near;
    pt_near_init(&near, part);
    for (size_t i = 0; table[i] != NULL; i++) {
        pt_near_try(&near, table[i]->name);
    }
    (void)fail_unknown(key, err);
    if (near.best != NULL) {
        suggest(err, key, (size_t)(part - key), near.best, "");
    } else {
        pt_error_add(err, "; it may be");
        for (size_t i = 0; table[i] != NULL; i++) {
            pt_error_add(err, "%s %s", i > 0 ? "," : "", table[i]->name);
        }
    }
    return PATIO_CONFIG;
}

static patio_status fail_unknown_top(const char *key, patio_error *err)
{
    char        first[64];
    const char *rest = strchr(key, '.');
    size_t      size = strcspn(key, ".");
    (void)snprintf(first, sizeof(first), "%.*s", (int)(size < sizeof(first) ? size : 0), key);
    pt_near near;
    pt_near_init(&near, first);
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        pt_near_try(&near, families[i].name);
    }
    for (size_t i = 0; rest == NULL && i < PT_CORE_OPTION_COUNT; i++) {
        pt_near_try(&near, pt_core_options[i]->name);
    }
    /* as PATIO_LOG_LEVEL suggests */
    pt_near_try(&near, "log.level");
    pt_near_try(&near, "log.format");
    (void)fail_unknown(key, err);
    if (near.best != NULL) {
        suggest(err, key, 0, near.best, rest != NULL ? rest : "");
    } else {
        pt_error_add(err, "; docs/configuration.md lists the keys");
    }
    return PATIO_CONFIG;
}

/* ---- checking ---- */

static bool is_option_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t            size      = strlen(name);
    return size >= 1 && size <= OPTION_MAX_BYTES && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, allowed) == size;
}

static patio_status fail_shape(const char *key, const char *shape, patio_error *err)
{
    char quoted[PT_QUOTE_BYTES];
    return pt_fail(err, PATIO_CONFIG, "config", "key %s holds no value itself; write %s",
                   pt_quote(quoted, key), shape);
}

static patio_status check_option_name(const char *key, const char *option, patio_error *err)
{
    if (is_option_name(option)) {
        return PATIO_OK;
    }
    (void)fail_unknown(key, err);
    pt_error_add(err, "; an option has a-z, 0-9 and _ only");
    return PATIO_CONFIG;
}

/* One letter away from an option of the table? */
static bool is_slip(const char *name, const patio_option *const *table)
{
    pt_near near;
    pt_near_init(&near, name);
    for (size_t i = 0; table[i] != NULL; i++) {
        pt_near_try(&near, table[i]->name);
    }
    return near.best != NULL && near.distance == 1;
}

/* "executors.NAME.OPTION", "tasks.NAME.OPTION", "queues.NAME.OPTION" */
static patio_status check_named(const family *f, const char *key, patio_error *err)
{
    const char *name = key + strlen(f->name) + 1;
    const char *dot  = strrchr(key, '.');
    char        text[NAME_MAX_BYTES + 1];
    char        quoted[PT_QUOTE_BYTES];
    char        shape[64];
    (void)snprintf(shape, sizeof(shape), "%s.NAME.OPTION", f->name);
    if (dot == NULL || dot < name) {
        return fail_shape(key, shape, err);
    }
    const char *option = dot + 1;
    size_t      size   = (size_t)(dot - name);
    if (size > NAME_MAX_BYTES) {
        return pt_fail(err, PATIO_CONFIG, "config", "key %s: a name has at most %d bytes",
                       pt_quote(quoted, key), NAME_MAX_BYTES);
    }
    memcpy(text, name, size);
    text[size] = '\0';
    bool good  = f->table == pt_task_option_table ? pt_is_task_name(text)
                 : f->kind == NAMED_OPTIONS       ? is_option_name(text)
                                                  : pt_is_plain_name(text, NAME_MAX_BYTES);
    if (!good) {
        char name_quoted[PT_QUOTE_BYTES];
        return pt_fail(err, PATIO_CONFIG, "config", "key %s: %s is not a name",
                       pt_quote(quoted, key), pt_quote(name_quoted, text));
    }
    if (f->kind == NAMED_OPTIONS) {
        return check_option_name(key, option, err);
    }
    if (find_option(f->table, option) != NULL) {
        return PATIO_OK;
    }
    if (f->table == pt_task_option_table && !is_slip(option, f->table)) {
        /* may be an option of its executor: known when the broker is made */
        return check_option_name(key, option, err);
    }
    return fail_unknown_option(key, option, f->table, err);
}

static patio_status check_in_family(const family *f, const char *key, patio_error *err)
{
    const char *rest      = strchr(key, '.');
    size_t      list_size = 0;
    unsigned    index     = 0;
    switch (f->kind) {
    case ONE_VALUE:
        return rest == NULL ? PATIO_OK : fail_unknown(key, err);
    case LIST:
        return rest == NULL || pt_key_is_item(key, &list_size, &index) ? PATIO_OK
                                                                       : fail_unknown(key, err);
    case OPTIONS:
        return rest != NULL ? check_option_name(key, rest + 1, err)
                            : fail_shape(key, "transport.OPTION", err);
    case TABLE:
        if (rest == NULL) {
            return fail_shape(key, "log.OPTION", err);
        }
        return find_option(f->table, rest + 1) != NULL
                   ? PATIO_OK
                   : fail_unknown_option(key, rest + 1, f->table, err);
    case NAMED_OPTIONS:
    case NAMED_TABLE:
    default:
        return check_named(f, key, err);
    }
}

patio_status pt_key_check(const char *key, char stored[PT_KEY_BYTES], patio_error *err)
{
    const char *full = key;
    if (strcmp(key, "executor") == 0) {
        full = "executor.name";
    } else if (strcmp(key, "modules") == 0) {
        full = "modules.0";
    }
    if (strnlen(full, PT_KEY_BYTES) >= PT_KEY_BYTES) {
        char quoted[PT_QUOTE_BYTES];
        return pt_fail(err, PATIO_CONFIG, "config", "key %s is longer than %d bytes",
                       pt_quote(quoted, key), PT_KEY_BYTES - 1);
    }
    const family *f      = find_family(full);
    patio_status  status = PATIO_OK;
    if (f != NULL) {
        status = check_in_family(f, full, err);
    } else if (find_option(pt_core_options, full) == NULL) {
        status = fail_unknown_top(full, err);
    }
    if (status == PATIO_OK) {
        memcpy(stored, full, strlen(full) + 1);
    }
    return status;
}
