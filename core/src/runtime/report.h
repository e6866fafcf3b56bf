/* runtime/report.h: reports of a running task on their way to its caller, paced. */
#ifndef PT_REPORT_H
#define PT_REPORT_H

#include <patio/message.h>

#include <pthread.h>
#include <stdbool.h>

/* Belongs to a job and is reused with it. At most one report in PT_REPORT_PAUSE_MS is sent, always
 * the latest; what comes in between is kept, and sent when the pause is over. */
enum { PT_REPORT_PAUSE_MS = 100 };

typedef struct pt_reports {
    pthread_mutex_t lock;
    uint64_t        timer; /* 0: none waits */
    uint64_t        next_ns;
    patio_progress  latest;
    bool            fresh; /* the latest has not been sent */
    bool            open;
    bool            used; /* by this run: else closing costs nothing */
} pt_reports;

typedef struct pt_job pt_job;

void pt_reports_init(pt_reports *reports);
void pt_reports_fini(pt_reports *reports);
/* Take reports for a run; no more of them once close has returned. The run is over. */
void pt_reports_open(pt_reports *reports);
void pt_reports_close(pt_job *job);
/* The same while it goes on, and may report. */
void pt_reports_shut(pt_job *job);
/* Any thread while the job's run is open. Never blocks. */
void pt_report(pt_job *job, const patio_progress *progress);

#endif
