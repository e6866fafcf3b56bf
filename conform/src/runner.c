/* runner.c: each case in a process of its own, some side by side. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

enum { JOBS_MAX = 16 };

typedef struct job {
    pid_t            pid;
    int              fd;
    kit_outcome_row *row;
    uint64_t         started_ms;
    uint64_t         limit_ms;
    size_t           got;
    bool             timed_out;
    struct {
        uint32_t result;
        char     text[KIT_TEXT];
        char     note[KIT_TEXT];
    } said;
} job;

static void name_run(kit *k)
{
    uint64_t random = 0;
    (void)k->host.table.random(&k->host, &random, sizeof(random));
    (void)snprintf(k->run_name, sizeof(k->run_name), "%08x", (uint32_t)random);
    (void)snprintf(k->project, sizeof(k->project), "conform-%u-%s", k->self->number, k->run_name);
}

/* Is there something for this case to look at? Otherwise why not. */
static bool applies(kit *k)
{
    const kit_case *c = k->self;
    if ((c->flags & KIT_EXECUTOR) != 0) {
        uint32_t caps     = k->xops->caps;
        bool     external = (caps & PATIO_EXECUTOR_EXTERNAL) != 0;
        if ((c->flags & KIT_RUNS) == 0) {
            return true;
        }
        if (external && k->options->task_count == 0) {
            kit_skip(k, "it runs programs, and --task names none");
        }
        if ((caps & PATIO_EXECUTOR_RUNS) == 0 ||
            (!external && (caps & PATIO_EXECUTOR_ISOLATED) != 0)) {
            kit_skip(k, "it runs no job on a thread of this process");
        }
        return true;
    }
    uint32_t missing = c->needs & ~k->ops->caps;
    if (missing != 0) {
        for (uint32_t cap = 1; cap != 0; cap <<= 1) {
            if ((missing & cap) != 0) {
                kit_check_refused(k, cap);
                kit_note(k, "no \"%s\"", kit_cap_word(cap));
            }
        }
        k->result = KIT_REFUSED;
        return false;
    }
    if ((c->flags & (KIT_LINK | KIT_FORKS)) != 0 && strncmp(k->options->url, "memory:", 7) == 0) {
        kit_skip(k, "there is no link: it lives in one process");
    }
    if ((c->flags & KIT_LINK) != 0 && !kit_has_link(k)) {
        kit_skip(k, "the URL has no host and port to put the proxy before");
    }
    if (c->interface != NULL) {
        kit_instance *i     = kit_instance_open(k, NULL);
        bool          there = kit_query(i, c->interface) != NULL;
        kit_instance_close(i);
        k->instance_count = 0;
        if (!there) {
            kit_note(k, "no interface \"%s\"", c->interface);
            k->result = KIT_REFUSED;
            return false;
        }
    }
    return true;
}

static void finish(kit *k)
{
    if (setjmp(k->out) == 0) {
        kit_close_all(k);
        kit_proxy_stop(k->proxy);
        k->proxy = NULL;
        if (k->result == KIT_PASSED || k->result == KIT_REFUSED) {
            kit_host_check_empty(&k->host);
        }
    } else {
        k->result = KIT_FAILED;
    }
    if (atomic_load(&k->breaches) > 0) {
        size_t used = strlen(k->failure);
        (void)snprintf(k->failure + used, sizeof(k->failure) - used, "%s%s", used > 0 ? "; " : "",
                       k->breach);
        k->result = KIT_FAILED;
    }
}

void kit_run_here(const kit_options *o, const kit_case *c, kit_outcome_row *row)
{
    kit *k = calloc(1, sizeof(*k));
    if (k == NULL) {
        abort();
    }
    pthread_condattr_t clock;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, &clock);
    k->options = o;
    k->self    = c;
    k->thread  = pthread_self();
    k->fences  = kit_map_new();
    kit_host_init(&k->host, k);
    name_run(k);
    if (setjmp(k->out) == 0) {
        if (!kit_plugin_load(k)) {
            k->result = KIT_FAILED;
        } else {
            k->redelivery_ms = k->ops != NULL ? kit_redelivery_ms(k) : 0;
            if (applies(k)) {
                c->run(k);
            }
        }
    }
    finish(k);
    kit_processes_end(k);
    row->result = k->result;
    (void)snprintf(row->text, sizeof(row->text), "%s", k->failure);
    (void)snprintf(row->note, sizeof(row->note), "%s", k->note);
    kit_report_clean(row);
    if (k->result != KIT_FAILED) {
        kit_host_fini(&k->host);
        kit_map_free(k->fences);
        free(k);
    }
}

