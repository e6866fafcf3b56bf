/* A file that was renamed. */
#include "fake.h"

static const patio_transport_ops ops = {PATIO_SIZED(patio_transport_ops), FAKE_REQUIRED};
FAKE_QUERY
PATIO_PLUGIN_DEFINE(somebody, "1.0.0", "MIT", "", query)
