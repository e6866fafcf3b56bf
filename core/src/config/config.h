/* config/config.h: what the rest of libpatio asks of a patio_config. */
#ifndef PT_CONFIG_H
#define PT_CONFIG_H

#include <stdbool.h>

#include <patio/config.h>

#include "config/options.h"

/* patio_config_create with memory of one's own. */
patio_status pt_config_create(const patio_allocator *mem, patio_config **out, patio_error *err);

/* The setting of one key; false if it is not set, or no key. Borrowed until the next change.
 * Settings of a configuration always have an origin. */
bool pt_config_find(const patio_config *config, const char *key, pt_setting *out);

/* All settings whose key begins with `prefix` ("transport."), the prefix cut off, in the order they
 * were set. *out is an array of *count (NULL for none), to be freed with pt_free(mem, …) with the
 * mem given here; its texts are borrowed until the next change. */
patio_status pt_config_under(const patio_allocator *mem, const patio_config *config,
                             const char *prefix, pt_setting **out, size_t *count, patio_error *err);

/* The keys of the core itself (project, connect_timeout_ms, max_body_bytes …), as an option table,
 * for validation and for docs/options.md. pt_core_option numbers its rows. */
extern const patio_option *const pt_core_options[];
enum pt_core_option {
    PT_CORE_PROJECT,
    PT_CORE_CONNECT_TIMEOUT_MS,
    PT_CORE_CONNECT_REQUIRED,
    PT_CORE_ENQUEUE_TIMEOUT_MS,
    PT_CORE_CALL_TIMEOUT_MS,
    PT_CORE_DRAIN_TIMEOUT_MS,
    PT_CORE_MAX_BODY_BYTES,
    PT_CORE_MAX_DECODE_BYTES,
    PT_CORE_MAX_PENDING,
    PT_CORE_LOOKAHEAD,
    PT_CORE_LOOKAHEAD_WAIT_MS,
    PT_CORE_QUEUE_ORDER,
    PT_CORE_WATCHDOG_MS,
    PT_CORE_OPTION_COUNT,
};
/* The values of the core's own keys; free with pt_options_free(mem, pt_core_options, …). */
patio_status pt_config_core(const patio_allocator *mem, const patio_config *config,
                            patio_option_value **out, patio_error *err);

/* The keys below log., as an option table; the level's number is the PATIO_LOG_… it means. */
extern const patio_option *const pt_log_options[];
enum pt_log_option { PT_LOG_LEVEL, PT_LOG_FORMAT, PT_LOG_OPTION_COUNT };
/* Their values; free with pt_options_free(mem, pt_log_options, …). */
patio_status pt_config_log(const patio_allocator *mem, const patio_config *config,
                           patio_option_value **out, patio_error *err);

/* The options of one queue (queues.NAME.…), as an option table. */
extern const patio_option *const pt_queue_options[];
enum pt_queue_option { PT_QUEUE_WEIGHT, PT_QUEUE_OPTION_COUNT };
/* Their values for one queue; free with pt_options_free(mem, pt_queue_options, …). */
patio_status pt_config_queue(const patio_allocator *mem, const patio_config *config,
                             const char *name, patio_option_value **out, patio_error *err);

/* The options of one task (tasks.NAME.…) as an option table. */
extern const patio_option *const pt_task_option_table[];
struct patio_task_options;
/* Lay the settings of tasks.NAME over *options (which holds what the code said); what is not set
 * there is left alone. Texts that end up in *options are borrowed from the config until its next
 * change. CONFIG as in pt_options_parse; *options is then untouched. */
patio_status pt_config_task(const patio_allocator *mem, const patio_config *config,
                            const char *name, struct patio_task_options *options, patio_error *err);
/* A task's settings that are its executor's (tasks.NAME.OPTION, with OPTION by `table`, which may
 * be NULL), as one value per row. CONFIG also for what neither the core nor the table knows. *out
 * is NULL if the table is empty; free with pt_options_free(mem, table, …). */
patio_status pt_config_task_executor(const patio_allocator *mem, const patio_config *config,
                                     const char *name, const char *executor,
                                     const patio_option *const *table, patio_option_value **out,
                                     patio_error *err);
/* The names below tasks., each once, visited in the order they were set; name and origin are
 * borrowed until the next change. */
typedef void (*pt_name_fn)(void *arg, const char *name, const char *origin);
void pt_config_each_task(const patio_config *config, pt_name_fn visit, void *arg);

#endif