static uint64_t limit_of(const kit_options *o, const kit_case *c)
{
    uint64_t redelivery = o->redelivery_ms != 0 ? o->redelivery_ms : 62000;
    bool     slow       = (c->flags & (KIT_LINK | KIT_FORKS)) != 0;
    return (c->limit_s != 0 ? c->limit_s : 60u) * 1000u + (slow ? redelivery * 2 : 0);
}

static void start(const kit_options *o, kit_outcome_row *row, job *j)
{
    int ends[2];
    *j = (job){.row = row, .started_ms = kit_now_ms(), .limit_ms = limit_of(o, row->self)};
    (void)fflush(NULL);
    if (pipe(ends) != 0 || (j->pid = fork()) < 0) {
        abort();
    }
    if (j->pid == 0) {
        (void)close(ends[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGPIPE, SIG_IGN);
        kit_run_here(o, row->self, row);
        j->said.result = row->result;
        memcpy(j->said.text, row->text, sizeof(j->said.text));
        memcpy(j->said.note, row->note, sizeof(j->said.note));
        bool told = write(ends[1], &j->said, sizeof(j->said)) == (ssize_t)sizeof(j->said);
        /* a failed case has left things behind: no leak checker needs to look at those */
        if (row->result == KIT_FAILED) {
            _exit(told ? 0 : 1);
        }
        exit(told ? 0 : 1);
    }
    (void)close(ends[1]);
    j->fd = ends[0];
}

static bool collect(job *j)
{
    uint64_t took = kit_now_ms() - j->started_ms;
    ssize_t  n    = read(j->fd, (char *)&j->said + j->got, sizeof(j->said) - j->got);
    if (n > 0) {
        j->got += (size_t)n;
        return false;
    }
    int status = 0;
    (void)close(j->fd);
    while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR) {
    }
    kit_outcome_row *row = j->row;
    row->took_ms         = took;
    row->result          = KIT_FAILED;
    if (j->timed_out) {
        (void)snprintf(row->text, sizeof(row->text), "it hung: ended after %llu s",
                       (unsigned long long)(took / 1000));
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(row->text, sizeof(row->text), "it crashed: signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    } else if (j->got != sizeof(j->said) || WEXITSTATUS(status) != 0) {
        (void)snprintf(row->text, sizeof(row->text),
                       "its process ended with code %d: a sanitizer's report is above, or "
                       "something called exit",
                       WEXITSTATUS(status));
    } else {
        row->result = j->said.result;
        memcpy(row->text, j->said.text, sizeof(row->text));
        memcpy(row->note, j->said.note, sizeof(row->note));
    }
    j->pid = 0;
    return true;
}

static void wait_some(job *jobs, uint32_t count, void (*done)(const kit_outcome_row *row))
{
    struct pollfd fds[JOBS_MAX];
    job          *of[JOBS_MAX];
    nfds_t        n = 0;
    for (uint32_t j = 0; j < count; j++) {
        if (jobs[j].pid > 0) {
            of[n]    = &jobs[j];
            fds[n++] = (struct pollfd){.fd = jobs[j].fd, .events = POLLIN};
        }
    }
    (void)poll(fds, n, 200);
    for (nfds_t f = 0; f < n; f++) {
        if (fds[f].revents != 0) {
            if (collect(of[f])) {
                done(of[f]->row);
            }
        } else if (!of[f]->timed_out && kit_now_ms() - of[f]->started_ms > of[f]->limit_ms) {
            of[f]->timed_out = true;
            (void)kill(of[f]->pid, SIGKILL);
        }
    }
}

void kit_run_all(const kit_options *o, const kit_case *const *cases, size_t count,
                 kit_outcome_row *rows, void (*done)(const kit_outcome_row *row))
{
    static job jobs[JOBS_MAX];
    uint32_t   room    = o->jobs < JOBS_MAX ? o->jobs : JOBS_MAX;
    size_t     next    = 0;
    size_t     running = 0;
    for (size_t i = 0; i < count; i++) {
        rows[i].self = cases[i];
    }
    if (o->in_process) {
        for (size_t i = 0; i < count; i++) {
            uint64_t from = kit_now_ms();
            kit_run_here(o, cases[i], &rows[i]);
            rows[i].took_ms = kit_now_ms() - from;
            done(&rows[i]);
        }
        return;
    }
    do {
        running = 0;
        for (uint32_t j = 0; j < room; j++) {
            if (jobs[j].pid == 0 && next < count) {
                start(o, &rows[next++], &jobs[j]);
            }
            running += jobs[j].pid > 0;
        }
        if (running > 0) {
            wait_some(jobs, room, done);
        }
    } while (running > 0 || next < count);
}
