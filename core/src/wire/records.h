/* wire/records.h: what is said about tasks and workers, beside the envelopes. */
#ifndef PT_RECORDS_H
#define PT_RECORDS_H

#include <patio/operate.h>

#include "base/arena.h"

/* Why a task is dead, for patio_settlement.cause. */
typedef struct pt_death {
    const char  *cause; /* a word of dead_letter.proto */
    patio_status status;
    const char  *message;
    const char  *error_type;
    const char  *worker; /* host:pid; NULL: nobody */
    uint32_t     attempts;
    uint32_t     crashes;
} pt_death;
#define PT_DEATH_MESSAGE_MAX 1024u /* what is longer is cut */
/* A patio.v1.DeadLetter into the arena. Data NULL when out of memory. */
patio_bytes pt_write_death(pt_arena *arena, const pt_death *death);

/* Fill in what a patio.v1.DeadLetter says; without one, or with a broken one, the texts are "".
 * They lie in the arena. */
void pt_read_death(pt_arena *arena, patio_bytes bytes, patio_dead_info *out);

/* A patio.v1.Worker into the arena, at most max_bytes: as many task names as fit. Data NULL when
 * out of memory. */
patio_bytes pt_write_worker(pt_arena *arena, const patio_worker_info *info, size_t max_bytes);
/* The other way. PROTOCOL: not one. Texts lie in the arena. */
patio_status pt_read_worker(pt_arena *arena, patio_bytes bytes, patio_worker_info *out,
                            patio_error *err);

#endif
