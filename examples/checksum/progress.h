/* progress.h: how far it is, while it runs: one line redrawn on a terminal, a line now and then
 * elsewhere. */
#ifndef CHECKSUM_PROGRESS_H
#define CHECKSUM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report.h"

typedef struct progress {
    FILE    *out;
    bool     terminal;
    bool     drawn; /* a line stands on the terminal */
    uint64_t next_ns;
} progress;

void progress_init(progress *p, FILE *out);
/* Show it, if it is time to. */
void progress_tick(progress *p, const report *r, uint32_t in_flight);
/* Wipe the line off the terminal. */
void progress_clear(progress *p);

#endif
