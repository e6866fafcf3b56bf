/* plugin.h: the plugin under test, and what its tables say. */
#ifndef CONFORM_PLUGIN_H
#define CONFORM_PLUGIN_H

#include <stdbool.h>

#include <patio/plugin_util.h>

typedef struct kit           kit;
typedef struct kit_endpoints kit_endpoints;

/* Load and check; false, with the reason in k->failure. */
bool kit_plugin_load(kit *k);
void kit_plugin_find_secrets(kit *k);
bool kit_has_link(kit *k);
bool kit_meshes(kit *k);
/* The position of an option, or -1. */
int kit_option(const patio_option *const *table, const char *name);
/* Parse URLs, with settings on top ("max_queued=3"), into endpoints. */
kit_endpoints        *kit_endpoints_make(kit *k, const char *const *urls, size_t count,
                                         const char *const *settings, patio_error *err);
const patio_endpoint *kit_endpoints_array(const kit_endpoints *e, uint32_t *count);
patio_option_value   *kit_endpoints_values(kit_endpoints *e, uint32_t i);
void                  kit_endpoints_free(kit_endpoints *e);
/* The URL of instance `index`, placeholders filled in, through the proxy if there is one. */
void     kit_url(kit *k, const char *form, uint32_t index, char *out, size_t size);
uint64_t kit_redelivery_ms(kit *k);
/* Values of executor options. */
patio_option_value *kit_values(kit *k, const patio_option *const *table,
                               const char *const *settings, size_t count, patio_error *err);
void                kit_values_free(const patio_option *const *table, patio_option_value *values);

#endif
