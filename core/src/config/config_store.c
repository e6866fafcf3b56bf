#include "config/config_store.h"

#include <string.h>

#include "base/error.h"
#include "config/config_keys.h"
#include "config/say.h"
#include "config/secret.h"

/* FNV-1a */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash;
}

static void free_entry(const patio_allocator *mem, pt_entry *entry)
{
    pt_free(mem, entry->key);
    pt_secret_free(mem, entry->value); /* which of them is a secret only a plugin knows */
    pt_free(mem, entry->origin);
    *entry = (pt_entry){0};
}

patio_status pt_config_create(const patio_allocator *mem, patio_config **out, patio_error *err)
{
    *out = pt_calloc(mem, 1, sizeof(**out));
    if (*out == NULL) {
        return pt_no_memory(err, "config");
    }
    (*out)->mem = mem;
    return PATIO_OK;
}

void patio_config_destroy(patio_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->count; i++) {
        free_entry(config->mem, &config->entries[i]);
    }
    pt_free(config->mem, config->entries);
    pt_free(config->mem, config);
}

pt_entry *pt_store_find(const patio_config *config, const char *key)
{
    uint64_t hash = hash_text(key);
    for (size_t i = 0; i < config->count; i++) {
        pt_entry *entry = &config->entries[i];
        if (entry->hash == hash && strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
    return NULL;
}

static bool reserve(patio_config *config, size_t more)
{
    size_t need = config->count + more;
    if (need <= config->room) {
        return true;
    }
    size_t room   = config->room * 2 > need ? config->room * 2 : need;
    room          = room < 16 ? 16 : room;
    void *entries = pt_resize(config->mem, config->entries, room * sizeof(pt_entry));
    if (entries == NULL) {
        return false;
    }
    config->entries = entries;
    config->room    = room;
    return true;
}

/* ---- lists ---- */

static bool is_item_of(const char *key, const char *list, size_t list_size)
{
    size_t   size  = 0;
    unsigned index = 0;
    return pt_key_is_item(key, &size, &index) && size == list_size && memcmp(key, list, size) == 0;
}

static bool is_list_itself(const char *key, const char *list, size_t list_size)
{
    return strlen(key) == list_size && memcmp(key, list, list_size) == 0;
}

static void drop(patio_config *config, const char *list, size_t list_size, bool items)
{
    size_t kept = 0;
    for (size_t i = 0; i < config->count; i++) {
        pt_entry *entry = &config->entries[i];
        if (items ? is_item_of(entry->key, list, list_size)
                  : is_list_itself(entry->key, list, list_size)) {
            free_entry(config->mem, entry);
        } else {
            config->entries[kept++] = *entry;
        }
    }
    config->count = kept;
}

/* "broker" and "broker.0" exclude each other: setting one drops the other. Item 0 begins the list
 * anew, so that a list from a later source replaces one from an earlier as a whole. */
static void drop_rivals(patio_config *config, const char *key)
{
    size_t   size  = 0;
    unsigned index = 0;
    if (pt_key_is_list(key)) {
        drop(config, key, strlen(key), true);
    } else if (pt_key_is_item(key, &size, &index)) {
        drop(config, key, size, false);
        if (index == 0) {
            drop(config, key, size, true);
        }
    }
}

/* ---- putting ---- */

static void place(patio_config *config, pt_entry *entry)
{
    pt_entry *present = pt_store_find(config, entry->key);
    if (present != NULL) {
        free_entry(config->mem, present);
    } else {
        present = &config->entries[config->count++];
    }
    *present = *entry;
    *entry   = (pt_entry){0};
}

/* The key and, behind it in the same memory, the name of the task it speaks of. */
static void set_key(const patio_allocator *mem, pt_entry *entry, const char *key)
{
    static const char prefix[] = "tasks.";
    const size_t      before   = sizeof(prefix) - 1;
    const char       *dot      = strrchr(key, '.');
    size_t            size     = strlen(key);
    entry->hash                = hash_text(key);
    entry->key                 = pt_alloc(mem, 2 * (size + 1));
    if (entry->key == NULL) {
        return;
    }
    memcpy(entry->key, key, size + 1);
    if (strncmp(key, prefix, before) == 0 && dot != NULL && dot > key + before) {
        size_t task_size = (size_t)(dot - key) - before;
        entry->task      = entry->key + size + 1;
        memcpy(entry->task, key + before, task_size);
        entry->task[task_size] = '\0';
    }
}

patio_status pt_store_put(patio_config *config, const char *key, const char *value,
                          const char *origin, patio_error *err)
{
    const patio_allocator *mem = config->mem;
    pt_entry entry             = {.value = pt_strdup(mem, value), .origin = pt_strdup(mem, origin)};
    set_key(mem, &entry, key);
    if (entry.key == NULL || entry.value == NULL || entry.origin == NULL || !reserve(config, 1)) {
        free_entry(mem, &entry);
        return pt_no_memory(err, "config");
    }
    if (config->count >= PT_CONFIG_MAX_KEYS && pt_store_find(config, key) == NULL) {
        free_entry(mem, &entry);
        return pt_fail(err, PATIO_CONFIG, "config", "more than %d keys", PT_CONFIG_MAX_KEYS);
    }
    drop_rivals(config, key);
    place(config, &entry);
    return PATIO_OK;
}

patio_status pt_store_merge(patio_config *to, patio_config *from, patio_error *err)
{
    if (!reserve(to, from->count)) {
        return pt_no_memory(err, "config");
    }
    for (size_t i = 0; i < from->count; i++) {
        drop_rivals(to, from->entries[i].key);
        place(to, &from->entries[i]);
    }
    from->count = 0;
    return PATIO_OK;
}
