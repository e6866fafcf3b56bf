/* config/config_yaml.h: YAML into the keys of a configuration. */
#ifndef PT_CONFIG_YAML_H
#define PT_CONFIG_YAML_H

#include "config/config_store.h"

/* Put every key of a YAML text into `loaded`, an empty configuration, with origins "NAME:LINE".
 * CONFIG says name, line and why; `loaded` may then hold a part. */
patio_status pt_yaml_load(const char *name, patio_bytes yaml, patio_config *loaded,
                          patio_error *err);

#endif
