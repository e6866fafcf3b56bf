/* Built when the table ended before `query`: what lies there now is not the plugin's. */
#include "fake.h"

static const patio_transport_ops ops = {
    .struct_size = offsetof(patio_transport_ops, query), FAKE_REQUIRED, .query = fake_query};
FAKE_QUERY
PATIO_PLUGIN_DEFINE(old_table, "0.9.0", "MIT", "", query)
