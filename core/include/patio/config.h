/* patio/config.h: what a broker is made from: URL, project, executor, options, from file,
 * environment and code.
 *
 * A configuration is a list of dotted keys and texts, each remembering where it came from, so that
 * an error can name file and line. Sources are applied in the order you load them: later ones win.
 * docs/configuration.md lists the keys. Not thread-safe: fill it on one thread; a broker copies
 * what it needs.
 */
#ifndef PATIO_CONFIG_H
#define PATIO_CONFIG_H

#include <patio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct patio_config patio_config;

PATIO_API PATIO_CHECKED patio_status patio_config_create(patio_config **out, patio_error *err);
PATIO_API void                       patio_config_destroy(patio_config *config);

/* Set one key; `origin` (may be NULL) is for errors: "-j on the command line". The key "broker" may
 * be a list: set "broker.0", "broker.1"; setting "broker" drops the list, and setting item 0 begins
 * it anew. "modules" is always a list: "modules" means "modules.0". "executor" means
 * "executor.name". CONFIG: unknown key, with the nearest one. Values are checked when the broker is
 * made, when the plugins are known. */
PATIO_API PATIO_CHECKED patio_status patio_config_set(patio_config *config, const char *key,
                                                      const char *value, const char *origin,
                                                      patio_error *err);
/* The text of a key, NULL if it is not set. Borrowed until the next change. */
PATIO_API const char *patio_config_get(const patio_config *config, const char *key);
/* Read a YAML file, at most 1 MiB. Blocks on the disk. IO: cannot be read; CONFIG: says file, line
 * and why. When it fails the configuration stays as it was. */
PATIO_API PATIO_CHECKED patio_status patio_config_load_file(patio_config *config, const char *path,
                                                            patio_error *err);
/* Read YAML from memory; `name` stands for the file in errors. Else as load_file. */
PATIO_API PATIO_CHECKED patio_status patio_config_load_text(patio_config *config, patio_bytes yaml,
                                                            const char *name, patio_error *err);
/* Read PATIO_BROKER, PATIO_PROJECT, PATIO_EXECUTOR, PATIO_WORKERS, PATIO_LOG_LEVEL,
 * PATIO_LOG_FORMAT, PATIO_PLUGIN_PATH and PATIO_CONFIG (a file, read first). Empty ones count as
 * not set. When it fails the configuration stays as it was. */
PATIO_API PATIO_CHECKED patio_status patio_config_load_env(patio_config *config, patio_error *err);

#ifdef __cplusplus
}
#endif
#endif
