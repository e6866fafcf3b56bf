/* A child that is no more, and what it was running. */
#include "pool.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* More than its socket can hold. */
enum { PACKETS_MAX = 4096 };

void end_kill(child *c, cause why)
{
    if (!c->killed) {
        c->killed = true;
        c->why    = why;
        (void)kill(-c->pid, SIGKILL);
        (void)kill(c->pid, SIGKILL); /* a task may have changed its group */
    }
}

/* How it ended. */
typedef struct ending {
    int      status; /* as of wait; -1: somebody else waited for it */
    uint64_t peak_bytes;
    uint64_t cpu_ms;
    char     type[32];
    int32_t  code;
} ending;

static ending reap(const child *c)
{
    ending        e    = {.status = -1};
    siginfo_t     info = {0};
    struct rusage use;
    /* not reaped yet, so that its group's number cannot be another's */
    (void)waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT);
    (void)kill(-c->pid, SIGKILL);
    if (wait4(c->pid, &e.status, 0, &use) == c->pid) {
        e.peak_bytes = (uint64_t)use.ru_maxrss * 1024;
        e.cpu_ms     = (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
                   (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
    } else {
        e.status = -1;
    }
    return e;
}

/* ---- in words ---- */

static const char *limit_word(cause why)
{
    switch (why) {
    case CAUSE_MEMORY:
        return "MemoryLimit";
    case CAUSE_CPU:
        return "CpuLimit";
    case CAUSE_TIME:
        return "TimeLimit";
    case CAUSE_OUTPUT:
        return "OutputLimit";
    case CAUSE_PROTOCOL:
        return "Disconnected";
    case CAUSE_CANCELLED:
        return "Cancelled";
    case CAUSE_STOPPED:
    case CAUSE_UNREADY:
        return "Stopped";
    case CAUSE_NONE:
    default:
        return NULL;
    }
}

/* The backtrace as the child wrote it, one line for another. */
static size_t add_backtrace(const child *c, char *to, size_t room)
{
    uint32_t size = atomic_load(&c->page->crash_bytes);
    size          = size < PATIO_CHILD_CRASH_MAX ? size : PATIO_CHILD_CRASH_MAX;
    size_t used   = 0;
    for (uint32_t i = 0; i < size && used + 8 < room; i++) {
        unsigned char byte = (unsigned char)c->page->crash[i];
        if (byte == '\n') {
            used += (size_t)snprintf(to + used, room - used, "; ");
        } else if (byte >= 0x20 && byte < 0x7f) {
            to[used++] = (char)byte;
        }
    }
    to[used < room ? used : room - 1] = '\0';
    return used;
}

static void describe_limit(const child *c, const limits *l, char *to, size_t room)
{
    switch (c->why) {
    case CAUSE_MEMORY:
        (void)snprintf(to, room, "killed: more memory than memory_limit_bytes (%llu)",
                       (unsigned long long)l->memory_bytes);
        return;
    case CAUSE_CPU:
        (void)snprintf(to, room, "killed: more CPU time than cpu_limit_ms (%llu)",
                       (unsigned long long)(l->cpu_ns / NS_PER_MS));
        return;
    case CAUSE_TIME:
        (void)snprintf(to, room, "killed: still running kill_grace_ms (%llu) after its deadline",
                       (unsigned long long)(l->grace_ns / NS_PER_MS));
        return;
    case CAUSE_OUTPUT:
        (void)snprintf(to, room, "killed: wrote more than output_limit_bytes (%llu)",
                       (unsigned long long)l->output_bytes);
        return;
    case CAUSE_PROTOCOL:
        (void)snprintf(to, room, "killed: it closed or broke its connection to the worker");
        return;
    case CAUSE_CANCELLED:
        (void)snprintf(to, room, "killed: still running kill_grace_ms (%llu) after its cancel",
                       (unsigned long long)(l->grace_ns / NS_PER_MS));
        return;
    case CAUSE_UNREADY:
        (void)snprintf(to, room, "killed: it did not get ready");
        return;
    case CAUSE_STOPPED:
    case CAUSE_NONE:
    default:
        (void)snprintf(to, room, "killed: its worker was stopped");
        return;
    }
}

static void describe_signal(const child *c, ending *e, char *to, size_t room)
{
    int         number = WTERMSIG(e->status);
    const char *name   = sigabbrev_np(number);
    (void)snprintf(e->type, sizeof(e->type), "SIG%s", name != NULL ? name : "?");
    e->code = number;
    if (c->page->crash_signal == number && (number == SIGSEGV || number == SIGBUS)) {
        (void)snprintf(to, room, "%s (signal %d) at address 0x%llx", e->type, number,
                       (unsigned long long)c->page->crash_address);
    } else {
        (void)snprintf(to, room, "%s (signal %d)%s", e->type, number,
                       number == SIGKILL ? ", by the kernel for want of memory or by hand" : "");
    }
}

static void describe(const child *c, const limits *l, ending *e, char *to, size_t room)
{
    const char *word = limit_word(c->why);
    char        how[256];
    if (word != NULL) {
        (void)snprintf(e->type, sizeof(e->type), "%s", word);
        e->code = SIGKILL;
        describe_limit(c, l, how, sizeof(how));
    } else if (e->status == -1) {
        (void)snprintf(e->type, sizeof(e->type), "Lost");
        (void)snprintf(how, sizeof(how), "ended, and somebody else waited for it");
    } else if (WIFSIGNALED(e->status)) {
        describe_signal(c, e, how, sizeof(how));
    } else {
        (void)snprintf(e->type, sizeof(e->type), "Exit");
        e->code = WEXITSTATUS(e->status);
        (void)snprintf(how, sizeof(how), "exited with code %d", e->code);
    }
    int used = snprintf(
        to, room, "child process %d: %s; peak memory %.1f MiB, CPU time %llu ms in its life",
        (int)c->pid, how, (double)e->peak_bytes / (1024.0 * 1024.0), (unsigned long long)e->cpu_ms);
    if (atomic_load(&c->page->crash_bytes) > 0 && used > 0 && (size_t)used + 16 < room) {
        used += snprintf(to + used, room - (size_t)used, "; backtrace: ");
        (void)add_backtrace(c, to + used, room - (size_t)used);
    }
}

/* ---- its jobs ---- */

static void fail_running(patio_executor *x, const child *c, patio_job *job, const ending *e,
                         const char *message)
{
    patio_outcome out = {PATIO_SIZED(patio_outcome)};
    if (c->why == CAUSE_CANCELLED) {
        out.verdict = PATIO_REJECT;
        out.status  = PATIO_CANCELLED;
    } else if (c->why == CAUSE_STOPPED) {
        job->ops->fail(job, PATIO_TASK_RETRY, 0, PATIO_CANCELLED, e->type, message, &out);
    } else {
        job->ops->fail(job, PATIO_TASK_CRASHED, 0, e->code, e->type, message, &out);
    }
    pool_done(x, job, &out);
}

/* Under the lock: the one it ran is taken out of its hands, what it had not begun goes back to the
 * queue, in order, and what it had done without a word of it is as lost as the one it ran. */
static uint32_t take_jobs(patio_executor *x, child *c, patio_job **lost)
{
    uint64_t   running = 0;
    patio_job *job     = watch_running(c, &running);
    uint32_t   n       = 0;
    if (job == NULL && c->why == CAUSE_TIME) {
        job = watch_oldest(c, &running); /* whatever its page says: its time was over */
    }
    for (uint64_t k = c->number; k > c->first; k--) {
        patio_job *one = c->jobs[(k - 1) % DEPTH_MAX];
        if (one == NULL) {
            continue;
        }
        if (one == job || (job != NULL && k - 1 < running)) {
            lost[n++] = one;
        } else {
            pool_push_front(x, one);
        }
        c->jobs[(k - 1) % DEPTH_MAX] = NULL;
    }
    c->held  = 0;
    c->first = c->number;
    return n;
}

/* What it had to say when it died: in the socket, in its page, on its streams. */
static void hear_rest(patio_executor *x, child *c)
{
    uint32_t heard = c->packets - 1;
    output_flush(x, c);
    /* what it has forked may hold its socket open: then there is no end to it, but nothing more */
    for (int i = 0; i < PACKETS_MAX && c->packets != heard; i++) {
        heard = c->packets;
        if (!hear_packet(x, c)) {
            break;
        }
    }
    results_read(x, c, atomic_load(&c->page->results.head));
}

/* Perhaps it never was the program: where exec fails in the child, this is how one hears of it. */
static void note_not_ready(patio_executor *x, const child *c, const char *how)
{
    char why[MESSAGE_MAX + 2 * PATH_MAX];
    (void)snprintf(why, sizeof(why), "%s%s%s: %s", x->program,
                   x->directory[0] != '\0' ? " in " : "", x->directory, how);
    staff_note_failure(x, PATIO_IO, why);
    reload_failed(x, c->generation, why);
}

void end_child(patio_executor *x, child *c)
{
    char       message[MESSAGE_MAX];
    patio_job *lost[DEPTH_MAX];
    bool       by_itself = !c->killed;
    c->killed            = true; /* whatever is found in its page: it is dead */
    hear_rest(x, c);
    ending e = reap(c);
    pthread_mutex_lock(&x->lock);
    bool starting = c->state == CHILD_STARTING;
    bool expected = c->state == CHILD_CLOSED && c->held == 0 &&
                    (!WIFEXITED(e.status) || WEXITSTATUS(e.status) == 0);
    uint32_t count = take_jobs(x, c, lost);
    limits   l     = count > 0 ? give_limits(x, lost[0]) : c->allowed;
    x->ready -= c->state == CHILD_READY ? 1 : 0;
    c->state = CHILD_CLOSED;
    c->gone  = true;
    pthread_mutex_unlock(&x->lock);
    if (by_itself) {
        c->why = c->page->crash_signal == PATIO_CHILD_LOST ? CAUSE_PROTOCOL : CAUSE_NONE;
    }
    describe(c, &l, &e, message, sizeof(message));
    patio_host_log(x->host, expected ? PATIO_LOG_DEBUG : PATIO_LOG_WARN, "%s%s%s", message,
                   count > 0 ? "; it ran " : "", count > 0 ? lost[0]->task : "");
    for (uint32_t i = 0; i < count; i++) {
        fail_running(x, c, lost[i], &e, message);
    }
    if (starting && !x->stopping) {
        note_not_ready(x, c, message);
    }
}
