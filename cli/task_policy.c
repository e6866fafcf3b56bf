#include "task_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patio/plugin_util.h>

#include "parse.h"

const char *const cli_ack_words[]      = {"on_done", "on_start", "on_receive", NULL};
const char *const cli_conflict_words[] = {"drop", "attach", "replace", NULL};
const char *const cli_dedup_words[]    = {"key", "args", NULL};
const char *const cli_backoff_words[]  = {"exponential", "fixed", NULL};
const char *const cli_level_words[]    = {"process", "peer", "disk", "replicated", NULL};

bool cli_word_number(const char *const *words, const char *word, uint32_t *number)
{
    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

static bool read_count(const char *text, uint32_t *number)
{
    char         *end   = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > UINT32_MAX) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

static bool read_time(const char *text, uint64_t *ms)
{
    return strcmp(text, "none") == 0 ? cli_parse_timeout("forever", ms)
                                     : cli_parse_timeout(text, ms);
}

static bool read_ttl(const char *text, uint64_t *ms)
{
    bool ok = read_time(text, ms);
    *ms     = *ms == PATIO_FOREVER ? 0 : *ms;
    return ok;
}

static bool read_priority(const char *text, uint16_t *priority)
{
    bool ok   = text[0] >= '0' && text[0] <= '9' && text[1] == '\0';
    *priority = ok ? PATIO_PRIORITY(text[0] - '0') : *priority;
    return ok;
}

static bool read_idempotent(const char *text, uint32_t *flags)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1", NULL};
    uint32_t                 word    = 0;
    bool                     ok      = cli_word_number(words, text, &word);
    *flags &= ~(uint32_t)PATIO_TASK_IDEMPOTENT;
    *flags |= word % 2 != 0 ? PATIO_TASK_IDEMPOTENT : 0;
    return ok;
}

static bool read_text(const char *text, const char **out)
{
    *out = text;
    return true;
}

typedef struct reading {
    const patio_config *config;
    const char         *name;
    char                key[320];
    const char         *bad; /* text of `key` that could not be read */
} reading;

/* NULL if it is not set, or if one before it was bad. */
static const char *text_of(reading *r, const char *option)
{
    if (r->bad != NULL) {
        return NULL;
    }
    (void)snprintf(r->key, sizeof(r->key), "tasks.%s.%s", r->name, option);
    return patio_config_get(r->config, r->key);
}

static void note(reading *r, const char *text, bool ok)
{
    r->bad = ok ? r->bad : text;
}

#define READ(option, call)                                                                         \
    do {                                                                                           \
        const char *text = text_of(&r, option);                                                    \
        if (text != NULL) {                                                                        \
            note(&r, text, call);                                                                  \
        }                                                                                          \
    } while (0)

patio_status cli_task_policy(const patio_config *config, const char *name, patio_task_options *o,
                             patio_error *err)
{
    reading r = {.config = config, .name = name};
    READ("queue", read_text(text, &o->queue));
    READ("executor", read_text(text, &o->executor));
    READ("priority", read_priority(text, &o->priority));
    READ("attempt_timeout_ms", read_time(text, &o->attempt_timeout_ms));
    READ("call_timeout_ms", read_time(text, &o->call_timeout_ms));
    READ("max_attempts", read_count(text, &o->max_attempts));
    READ("max_crashes", read_count(text, &o->max_crashes));
    READ("backoff_base_ms", read_time(text, &o->backoff_base_ms));
    READ("backoff_cap_ms", read_time(text, &o->backoff_cap_ms));
    READ("backoff", cli_word_number(cli_backoff_words, text, &o->backoff));
    READ("backoff_list", read_text(text, &o->backoff_list));
    READ("idempotent", read_idempotent(text, &o->flags));
    READ("ack", cli_word_number(cli_ack_words, text, &o->ack));
    READ("version", read_count(text, &o->version));
    READ("queue_ttl_ms", read_ttl(text, &o->queue_ttl_ms));
    READ("result_ttl_ms", read_time(text, &o->result_ttl_ms));
    READ("delay_ms", read_time(text, &o->delay_ms));
    READ("dedup", cli_word_number(cli_dedup_words, text, &o->dedup_by));
    READ("dedup_window_ms", read_time(text, &o->dedup_window_ms));
    READ("dedup_conflict", cli_word_number(cli_conflict_words, text, &o->dedup_conflict));
    READ("level", cli_word_number(cli_level_words, text, &o->level));
    return r.bad == NULL ? PATIO_OK
                         : patio_fail(err, PATIO_CONFIG, 0, "%.200s: \"%.64s\" is no value for it",
                                      r.key, r.bad);
}
