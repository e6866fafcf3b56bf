/* The short forms of making a broker: URLs, and everything else default. */
#include <stdio.h>

#include "base/error.h"
#include "runtime/broker.h"

patio_status patio_broker_open(patio_registry *registry, const char *url, patio_broker **out,
                               patio_error *err)
{
    return patio_broker_open_all(registry, &url, 1, out, err);
}

patio_status patio_broker_open_all(patio_registry *registry, const char *const *urls,
                                   size_t url_count, patio_broker **out, patio_error *err)
{
    patio_config *config = NULL;
    if (urls == NULL || url_count == 0) {
        return pt_fail(err, PATIO_INVALID, "broker", "open: no URL is given");
    }
    patio_status st = patio_config_create(&config, err);
    for (size_t i = 0; i < url_count && st == PATIO_OK; i++) {
        char key[32] = "broker";
        if (url_count > 1) {
            (void)snprintf(key, sizeof(key), "broker.%zu", i);
        }
        st = patio_config_set(config, key, urls[i], "patio_broker_open", err);
    }
    if (st == PATIO_OK) {
        st = patio_broker_create(NULL, registry, config, out, err);
    }
    patio_config_destroy(config);
    return st;
}
