/* Says another major version to whoever asks. */
#include "fake.h"

static const patio_transport_ops ops = {PATIO_SIZED(patio_transport_ops), FAKE_REQUIRED};
FAKE_QUERY
static const patio_plugin self = {
    PATIO_PLUGIN_MAGIC, sizeof(patio_plugin), 3, 4, 0, "major_wrong", "3.0.0", "MIT", "", query};
FAKE_ENTRY(1, &self)
