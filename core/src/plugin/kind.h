/* plugin/kind.h: what sets transports and executors apart, as data; the loader itself knows
 * neither. */
#ifndef PT_KIND_H
#define PT_KIND_H

#include <stdbool.h>

#include "plugin/plugins.h"

/* A slot of an operations table that every plugin of the kind must fill. */
typedef struct pt_slot {
    const char *name;
    size_t      offset;
} pt_slot;

typedef struct pt_kind {
    const char    *word;         /* "transport" */
    const char    *folder;       /* "transports" */
    const char    *interface_id; /* PATIO_TRANSPORT_ID */
    size_t         ops_bytes;    /* our table */
    size_t         head_bytes;   /* its part before the first slot: the least a table must have */
    const pt_slot *required;
    size_t         required_count;
    /* Put stubs into the optional slots that are NULL. */
    void (*fill)(void *ops);
    /* The two members that every kind has; `ops` is our table. */
    const patio_option *const *(*options)(const void *ops);
    uint32_t (*caps)(const void *ops);
    /* What may be set for one task; NULL: the kind has no such thing. */
    const patio_option *const *(*task_options)(const void *ops);
} pt_kind;

extern const pt_kind pt_kind_transport;
extern const pt_kind pt_kind_executor;

enum { PT_KIND_COUNT = 2 };
extern const pt_kind *const pt_kinds[PT_KIND_COUNT];

/* By its word; NULL if there is none. */
const pt_kind *pt_kind_find(const char *word);

/* [a-z][a-z0-9_]{0,31} */
enum { PT_PLUGIN_NAME_MAX = 32 };
bool pt_is_plugin_name(const char *name);

#endif
