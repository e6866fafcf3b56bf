/* Built for a later minor version: identity and table have members that we do not know. */
#include "fake.h"

static const struct {
    patio_transport_ops base;
    void (*unknown[2])(void);
} ops = {.base = {.struct_size = sizeof(ops), FAKE_REQUIRED, .query = fake_query}};
FAKE_QUERY

static const struct {
    patio_plugin base;
    uint64_t     unknown[3];
} self = {.base = {PATIO_PLUGIN_MAGIC, sizeof(self), PATIO_ABI_MAJOR, 7, 0, "new_table", "7.0.0",
                   "MIT", "", query}};
FAKE_ENTRY(1, &self.base)
