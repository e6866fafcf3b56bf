/* map.c: numbers by number, open addressing; only for the kit's own book-keeping. */
#include <stdlib.h>

#include "kit.h"

struct kit_map {
    uint64_t *keys; /* key + 1; 0: free */
    uint64_t *values;
    size_t    room; /* power of two */
    size_t    used;
};

kit_map *kit_map_new(void)
{
    kit_map *m = calloc(1, sizeof(*m));
    if (m != NULL) {
        m->room   = 64;
        m->keys   = calloc(m->room, sizeof(*m->keys));
        m->values = calloc(m->room, sizeof(*m->values));
    }
    if (m == NULL || m->keys == NULL || m->values == NULL) {
        abort();
    }
    return m;
}

void kit_map_free(kit_map *m)
{
    if (m != NULL) {
        free(m->keys);
        free(m->values);
        free(m);
    }
}

static size_t find(const kit_map *m, uint64_t key)
{
    size_t at = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (m->room - 1);
    while (m->keys[at] != 0 && m->keys[at] != key + 1) {
        at = (at + 1) & (m->room - 1);
    }
    return at;
}

static void grow(kit_map *m)
{
    kit_map bigger = {.room = m->room * 2};
    bigger.keys    = calloc(bigger.room, sizeof(*bigger.keys));
    bigger.values  = calloc(bigger.room, sizeof(*bigger.values));
    if (bigger.keys == NULL || bigger.values == NULL) {
        abort();
    }
    for (size_t i = 0; i < m->room; i++) {
        if (m->keys[i] != 0) {
            size_t at         = find(&bigger, m->keys[i] - 1);
            bigger.keys[at]   = m->keys[i];
            bigger.values[at] = m->values[i];
        }
    }
    free(m->keys);
    free(m->values);
    m->keys   = bigger.keys;
    m->values = bigger.values;
    m->room   = bigger.room;
}

uint64_t *kit_map_at(kit_map *m, uint64_t key)
{
    if (m->used * 2 >= m->room) {
        grow(m);
    }
    size_t at = find(m, key);
    if (m->keys[at] == 0) {
        m->keys[at] = key + 1;
        m->used++;
    }
    return &m->values[at];
}

uint64_t kit_map_get(const kit_map *m, uint64_t key)
{
    size_t at = find(m, key);
    return m->keys[at] != 0 ? m->values[at] : 0;
}
