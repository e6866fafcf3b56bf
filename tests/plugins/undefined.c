/* Needs something that nobody has. */
#include "fake.h"

const void *patio_test_nobody_has_this(const char *interface_id);

PATIO_PLUGIN_DEFINE(undefined, "1.0.0", "MIT", "", patio_test_nobody_has_this)
