/* report.h: what a job has come to, while it runs and at its end. */
#ifndef CHECKSUM_REPORT_H
#define CHECKSUM_REPORT_H

#include <stdio.h>

#include "histogram.h"

enum { CAUSES_MAX = 16, EXAMPLES_MAX = 3 };

/* Files that failed for one reason: a task's error type, or the name of a status. */
typedef struct cause {
    char     name[64];
    uint64_t count;
    char    *examples[EXAMPLES_MAX]; /* "name: why", of the first ones */
} cause;

/* All zero is a fresh one. */
typedef struct report {
    uint64_t  begin_ns;
    uint64_t  end_ns;
    uint64_t  files; /* hashed */
    uint64_t  bytes;
    uint64_t  failed;
    histogram latency; /* of every task that gave an answer, in ns */
    cause     causes[CAUSES_MAX];
    size_t    cause_count;
} report;

/* Count a failure; name and why may hold any bytes. When there are too many causes the last one
 * takes all others. */
void report_failure(report *r, const char *cause_name, const char *name, const char *why);
void report_print(const report *r, FILE *out);
void report_fini(report *r);

#endif
