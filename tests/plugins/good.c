/* As it should be, with the required slots only and one option. */
#include "fake.h"

static const patio_option        depth     = {PATIO_SIZED(patio_option),
                                              .type     = PATIO_OPTION_INT,
                                              .name     = "depth",
                                              .fallback = "10",
                                              .help     = "how deep",
                                              .min      = 1,
                                              .max      = 100};
static const patio_option *const options[] = {&depth, NULL};

static const patio_transport_ops ops = {PATIO_SIZED(patio_transport_ops), .caps = PATIO_CAP_DELAY,
                                        .options = options, FAKE_REQUIRED};
FAKE_QUERY
PATIO_PLUGIN_DEFINE(good, "1.2.3", "MIT", "does nothing well", query)
