#include "runtime/report.h"

#include "base/clock.h"
#include "runtime/job.h"

static const uint64_t pause_ns = PT_REPORT_PAUSE_MS * PT_NS_PER_MS;

static void flush(void *arg);

void pt_reports_init(pt_reports *r)
{
    pthread_mutex_init(&r->lock, NULL);
}

void pt_reports_fini(pt_reports *r)
{
    pthread_mutex_destroy(&r->lock);
}

void pt_reports_open(pt_reports *r)
{
    r->next_ns = 0;
    r->used    = false;
    r->open    = true;
}

static pt_timers *timers_of(const pt_job *job)
{
    return job->end.broker->runtime->timers;
}

/* False: the caller does not keep up, and is to be told later. */
static bool send_report(pt_job *job, const patio_progress *p)
{
    patio_broker *b   = job->end.broker;
    patio_buf    *buf = NULL;
    if (pt_encode_progress(b->mem, &job->base.id, p, &buf, NULL) != PATIO_OK) {
        return true; /* out of memory: a report is not worth more */
    }
    patio_status st = b->transport_plugin->ops.notify(b->transport, job->end.tag, buf, NULL);
    pt_buf_drop(buf);
    return st != PATIO_FULL;
}

/* Under the lock. */
static void set_timer(pt_job *job, uint64_t delay_ns)
{
    job->reports.timer = pt_timers_after(timers_of(job), delay_ns, flush, job);
}

/* The timer's number stays until the report has been sent, so that closing waits for it. */
static void flush(void *arg)
{
    pt_job     *job = arg;
    pt_reports *r   = &job->reports;
    pthread_mutex_lock(&r->lock);
    bool           open = r->open;
    patio_progress p    = r->latest;
    r->fresh            = false;
    pthread_mutex_unlock(&r->lock);
    bool sent = !open || send_report(job, &p);
    pthread_mutex_lock(&r->lock);
    r->timer   = 0;
    r->next_ns = pt_now_ns() + pause_ns;
    if (r->open && (r->fresh || !sent)) {
        set_timer(job, pause_ns);
    }
    pthread_mutex_unlock(&r->lock);
}

void pt_report(pt_job *job, const patio_progress *p)
{
    pt_reports *r   = &job->reports;
    uint64_t    now = pt_now_ns();
    pthread_mutex_lock(&r->lock);
    bool at_once = r->open && r->timer == 0 && now >= r->next_ns;
    r->used      = true;
    r->latest    = *p;
    r->fresh     = !at_once;
    if (at_once) {
        r->next_ns = now + pause_ns;
    } else if (r->open && r->timer == 0) {
        set_timer(job, r->next_ns - now);
    }
    pthread_mutex_unlock(&r->lock);
    if (at_once && !send_report(job, p)) {
        pthread_mutex_lock(&r->lock);
        if (r->open && r->timer == 0) {
            set_timer(job, pause_ns);
        }
        pthread_mutex_unlock(&r->lock);
    }
}

void pt_reports_close(pt_job *job)
{
    pt_reports *r = &job->reports;
    if (r->used) {
        pt_reports_shut(job);
    } else {
        r->open = false;
    }
}

void pt_reports_shut(pt_job *job)
{
    pt_reports *r = &job->reports;
    pthread_mutex_lock(&r->lock);
    uint64_t timer = r->timer;
    r->timer       = 0;
    r->open        = false;
    pthread_mutex_unlock(&r->lock);
    if (timer != 0) {
        (void)pt_timers_cancel(timers_of(job), timer); /* waits while it sends */
    }
}
