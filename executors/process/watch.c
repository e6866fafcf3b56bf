/* Limits. Memory is what a child has for itself in RAM, looked at every 10 ms: a limit of the
 * address space would forbid what costs nothing, and cannot be lifted for the next task. */
#include "pool.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FAREWELL_MS = 2000, TELL_MS = 1000, LOST_MS = 100 };

uint32_t watch_begun(const child *c)
{
    /* behind `first` after a withdrawal: numbers are not used again */
    uint32_t ahead = (uint32_t)atomic_load(&c->page->turn) - (uint32_t)c->first;
    return ahead > UINT32_MAX / 2 ? 0 : ahead;
}

patio_job *watch_running(const child *c, uint64_t *number)
{
    uint32_t begun = watch_begun(c);
    if (c->held == 0 || begun == 0) {
        return NULL;
    }
    if (begun > (uint32_t)(c->number - c->first)) {
        begun = 1; /* nonsense in its page: whoever is first has written it */
    }
    *number = c->first + begun - 1;
    return c->jobs[*number % DEPTH_MAX];
}

patio_job *watch_oldest(const child *c, uint64_t *number)
{
    *number = c->first;
    while (c->held > 0 && c->jobs[*number % DEPTH_MAX] == NULL) {
        ++*number;
    }
    return c->held > 0 ? c->jobs[*number % DEPTH_MAX] : NULL;
}

