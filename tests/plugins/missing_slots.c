/* Forgot to fill some of the required slots. */
#include "fake.h"

static const patio_transport_ops ops = {PATIO_SIZED(patio_transport_ops), FAKE_LIFE,
                                        .subscribe   = fake_subscribe,
                                        .unsubscribe = fake_unsubscribe, .counts = fake_counts};
FAKE_QUERY
PATIO_PLUGIN_DEFINE(missing_slots, "1.0.0", "MIT", "", query)
