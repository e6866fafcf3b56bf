/* The worker's log names what goes to the dead letters: where somebody looks after a service, that
 * is the first place to look. A few lines a second, for all may fail at once. */
#include <stdio.h>

#include "base/id.h"
#include "runtime/worker.h"
#include "wire/records.h"

enum {
    COUNT_BITS       = 8,
    LINES_PER_SECOND = 10,
    NS_PER_SECOND    = 1000 * 1000 * 1000,
    TEXT_BYTES       = 1400
};

/* How many were not named since the last one that was; false: nor is this one. */
static bool may_name(patio_broker *b, uint32_t *unnamed)
{
    uint64_t second = pt_clock_now(&b->runtime->clock) / NS_PER_SECOND << COUNT_BITS;
    uint64_t word   = atomic_load(&b->dead_named.word);
    uint64_t next   = 0;
    do {
        next = word >> COUNT_BITS == second >> COUNT_BITS ? word + 1 : second + 1;
        if (next - second > LINES_PER_SECOND) {
            (void)atomic_fetch_add(&b->dead_named.unnamed, 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&b->dead_named.word, &word, next));
    *unnamed = atomic_exchange(&b->dead_named.unnamed, 0);
    return true;
}

void pt_dead_log(const pt_ending *end, const pt_death *death)
{
    const pt_log *log     = &end->broker->runtime->log;
    const char   *name    = end->route->task->name; /* NULL: it is nobody's here */
    uint32_t      unnamed = 0;
    char          id[33];
    char          more[64] = "";
    char          text[TEXT_BYTES];
    if (!pt_log_on(log, PATIO_LOG_WARN) || !may_name(end->broker, &unnamed)) {
        return;
    }
    if (unnamed > 0) {
        (void)snprintf(more, sizeof(more), " (%u others before it are not named)", unnamed);
    }
    patio_id_format(end->id, id);
    (void)snprintf(text, sizeof(text),
                   "dead letter: task \"%.255s\", attempt %u, %s: %.200s: %.800s%s",
                   name != NULL ? name : "", end->attempt, death->cause, death->error_type,
                   death->message, more);
    pt_log_line(log, PATIO_LOG_WARN, "task", id, text);
}
