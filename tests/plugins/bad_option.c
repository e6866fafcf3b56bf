/* Has an option of a type that patio does not know. */
#include "fake.h"

static const patio_option        colour = {PATIO_SIZED(patio_option), .type = 99, .name = "colour",
                                           .help = "of the pigeon"};
static const patio_option *const options[] = {&colour, NULL};

static const patio_transport_ops ops = {PATIO_SIZED(patio_transport_ops), .options = options,
                                        FAKE_REQUIRED};
FAKE_QUERY
PATIO_PLUGIN_DEFINE(bad_option, "1.0.0", "MIT", "", query)
