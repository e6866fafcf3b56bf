/* Has the entry symbol by accident: what it returns is no identity. */
#include "fake.h"

static const patio_plugin self = {.magic = 0xdeadbeefu, .struct_size = sizeof(patio_plugin)};
FAKE_ENTRY(1, &self)
