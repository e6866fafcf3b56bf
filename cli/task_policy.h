/* task_policy.h: what a configuration says of one task, laid over what its code says. */
#ifndef CLI_TASK_POLICY_H
#define CLI_TASK_POLICY_H

#include <patio/config.h>
#include <patio/registry.h>

/* Texts in *options are borrowed from the configuration. CONFIG: one of them says nothing that a
 * task could have. */
patio_status cli_task_policy(const patio_config *config, const char *name,
                             patio_task_options *options, patio_error *err);

/* By PATIO_ACK_…, PATIO_BACKOFF_…, PATIO_DEDUP_…, PATIO_DEDUP_BY_…, PATIO_LEVEL_…; NULL at the end.
 */
extern const char *const cli_ack_words[];
extern const char *const cli_backoff_words[];
extern const char *const cli_conflict_words[];
extern const char *const cli_dedup_words[];
extern const char *const cli_level_words[];
/* The number of a word; false: it is none of them. */
bool cli_word_number(const char *const *words, const char *word, uint32_t *number);

#endif
