#include "runtime/registry_task.h"

#include <string.h>

#include <patio/message.h>

#include "base/error.h"
#include "base/text.h"

enum {
    NAME_MAX_BYTES = 255, /* of a queue or an executor */

    ATTEMPT_TIMEOUT_MS = 5 * 60 * 1000,
    CALL_TIMEOUT_MS    = 30 * 1000,
    MAX_ATTEMPTS       = 5,
    MAX_CRASHES        = 3,
    BACKOFF_BASE_MS    = 1000,
    BACKOFF_CAP_MS     = 10 * 60 * 1000,
    PRIORITY_LEVEL     = 4,
    PRIORITY_LEVEL_MAX = 9,
};

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
    return value != 0 ? value : fallback;
}

void pt_task_options_fill(patio_task_options *options)
{
    options->struct_size        = (uint32_t)sizeof(*options);
    options->attempt_timeout_ms = or_default(options->attempt_timeout_ms, ATTEMPT_TIMEOUT_MS);
    options->call_timeout_ms    = or_default(options->call_timeout_ms, CALL_TIMEOUT_MS);
    options->max_attempts       = (uint32_t)or_default(options->max_attempts, MAX_ATTEMPTS);
    options->max_crashes        = (uint32_t)or_default(options->max_crashes, MAX_CRASHES);
    options->backoff_base_ms    = or_default(options->backoff_base_ms, BACKOFF_BASE_MS);
    options->backoff_cap_ms     = or_default(options->backoff_cap_ms, BACKOFF_CAP_MS);
    if (options->priority == 0) {
        options->priority = PATIO_PRIORITY(PRIORITY_LEVEL);
    }
    if (options->queue == NULL) {
        options->queue = "default";
    }
}

/* What is wrong with them; NULL: nothing. */
static const char *options_problem(const patio_task_options *options)
{
    if ((options->flags & ~(uint32_t)PATIO_TASK_IDEMPOTENT) != 0) {
        return "flags has a bit that is not one of PATIO_TASK_...";
    }
    if (options->ack > PATIO_ACK_ON_RECEIVE) {
        return "ack is not one of PATIO_ACK_...";
    }
    if (options->priority > PATIO_PRIORITY(PRIORITY_LEVEL_MAX)) {
        return "priority is above PATIO_PRIORITY(9)";
    }
    if (options->backoff > PATIO_BACKOFF_FIXED) {
        return "backoff is not one of PATIO_BACKOFF_...";
    }
    if (options->level > PATIO_LEVEL_REPLICATED) {
        return "level is not one of PATIO_LEVEL_...";
    }
    if (options->dedup_conflict > PATIO_DEDUP_REPLACE) {
        return "dedup_conflict is not one of PATIO_DEDUP_...";
    }
    if (options->dedup_by > PATIO_DEDUP_BY_ARGS) {
        return "dedup_by is not one of PATIO_DEDUP_BY_...";
    }
    if (options->queue != NULL && !pt_is_plain_name(options->queue, NAME_MAX_BYTES)) {
        return "queue is not 1..255 bytes of [A-Za-z0-9._-]";
    }
    if (options->executor != NULL && !pt_is_plain_name(options->executor, NAME_MAX_BYTES)) {
        return "executor is not 1..255 bytes of [A-Za-z0-9._-]";
    }
    return NULL;
}

patio_status pt_task_options_read(const patio_task_options *given, const char *who,
                                  patio_task_options *out, patio_error *err)
{
    *out = (patio_task_options){PATIO_SIZED(patio_task_options)};
    if (given == NULL) {
        return PATIO_OK;
    }
    const char *problem = "struct_size is not set, use PATIO_SIZED";
    if (PATIO_HAS(patio_task_options, given, flags)) {
        memcpy(out, given, given->struct_size < sizeof(*out) ? given->struct_size : sizeof(*out));
        problem = options_problem(out);
    }
    return problem == NULL ? PATIO_OK
                           : pt_fail(err, PATIO_INVALID, "registry", "bad options for task %s: %s",
                                     who, problem);
}

static size_t text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Put a copy at *at and move it on; NULL stays NULL. */
static char *place(char **at, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char  *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static char *place_bytes(char **at, patio_bytes text)
{
    char *copy = *at;
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    *at += text.size + 1;
    return copy;
}

pt_task *pt_task_make(const patio_allocator *mem, const pt_task_draft *draft)
{
    const char               *function = draft->function != NULL ? draft->function : "";
    const patio_task_options *given    = &draft->options;
    size_t texts = text_bytes(draft->name) + draft->module.size + 1 + text_bytes(function) +
                   text_bytes(given->queue) + text_bytes(given->executor) +
                   text_bytes(given->module) + text_bytes(given->source) +
                   text_bytes(given->backoff_list);
    pt_task *task = pt_alloc(mem, sizeof(*task) + texts);
    if (task == NULL) {
        return NULL;
    }
    char *at = (char *)(task + 1);
    *task    = (pt_task){.fn = draft->fn, .options = *given};

    task->name             = place(&at, draft->name);
    task->module           = place_bytes(&at, draft->module);
    task->function         = place(&at, function);
    task->options.queue    = place(&at, given->queue);
    task->options.executor = place(&at, given->executor);
    task->options.module   = place(&at, given->module);
    task->options.source   = place(&at, given->source);

    task->options.backoff_list = place(&at, given->backoff_list);
    pt_task_options_fill(&task->options);
    return task;
}
