/* job.h: every file of a tree as a call, a bounded number of them in flight. */
#ifndef CHECKSUM_JOB_H
#define CHECKSUM_JOB_H

#include <stdbool.h>
#include <stdio.h>

#include <patio/patio.h>

#include "report.h"
#include "walk.h"

typedef struct job_options {
    patio_broker *broker;
    uint32_t      in_flight;  /* most calls at once */
    uint64_t      timeout_ms; /* of one call; a refused start is tried again for as long */
    FILE         *manifest;   /* NULL: none */
    FILE         *progress;
    bool (*stop_wanted)(void); /* asked at least every 100 ms */
} job_options;

/* Call the task for every file that the walk gives, and wait for all answers. False when it was
 * stopped; what was in flight is then cancelled and counted nowhere. */
bool job_run(const job_options *options, walk *w, report *r);

#endif
