/* config/config_table.h: rows of the option tables that only config/ reads by number. */
#ifndef PT_CONFIG_TABLE_H
#define PT_CONFIG_TABLE_H

#include <patio/plugin.h>

/* Rows of pt_task_option_table. */
enum pt_task_option {
    PT_TASK_EXECUTOR,
    PT_TASK_QUEUE,
    PT_TASK_PRIORITY,
    PT_TASK_ATTEMPT_TIMEOUT_MS,
    PT_TASK_CALL_TIMEOUT_MS,
    PT_TASK_MAX_ATTEMPTS,
    PT_TASK_MAX_CRASHES,
    PT_TASK_BACKOFF_BASE_MS,
    PT_TASK_BACKOFF_CAP_MS,
    PT_TASK_IDEMPOTENT,
    PT_TASK_ACK,
    PT_TASK_VERSION,
    PT_TASK_QUEUE_TTL_MS,
    PT_TASK_RESULT_TTL_MS,
    PT_TASK_BACKOFF,
    PT_TASK_BACKOFF_LIST,
    PT_TASK_LEVEL,
    PT_TASK_DELAY_MS,
    PT_TASK_DEDUP,
    PT_TASK_DEDUP_WINDOW_MS,
    PT_TASK_DEDUP_CONFLICT,
    PT_TASK_OPTION_COUNT,
};

#endif
