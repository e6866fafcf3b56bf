/* config/config_store.h: the inside of a patio_config, for the readers of files and environment. */
#ifndef PT_CONFIG_STORE_H
#define PT_CONFIG_STORE_H

#include "config/config.h"

/* More keys than this are a mistake, or an attack: look-ups go through all of them. */
enum { PT_CONFIG_MAX_KEYS = 16384 };

/* One key; everything is owned. */
typedef struct pt_entry {
    uint64_t hash; /* of the key: most comparisons end here */
    char    *key;
    char    *task; /* the NAME of "tasks.NAME.option", else NULL; lies behind the key */
    char    *value;
    char    *origin;
} pt_entry;

struct patio_config {
    const patio_allocator *mem;
    pt_entry              *entries; /* in the order they were first set */
    size_t                 count;
    size_t                 room;
};

/* The entry of a key as it is stored; NULL if there is none. */
pt_entry *pt_store_find(const patio_config *config, const char *key);
/* Set a key as it is stored, replacing what it had, without further checks; errors come without the
 * origin. NO_MEMORY and CONFIG (too many keys) leave everything as it was. */
patio_status pt_store_put(patio_config *config, const char *key, const char *value,
                          const char *origin, patio_error *err);
/* Move everything out of `from` over what `to` has: all of it or, when out of memory, nothing. */
patio_status pt_store_merge(patio_config *to, patio_config *from, patio_error *err);

#endif