uint64_t watch_cpu_ns(const child *c)
{
    clockid_t       clock;
    struct timespec t = {0};
    if (clock_getcpuclockid(c->pid, &clock) != 0 || clock_gettime(clock, &t) != 0) {
        return 0;
    }
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* In RAM and its own: resident less what is shared with others. */
static uint64_t memory_bytes(const child *c)
{
    char    text[128];
    ssize_t got = c->statm_fd >= 0 ? pread(c->statm_fd, text, sizeof(text) - 1, 0) : -1;
    if (got <= 0) {
        return 0;
    }
    text[got]                   = '\0';
    char              *at       = text;
    unsigned long long pages[3] = {0};
    for (int i = 0; i < 3; i++) {
        pages[i] = strtoull(at, &at, 10);
    }
    uint64_t own = pages[1] > pages[2] ? pages[1] - pages[2] : 0;
    return own * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Tell it to end; end it when it does not. */
static uint64_t watch_told(patio_executor *x, child *c, uint64_t number, const limits *l,
                           uint64_t now, cause why)
{
    if (c->told_ns == 0 || c->told_number != number) {
        c->told_ns     = now;
        c->told_number = number;
        words_say(x, c, PATIO_CHILD_CANCEL, number, NULL, NULL, (patio_bytes){NULL, 0});
    }
    uint64_t end = c->told_ns + l->grace_ns;
    if (now >= end) {
        end_kill(c, why);
        return NEVER;
    }
    return end;
}

static uint64_t watch_stop(patio_executor *x, child *c, uint64_t number, const limits *l,
                           uint64_t now)
{
    if (!x->stopping || x->stop_at_ns == NEVER) {
        return NEVER;
    }
    if (now >= x->stop_at_ns) {
        end_kill(c, CAUSE_STOPPED);
        return NEVER;
    }
    uint64_t ahead = sooner(l->grace_ns, TELL_MS * NS_PER_MS);
    uint64_t tell  = x->stop_at_ns > ahead ? x->stop_at_ns - ahead : 0;
    if (now < tell) {
        return tell;
    }
    if (c->told_ns == 0 || c->told_number != number) {
        c->told_ns     = now;
        c->told_number = number;
        words_say(x, c, PATIO_CHILD_CANCEL, number, NULL, NULL, (patio_bytes){NULL, 0});
    }
    return x->stop_at_ns;
}

static uint64_t watch_use(child *c, const limits *l, uint64_t now)
{
    if (l->memory_bytes == 0 && l->cpu_ns == 0) {
        return NEVER;
    }
    if (l->memory_bytes != 0 && memory_bytes(c) > l->memory_bytes) {
        end_kill(c, CAUSE_MEMORY);
    } else if (l->cpu_ns != 0 && watch_cpu_ns(c) - c->cpu_from_ns > l->cpu_ns) {
        end_kill(c, CAUSE_CPU);
    }
    return now + WATCH_NS;
}

/* Jobs lie behind one that lasts: take them back. What is done is heard in the next turn. */
static uint64_t watch_stuck(patio_executor *x, child *c, uint64_t now)
{
    if (c->held < 2 || c->stuck) {
        return NEVER;
    }
    if (now < c->moved_ns + STUCK_NS) {
        return c->moved_ns + STUCK_NS;
    }
    pthread_mutex_lock(&x->lock);
    c->stuck           = true;
    x->unsure_until_ns = now + UNSURE_NS;
    uint32_t taken     = deal_withdraw(x, c);
    pthread_mutex_unlock(&x->lock);
    return taken > 0 ? now : NEVER;
}

static uint64_t watch_deadline(child *c, const patio_job *job, const limits *l, uint64_t now)
{
    uint64_t end = job->deadline_ns != 0 ? job->deadline_ns + l->grace_ns : NEVER;
    if (now >= end) {
        end_kill(c, CAUSE_TIME);
    }
    return end;
}

/* It was given a job and has not begun, or its page says so, which a task may have written: look
 * again when it surely has, and do not believe it beyond the job's time. */
static uint64_t watch_given(patio_executor *x, child *c, const patio_job *job, uint64_t number,
                            uint64_t now)
{
    limits   l    = give_limits(x, job);
    uint64_t next = sooner(now + WATCH_NS, watch_deadline(c, job, &l, now));
    return sooner(next, watch_stop(x, c, number, &l, now));
}

static uint64_t watch_job(patio_executor *x, child *c, patio_job *job, uint64_t number,
                          uint64_t now)
{
    limits   l    = give_limits(x, job);
    uint64_t next = sooner(watch_use(c, &l, now), watch_deadline(c, job, &l, now));
    if (job->ops->cancelled(job)) {
        next = sooner(next, watch_told(x, c, number, &l, now, CAUSE_CANCELLED));
    }
    return sooner(next, watch_stop(x, c, number, &l, now));
}

/* One that has nothing to run. */
static uint64_t watch_idle(patio_executor *x, child *c, uint64_t now)
{
    uint64_t end = NEVER;
    if (c->state == CHILD_STARTING) {
        end = c->born_ns + (uint64_t)x->values[OPT_START_TIMEOUT].number * NS_PER_MS;
    } else if (c->state == CHILD_CLOSED) {
        end = c->moved_ns + FAREWELL_MS * NS_PER_MS;
    }
    if (now >= end) {
        end_kill(c, c->state == CHILD_STARTING ? CAUSE_UNREADY : CAUSE_STOPPED);
        return NEVER;
    }
    return end;
}

/* Its socket is closed: it is about to end, or has closed all its descriptors. */
static uint64_t watch_lost(child *c, uint64_t now)
{
    uint64_t end = c->lost_ns + LOST_MS * NS_PER_MS;
    if (now >= end) {
        end_kill(c, CAUSE_PROTOCOL);
        return NEVER;
    }
    return end;
}

uint64_t watch_all(patio_executor *x, uint64_t now)
{
    uint64_t next = NEVER;
    for (child *c = x->children; c != NULL; c = c->next) {
        if (c->killed || c->gone) {
            continue;
        }
        if (atomic_load(&c->broken)) {
            end_kill(c, CAUSE_PROTOCOL);
            continue;
        }
        if (c->lost_ns != 0) {
            next = sooner(next, watch_lost(c, now));
            continue;
        }
        uint64_t number = 0;
        pthread_mutex_lock(&x->lock);
        patio_job *job   = watch_running(c, &number);
        patio_job *given = job == NULL ? watch_oldest(c, &number) : NULL;
        pthread_mutex_unlock(&x->lock);
        if (job != NULL) {
            next = sooner(next, watch_job(x, c, job, number, now));
            next = sooner(next, watch_stuck(x, c, now));
        } else if (given != NULL) {
            next = sooner(next, watch_given(x, c, given, number, now));
        } else {
            next = sooner(next, watch_idle(x, c, now));
        }
    }
    return next;
}
