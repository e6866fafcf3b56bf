#include "config/config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config_keys.h"
#include "config/config_store.h"
#include "config/say.h"

patio_status patio_config_create(patio_config **out, patio_error *err)
{
    if (out == NULL) {
        return pt_fail(err, PATIO_INVALID, "config", "make a configuration: out is NULL");
    }
    return pt_config_create(&pt_malloc_allocator, out, err);
}

/* Items of a list come one after the other, so that a list has no holes and keeps its order. */
static patio_status check_item(const patio_config *config, const char *key, patio_error *err)
{
    size_t   size  = 0;
    unsigned index = 0;
    if (!pt_key_is_item(key, &size, &index) || index == 0) {
        return PATIO_OK;
    }
    char before[PT_KEY_BYTES];
    (void)snprintf(before, sizeof(before), "%.*s.%u", (int)size, key, index - 1);
    if (pt_store_find(config, before) == NULL) {
        return pt_fail(err, PATIO_CONFIG, "config", "set \"%s\" before \"%s\"", before, key);
    }
    return PATIO_OK;
}

patio_status patio_config_set(patio_config *config, const char *key, const char *value,
                              const char *origin, patio_error *err)
{
    if (config == NULL || key == NULL || value == NULL) {
        return pt_fail(err, PATIO_INVALID, "config", "set a key: config, key or value is NULL");
    }
    char         stored[PT_KEY_BYTES];
    patio_status status = pt_key_check(key, stored, err);
    if (status == PATIO_OK) {
        status = check_item(config, stored, err);
    }
    if (status == PATIO_OK) {
        /* errors about this value come later, when who set it may be hard to tell */
        status =
            pt_store_put(config, stored, value, origin != NULL ? origin : "patio_config_set", err);
    }
    return status == PATIO_OK ? PATIO_OK : pt_error_at(err, status, origin);
}

bool pt_config_find(const patio_config *config, const char *key, pt_setting *out)
{
    char stored[PT_KEY_BYTES];
    if (config == NULL || key == NULL || pt_key_check(key, stored, NULL) != PATIO_OK) {
        return false;
    }
    const pt_entry *entry = pt_store_find(config, stored);
    if (entry == NULL) {
        return false;
    }
    *out = (pt_setting){entry->key, entry->value, entry->origin};
    return true;
}

const char *patio_config_get(const patio_config *config, const char *key)
{
    pt_setting setting;
    return pt_config_find(config, key, &setting) ? setting.value : NULL;
}

patio_status pt_config_under(const patio_allocator *mem, const patio_config *config,
                             const char *prefix, pt_setting **out, size_t *count, patio_error *err)
{
    size_t size  = strlen(prefix);
    size_t found = 0;
    *out         = NULL;
    *count       = 0;
    for (size_t i = 0; i < config->count; i++) {
        found += strncmp(config->entries[i].key, prefix, size) == 0 ? 1 : 0;
    }
    if (found == 0) {
        return PATIO_OK;
    }
    pt_setting *settings = pt_calloc(mem, found, sizeof(*settings));
    if (settings == NULL) {
        return pt_no_memory(err, "config");
    }
    for (size_t i = 0; i < config->count; i++) {
        const pt_entry *entry = &config->entries[i];
        if (strncmp(entry->key, prefix, size) == 0) {
            settings[(*count)++] = (pt_setting){entry->key + size, entry->value, entry->origin};
        }
    }
    *out = settings;
    return PATIO_OK;
}

static bool was_visited(const patio_config *config, size_t before, const char *task)
{
    for (size_t i = 0; i < before; i++) {
        const char *other = config->entries[i].task;
        if (other != NULL && strcmp(other, task) == 0) {
            return true;
        }
    }
    return false;
}

void pt_config_each_task(const patio_config *config, pt_name_fn visit, void *arg)
{
    for (size_t i = 0; i < config->count; i++) {
        const pt_entry *entry = &config->entries[i];
        if (entry->task != NULL && !was_visited(config, i, entry->task)) {
            visit(arg, entry->task, entry->origin);
        }
    }
}
