#include <string.h>

#include "base/error.h"
#include "config/config_yaml.h"
#include "config/read_file.h"

enum { MAX_FILE_BYTES = 1024 * 1024 };

patio_status patio_config_load_text(patio_config *config, patio_bytes yaml, const char *name,
                                    patio_error *err)
{
    if (config == NULL || name == NULL || (yaml.data == NULL && yaml.size > 0)) {
        return pt_fail(err, PATIO_INVALID, "config", "read YAML: config, name or text is NULL");
    }
    if (yaml.size > MAX_FILE_BYTES) {
        return pt_fail(err, PATIO_CONFIG, "config", "%s: it has more than %d bytes", name,
                       MAX_FILE_BYTES);
    }
    patio_config *loaded = NULL;
    patio_status  status = pt_config_create(config->mem, &loaded, err);
    if (status == PATIO_OK) {
        status = pt_yaml_load(name, yaml, loaded, err);
    }
    if (status == PATIO_OK) {
        status = pt_store_merge(config, loaded, err);
    }
    patio_config_destroy(loaded);
    return status;
}

patio_status patio_config_load_file(patio_config *config, const char *path, patio_error *err)
{
    if (config == NULL || path == NULL) {
        return pt_fail(err, PATIO_INVALID, "config", "read a file: config or path is NULL");
    }
    char        *text   = NULL;
    size_t       size   = 0;
    patio_status status = pt_read_file(config->mem, path, MAX_FILE_BYTES, &text, &size, err);
    if (status == PATIO_OK) {
        patio_bytes yaml = {(const uint8_t *)text, size};
        status           = patio_config_load_text(config, yaml, path, err);
        explicit_bzero(text, size);
        pt_free(config->mem, text);
    }
    return status;
}
