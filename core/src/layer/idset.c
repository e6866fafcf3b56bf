#include "layer/idset.h"

#include <string.h>

#define GONE UINT64_MAX

void pt_idmap_fini(pt_idmap *m)
{
    pt_free(m->mem, m->keys);
    pt_free(m->mem, m->values);
    *m = (pt_idmap){.mem = m->mem};
}

static size_t start_of(const pt_idmap *m, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 24) & (m->room - 1);
}

uint64_t *pt_idmap_find(const pt_idmap *m, uint64_t key)
{
    if (m->room == 0) {
        return NULL;
    }
    for (size_t at = start_of(m, key);; at = (at + 1) & (m->room - 1)) {
        if (m->keys[at] == key) {
            return &m->values[at];
        }
        if (m->keys[at] == 0) {
            return NULL;
        }
    }
}

static void insert(pt_idmap *m, uint64_t key, uint64_t value)
{
    size_t at = start_of(m, key);
    while (m->keys[at] != 0) {
        at = (at + 1) & (m->room - 1);
    }
    m->keys[at]   = key;
    m->values[at] = value;
}

static bool grow(pt_idmap *m)
{
    size_t   room   = 64;
    pt_idmap bigger = {.mem = m->mem, .used = m->count, .count = m->count};
    while (room < m->count * 4) {
        room *= 2;
    }
    bigger.room   = room;
    bigger.keys   = pt_calloc(m->mem, room, sizeof(*bigger.keys));
    bigger.values = pt_calloc(m->mem, room, sizeof(*bigger.values));
    if (bigger.keys == NULL || bigger.values == NULL) {
        pt_idmap_fini(&bigger);
        return false;
    }
    for (size_t i = 0; i < m->room; i++) {
        if (m->keys[i] != 0 && m->keys[i] != GONE) {
            insert(&bigger, m->keys[i], m->values[i]);
        }
    }
    pt_idmap_fini(m);
    *m = bigger;
    return true;
}

uint64_t *pt_idmap_put(pt_idmap *m, uint64_t key)
{
    uint64_t *found = pt_idmap_find(m, key);
    if (found != NULL) {
        return found;
    }
    if ((m->used + 1) * 2 > m->room && !grow(m)) {
        return NULL;
    }
    insert(m, key, 0);
    m->used++;
    m->count++;
    return pt_idmap_find(m, key);
}

bool pt_idmap_remove(pt_idmap *m, uint64_t key)
{
    uint64_t *found = pt_idmap_find(m, key);
    if (found == NULL) {
        return false;
    }
    m->keys[found - m->values] = GONE;
    m->count--;
    return true;
}

uint64_t pt_idmap_key(const patio_id *id)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, id->bytes, sizeof(a));
    memcpy(&b, id->bytes + 8, sizeof(b));
    uint64_t key =
        (a ^ (a >> 29)) * UINT64_C(0xBF58476D1CE4E5B9) + b * UINT64_C(0x94D049BB133111EB);
    return key == 0 || key == GONE ? 1 : key;
}
