/* Serves hosts of another major version only. */
#include "fake.h"

static const patio_transport_ops ops = {PATIO_SIZED(patio_transport_ops), FAKE_REQUIRED};
FAKE_QUERY
static const patio_plugin self = {
    PATIO_PLUGIN_MAGIC, sizeof(patio_plugin), 3, 0, 0, "major_refused", "3.0.0", "MIT", "", query};
FAKE_ENTRY(host_abi_major == 3, &self)
