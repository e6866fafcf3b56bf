/* base/log.h: one line of log, to the user's function or to standard error. */
#ifndef PT_LOG_H
#define PT_LOG_H

#include <stdbool.h>

#include <patio/runtime.h>

typedef struct pt_log {
    int32_t      level; /* lines below are dropped */
    bool         json;
    patio_log_fn fn; /* NULL: standard error */
    void        *self;
} pt_log;

static inline bool pt_log_on(const pt_log *log, int32_t level)
{
    return level >= log->level;
}
/* task_id may be NULL. */
void pt_log_line(const pt_log *log, int32_t level, const char *topic, const char *task_id,
                 const char *text);
void pt_log_printf(const pt_log *log, int32_t level, const char *topic, const char *format, ...)
    PATIO_PRINTF(4, 5);
/* "debug" -> PATIO_LOG_DEBUG; false for another word. */
bool pt_log_parse_level(const char *word, int32_t *level);

#endif
