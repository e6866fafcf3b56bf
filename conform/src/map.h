/* map.h: u64 to u64. */
#ifndef CONFORM_MAP_H
#define CONFORM_MAP_H

#include <stdint.h>

typedef struct kit_map kit_map;

kit_map  *kit_map_new(void);
void      kit_map_free(kit_map *m);
uint64_t *kit_map_at(kit_map *m, uint64_t key); /* 0 when new; valid until the next call */
uint64_t  kit_map_get(const kit_map *m, uint64_t key);

#endif
